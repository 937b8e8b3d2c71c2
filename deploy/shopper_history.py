"""Reads what the event store keeps of one shopper: every event, and what was decided about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from domain.errors import Refused
from domain.ids import Position, ShopperKey, bucket
from domain.ports.event_store import EventStore, FoundEvent
from domain.records import Decided, Record
from domain.timestamps import from_unix_ms

Report = Callable[[int, int], None]
"""Told of progress: how many days are read, of how many."""
Item = TypeVar("Item")


class History(NamedTuple):
    """What is kept of a shopper.

    Attributes:
        records: in the log's order.
        decided: by the id of the event.
        until_ms: every event received before it is kept, Unix milliseconds.
    """

    records: Sequence[Record]
    decided: dict[UUID, Decided]
    until_ms: int


async def read_history(archive: EventStore, key: ShopperKey, now_ms: int, days: int, report: Report) -> History:
    """Reads the days that are kept.

    Args:
        archive: the event store.
        key: whose.
        now_ms: Unix milliseconds: the last day to read is the one in which this is.
        days: before it that are kept.
        report: told of progress.

    Raises:
        Refused: nothing was archived yet.
        PortError: the store can't be read now.
    """
    watermarks = await archive.watermarks()
    if not watermarks:
        raise Refused("nothing was archived yet: start hotbasket archiver, or wait for its first minute")
    partition = bucket(key.shopper) % (max(watermarks) + 1)
    found: dict[Position, Record] = {}
    decided: dict[UUID, Decided] = {}
    last = from_unix_ms(now_ms).date()
    for number in range(days + 1):
        day = last - timedelta(days=days - number)
        async for event in _of(key, archive.events(key.retailer_id, day, partition), _shopper_of):
            if isinstance(event.record, Record):
                found[event.position] = event.record
        async for decision in _of(key, archive.decided(key.retailer_id, day, partition), _shopper_decided):
            decided[decision.trigger_event_id] = decision
        report(number + 1, days + 1)
    until_ms = min(now_ms, watermarks.get(partition, 0))
    return History([found[position] for position in sorted(found)], decided, until_ms)


async def _of(
    key: ShopperKey, pages: AsyncIterator[Sequence[Item]], shopper_of: Callable[[Item], str | None]
) -> AsyncIterator[Item]:
    """Gives one shopper's; pages come by shopper, so what is behind need not be read."""
    try:
        async for page in pages:
            for one in page:
                shopper = shopper_of(one)
                if shopper == key.shopper:
                    yield one
                elif shopper is not None and shopper > key.shopper:
                    return
    finally:
        close = getattr(pages, "aclose", None)
        if close is not None:
            await close()


def _shopper_of(event: FoundEvent) -> str | None:
    return event.record.event.shopper_id if isinstance(event.record, Record) else None


def _shopper_decided(decided: Decided) -> str:
    return decided.shopper
