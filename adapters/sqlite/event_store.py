"""The embedded event store (`domain.ports.event_store`): the log's own tables, read by day."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time

import msgspec

from adapters.sqlite.database import Database
from adapters.sqlite.event_log import EPOCH, PARTITION
from adapters.sqlite.log_rows import LogRows, Row
from domain.ids import Position
from domain.ports.clock import Clock
from domain.ports.event_store import FoundEvent, StoredEvent
from domain.records import Decided, Record, decode_experience_record, decode_record, origin_of

_DAY_MS = 86_400_000
_PAGE = 1_000


class SqliteEventStore:
    """What the log holds; one partition. A day is small enough here to be sorted in memory."""

    def __init__(self, reader: Database, clock: Clock) -> None:
        """Takes a reader of the log's file, and the clock up to which everything acknowledged stands in it."""
        self._reader = reader
        self._clock = clock
        self._events = LogRows("events")
        self._experiences = LogRows("experiences")

    async def put(self, partition: int, events: Sequence[StoredEvent]) -> None:
        """Does nothing: what was appended to the log is in the store."""

    async def put_decided(self, partition: int, decided: Sequence[Decided]) -> None:
        """Does nothing: what was appended to the log is in the store."""

    async def events(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[FoundEvent]]:
        """Reads the rows of a day."""
        if partition != PARTITION:
            return
        first_ms, end_ms = _bounds(day)

        def read(connection: sqlite3.Connection) -> list[FoundEvent]:
            found: dict[tuple[str, str], FoundEvent] = {}
            # A row keeps the latest time of its records.
            for row in self._events.since(connection, first_ms):
                for offset, payload in _payloads(row):
                    record = decode_record(payload)
                    origin = record if isinstance(record, Record) else origin_of(payload)
                    if (
                        origin is not None
                        and origin.retailer_id == retailer_id
                        and first_ms <= origin.received_at_ms < end_ms
                    ):
                        key = _key(record) if isinstance(record, Record) else ("", f"{offset:020}")
                        found.setdefault(key, FoundEvent(Position(EPOCH, offset), record))
            return [found[key] for key in sorted(found)]

        stored = await self._reader.read(read)
        for start in range(0, len(stored), _PAGE):
            yield stored[start : start + _PAGE]

    async def decided(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[Decided]]:
        """Reads the experiences' rows written since the day began: a decision is never older than its event."""
        if partition != PARTITION:
            return
        first_ms, end_ms = _bounds(day)

        def read(connection: sqlite3.Connection) -> list[Decided]:
            found: dict[tuple[str, str], Decided] = {}
            for row in self._experiences.since(connection, first_ms):
                for _, payload in _payloads(row):
                    try:
                        record = decode_experience_record(payload)
                    except msgspec.MsgspecError:
                        continue
                    if (
                        isinstance(record, Decided)
                        and record.retailer_id == retailer_id
                        and first_ms <= record.received_at_ms < end_ms
                    ):
                        found.setdefault((record.shopper, str(record.trigger_event_id)), record)
            return [found[key] for key in sorted(found)]

        stored = await self._reader.read(read)
        for start in range(0, len(stored), _PAGE):
            yield stored[start : start + _PAGE]

    async def publish(self, partition: int, watermark_ms: int) -> None:
        """Does nothing: the watermark is the present."""

    async def watermarks(self) -> Mapping[int, int]:
        """Gives the present: what is acknowledged is in the store."""
        return {PARTITION: self._clock.now_ms()}


def _key(record: Record) -> tuple[str, str]:
    return record.event.shopper_id, str(record.event.event_id)


def _bounds(day: date) -> tuple[int, int]:
    first_ms = int(datetime.combine(day, time(), UTC).timestamp() * 1_000)
    return first_ms, first_ms + _DAY_MS


def _payloads(row: Row) -> Iterator[tuple[int, bytes]]:
    yield from enumerate(row.payloads or (), start=row.first)
