"""Where an append put its records, for every event log that gives them consecutive offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from domain.ids import Position
from domain.ports.event_log import Place


class Places(Sequence[Place]):
    """Consecutive places, made when somebody looks at them: most callers only want to know that there are any."""

    __slots__ = ("_count", "_epoch", "_first", "_partition")

    def __init__(self, partition: int, epoch: int, first: int, count: int) -> None:
        self._partition = partition
        self._epoch = epoch
        self._first = first
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Place: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Place]: ...

    def __getitem__(self, index: int | slice) -> Place | Sequence[Place]:
        """Gives a place, or several."""
        offsets = range(self._first, self._first + self._count)
        if isinstance(index, slice):
            return [Place(self._partition, Position(self._epoch, offset)) for offset in offsets[index]]
        return Place(self._partition, Position(self._epoch, offsets[index]))
