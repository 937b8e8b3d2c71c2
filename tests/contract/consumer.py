"""A consumer of the event log as the worker is one, and the records that tests put into it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from domain.ids import BEGINNING, Position, bucket
from domain.ports.event_log import Batch, EventLog, Place
from domain.records import Record, Undecodable
from tests.story import SHOPPER, record

WITHIN_S = 30
_POLL_S = 0.05
_LOOK_S = 0.001


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits until a condition holds, within the deadline."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if await holds():
                return
            await asyncio.sleep(_LOOK_S)


def events(count: int, first: int = 0, received_s: float | None = None) -> list[Record]:
    """Gives records of one shopper, told apart by their event ids."""
    return [
        record("LinkClicked", number, number, received_s, target=f"/{number}") for number in range(first, first + count)
    ]


def partition_of(log: EventLog) -> int:
    """Gives the partition of the shopper whose events these are."""
    return bucket(SHOPPER) % log.partitions


async def taken(log: EventLog) -> set[int]:
    """Polls until every partition is this consumer's, and gives them."""
    owned: set[int] = set()
    async with asyncio.timeout(WITHIN_S):
        while len(owned) < log.partitions:
            owned |= set((await log.poll(records_max=100, wait_s=_POLL_S)).taken)
    return owned


async def start(log: EventLog, after: Position = BEGINNING) -> None:
    """Takes all partitions and starts the shopper's behind a position, the others at their beginning."""
    for number in await taken(log):
        await log.seek(number, after if number == partition_of(log) else BEGINNING)


async def polled(log: EventLog, count: int, *, records_max: int = 100) -> list[tuple[Place, Record | Undecodable]]:
    """Polls until so many records came, and gives them with their places."""
    found: list[tuple[Place, Record | Undecodable]] = []
    async with asyncio.timeout(WITHIN_S):
        while len(found) < count:
            for batch in (await log.poll(records_max=records_max, wait_s=_POLL_S)).batches:
                found += placed(batch)
    return found


def placed(batch: Batch) -> Sequence[tuple[Place, Record | Undecodable]]:
    """Gives a batch's records with their places."""
    epoch, first = batch.first
    return [
        (Place(batch.partition, Position(epoch, first + index)), found) for index, found in enumerate(batch.records)
    ]
