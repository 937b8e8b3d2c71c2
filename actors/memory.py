"""Keeps the garbage collector away from resident shoppers: scanning a million of them would stop the world for seconds.

States are acyclic and untracked (`gc=False`); what remains tracked of a resident is its actor. Actors are pooled and
never die, so they are moved out of the collector's sight in groups, as they are made.
"""

from __future__ import annotations

import gc

_ACTORS_PER_FREEZE = 2_000


class Freezer:
    """Freezes what the collector would scan in vain; the number of freezes is bounded by the number of actors."""

    def __init__(self) -> None:
        self._made = 0

    def made(self, actors: int) -> None:
        """Takes note of actors made since the last call; freezes them when there are enough.

        The young generations are collected first, so that little garbage is frozen with them.
        """
        self._made += actors
        if self._made >= _ACTORS_PER_FREEZE:
            self._made = 0
            gc.collect(1)
            gc.freeze()
