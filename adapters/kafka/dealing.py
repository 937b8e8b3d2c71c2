"""What the group has dealt to this consumer, and what of that the consumer's caller has been told."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple


class News(NamedTuple):
    """What changed since the caller was told last."""

    lost: tuple[int, ...]
    taken: tuple[int, ...]
    kept: tuple[int, ...]


class Dealing:
    """Follows the group's rebalances; several between two looks become one piece of news.

    A partition that went away and came back between two looks is lost and taken: somebody else had it. One that stayed
    through all of them is kept.

    Attributes:
        owned: by this consumer, as of the last rebalance.
    """

    def __init__(self) -> None:
        self.owned: frozenset[int] = frozenset()
        self._told: frozenset[int] = frozenset()
        self._broken: frozenset[int] = frozenset()
        self._is_dealt = False

    def put_out(self) -> None:
        """The group went on without this consumer: whatever it gets from now on, it had lost."""
        self._broken |= self.owned
        self.owned = frozenset()
        self._is_dealt = True

    def deal(self, partitions: AbstractSet[int]) -> frozenset[int]:
        """Takes a rebalance's outcome; gives the partitions that its caller goes on with undisturbed."""
        self._broken |= self.owned - partitions
        self.owned = frozenset(partitions)
        self._is_dealt = True
        return self.held

    @property
    def held(self) -> frozenset[int]:
        """Partitions that are this consumer's, of which its caller knows, and which nobody else had meanwhile."""
        return (self.owned & self._told) - self._broken

    def news(self) -> News | None:
        """Gives what the caller has not been told yet; None where nothing was dealt."""
        if not self._is_dealt:
            return None
        held = self.held
        news = News(
            lost=tuple(sorted(self._told - held)),
            taken=tuple(sorted(self.owned - held)),
            kept=tuple(sorted(held)),
        )
        self._told = self.owned
        self._broken = frozenset()
        self._is_dealt = False
        return news
