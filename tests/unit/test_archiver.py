"""The archiver over the embedded logs: what it copies, what it commits, and what it does while the store is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from batch.archive import Archiver, Stores
from domain.errors import PortError
from domain.ids import BEGINNING, Position
from domain.ports.event_log import Committed
from domain.ports.event_store import FoundEvent, StoredEvent
from domain.records import SCHEMA_VERSION, Decided, Failed, Progress
from monitoring.metrics import Metrics
from tests.contract.consumer import WITHIN_S, events, eventually
from tests.story import NOON_MS, RETAILER, SHOPPER


class Shelf:
    """An event store that can be away, and remembers what it was given."""

    def __init__(self) -> None:
        self.is_away = False
        self.refused = 0
        self.stored: dict[UUID, StoredEvent] = {}
        self.told: dict[UUID, Decided] = {}
        self.watermark_ms = 0

    async def put(self, partition: int, events: Sequence[StoredEvent]) -> None:
        """Keeps events, once each."""
        self._check()
        self.stored.update((one.record.event.event_id, one) for one in events)

    async def put_decided(self, partition: int, decided: Sequence[Decided]) -> None:
        """Keeps decisions, once each."""
        self._check()
        self.told.update((one.trigger_event_id, one) for one in decided)

    async def events(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[FoundEvent]]:
        """Nobody reads here."""
        raise NotImplementedError
        yield ()

    async def decided(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[Decided]]:
        """Nobody reads here."""
        raise NotImplementedError
        yield ()

    async def publish(self, partition: int, watermark_ms: int) -> None:
        """Keeps the latest."""
        self._check()
        self.watermark_ms = max(self.watermark_ms, watermark_ms)

    async def watermarks(self) -> Mapping[int, int]:
        """What was published."""
        return {0: self.watermark_ms}

    def _check(self) -> None:
        if self.is_away:
            self.refused += 1
            raise PortError("the store is away", retriable=True)


def decided(token: int, offset: int) -> Decided:
    """A worker says that this event moved its shopper."""
    return Decided(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=Position(1, offset),
        trigger_event_id=UUID(int=offset + 1),
        retailer_id=RETAILER,
        shopper=SHOPPER,
        received_at_ms=NOON_MS,
        generation=1,
        node_id="sauce",
        walked_from="start",
    )


def failed(token: int, offset: int) -> Failed:
    """A worker says that this event could not be processed."""
    return Failed(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=Position(1, offset),
        retailer_id=RETAILER,
        shopper=SHOPPER,
        event_id="",
        reason="not_processed",
        detail="",
        path="$",
        payload=b"\xc1",
        failed_at_ms=NOON_MS + 10**11,
    )


def progress(token: int, offset: int) -> Progress:
    """A worker closes a batch."""
    return Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, offset))


@asynccontextmanager
async def archiving(ports: Ports, shelf: Shelf, metrics: Metrics) -> AsyncIterator[Archiver]:
    """An archiver that works until the block ends, and then has finished what it began."""
    settings = load_settings(archive_commit_s=0.01)
    stores = Stores(ports.events, ports.experiences, shelf, ports.failed, SystemClock(), metrics)
    archiver = Archiver(stores, settings)
    running = asyncio.create_task(archiver.run())
    try:
        yield archiver
    finally:
        archiver.stop()
        async with asyncio.timeout(WITHIN_S):
            await running


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """The embedded logs."""
    opened = embedded(tmp_path, load_settings(), Metrics(), SystemClock())
    try:
        yield opened
    finally:
        await opened.close()


async def test_it_copies_and_commits_what_is_stored(ports: Ports) -> None:
    """Events, closed decisions and failures reach the store; the commit says how far, in both logs."""
    shelf = Shelf()
    await ports.events.append(events(5))
    token = await ports.experiences.own(0, "w")
    said: list[Decided | Failed | Progress] = [decided(token, 0), failed(token, 1), progress(token, 4)]
    tail = await ports.experiences.append(0, token, said)
    async with archiving(ports, shelf, Metrics()):

        async def is_committed() -> bool:
            return Committed(Position(1, 4), token, tail) == await ports.events.committed(0)

        await eventually(is_committed)
    assert events(5) == [shelf.stored[one.event.event_id].record for one in events(5)]
    assert [Position(1, number) for number in range(5)] == [one.position for one in shelf.stored.values()]
    assert [decided(token, 0)] == list(shelf.told.values())
    assert ["0-1-1"] == [one.failed_id for one in await ports.failed.list(RETAILER, events_max=9)]
    assert shelf.watermark_ms > 0


async def test_what_no_progress_closes_or_an_old_owner_says_is_not_copied(ports: Ports) -> None:
    """The archive holds what counts, nothing else."""
    shelf = Shelf()
    await ports.events.append(events(3))
    old = await ports.experiences.own(0, "old")
    await ports.experiences.append(0, old, [decided(old, 0)])
    new = await ports.experiences.own(0, "new")
    await ports.experiences.append(0, new, [decided(new, 1), progress(new, 1), decided(new, 2)])
    async with archiving(ports, shelf, Metrics()):

        async def has_heard() -> bool:
            committed = await ports.events.committed(0)
            return committed is not None and committed.tail > new

        await eventually(has_heard)
    assert [decided(new, 1)] == list(shelf.told.values())


async def test_it_waits_for_a_store_that_is_away_and_goes_on(ports: Ports) -> None:
    """While the store refuses, nothing is committed and the lag grows; then everything is copied."""
    shelf, metrics = Shelf(), Metrics()
    shelf.is_away = True
    await ports.events.append(events(3))
    async with archiving(ports, shelf, metrics):

        async def was_refused() -> bool:
            return shelf.refused > 2

        await eventually(was_refused)
        assert await ports.events.committed(0) is None
        assert (metrics.registry.get_sample_value("hotbasket_archive_lag_seconds") or 0) > 0
        shelf.is_away = False

        async def is_committed() -> bool:
            committed = await ports.events.committed(0)
            return committed is not None and committed.through == Position(1, 2)

        await eventually(is_committed)
    assert 3 == len(shelf.stored)
    assert 0 == metrics.registry.get_sample_value("hotbasket_archive_lag_seconds")


async def test_it_begins_behind_its_commit(tmp_path: Path) -> None:
    """After a restart it copies what follows, and nothing before."""
    for first, count in ((0, 3), (3, 2)):
        shelf = Shelf()
        ports = embedded(tmp_path, load_settings(), Metrics(), SystemClock())
        await ports.events.append(events(count, first=first))
        last = Position(1, first + count - 1)
        async with archiving(ports, shelf, Metrics()):

            async def is_committed(ports: Ports = ports, last: Position = last) -> bool:
                committed = await ports.events.committed(0)
                return (committed.through if committed is not None else BEGINNING) == last

            await eventually(is_committed)
        assert {one.event.event_id for one in events(count, first=first)} == set(shelf.stored)
        await ports.close()
