"""What is known of the erasures of a privacy request: where its records stand, and what each store said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from domain.ports.event_log import Place


class Tombstone(NamedTuple):
    """Where a shopper's `ShopperErased` stands.

    Attributes:
        digest: how the request names the shopper.
        place: in the event log.
        at_ms: when it was received, Unix milliseconds.
    """

    digest: str
    place: Place
    at_ms: int


class Receipt(Struct, frozen=True, kw_only=True):
    """What a store said of a request, over all visits.

    Attributes:
        store: its name.
        at_ms: of the last visit, Unix milliseconds.
        found: records of the request's shoppers that were there at the first visit, and that came later.
        removed: of them.
        left: that the last visit still saw.
        waits_for: why; empty where nothing is left.
        visits: how many there were.
    """

    store: str
    at_ms: int
    found: int
    removed: int
    left: int
    waits_for: str = ""
    visits: int = 1


class Erasures(Protocol):
    """Tombstones and receipts of requests, by request id; a request that never had any has none."""

    async def bury(self, request_id: str, tombstones: Sequence[Tombstone]) -> None:
        """Notes where records stand; one for a digest that has one already changes nothing.

        Raises:
            PortError: they may be noted or not; the call may be repeated.
        """
        ...

    async def tombstones(self, request_id: str) -> Sequence[Tombstone]:
        """Gives a request's tombstones, by digest.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def tombstones_since(self, since_ms: int) -> Sequence[tuple[str, Tombstone]]:
        """Gives the tombstones of all requests that were not done at a time, each with its retailer.

        Of one digest, the newest is the last.

        Args:
            since_ms: Unix milliseconds.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def note(self, request_id: str, receipt: Receipt) -> None:
        """Keeps a receipt in the place of the store's last one.

        Raises:
            PortError: it may be kept or not; the call may be repeated.
        """
        ...

    async def receipts(self, request_id: str) -> Sequence[Receipt]:
        """Gives a request's receipts, by store.

        Raises:
            PortError: can't be read now.
        """
        ...
