"""Finds one event by its id: in the logs behind what is archived, then in the event store, day by day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import partial
from typing import NamedTuple
from uuid import RFC_4122, UUID

from adapters.log_tail import LogTail
from domain.ids import Position
from domain.ports.event_store import EventStore, FoundEvent
from domain.records import Record
from domain.timestamps import from_unix_ms, is_plausible

BEHIND_MS = 60_000
"""A log is read from so long before the watermark on: brokers and gateways have clocks of their own."""
IN_LOG, IN_STORE = "event log", "event store"
_TIMED_VERSION = 7
_AT_ONCE = 4
"""Partitions read side by side: a store takes longer to answer than its answer takes to be read."""
Report = Callable[[int, int], None]
"""Told of progress: how many partitions are read, of how many."""


class Sighting(NamedTuple):
    """Where an event was found.

    Attributes:
        record: the event.
        partition, position: in the event log.
        place: that was read, in words.
    """

    record: Record
    partition: int
    position: Position
    place: str


class Wanted(NamedTuple):
    """What is looked for, and where.

    Attributes:
        retailer_id: whose event.
        event_id: its id.
        days: of receipt, the likeliest first.
        partitions: of the log.
        watermarks: up to when each partition is archived, Unix milliseconds.
    """

    retailer_id: str
    event_id: UUID
    days: Sequence[date]
    partitions: Sequence[int]
    watermarks: dict[int, int]


def made_at_ms(event_id: UUID) -> int | None:
    """Gives when a UUID of version 7 was made, by its maker's clock; None of any other. Source: RFC 9562, 5.7."""
    return event_id.int >> 80 if event_id.variant == RFC_4122 and event_id.version == _TIMED_VERSION else None


def days_of(event_id: UUID, *, now_ms: int, kept_days: int, around_days: int) -> list[date]:
    """Gives the days on which an event may have been received, the likeliest first, of those that are kept.

    Args:
        event_id: one that has a time in it was received about then: later where its sender was offline, earlier where
            its sender's clock was ahead. One without may be of any day.
        now_ms: Unix milliseconds.
        kept_days: before today.
        around_days: how far from its time a day may be.
    """
    today = from_unix_ms(now_ms).date()
    kept = [today - timedelta(days=number) for number in range(kept_days + 1)]
    made_ms = made_at_ms(event_id)
    if made_ms is None or not is_plausible(made_ms, received_at_ms=now_ms):
        return kept
    made = max(kept[-1], min(today, from_unix_ms(made_ms).date()))
    later = [made + timedelta(days=number) for number in range(around_days + 1)]
    earlier = [made - timedelta(days=number) for number in range(1, around_days + 1)]
    return [day for day in (*later, *earlier) if day in kept]


async def find(archive: EventStore, tail: LogTail | None, wanted: Wanted, report: Report) -> Sighting | None:
    """Looks for an event until it is found.

    Args:
        archive: the event store.
        tail: the logs behind it; None = they are not asked.
        wanted: what, and where.
        report: told of progress.

    Raises:
        PortError: the store or the log can't be read now.
    """
    works = list(_works(archive, tail, wanted))
    done = 0
    for work in works:
        for start in range(0, len(wanted.partitions), _AT_ONCE):
            some = wanted.partitions[start : start + _AT_ONCE]
            sightings = await asyncio.gather(*(_look(work, partition, wanted) for partition in some))
            done += len(some)
            report(done, len(works) * len(wanted.partitions))
            found = next((one for one in sightings if one is not None), None)
            if found is not None:
                return found
    return None


class _Work(NamedTuple):
    """What to read of every partition before the next is read: the ends of the log, or one day of the store."""

    place: str
    pages_of: Callable[[int], AsyncIterator[Sequence[FoundEvent]]]


def _works(archive: EventStore, tail: LogTail | None, wanted: Wanted) -> Iterator[_Work]:
    """Gives where to look, in order: a log's end is short, and holds what somebody asks about at once."""
    if tail is not None:
        behind = {number: max(0, wanted.watermarks.get(number, 0) - BEHIND_MS) for number in wanted.partitions}
        yield _Work(IN_LOG, lambda partition: tail.events(partition, behind[partition]))
    for day in wanted.days:
        yield _Work(IN_STORE, partial(archive.events, wanted.retailer_id, day))


async def _look(work: _Work, partition: int, wanted: Wanted) -> Sighting | None:
    pages = work.pages_of(partition)
    try:
        async for page in pages:
            for found in page:
                record = found.record
                if (
                    isinstance(record, Record)
                    and record.event.event_id == wanted.event_id
                    and record.retailer_id == wanted.retailer_id
                ):
                    return Sighting(record, partition, found.position, work.place)
        return None
    finally:
        close = getattr(pages, "aclose", None)
        if close is not None:
            await close()
