"""The retailers of a run: their keys and catalogue, which stay as they are (`domain.ports.retailers`)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from domain.permissions import Scope
from domain.ports.identity_keys import WrappedKeys
from domain.ports.retailers import CatalogueItem, Control, Grant, Retailer
from domain.records import Known
from tests.simulation.shop import CATEGORIES, PRICES, RETAILERS

SIGNING_KEY = b"the signing key of every gateway of a run"


def write_key(retailer_id: str) -> str:
    """Gives the key that pages use."""
    return f"write-{retailer_id}"


def secret_key(retailer_id: str) -> str:
    """Gives the key that the retailer's server uses."""
    return f"secret-{retailer_id}"


def _grants() -> dict[str, Grant]:
    grants = {}
    for retailer_id in RETAILERS:
        retailer = Retailer(retailer_id=retailer_id, name=retailer_id)
        keys: tuple[tuple[str, Scope], ...] = (
            (write_key(retailer_id), "write"),
            (secret_key(retailer_id), "secret"),
        )
        for key, scope in keys:
            grants[hashlib.sha256(key.encode()).hexdigest()] = Grant(retailer, scope, None)
    return grants


def _known() -> dict[str, Known]:
    return {
        product_id: Known(category_id=CATEGORIES[product_id], price_minor=price_minor + 1, currency="EUR")
        for product_id, price_minor in PRICES.items()
    }


CONTROL = Control(
    version=1,
    retailers={retailer_id: Retailer(retailer_id=retailer_id, name=retailer_id) for retailer_id in RETAILERS},
    grants=_grants(),
    origins=frozenset(),
    known={retailer_id: _known() for retailer_id in RETAILERS},
    wrapped={},
)


class SimulatedRetailers:
    """The control data of a run; nobody changes them."""

    def current(self) -> Control:
        """Gives them."""
        return CONTROL

    async def add(
        self, retailer: Retailer, write_key_digest: str, secret_key_digest: str, wrapped: WrappedKeys
    ) -> None:
        """Is not asked for in a run."""
        raise NotImplementedError

    async def change(self, retailer: Retailer) -> None:
        """Is not asked for in a run."""
        raise NotImplementedError

    async def rotate_key(
        self,
        retailer_id: str,
        scope: Scope,
        digest: str | None,
        *,
        old_until_ms: int | None,
        only: str | None = None,
    ) -> None:
        """Is not asked for in a run."""
        raise NotImplementedError

    async def import_catalogue(self, retailer_id: str, items: Sequence[CatalogueItem]) -> None:
        """Is not asked for in a run."""
        raise NotImplementedError

    async def catalogue(self, retailer_id: str) -> Sequence[CatalogueItem]:
        """Is not asked for in a run."""
        raise NotImplementedError
