"""Releases of trees in bulk: many processes store, one row makes everything visible, and one takes it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Release(NamedTuple):
    """A visible generation.

    Attributes:
        generation: its number.
        released_at_ms: when it became visible, Unix milliseconds.
        trees: how many it brought, as its maker counted them; 0 where nobody counted.
    """

    generation: int
    released_at_ms: int
    trees: int


class TreeReleases(Protocol):
    """The write side of `TreeStore`, whose readers see a generation from `show` until `rollback` and never before.

    A release is `begin`, many `put`, `show`; then `forget`. Whoever dies in between leaves nothing visible. Generations
    are shown in order: what was begun before the newest one shown is overtaken, and must be begun anew.
    `domain.releases` has the rules and the error that says so.
    """

    async def begin(self, retailer_id: str) -> int:
        """Gives a new generation of the retailer, from 1; nobody gets it again, whatever becomes of it.

        Raises:
            PortError: none was begun, or one that nobody will use.
        """
        ...

    async def put(self, retailer_id: str, generation: int, trees: Sequence[tuple[str, bytes]]) -> None:
        """Stores trees of a generation that was begun and not shown; from any process, in any order, again and again.

        The same trees again change nothing. Of two different trees of one shopper in one generation either may stay.
        On the way it forgets what of these shoppers nobody will ask for again.

        Args:
            retailer_id: whose generation it is.
            generation: from `begin`.
            trees: (shopper hash or DEFAULT, encoded tree); up to some thousand, they are held in memory.

        Raises:
            Overtaken: a newer generation was shown; nothing was stored.
            Refused: a shopper is no hash or a tree no bytes, with every fault, or the generation was never begun, is
                visible or was rolled back; nothing was stored.
            PortError: some or all may be stored; the call may be repeated.
        """
        ...

    async def show(self, retailer_id: str, generation: int, *, trees: int) -> None:
        """Makes all trees of a generation visible at one moment; shoppers without one in it keep theirs.

        Who calls it knows that every `put` has returned. This process sees it on return, others within 2 s. A
        generation that is visible stays so.

        Args:
            retailer_id: whose generation it is.
            generation: from `begin`.
            trees: how many were put, each shopper once; for `released`.

        Raises:
            Overtaken: a newer generation was shown before it.
            Refused: it was never begun, or was rolled back.
            PortError: it may be visible or not; the call may be repeated.
        """
        ...

    async def rollback(self, retailer_id: str) -> int:
        """Hides the newest visible generation for good, and gives the one that is the newest visible now.

        Each shopper with a tree in it has the tree from before again, or the default, or none. Generations that were
        begun and not shown may still be shown.

        Raises:
            Refused: no other generation is visible, or the one shown last is rolled back already: only two trees of
                each shopper are kept, so a second step back would leave some without any. A retry is refused like that.
            PortError: it may be hidden or not; look with `released` before calling again.
        """
        ...

    async def released(self, retailer_id: str) -> Sequence[Release]:
        """Gives the visible generations, newest first.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def forget(self, retailer_id: str) -> int:
        """Deletes what was rolled back, and what was never shown before the newest shown; gives how many trees.

        For after `show` and `rollback`: in pieces, so that nobody waits for it, and in a time that grows with what the
        retailer has. May be killed and repeated; with nothing to forget it is cheap.

        Raises:
            PortError: not everything was deleted; the call may be repeated.
        """
        ...
