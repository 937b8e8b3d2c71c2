"""Follows the experience log: from what workers decided to memory, streams and waiting requests.

What counts of it, and when, is `domain.listening`'s to say.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from domain.errors import PortError
from domain.listening import Listener
from domain.ports.experience_log import Entry
from domain.records import Decided
from gateway.recent import Recent
from gateway.stores import Stores
from gateway.waits import Waits
from gateway.wire import Delivery

_log = logging.getLogger("hotbasket.gateway")
_PAUSE_S: Final = 0.2
_SAYS_WITHIN_S: Final = 2.0
_LOOKS_EVERY_S: Final = 0.005


class _Partition:
    """How far one partition of the experience log is read, and what is heard there."""

    __slots__ = ("end", "listener", "offset")

    def __init__(self, offset: int, listener: Listener, end: int) -> None:
        self.offset = offset
        self.listener = listener
        self.end = end


class Follower:
    """Reads the experience log from where the snapshots end, for ever.

    Args:
        stores: the logs, the clock and the metrics.
        recent: remembers what was decided.
        waits: requests that wait for their events.
        deliver: gets what pages are told, in order, after `recent` has it.
    """

    def __init__(
        self, stores: Stores, recent: Recent, waits: Waits, deliver: Callable[[Sequence[Delivery]], None]
    ) -> None:
        self._stores = stores
        self._recent = recent
        self._waits = waits
        self._deliver = deliver
        self._partitions: dict[int, _Partition] = {}
        self._task: asyncio.Task[None] | None = None
        self.is_caught_up = False

    def start(self) -> None:
        """Begins to follow; once."""
        assert self._task is None, "a follower is started once"
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def is_current(self, number: int) -> bool:
        """Tells whether all that the log holds of a partition now was followed; False while the log does not say."""
        end = await self._end(number)
        return end is not None and self._has_followed(number, end)

    async def until_current(self, number: int, limit_s: float) -> bool:
        """Waits until all that the log holds of a partition now was followed.

        Returns:
            False if the limit came first, or the log does not say.
        """
        end = await self._end(number)
        if end is None:
            return False
        clock = self._stores.clock
        until_s = clock.monotonic_s() + limit_s
        while not self._has_followed(number, end):
            if clock.monotonic_s() >= until_s:
                return False
            await asyncio.sleep(_LOOKS_EVERY_S)
        return True

    async def _end(self, number: int) -> int | None:
        try:
            async with asyncio.timeout(_SAYS_WITHIN_S):
                return await self._stores.experiences.end(number)
        except (PortError, TimeoutError):
            return None

    def _has_followed(self, number: int, end: int) -> bool:
        part = self._partitions.get(number)
        return part is not None and part.offset >= end

    async def _run(self) -> None:
        while True:
            try:
                if not self._partitions:
                    self._partitions = await self._begin()
                    self._look_whether_caught_up()
                await self._follow()
            except PortError as error:
                self._stores.metrics.gateway_errors.labels("follow").inc()
                _log.warning("can't follow the experience log, trying again: %s", error)
            except Exception:  # noqa: BLE001 - the loop's edge: what is unexpected here may not end all streams for good
                self._stores.metrics.gateway_errors.labels("follow").inc()
                _log.exception("following the experience log failed, going on behind the last entry")
            await asyncio.sleep(_PAUSE_S)

    async def _begin(self) -> dict[int, _Partition]:
        """Finds where the snapshots end: all that is younger has to be in memory before this gateway is ready."""
        numbers = range(self._stores.events.partitions)
        found = await asyncio.gather(*map(self._begin_of, numbers))
        return dict(zip(numbers, found, strict=True))

    async def _begin_of(self, number: int) -> _Partition:
        committed, end = await asyncio.gather(
            self._stores.events.committed(number), self._stores.experiences.end(number)
        )
        if committed is None:
            return _Partition(-1, Listener(), end)
        self._waits.reached(number, committed.through)
        return _Partition(committed.tail, Listener(committed.through, committed.token), end)

    async def _follow(self) -> None:
        entries_of_all = self._stores.experiences.follow({n: part.offset for n, part in self._partitions.items()})
        try:
            async for entries in entries_of_all:
                for entry in entries:
                    self._take(entry)
                if not self.is_caught_up:
                    self._look_whether_caught_up()
        finally:
            close = getattr(entries_of_all, "aclose", None)
            if close is not None:
                await close()

    def _look_whether_caught_up(self) -> None:
        self.is_caught_up = all(part.offset >= part.end for part in self._partitions.values())

    def _take(self, entry: Entry) -> None:
        """Takes the next entry of a partition."""
        part = self._partitions[entry.partition]
        if entry.offset <= part.offset:
            return
        part.offset = entry.offset
        heard = part.listener.hear(entry)
        if heard is not None:
            for said in heard.records:
                if isinstance(said, Decided):
                    self._deliver(self._recent.add(said))
            self._waits.reached(entry.partition, heard.through)
