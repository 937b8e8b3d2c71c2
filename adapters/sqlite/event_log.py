"""The embedded event log (`domain.ports.event_log`): one partition, the table `events` of the log's file.

Gateways append, the worker of the same process polls. What was just committed reaches the poller through memory; what
memory no longer has is read from the file. How far the group is saved stands in the state's file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Sequence
from functools import partial

from adapters.places import Places
from adapters.settings import Settings
from adapters.sqlite.database import Database
from adapters.sqlite.log_rows import Replacement, Row
from adapters.sqlite.log_writer import PRUNED_ROWS_MAX, LogWriter
from adapters.sqlite.recent import Recent
from domain.errors import Fenced, PortError
from domain.ids import BEGINNING, Position
from domain.ports.event_log import Batch, Committed, Place, Poll
from domain.records import Record, Undecodable, decode_record, encode

EPOCH = 1
PARTITION = 0
_AT_END = frozenset((PARTITION,))


_places = partial(Places, PARTITION, EPOCH)


class SqliteEventLog:
    """One partition; several gateways may append, one worker polls, all on one event loop."""

    def __init__(self, writer: LogWriter, reader: Database, state: Database, settings: Settings) -> None:
        """Takes the log's writer, a reader of the same file, and the state's file for commits."""
        self._writer = writer
        self._reader = reader
        self._state = state
        self._recent: Recent[Record | Undecodable] = Recent(writer.next_event, settings.log_queue_events_max)
        self._next: int | None = None
        self._is_taken = False
        writer.on_events(self._recent.extend)

    @property
    def partitions(self) -> int:
        """One."""
        return 1

    def append(self, records: Sequence[Record]) -> Awaitable[Sequence[Place]]:
        """Makes records durable with everything else that waits, in one flush."""
        if not records:
            return _none()
        payloads = [encode(record) for record in records]
        received_at_ms = max(record.received_at_ms for record in records)
        return self._writer.append(records, payloads, received_at_ms, _places)

    async def accepts(self) -> bool:
        """Tells whether an append now would probably succeed."""
        return await self._writer.accepts()

    async def poll(self, *, records_max: int, wait_s: float) -> Poll:
        """Gives the next records; the first poll says that the partition is taken."""
        if not self._is_taken:
            self._is_taken = True
            return Poll(taken=(PARTITION,))
        if self._next is None or self._next >= self._recent.next_offset:
            await self._recent.news(wait_s)
        first = self._next
        if first is None:
            return Poll()
        if first >= self._recent.next_offset:
            return Poll(at_end=_AT_END)
        records = self._recent.since(first, records_max)
        if records is None:
            batch = await self._reader.read(lambda connection: self._batch(connection, first, records_max))
            if batch is None or self._next != first:
                return Poll()
        else:
            batch = Batch(PARTITION, Position(EPOCH, first), records)
        self._next = batch.first.offset + len(batch.records)
        self._recent.forget(self._next)
        return Poll(batches=(batch,), at_end=_AT_END if self._next >= self._recent.next_offset else frozenset())

    async def seek(self, partition: int, after: Position) -> None:
        """Starts the next poll behind a position; refuses one that this log does not reach."""
        check_partition(partition)
        end = Position(EPOCH, self._recent.next_offset - 1)
        if after != BEGINNING and after > end:
            raise PortError(
                f"{self._writer.path} ends at {end.epoch}-{end.offset}, before {after.epoch}-{after.offset}, where the"
                " snapshots stand: it is not their log; put the right log.db in its place, or move state.db away to"
                " start from what this log holds",
                retriable=False,
            )
        self._next = 0 if after.epoch < EPOCH else after.offset + 1

    async def commit(self, partition: int, committed: Committed) -> None:
        """Saves how far the group is; an older owner's commit is refused."""
        check_partition(partition)
        row = (partition, *committed.through, committed.token, committed.tail)

        def save(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "INSERT INTO commits VALUES (?, ?, ?, ?, ?) ON CONFLICT (partition) DO UPDATE SET"
                " epoch = excluded.epoch, through = excluded.through, token = excluded.token, tail = excluded.tail"
                " WHERE excluded.token >= token",
                row,
            ).rowcount

        if not await self._state.write(save):
            raise Fenced(f"partition {partition} was committed by an owner newer than {committed.token}: take it again")

    async def committed(self, partition: int) -> Committed | None:
        """Gives the last commit."""
        check_partition(partition)
        row = await self._state.read(
            lambda connection: connection.execute(
                "SELECT epoch, through, token, tail FROM commits WHERE partition = ?", (partition,)
            ).fetchone()
        )
        return None if row is None else Committed(Position(row[0], row[1]), row[2], row[3])

    async def prune(self, before_ms: int, through: Position) -> int:
        """Removes what was received before a time and stands at or below a position, in whole rows.

        Returns:
            Events removed.
        """
        if through.epoch < EPOCH:
            return 0
        gone, more = 0, True
        while more:
            count, more = await self._writer.submit(
                lambda connection: self._writer.events.prune(connection, before_ms, through.offset, PRUNED_ROWS_MAX)
            )
            gone += count
        return gone

    async def replace(self, rows: Sequence[Replacement[Record]]) -> int:
        """Puts records in the place of others, in one transaction and in memory; offsets stay.

        Args:
            rows: few: appends wait behind them.

        Returns:
            Records that another took the place of: where a row was pruned meanwhile, none.
        """
        records = {offset: record for row in rows for offset, record in row.records.items()}
        count: int = await self._writer.submit(
            lambda connection: sum(self._writer.events.replace(connection, row.first, row.payloads) for row in rows),
            lambda _: self._recent.replace(records),
        )
        return count

    def _batch(self, connection: sqlite3.Connection, first: int, records_max: int) -> Batch | None:
        """Reads consecutive records; one that was pruned before it was read is stepped over, as is its gap."""
        records: list[Record | Undecodable] = []
        start = first
        for row in self._writer.events.read(connection, first, records_max):
            if not records:
                start = max(first, row.first)
            elif row.first != start + len(records):
                break
            records += _records(row)[max(0, start - row.first) :] if len(records) == 0 else _records(row)
        return Batch(PARTITION, Position(EPOCH, start), records[:records_max]) if records else None


async def _none() -> Sequence[Place]:
    return ()


def check_partition(partition: int) -> None:
    """Raises `PortError` for a partition that an embedded log does not have."""
    if partition != PARTITION:
        raise PortError(f"there is no partition {partition}: the embedded log has partition 0 only", retriable=False)


def _records(row: Row) -> list[Record | Undecodable]:
    if row.payloads is not None:
        return [decode_record(payload) for payload in row.payloads]
    reason = f"the log's row of offsets {row.first} to {row.first + row.records - 1} is damaged"
    # Its bytes are kept once; every event that stood in it fails.
    return [Undecodable(payload=b"" if index else row.blob, reason=reason) for index in range(row.records)]
