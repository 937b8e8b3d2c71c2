"""The event log of the simulation: what a gateway appends to and a worker polls (`domain.ports.event_log`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

from domain.errors import Full, PortError
from domain.ids import BEGINNING, Position, bucket
from domain.ports.event_log import Batch, Committed, Place, Poll
from domain.records import Record, decode_record, encode
from tests.simulation.broker import Broker
from tests.simulation.wire import Wire

EPOCH = 1


class SimulatedEventLog:
    """One process's client of the event log.

    Args:
        member: its name in the consumer group; "" never polls.
    """

    def __init__(self, broker: Broker, wire: Wire, member: str = "") -> None:
        self._broker = broker
        self._wire = wire
        self._member = member
        self._owned: dict[int, int] = {}
        self._next: dict[int, int] = {}

    @property
    def partitions(self) -> int:
        """Number of partitions."""
        return self._broker.partitions

    def append(self, records: Sequence[Record]) -> Awaitable[Sequence[Place]]:
        """Makes records durable."""
        if self._wire.sky.strikes(self._wire.sky.weather.error / 4):
            raise Full("too many events wait for the log")
        return self._append([(bucket(record.event.shopper_id) % self.partitions, encode(record)) for record in records])

    async def _append(self, rows: Sequence[tuple[int, bytes]]) -> Sequence[Place]:
        places, flushing = await self._wire.call(
            f"append {len(rows)} events",
            lambda: self._write(rows),
            torn=lambda: self._write(self._part_of(rows)),
        )
        await self._broker.durable(flushing)
        return places

    def _part_of(self, rows: Sequence[tuple[int, bytes]]) -> Sequence[tuple[int, bytes]]:
        """Gives the rows of some of the partitions: a request to several brokers may reach only some."""
        reached = self._wire.sky.draw.randrange(self.partitions)
        return [row for row in rows if row[0] <= reached]

    def _write(self, rows: Sequence[tuple[int, bytes]]) -> tuple[list[Place], asyncio.Future[bool]]:
        self._broker.check()
        places = []
        for number, payload in rows:
            offset = self._broker.events[number].write([payload])[0]
            places.append(Place(number, Position(EPOCH, offset)))
        return places, self._broker.flushing()

    async def accepts(self) -> bool:
        """Tells whether the broker is up."""
        return not self._broker.is_down

    async def poll(self, *, records_max: int, wait_s: float) -> Poll:
        """Gives what changed hands, else the next records of the partitions owned."""
        draw = self._wire.sky.draw
        group = self._broker.group
        await self._wire.call("poll", self._broker.check)
        if self._member not in group.members:
            group.join(self._member)
        now = group.of(self._member)
        # Who is dealt the same partition again can't know whether somebody else had it in between.
        moved = [number for number, change in now.items() if self._owned.get(number, change) != change]
        kept = tuple(moved) if moved and draw.random() < 0.5 else ()
        lost = tuple(
            number for number, change in self._owned.items() if now.get(number) != change and number not in kept
        )
        taken = tuple(
            number for number, change in now.items() if self._owned.get(number) != change and number not in kept
        )
        self._owned = now
        for number in (*lost, *taken):
            self._next.pop(number, None)
        if lost or taken or kept:
            return Poll(lost=lost, taken=taken, kept=kept)
        batches = self._batches(draw.randint(1, records_max))
        if not batches:
            await self._broker.news(wait_s)
            self._wire.check()
            batches = self._batches(records_max)
        return Poll(batches=batches)

    def _batches(self, records_max: int) -> tuple[Batch, ...]:
        batches = []
        for number, offset in self._next.items():
            rows = self._broker.events[number].behind(offset - 1, records_max)
            if rows:
                self._next[number] = rows[-1][0] + 1
                records = [decode_record(payload) for _, payload in rows]
                batches.append(Batch(number, Position(EPOCH, rows[0][0]), records))
        return tuple(batches)

    async def seek(self, partition: int, after: Position) -> None:
        """Starts the next poll behind a position."""
        await self._wire.call("seek", self._broker.check)
        end = self._broker.events[partition].end
        if after != BEGINNING and after > Position(EPOCH, end):
            raise PortError(f"partition {partition} ends at {end}, before {after}", retriable=False)
        if partition in self._owned:
            self._next[partition] = 0 if after == BEGINNING else after.offset + 1

    async def commit(self, partition: int, committed: Committed) -> None:
        """Saves how far this group is, if the partition is still this member's."""

        def keep() -> None:
            self._broker.check()
            self._broker.group.check(partition, self._member, self._owned.get(partition, -1))
            self._broker.keep(partition, committed)

        await self._wire.call(f"commit {partition} through {committed.through.offset}", keep)

    async def committed(self, partition: int) -> Committed | None:
        """Gives the last commit."""

        def read() -> Committed | None:
            self._broker.check()
            return self._broker.commits.get(partition)

        return await self._wire.call("read the commit", read)
