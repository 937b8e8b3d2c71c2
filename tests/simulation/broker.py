"""The broker: the two logs as they are kept, and who of a consumer group owns which partition.

What is written is volatile until its flush; a crash of the broker forgets what is volatile. What is durable is never
forgotten, and only that is ever shown. It knows nothing of owners and tokens: those are rules among its clients.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from domain.errors import Fenced, PortError
from domain.ports.event_log import Committed
from tests.simulation.wire import Sky

DOWN = "the broker is down"


class Stamp(NamedTuple):
    """When something durable was written anywhere: its number among all such writes, and virtual seconds."""

    number: int
    at_s: float


class Topic:
    """One partition of one log.

    Attributes:
        rows: (offset, payload), offsets growing.
        stamps: of each row.
        durable: how many of the rows are.
    """

    def __init__(self, next_offset: Callable[[int], int], stamp: Callable[[], Stamp]) -> None:
        self.rows: list[tuple[int, bytes]] = []
        self.stamps: list[Stamp] = []
        self.durable = 0
        self._next_offset = next_offset
        self._stamp = stamp

    def write(self, payloads: Sequence[bytes]) -> list[int]:
        """Takes payloads, volatile, and gives their offsets."""
        offsets = []
        for payload in payloads:
            offset = self._next_offset(self.rows[-1][0] if self.rows else -1)
            self.rows.append((offset, payload))
            self.stamps.append(self._stamp())
            offsets.append(offset)
        return offsets

    def flush(self) -> None:
        """Makes all of it durable."""
        self.durable = len(self.rows)

    def forget(self) -> None:
        """Loses what is volatile."""
        del self.rows[self.durable :]
        del self.stamps[self.durable :]

    def behind(self, offset: int, rows_max: int) -> list[tuple[int, bytes]]:
        """Gives durable rows behind an offset."""
        start = bisect_right(self.rows, offset, hi=self.durable, key=lambda row: row[0])
        return self.rows[start : min(start + rows_max, self.durable)]

    @property
    def end(self) -> int:
        """Offset of the last durable row, -1 without one."""
        return self.rows[self.durable - 1][0] if self.durable else -1


class Kept(NamedTuple):
    """A commit as the group had it from a moment on."""

    stamp: Stamp
    partition: int
    committed: Committed


class Broker:
    """Both logs, their group commit, and the consumer group of the workers."""

    def __init__(self, sky: Sky, partitions: int) -> None:
        self._sky = sky
        gap = sky.draw.random() < 0.5  # other writers' marks may stand between two of our records
        self.partitions = partitions
        self._written = 0
        self.events = [Topic(lambda last: last + 1, self.stamp) for _ in range(partitions)]
        self.experiences = [
            Topic(lambda last: last + (sky.draw.choice((1, 1, 1, 2, 5)) if gap else 1), self.stamp)
            for _ in range(partitions)
        ]
        self.commits: dict[int, Committed] = {}
        self.kept: list[Kept] = []
        self.group = Group(partitions)
        self.is_down = False
        self._flushed: asyncio.Future[bool] | None = None
        self._arrived: list[asyncio.Future[None]] = []

    def stamp(self) -> Stamp:
        """Gives the next write its number: logs and control plane count as one."""
        self._written += 1
        return Stamp(self._written, self._sky.loop.time())

    def keep(self, partition: int, committed: Committed) -> None:
        """Keeps how far the group is."""
        self.commits[partition] = committed
        self.kept.append(Kept(self.stamp(), partition, committed))

    def check(self) -> None:
        """Raises PortError while the broker is down."""
        if self.is_down:
            raise PortError(DOWN, retriable=True)

    def flushing(self) -> asyncio.Future[bool]:
        """Gives the flush that will make what is written by now durable; many callers share one."""
        if self._flushed is None:
            self._flushed = self._sky.loop.create_future()
            self._sky.loop.outside(self._sky.delay_s(), self._flush)
        return self._flushed

    @staticmethod
    async def durable(flushing: asyncio.Future[bool]) -> None:
        """Waits for a flush.

        Raises:
            PortError: the broker went down before.
        """
        if not await asyncio.shield(flushing):
            raise PortError("the broker went down before its flush", retriable=True)

    def crash(self) -> None:
        """Goes down: what is volatile is lost, who waits is told so."""
        self.is_down = True
        for topic in (*self.events, *self.experiences):
            topic.forget()
        flushed, self._flushed = self._flushed, None
        if flushed is not None:
            flushed.set_result(False)

    def recover(self) -> None:
        """Comes back with what was durable."""
        self.is_down = False
        self.wake()

    def wake(self) -> None:
        """Lets everybody look who waits for something new."""
        arrived, self._arrived = self._arrived, []
        for future in arrived:
            if not future.done():
                future.set_result(None)

    async def news(self, wait_s: float) -> None:
        """Waits until something new may be there, at most so long."""
        future: asyncio.Future[None] = self._sky.loop.create_future()
        self._arrived.append(future)
        timer = self._sky.loop.call_later(wait_s, _wake, future)
        try:
            await future
        finally:
            timer.cancel()

    def _flush(self) -> None:
        flushed, self._flushed = self._flushed, None
        if flushed is None:
            return
        for topic in (*self.events, *self.experiences):
            topic.flush()
        flushed.set_result(True)
        self.wake()


class Group:
    """The consumer group: whose partition is whose; each change of hands has a number.

    Attributes:
        owners: by partition, (member, number of the change that gave it).
    """

    def __init__(self, partitions: int) -> None:
        self.owners: dict[int, tuple[str, int]] = {}
        self._partitions = partitions
        self._members: list[str] = []
        self._changes = 0

    @property
    def members(self) -> tuple[str, ...]:
        """Who is in the group."""
        return tuple(self._members)

    def join(self, member: str) -> None:
        """Takes a member in; partitions are dealt anew."""
        if member not in self._members:
            self._members.append(member)
            self._deal()

    def leave(self, member: str) -> None:
        """Puts a member out, dead or only silent."""
        if member in self._members:
            self._members.remove(member)
            self._deal()

    def of(self, member: str) -> dict[int, int]:
        """Gives a member's partitions and the number of the change that gave each."""
        return {number: change for number, (owner, change) in self.owners.items() if owner == member}

    def check(self, partition: int, member: str, change: int) -> None:
        """Raises Fenced where the partition changed hands since."""
        if self.owners.get(partition) != (member, change):
            raise Fenced(f"partition {partition} is not {member}'s any more")

    def _deal(self) -> None:
        self._changes += 1
        for number in range(self._partitions):
            owner = self._members[number % len(self._members)] if self._members else None
            before = self.owners.get(number)
            if owner is None:
                self.owners.pop(number, None)
            elif before is None or before[0] != owner:
                self.owners[number] = (owner, self._changes)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
