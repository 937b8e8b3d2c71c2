"""Retailers: their keys, origins, rules at the door and catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from domain.events import Consent
from domain.permissions import Scope
from domain.ports.identity_keys import WrappedKeys
from domain.records import Known

Kind = Literal["history", "state", "models", "audit", "requests"]
"""What is kept for days that a retailer says; `domain.retention` tells how long where it says nothing."""
OnWithdrawal = Literal["keep", "erase_verified", "erase"]
"""What the end of a shopper's consent begins: nothing; an erasure if a key of the retailer's servers came with it; an
erasure whoever said so."""


class Retailer(Struct, frozen=True, kw_only=True):
    """One retailer.

    Attributes:
        retailer_id: made once, 1-64 characters.
        name: unique, as people say it.
        origins: web origins (`https://shop.example`) whose pages may post and listen.
        consent_default: for events that carry no consent.
        retention_days: of history and state, where `kept_days` says nothing of them.
        currency: ISO 4217, of catalogue prices and of prices without one.
        time_zone: IANA name.
        pii: what happens to personal data found in free text.
        on_withdrawal: what happens to the data of a shopper whose consent ends.
        kept_days: by kind, where the contract says something of its own; see `domain.retention.kept_days`.
    """

    retailer_id: str
    name: str
    origins: tuple[str, ...] = ()
    consent_default: Consent = "granted"
    retention_days: int = 1_095
    currency: str = "EUR"
    time_zone: str = "UTC"
    pii: Literal["redact", "refuse"] = "redact"
    on_withdrawal: OnWithdrawal = "keep"
    kept_days: Mapping[Kind, int] = {}


class Grant(NamedTuple):
    """What a key opens: a retailer and a scope, until a time (None = for good)."""

    retailer: Retailer
    scope: Scope
    until_ms: int | None


class CatalogueItem(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One product of a retailer's catalogue; prices and cost in minor units of the retailer's currency."""

    product_id: str
    name: str
    category_id: str
    brand: str | None = None
    price_minor: int | None = None
    cost_minor: int | None = None


class Control(NamedTuple):
    """All control data at one moment, immutable.

    Attributes:
        version: changes when anything in it does.
        retailers: by retailer id.
        grants: by SHA-256 (hex) of the key as presented.
        origins: every origin that some retailer lists.
        known: by retailer id, then product id, what the catalogue says for the stored form of events.
        wrapped: by retailer id, the keys under which its shoppers are named; a retailer that was added before such keys
            were stored has none.
    """

    version: int
    retailers: Mapping[str, Retailer]
    grants: Mapping[str, Grant]
    origins: frozenset[str]
    known: Mapping[str, Mapping[str, Known]]
    wrapped: Mapping[str, WrappedKeys]


class Retailers(Protocol):
    """The control plane's retailers.

    What a retailer presents is kept as digests, so a lost key is replaced, never recovered; what names its shoppers is
    kept wrapped (`domain.ports.identity_keys`).
    """

    def current(self) -> Control:
        """Gives the control data in force: embedded as of now, in production at most 2 s old. Cheap when unchanged.

        Raises:
            PortError: it was never readable; later failures keep serving the last known.
        """
        ...

    async def add(
        self, retailer: Retailer, write_key_digest: str, secret_key_digest: str, wrapped: WrappedKeys
    ) -> None:
        """Adds a retailer with its two keys, and the wrapped keys under which its shoppers are named.

        Raises:
            Refused: the name is taken.
        """
        ...

    async def change(self, retailer: Retailer) -> None:
        """Replaces a retailer's settings, by `retailer_id`."""
        ...

    async def rotate_key(
        self,
        retailer_id: str,
        scope: Scope,
        digest: str | None,
        *,
        old_until_ms: int | None,
        only: str | None = None,
    ) -> None:
        """Changes the keys of one scope in one step: makes one, ends those before it, or both.

        Args:
            retailer_id: whose.
            scope: of the keys; where there is none of it yet, this makes the first.
            digest: of a new key, which is valid at once; None = none is made.
            old_until_ms: until when the old ones stay valid; it shortens a key's time and never prolongs it. None =
                they stay as they are, beside the new one.
            only: digest of the one old key that is meant; None = all of the scope.

        Raises:
            Refused: there is no such retailer, or it has no key `only` of this scope; nothing was changed.
        """
        ...

    async def import_catalogue(self, retailer_id: str, items: Sequence[CatalogueItem]) -> None:
        """Replaces the retailer's whole catalogue, all or nothing."""
        ...

    async def catalogue(self, retailer_id: str) -> Sequence[CatalogueItem]:
        """Gives the retailer's whole catalogue, by product id."""
        ...
