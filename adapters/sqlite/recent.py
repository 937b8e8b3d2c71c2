"""The newest records of a log in memory, so that a reader who keeps up never waits for a disk.

Filled by the log after each commit; read by the poller and by followers, who fall back to the file's rows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """A bounded run of consecutive records that ends with the last durable one.

    Attributes:
        next_offset: of the record that will come next.
    """

    def __init__(self, next_offset: int, items_max: int) -> None:
        self.next_offset = next_offset
        self._items_max = items_max
        self._chunks: deque[tuple[int, Sequence[T]]] = deque()
        self._held = 0
        self._waiting: set[asyncio.Future[None]] = set()

    def extend(self, first: int, items: Sequence[T]) -> None:
        """Takes records that became durable, and wakes who waits for them."""
        if first != self.next_offset:
            # A commit that was reported as failed turned out to be in the file: memory has a gap, the file has none.
            self._chunks.clear()
            self._held = 0
        self._chunks.append((first, items))
        self._held += len(items)
        self.next_offset = first + len(items)
        while self._held > self._items_max:
            self._drop_oldest()
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def since(self, offset: int, items_max: int) -> Sequence[T] | None:
        """Gives up to `items_max` records from an offset on; None where memory does not hold that offset."""
        if offset >= self.next_offset:
            return ()
        if not self._chunks or offset < self._chunks[0][0]:
            return None
        parts: list[Sequence[T]] = []
        for first, items in reversed(self._chunks):
            parts.append(items if first >= offset else items[offset - first :])
            if first <= offset:
                break
        if len(parts) == 1:
            return parts[0] if len(parts[0]) <= items_max else parts[0][:items_max]
        return [item for part in reversed(parts) for item in part][:items_max]

    def replace(self, items: Mapping[int, T]) -> None:
        """Puts others in the place of those records that memory holds; what readers were given stays as it is."""
        if items and self._chunks and max(items) >= self._chunks[0][0]:
            self._chunks = deque((first, _replaced(first, held, items)) for first, held in self._chunks)

    def forget(self, before: int) -> None:
        """Lets go of what lies before an offset: its only reader has it."""
        while self._chunks and self._chunks[0][0] + len(self._chunks[0][1]) <= before:
            self._drop_oldest()

    async def news(self, wait_s: float | None) -> None:
        """Waits until something is added, at most `wait_s` (None = for ever)."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        self._waiting.add(waiting)
        timer = loop.call_later(wait_s, _wake, waiting) if wait_s is not None else None
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
            if timer is not None:
                timer.cancel()

    def _drop_oldest(self) -> None:
        _, items = self._chunks.popleft()
        self._held -= len(items)


def _replaced(first: int, held: Sequence[T], items: Mapping[int, T]) -> Sequence[T]:
    if items.keys().isdisjoint(range(first, first + len(held))):
        return held
    return [items.get(offset, item) for offset, item in enumerate(held, start=first)]


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
