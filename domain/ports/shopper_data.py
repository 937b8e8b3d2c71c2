"""What a store holds of shoppers, its part in an erasure, and how old the oldest of it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from domain.ids import BEGINNING, Position, ShopperKey
from domain.ports.event_log import Place


class Erased(NamedTuple):
    """A shopper who is to be gone.

    Attributes:
        key: who.
        place: of the shopper's `ShopperErased` in the event log.
        at_ms: when that was received, Unix milliseconds.
        past_ms: when workers were known to be past it, 0 where that is not known.
        through: how far workers are now: nothing of the shopper is taken yet, so a state up to there is no new one's.
    """

    key: ShopperKey
    place: Place
    at_ms: int
    past_ms: int = 0
    through: Position = BEGINNING

    @property
    def until_ms(self) -> int:
        """What was received until then goes, also where it stands behind `place`, as a replay may."""
        return max(self.at_ms, self.past_ms)

    @property
    def state_until(self) -> Position:
        """States up to there go."""
        return max(self.place.position, self.through)


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
    """One store's part in an erasure, and in the daily look for what is too old.

    A visit begins only when every worker's snapshots and the archiver are past all the shoppers' `ShopperErased`, so
    hardly anything that is older comes into the store behind it, and the next visit takes what does. What is later, and
    was received later, is of a shopper who came again, and stays.
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

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the oldest record of the retailer's shoppers that is older than a moment was received.

        A store may stop at the first that it finds, and one that can't tell retailers apart may give the oldest of all.

        Args:
            retailer_id: whose shoppers.
            before_ms: Unix milliseconds.

        Returns:
            Unix milliseconds; None where nothing is that old.

        Raises:
            PortError: the store can't be read now.
        """
        ...
