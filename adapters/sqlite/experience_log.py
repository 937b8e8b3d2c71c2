"""The embedded experience log (`domain.ports.experience_log`): the table `experiences` of the log's file.

The worker appends through the log's writer, in one transaction with the check of its token; gateways follow in memory.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import msgspec

from adapters.settings import Settings
from adapters.sqlite.database import Database
from adapters.sqlite.event_log import PARTITION, check_partition
from adapters.sqlite.log_rows import Replacement, Row
from adapters.sqlite.log_writer import PRUNED_ROWS_MAX, LogWriter
from adapters.sqlite.recent import Recent
from domain.errors import Fenced, PortError
from domain.ports.clock import Clock
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

_FOLLOWED_AT_ONCE = 1_000
_RETRY_S = 0.5
"""Before a follower looks again at a log that could not be read."""
_log = logging.getLogger("hotbasket.log")


class SqliteExperienceLog:
    """One partition; one worker appends, gateways of the same process follow."""

    def __init__(self, writer: LogWriter, reader: Database, settings: Settings, clock: Clock) -> None:
        """Takes the log's writer and a reader of the same file."""
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._recent: Recent[Entry] = Recent(writer.next_experience, settings.log_queue_events_max)
        self._progress: dict[int, int] = {}

    async def own(self, partition: int, worker_id: str) -> int:
        """Appends `Owner` and remembers its token in the same transaction."""
        check_partition(partition)
        owner = Owner(schema_version=SCHEMA_VERSION, worker_id=worker_id)
        now_ms = self._clock.now_ms()

        def run(connection: sqlite3.Connection) -> int:
            token = self._writer.experiences.insert(connection, [encode(owner)], now_ms)
            connection.execute("INSERT OR REPLACE INTO owners VALUES (?, ?, ?)", (partition, token, worker_id))
            return token

        token: int = await self._writer.submit(run, lambda first: self._written(first, [owner]))
        return token

    async def append(self, partition: int, token: int, records: Sequence[Decided | Failed | Progress]) -> int:
        """Appends records, unless a newer owner has taken the partition."""
        check_partition(partition)
        payloads = [encode(record) for record in records]
        now_ms = self._clock.now_ms()

        def run(connection: sqlite3.Connection) -> int:
            _refuse_old(connection, partition, token)
            return self._writer.experiences.insert(connection, payloads, now_ms)

        first: int = await self._writer.submit(run, lambda offset: self._written(offset, records))
        return first + len(records) - 1

    async def confirm(self, partition: int, token: int) -> int:
        """Gives the offset of this owner's last `Progress`, of its `Owner` before the first.

        The transaction that appended it checked the token.
        """
        check_partition(partition)
        await self._reader.read(lambda connection: _refuse_old(connection, partition, token))
        return self._progress.get(token, token)

    async def read(self, partition: int, *, after: int, records_max: int) -> Sequence[Entry]:
        """Gives entries from memory, else from the file."""
        check_partition(partition)
        if after + 1 >= self._recent.next_offset:
            return ()
        held = self._recent.since(after + 1, records_max)
        if held is not None:
            return held
        return await self._reader.read(lambda connection: self._entries(connection, after + 1, records_max))

    async def end(self, partition: int) -> int:
        """Gives the last offset."""
        check_partition(partition)
        return self._recent.next_offset - 1

    async def follow(
        self, after: Mapping[int, int], only: Collection[int] | None = None
    ) -> AsyncIterator[Sequence[Entry]]:
        """Gives what is behind the offset, then what comes."""
        offset = after.get(PARTITION, -1)
        while True:
            if only is not None and PARTITION not in only:
                await self._recent.news(None)
                continue
            try:
                entries = await self.read(PARTITION, after=offset, records_max=_FOLLOWED_AT_ONCE)
            except PortError as error:
                _log.warning("experience log can't be followed", extra={"offset": offset, "detail": str(error)})
                await self._recent.news(_RETRY_S)
                continue
            if entries:
                offset = entries[-1].offset
                yield entries
            elif offset + 1 < self._recent.next_offset:
                offset = self._recent.next_offset - 1  # nothing of the rest can be read
            else:
                await self._recent.news(None)

    async def prune(self, before_ms: int, tail: int) -> int:
        """Removes what was appended before a time and stands below an offset, in whole rows; gives how many records."""
        gone, more = 0, True
        while more:
            count, more = await self._writer.submit(
                lambda connection: self._writer.experiences.prune(connection, before_ms, tail - 1, PRUNED_ROWS_MAX)
            )
            gone += count
        return gone

    async def replace(self, rows: Sequence[Replacement[Progress]]) -> int:
        """Puts records in the place of others, in one transaction and in memory; offsets stay.

        Args:
            rows: few: appends wait behind them.

        Returns:
            Records that another took the place of: where a row was pruned meanwhile, none.
        """
        table = self._writer.experiences
        entries = {offset: Entry(PARTITION, offset, one) for row in rows for offset, one in row.records.items()}
        count: int = await self._writer.submit(
            lambda connection: sum(table.replace(connection, row.first, row.payloads) for row in rows),
            lambda _: self._recent.replace(entries),
        )
        return count

    def _written(self, first: int, records: Sequence[ExperienceRecord]) -> None:
        entries = [Entry(PARTITION, offset, record) for offset, record in enumerate(records, start=first)]
        self._recent.extend(first, entries)
        # Noted here and not by the caller, who may have stopped waiting.
        if isinstance(records[-1], Progress):
            self._progress = {records[-1].token: entries[-1].offset}

    def _entries(self, connection: sqlite3.Connection, first: int, records_max: int) -> list[Entry]:
        entries: list[Entry] = []
        for row in self._writer.experiences.read(connection, first, records_max):
            entries += [entry for entry in _decoded(row) if entry.offset >= first]
        return entries[:records_max]


def _refuse_old(connection: sqlite3.Connection, partition: int, token: int) -> None:
    """Raises `Fenced` where the partition has another owner than that of the token."""
    row = connection.execute("SELECT token, worker_id FROM owners WHERE partition = ?", (partition,)).fetchone()
    if row is None or row[0] != token:
        owner = "nobody" if row is None else f"worker {row[1]} (token {row[0]})"
        raise Fenced(f"partition {partition} is owned by {owner}, not by token {token}: take it again")


def _decoded(row: Row) -> list[Entry]:
    """Gives a row's entries; what can't be read is left out, said and survived: it was never acted upon."""
    entries: list[Entry] = []
    for offset, payload in enumerate(row.payloads or (), start=row.first):
        try:
            entries.append(Entry(PARTITION, offset, decode_experience_record(payload)))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.error("experience record unreadable", extra={"offset": offset, "detail": str(error)})
    if row.payloads is None:
        _log.error("experience row unreadable", extra={"offset": row.first, "records": row.records})
    return entries
