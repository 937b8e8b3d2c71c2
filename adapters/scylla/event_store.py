"""The production event store (`domain.ports.event_store`): written by the archiver, read by the jobs.

One table partition holds what one log partition brought of one retailer's day, so that what the archiver polls goes
out as a few unlogged batches. TTL removes it after `hot_days`; the timestamps are `received_at`, since the tables'
compaction sorts files into days by them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import date

import msgspec
from cassandra.util import Date

from adapters.scylla.session import Row, Session
from domain.ids import Position
from domain.ports.event_store import FoundEvent, StoredEvent
from domain.records import Decided, decode_experience_record, decode_record, encode

STATEMENTS = {
    "put_event": "INSERT INTO {keyspace}.events (retailer_id, day, partition, shopper, event_id, event)"
    " VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "read_events": "SELECT event FROM {keyspace}.events WHERE retailer_id = ? AND day = ? AND partition = ?",
    "put_decided": "INSERT INTO {keyspace}.decided (retailer_id, day, partition, shopper, trigger_event_id, record)"
    " VALUES (?, ?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "read_decided": "SELECT record FROM {keyspace}.decided WHERE retailer_id = ? AND day = ? AND partition = ?",
    "publish_watermark": "INSERT INTO {keyspace}.watermarks (partition, watermark_ms) VALUES (?, ?) USING TIMESTAMP ?",
    "read_watermarks": "SELECT partition, watermark_ms FROM {keyspace}.watermarks",
}
_DAY_MS = 86_400_000
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, int, bytes])


class ScyllaEventStore:
    """Events and decisions by retailer, day and log partition; a repeat writes the same row again."""

    def __init__(self, session: Session, *, batch_events_max: int) -> None:
        """Takes the session, and how many rows go into one batch."""
        self._session = session
        self._batch_events_max = batch_events_max

    async def put(self, partition: int, events: Sequence[StoredEvent]) -> None:
        """Writes batches of one day each, all at once."""
        days: dict[tuple[str, int], list[Row]] = {}
        dates: dict[int, Date] = {}
        for position, record in events:
            number = record.received_at_ms // _DAY_MS
            day = dates.get(number) or dates.setdefault(number, Date(number))
            # Place and record are one value: of two with the same timestamp CQL takes each column's larger one.
            event = _encoder.encode((position.epoch, position.offset, encode(record)))
            shopper, event_id = record.event.shopper_id, record.event.event_id.bytes
            days.setdefault((record.retailer_id, number), []).append(
                (record.retailer_id, day, partition, shopper, event_id, event, record.received_at_ms * 1_000)
            )
        await self._put("put_event", days.values())

    async def put_decided(self, partition: int, decided: Sequence[Decided]) -> None:
        """Writes batches of one day each, all at once."""
        days: dict[tuple[str, int], list[Row]] = {}
        for record in decided:
            number = record.received_at_ms // _DAY_MS
            trigger = record.trigger_event_id.bytes
            days.setdefault((record.retailer_id, number), []).append(
                (
                    record.retailer_id,
                    Date(number),
                    partition,
                    record.shopper,
                    trigger,
                    encode(record),
                    record.received_at_ms * 1_000,
                )
            )
        await self._put("put_decided", days.values())

    async def events(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[FoundEvent]]:
        """Reads one table partition."""
        async for rows in self._session.pages("read_events", (retailer_id, day, partition)):
            if rows:
                yield [_event(blob) for (blob,) in rows]

    async def decided(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[Decided]]:
        """Reads one table partition."""
        async for rows in self._session.pages("read_decided", (retailer_id, day, partition)):
            if rows:
                yield [_decided(blob) for (blob,) in rows]

    async def publish(self, partition: int, watermark_ms: int) -> None:
        """Writes the watermark under itself as timestamp, so that an earlier one loses."""
        await self._session.write("publish_watermark", [(partition, watermark_ms, watermark_ms)])

    async def watermarks(self) -> Mapping[int, int]:
        """Reads the table, a row a partition."""
        (rows,) = await self._session.read("read_watermarks", [()])
        return dict(rows)

    async def _put(self, name: str, days: Iterable[Sequence[Row]]) -> None:
        await self._session.write_batches(name, days, rows_max=self._batch_events_max, blob_at=5)


def _event(blob: bytes) -> FoundEvent:
    epoch, offset, payload = _decoder.decode(blob)
    return FoundEvent(Position(epoch, offset), decode_record(payload))


def _decided(blob: bytes) -> Decided:
    record = decode_experience_record(blob)
    assert isinstance(record, Decided), "only decisions are put"
    return record
