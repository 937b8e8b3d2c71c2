"""The production failed events (`domain.ports.failed_events`): by id, and an index by retailer and day.

Workers and the archiver put the same failures. Whoever comes first stays, and what was replayed never comes back: both
follow from timestamps made from the event's place in the log. The event itself is the truth; a row of the index that
does not fit it is overlooked. Requests for replays are in the control plane.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec
from cassandra.util import Date

from adapters.control_plane import ReplayRequests
from adapters.scylla.session import Row, Session
from adapters.scylla.timestamps import delete_timestamp, write_timestamp
from domain.errors import Refused
from domain.ids import Position
from domain.ports.clock import Clock
from domain.ports.failed_events import FailedEvent

STATEMENTS = {
    "put_failed": "INSERT INTO {keyspace}.failed_events (failed_id, expires_at_ms, event) VALUES (?, ?, ?)"
    " USING TIMESTAMP ? AND TTL ?",
    "load_failed": "SELECT event FROM {keyspace}.failed_events WHERE failed_id = ?",
    "scan_failed": "SELECT failed_id, expires_at_ms FROM {keyspace}.failed_events"
    " WHERE token(failed_id) > ? AND token(failed_id) <= ?",
    "forget_failed": "DELETE FROM {keyspace}.failed_events USING TIMESTAMP ? WHERE failed_id = ?",
    "index_failed": "INSERT INTO {keyspace}.failed_by_day (retailer_id, day, failed_at_ms, failed_id)"
    " VALUES (?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?",
    "look_for_failed": "SELECT failed_id FROM {keyspace}.failed_by_day WHERE retailer_id = ? AND day = ? LIMIT 1",
    "list_failed": "SELECT failed_at_ms, failed_id FROM {keyspace}.failed_by_day WHERE retailer_id = ? AND day = ?",
    "unindex_failed": "DELETE FROM {keyspace}.failed_by_day USING TIMESTAMP ?"
    " WHERE retailer_id = ? AND day = ? AND failed_at_ms = ? AND failed_id = ?",
}
_UNREADABLE = ""
"""The retailer of bytes that nobody could read."""
_DAY_MS = 86_400_000
_DAYS_KEPT_MAX = 366
_DAYS_AT_ONCE = 31
_EVENTS_AT_ONCE = 100
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(FailedEvent)


class ScyllaFailedEvents:
    """What could not be processed, and who asked for it again."""

    def __init__(self, session: Session, requests: ReplayRequests, clock: Clock, *, partitions: int) -> None:
        """Takes the session, the control plane's requests, the clock by which events expire, the log's partitions."""
        self._session = session
        self._requests = requests
        self._clock = clock
        self._partitions = partitions

    async def put(self, events: Sequence[FailedEvent]) -> None:
        """Writes those that are not there yet: first the index, so that a crash in between hides nothing.

        Two that look at the same moment both write; then one of the two reports stays, whole.
        """
        now_ms = self._clock.now_ms()
        first = {one.failed_id: one for one in reversed(events) if one.expires_at_ms > now_ms}
        known = {one.failed_id for one in await self._load(first)}
        new = [one for failed_id, one in first.items() if failed_id not in known]
        lives = [(write_timestamp(one.position), max(1, -(-(one.expires_at_ms - now_ms) // 1_000))) for one in new]
        days: dict[tuple[str, int], list[Row]] = {}
        for one, life in zip(new, lives, strict=True):
            days.setdefault((one.retailer_id, one.failed_at_ms // _DAY_MS), []).append((*_place(one), *life))
        await self._session.write_batches("index_failed", days.values(), rows_max=_EVENTS_AT_ONCE, blob_at=None)
        await self._session.write(
            "put_failed",
            (
                (one.failed_id, one.expires_at_ms, _encoder.encode(one), *life)
                for one, life in zip(new, lives, strict=True)
            ),
        )

    async def request_replay(self, failed_ids: Sequence[str]) -> int:
        """Leaves the requests in the control plane."""
        return await self._requests.request(failed_ids)

    async def requested(self, partition: int, *, events_max: int) -> Sequence[FailedEvent]:
        """Reads what is wanted, if anything is; wishes whose event is gone make room for others."""
        wanted = self._requests.wanted(partition)
        found: list[FailedEvent] = []
        for start in range(0, len(wanted), _EVENTS_AT_ONCE):
            if len(found) >= events_max:
                break
            found += await self._load(wanted[start : start + _EVENTS_AT_ONCE])
        return found[:events_max]

    async def replayed(self, failed_ids: Sequence[str]) -> None:
        """Forgets them: they are in the log again."""
        await self.forget(failed_ids)

    async def forget(self, failed_ids: Sequence[str]) -> None:
        """Forgets events, then requests: a crash in between leaves a request for nothing, which harms nobody.

        An id that is not there is deleted all the same, so that a late `put` can't bring it back.

        Raises:
            PortError: some may be forgotten; the call may be repeated.
        """
        for start in range(0, len(failed_ids), _EVENTS_AT_ONCE):
            part = failed_ids[start : start + _EVENTS_AT_ONCE]
            await self._forget(part)
            await self._requests.forget(part)

    async def of_retailer(self, retailer_id: str) -> AsyncIterator[FailedEvent]:
        """Gives all failed events of a retailer, expired or not, newest first; none of those that nobody could read.

        Raises:
            PortError: can't be read now.
        """
        async for day in self._days((retailer_id,)):
            async for event in self._stream(retailer_id, day):
                yield event

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the first failure on the oldest day before a moment was, None where there is none before it.

        Raises:
            PortError: can't be read now.
        """
        last = None
        async for day in self._days((retailer_id,)):
            if day * _DAY_MS < before_ms:
                last = day
        if last is None:
            return None
        found = [event.failed_at_ms async for event in self._stream(retailer_id, last)]
        oldest = min(found, default=before_ms)
        return oldest if oldest < before_ms else None

    async def expire(self, now_ms: int) -> int:
        """Removes what has expired, and the requests that have nothing left to replay; TTL does the daily work."""
        gone = 0
        async for rows in self._session.scan("scan_failed"):
            old = [failed_id for failed_id, expires_at_ms in rows if expires_at_ms <= now_ms]
            await self._forget(old)
            gone += len(old)
        for partition in range(self._partitions):
            wanted = self._requests.wanted(partition)
            if wanted:
                there = {one.failed_id for one in await self._load(wanted)}
                await self._requests.forget([failed_id for failed_id in wanted if failed_id not in there])
        return gone

    async def _load(self, failed_ids: Iterable[str]) -> list[FailedEvent]:
        found = await self._session.read("load_failed", ((failed_id,) for failed_id in failed_ids))
        return [_decoder.decode(rows[0][0]) for rows in found if rows]

    async def _forget(self, failed_ids: Sequence[str]) -> None:
        """Deletes from the index, then the events."""
        places = [(delete_timestamp(one.position), *_place(one)) for one in await self._load(failed_ids)]
        await self._session.write("unindex_failed", places)
        await self._session.write(
            "forget_failed", ((delete_timestamp(_position(failed_id)), failed_id) for failed_id in failed_ids)
        )

    async def _days(self, retailer_ids: Sequence[str]) -> AsyncIterator[int]:
        """Gives the days on which something of retailers failed, backwards from tomorrow, since clocks differ."""
        today = self._clock.now_ms() // _DAY_MS
        for newest in range(today + 1, today - _DAYS_KEPT_MAX, -_DAYS_AT_ONCE):
            asked = [(one, Date(day)) for day in range(newest, newest - _DAYS_AT_ONCE, -1) for one in retailer_ids]
            looks = await self._session.read("look_for_failed", asked)
            days = {day.days_from_epoch for (_, day), rows in zip(asked, looks, strict=True) if rows}
            for day in sorted(days, reverse=True):
                yield day

    async def _of_day(self, retailer_ids: Sequence[str], day: int) -> AsyncIterator[FailedEvent]:
        """Gives the failures of one day of several retailers, newest first."""
        streams = [self._stream(one, day) for one in retailer_ids]
        heads = [await anext(stream, None) for stream in streams]
        while any(head is not None for head in heads):
            at = max(
                (number for number, head in enumerate(heads) if head is not None),
                key=lambda number: heads[number].failed_at_ms,  # type: ignore[union-attr]  # just looked at
            )
            event = heads[at]
            assert event is not None
            yield event
            heads[at] = await anext(streams[at], None)

    async def _stream(self, retailer_id: str, day: int) -> AsyncIterator[FailedEvent]:
        async for rows in self._session.pages("list_failed", (retailer_id, Date(day))):
            for start in range(0, len(rows), _EVENTS_AT_ONCE):
                part = rows[start : start + _EVENTS_AT_ONCE]
                places = {failed_id: failed_at_ms for failed_at_ms, failed_id in part}
                for event in await self._load(places):
                    if (event.retailer_id, event.failed_at_ms) == (retailer_id, places[event.failed_id]):
                        yield event

    # Below every signature that means the builtin.
    async def list(self, retailer_id: str, *, events_max: int) -> Sequence[FailedEvent]:
        """Walks the days backwards."""
        found: list[FailedEvent] = []
        now_ms = self._clock.now_ms()
        retailer_ids = tuple({retailer_id, _UNREADABLE})
        async for day in self._days(retailer_ids):
            async for event in self._of_day(retailer_ids, day):
                if event.expires_at_ms > now_ms:
                    found.append(event)
                if len(found) >= events_max:
                    return found[:events_max]
        return found


def _place(event: FailedEvent) -> Row:
    return (event.retailer_id, Date(event.failed_at_ms // _DAY_MS), event.failed_at_ms, event.failed_id)


def _position(failed_id: str) -> Position:
    try:
        _, epoch, offset = (int(part) for part in failed_id.split("-"))
    except ValueError:
        raise Refused(f'"{failed_id}" is no failed event: its id is partition-epoch-offset') from None
    return Position(epoch, offset)
