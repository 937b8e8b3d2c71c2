"""What a store holds of shoppers, and its part in an erasure: remove it, and look again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from domain.ids import ShopperKey
from domain.ports.event_log import Place


class Erased(NamedTuple):
    """A shopper who is to be gone.

    Attributes:
        key: who.
        place: of the shopper's `ShopperErased` in the event log; what is of later events stays.
        at_ms: when that was received, Unix milliseconds; what is later stays, where a store knows no places.
        past_ms: when workers were known to be past it, 0 where that is not known.
    """

    key: ShopperKey
    place: Place
    at_ms: int
    past_ms: int = 0


class Visit(NamedTuple):
    """What came of one visit to a store.

    Attributes:
        found: records of the shoppers that a search gave before anything was removed.
        removed: of them.
        left: that a second search gave; 0 = nothing of the shoppers is readable there any more.
        waits_for: why what is left can't go yet, in a few words; empty where nothing is left.
    """

    found: int
    removed: int
    left: int
    waits_for: str = ""


class ShopperData(Protocol):
    """One store's part in an erasure.

    A visit begins only when every worker's snapshots and the archiver are past all the shoppers' `ShopperErased`, so
    nothing that is older comes into the store behind it.
    """

    @property
    def name(self) -> str:
        """How receipts call the store, in lower case: `snapshots`, `trees`."""
        ...

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Removes what the store holds of shoppers as of their `ShopperErased`, and looks again; may be repeated.

        Shoppers of whom it holds nothing are found 0 times. Other shoppers and other retailers stay as they are.

        Args:
            shoppers: 1 to 5,000, each once, of any retailers.

        Raises:
            PortError: the store can't be used now; some may be gone, and the call may be repeated.
        """
        ...
