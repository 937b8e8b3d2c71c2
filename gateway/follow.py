"""Follows the experience log: from what workers decided to memory, streams and waiting requests.

A record counts when the `Progress` of the same owner that closes it has arrived; until then it is held back. What an
older owner says after a newer one took the partition is dropped, and each event's decisions are taken once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, assert_never

from domain.errors import PortError
from domain.ids import BEGINNING, Position
from domain.ports.experience_log import Entry
from domain.records import Decided, Failed, Owner, Progress
from gateway.recent import Recent
from gateway.stores import Stores
from gateway.waits import Waits
from gateway.wire import Delivery

_log = logging.getLogger("hotbasket.gateway")
_PAUSE_S: Final = 0.2
_NO_OWNER: Final = -1


class _Partition:
    """How far one partition of the experience log is read, and what is held back there."""

    __slots__ = ("end", "held", "newest", "offset")

    def __init__(self, offset: int, newest: int, end: int) -> None:
        self.offset = offset
        self.newest = newest
        self.end = end
        self.held: list[Decided] = []


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
        found = {}
        for number in range(self._stores.events.partitions):
            committed = await self._stores.events.committed(number)
            end = await self._stores.experiences.end(number)
            if committed is None:
                found[number] = _Partition(-1, _NO_OWNER, end)
            else:
                found[number] = _Partition(committed.tail, committed.token, end)
                self._waits.reached(number, committed.through)
        return found

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
        record = entry.record
        token = entry.offset if isinstance(record, Owner) else record.token
        if token < part.newest:
            return
        if token > part.newest:
            # Also without its `Owner`, which may stand before the place where this gateway began to read.
            part.newest = token
            part.held.clear()
        match record:
            case Decided():
                if record.position > self._last_taken(entry.partition, part):
                    part.held.append(record)
            case Progress():
                held, part.held = part.held, []
                for decided in held:
                    self._deliver(self._recent.add(decided))
                self._waits.reached(entry.partition, record.through)
            case Owner() | Failed():
                pass
            case _:
                assert_never(record)

    def _last_taken(self, number: int, part: _Partition) -> Position:
        """Gives the last event whose decisions are taken: an append that was repeated has them twice."""
        if part.held:
            return part.held[-1].position
        return max(self._waits.through(number), BEGINNING)
