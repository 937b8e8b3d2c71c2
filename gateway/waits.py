"""Requests that wait until their events are processed (`Prefer: wait`), woken by the follower of the experience log."""

from __future__ import annotations

import asyncio
import heapq
import re
from collections.abc import Sequence
from itertools import count
from typing import Final

from domain.ids import BEGINNING, Position
from domain.ports.event_log import Place

_WAIT: Final = re.compile(
    rb'(?:^|[,;])\s*wait\s*=\s*"?\s*(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})\s*"?\s*(?=[,;]|$)', re.IGNORECASE
)


def read_prefer(header: bytes, wait_max_s: float) -> float | None:
    """Gives the seconds to wait, clamped; None where the header asks for none or can't be read.

    Source: RFC 7240; decimals are ours.
    """
    found = _WAIT.search(header)
    return None if found is None else min(float(found[1]), wait_max_s)


class Waits:
    """Who waits for which events, and how far each partition is processed."""

    def __init__(self) -> None:
        self._through: dict[int, Position] = {}
        self._waiting: dict[int, list[tuple[Position, int, _Wait]]] = {}
        self._order = count()
        self.open = 0

    def through(self, partition: int) -> Position:
        """Gives the last event known to be processed."""
        return self._through.get(partition, BEGINNING)

    def reached(self, partition: int, through: Position) -> None:
        """Wakes who waited for nothing behind `through`."""
        if through <= self.through(partition):
            return
        self._through[partition] = through
        waiting = self._waiting.get(partition, [])
        while waiting and waiting[0][0] <= through:
            heapq.heappop(waiting)[2].arrived()

    async def until_processed(self, places: Sequence[Place], limit_s: float) -> bool:
        """Waits until the events at these places are processed.

        Returns:
            False if the limit came first.
        """
        last: dict[int, Position] = {}
        for partition, position in places:
            last[partition] = max(last.get(partition, BEGINNING), position)
        due = [(partition, position) for partition, position in last.items() if position > self.through(partition)]
        if not due:
            return True
        loop = asyncio.get_running_loop()
        wait = _Wait(len(due), loop.create_future())
        for partition, position in due:
            heapq.heappush(self._waiting.setdefault(partition, []), (position, next(self._order), wait))
        timer = loop.call_later(limit_s, wait.give_up)
        self.open += 1
        try:
            return await wait.future
        finally:
            self.open -= 1
            timer.cancel()


class _Wait:
    """One request: how many partitions it still waits for."""

    __slots__ = ("_left", "future")

    def __init__(self, left: int, future: asyncio.Future[bool]) -> None:
        self._left = left
        self.future = future

    def arrived(self) -> None:
        self._left -= 1
        if self._left == 0 and not self.future.done():
            self.future.set_result(True)

    def give_up(self) -> None:
        if not self.future.done():
            self.future.set_result(False)
