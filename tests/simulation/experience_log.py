"""The experience log of the simulation (`domain.ports.experience_log`), in two temperaments.

Like Kafka: a write can be torn between two records, arrive late or twice, and nothing refuses an old owner: only
`confirm` tells. Like SQLite: a write is one transaction, and the token is checked in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence

from domain.errors import Fenced
from domain.ports.experience_log import Entry
from domain.records import (
    SCHEMA_VERSION,
    Decided,
    ExperienceRecord,
    Failed,
    Owner,
    Progress,
    decode_experience_record,
    encode,
)
from tests.simulation.broker import Broker
from tests.simulation.wire import Wire

_FOLLOW_WAIT_S = 5.0


class SimulatedExperienceLog:
    """One process's client of the experience log.

    Args:
        refuses: whether `append` knows of newer owners, as one transaction in SQLite does.
    """

    def __init__(self, broker: Broker, wire: Wire, *, refuses: bool) -> None:
        self._broker = broker
        self._wire = wire
        self._refuses = refuses

    async def own(self, partition: int, worker_id: str) -> int:
        """Appends `Owner` and gives its offset."""
        payload = encode(Owner(schema_version=SCHEMA_VERSION, worker_id=worker_id))
        offsets, flushing = await self._wire.call(f"own {partition}", lambda: self._write(partition, [payload]))
        await self._broker.durable(flushing)
        return offsets[0]

    async def append(self, partition: int, token: int, records: Sequence[Decided | Failed | Progress]) -> int:
        """Appends records and gives the last one's offset."""
        payloads = [encode(record) for record in records]

        def write() -> tuple[list[int], asyncio.Future[bool]]:
            if self._refuses and self._newest_owner(partition) > token:
                raise Fenced(f"partition {partition} has a newer owner than {token}")
            return self._write(partition, payloads)

        def tear() -> None:
            self._write(partition, payloads[: self._wire.sky.draw.randrange(len(payloads))])

        what = f"append {len(payloads)} experience records to {partition}"
        offsets, flushing = await self._wire.call(what, write, torn=None if self._refuses else tear)
        await self._broker.durable(flushing)
        return offsets[-1]

    async def confirm(self, partition: int, token: int) -> int:
        """Gives the offset of the owner's last `Progress` by reading the log back."""

        def look() -> int:
            self._broker.check()
            last, newest = token, -1
            for entry in self._entries(partition, -1, len(self._broker.experiences[partition].rows)):
                if isinstance(entry.record, Owner):
                    newest = entry.offset
                elif isinstance(entry.record, Progress) and entry.record.token == token:
                    last = entry.offset
                    if newest > token:
                        break
            if newest > token:
                raise Fenced(f"partition {partition} has owner {newest}, newer than {token}")
            return last

        return await self._wire.call(f"confirm {partition}", look)

    async def read(self, partition: int, *, after: int, records_max: int) -> Sequence[Entry]:
        """Gives entries behind an offset."""
        rows_max = min(records_max, self._wire.sky.draw.choice((1, 3, 1_000)))

        def look() -> list[Entry]:
            self._broker.check()
            return self._entries(partition, after, rows_max)

        return await self._wire.call(f"read the tail of {partition}", look)

    async def end(self, partition: int) -> int:
        """Gives the last offset."""

        def look() -> int:
            self._broker.check()
            return self._broker.experiences[partition].end

        return await self._wire.call("ask for the end", look)

    def follow(self, after: Mapping[int, int], only: Collection[int] | None = None) -> AsyncIterator[Sequence[Entry]]:
        """Gives entries as they become durable; nobody here follows a part."""
        assert only is None
        return Follower(self._broker, self._wire, self._entries, after)

    def _write(self, partition: int, payloads: Sequence[bytes]) -> tuple[list[int], asyncio.Future[bool]]:
        self._broker.check()
        return self._broker.experiences[partition].write(payloads), self._broker.flushing()

    def _newest_owner(self, partition: int) -> int:
        for offset, payload in reversed(self._broker.experiences[partition].rows):
            if isinstance(read_back(payload), Owner):
                return offset
        return -1

    def _entries(self, partition: int, after: int, rows_max: int) -> list[Entry]:
        rows = self._broker.experiences[partition].behind(after, rows_max)
        return [Entry(partition, offset, read_back(payload)) for offset, payload in rows]


class Follower:
    """Gives batches of entries for ever; a broker that is down is waited for."""

    def __init__(
        self,
        broker: Broker,
        wire: Wire,
        entries: Callable[[int, int, int], list[Entry]],
        after: Mapping[int, int],
    ) -> None:
        self._broker = broker
        self._wire = wire
        self._entries = entries
        self._after = {number: after.get(number, -1) for number in range(broker.partitions)}

    def __aiter__(self) -> Follower:
        return self

    async def __anext__(self) -> Sequence[Entry]:
        """Gives the next entries of one partition, when there are any, sooner or later."""
        while True:
            await asyncio.sleep(self._wire.sky.delay_s())
            self._wire.check()
            if not self._broker.is_down:
                for number in range(self._broker.partitions):
                    entries = self._entries(number, self._after[number], 1_000)
                    if entries:
                        self._after[number] = entries[-1].offset
                        return entries
            await self._broker.news(_FOLLOW_WAIT_S)

    async def aclose(self) -> None:
        """Nothing to give back."""


def read_back(payload: bytes) -> ExperienceRecord:
    """Gives the record; the log's own check that it only ever holds whole ones."""
    return decode_experience_record(payload)
