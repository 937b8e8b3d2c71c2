"""What may become of a retailer's generations of trees, from begun to forgotten; every tree store asks here.

Generations are shown in order and only the one shown last can be rolled back. So of what was shown all but the last is
settled for good, and a process that knows an old state of affairs never forgets what a shopper may still need.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.errors import Refused
from domain.ports.tree_store import DEFAULT

GENERATIONS_KEPT = 2
"""Visible trees of a shopper: the one in force, and the one that a rollback brings back."""
_IS_HASH = re.compile(r"[0-9a-f]{64}").fullmatch


class Overtaken(Refused):
    """A newer generation was shown in the meantime: the same trees under a newer one will do."""


class Releases(NamedTuple):
    """A retailer's generations at one moment.

    Attributes:
        begun: the highest number given out, 0 before the first; every number below it was given out too.
        visible: those that were shown and not rolled back.
        rolled_back: those that were shown once and never will be again.
    """

    begun: int = 0
    visible: frozenset[int] = frozenset()
    rolled_back: frozenset[int] = frozenset()

    @property
    def shown_last(self) -> int:
        """The newest generation that was ever shown, rolled back or not; 0 before the first."""
        return max(self.visible | self.rolled_back, default=0)

    def check_open(self, generation: int) -> None:
        """Checks that a generation takes trees and may be shown.

        Raises:
            Overtaken: a newer one was shown before it.
            Refused: it was never begun, was shown, or was rolled back.
        """
        if not 1 <= generation <= self.begun:
            raise Refused(f"generation {generation} was never begun: begin one, and push the trees into it")
        cure = "begin another generation and push the trees again"
        if generation in self.visible:
            raise Refused(f"generation {generation} is visible and takes no more trees: {cure}")
        if generation in self.rolled_back:
            raise Refused(f"generation {generation} was rolled back: {cure}")
        if generation < self.shown_last:
            raise Overtaken(f"generation {generation} was overtaken by {self.shown_last}, shown before it: {cure}")

    def to_roll_back(self) -> tuple[int, int]:
        """Gives the generation to hide, and the one that is the newest visible then.

        Raises:
            Refused: there is nothing to go back to.
        """
        if not self.visible:
            raise Refused("no generation is visible: there is nothing to roll back")
        newest, *older = sorted(self.visible, reverse=True)
        if newest != self.shown_last:
            raise Refused(
                f"generation {self.shown_last} is rolled back already, and what was before {newest} is not kept of"
                " every shopper: push the trees that you want"
            )
        if not older:
            raise Refused(f"generation {newest} is the first: there is nothing to go back to")
        return newest, older[0]

    def is_dead(self, generation: int) -> bool:
        """Tells whether a generation is invisible for good: rolled back, or never shown and overtaken."""
        return generation <= self.shown_last and generation not in self.visible

    def forgettable(self, there: Iterable[int]) -> list[int]:
        """Gives those of a shopper's stored generations that nobody will ask for again."""
        settled = sorted((one for one in there if one <= self.shown_last), reverse=True)
        kept = [one for one in settled if one in self.visible][:GENERATIONS_KEPT]
        return [one for one in settled if one not in kept]


def refuse_bad(trees: Sequence[tuple[str, bytes]]) -> None:
    """Checks what is pushed, but not what is in the bytes: `domain.tree_faults` does that.

    Raises:
        Refused: with every fault: a shopper is neither a hash nor `DEFAULT`, or a tree is no bytes.
    """
    faults = []
    for number, (shopper, blob) in enumerate(trees):
        if shopper != DEFAULT and not _IS_HASH(shopper):
            faults.append(f'trees[{number}]: "{shopper}" is neither a shopper hash nor "{DEFAULT}"')
        if not blob or not isinstance(blob, bytes):
            faults.append(f"trees[{number}]: {type(blob).__name__} is no encoded tree; use domain.tree.encode")
    if faults:
        raise Refused(*faults)
