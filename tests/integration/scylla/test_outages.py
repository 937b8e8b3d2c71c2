"""A node that dies or stands still: calls fail in time, nothing acknowledged is lost, and it passes by itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from adapters.scylla.open import ScyllaStores
from adapters.scylla.schema import apply
from domain.errors import PortError
from domain.ids import Position, ShopperKey
from domain.ports.event_store import StoredEvent
from domain.ports.snapshot_store import Snapshot
from monitoring.metrics import Metrics
from tests.contract.consumer import eventually
from tests.contract.test_event_store import TODAY
from tests.integration.scylla.conftest import StartNode, listening, on
from tests.story import NOON_MS, RETAILER, record

TIMEOUT_S = 1.0
IN_TIME_S = 3.0
"""For a call that fails: the settings' one second, and what a busy machine adds."""
RECOVERED_S = 10.0
"""From the node's listening until two hundred events are put: about two seconds on an idle machine, ten minutes with
the driver's own pauses between attempts."""
BATCH = 20


class Archiver:
    """Puts batch after batch, noting what was acknowledged; a batch that failed is put again, as the archiver does."""

    def __init__(self, stores: ScyllaStores) -> None:
        self._stores = stores
        self._next = 0
        self.acknowledged: set[int] = set()
        self.longest_s = 0.0
        self.failures = 0
        self.final = 0

    async def put(self) -> None:
        """Puts the next batch once; it is the next again if it fails."""
        offsets = range(self._next, self._next + BATCH)
        events = [
            StoredEvent(Position(1, offset), record("LinkClicked", 0, offset, target=f"/{offset}"))
            for offset in offsets
        ]
        started_s = time.monotonic()
        try:
            await self._stores.archive.put(0, events)
        except PortError as error:
            self.failures += 1
            self.final += not error.retriable
            raise
        finally:
            self.longest_s = max(self.longest_s, time.monotonic() - started_s)
        self.acknowledged |= set(offsets)
        self._next += BATCH

    async def run(self, until: asyncio.Event) -> None:
        """Goes on, through failures too."""
        while not until.is_set():
            try:
                await self.put()
            except PortError:
                await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "pause"])
async def test_a_node_that_stops_is_survived(
    start_node: StartNode, cql: str, opened: Any, metrics: Metrics, how: str
) -> None:
    """Calls fail as errors worth repeating within their time; once the node is back they succeed, and all is there."""
    node = start_node()
    settings = on(node.address, scylla_timeout_s=TIMEOUT_S)
    await apply(settings, cql, replication=1)
    async with opened(settings) as stores:
        archiver, stop = Archiver(stores), asyncio.Event()
        running = asyncio.create_task(archiver.run(stop))
        await eventually(lambda: _reached(archiver, 10 * BATCH))
        await asyncio.to_thread(node.kill if how == "kill" else node.pause)
        seen = archiver.failures
        await eventually(lambda: _failed(archiver, seen + 3))
        with pytest.raises(PortError) as error:
            await stores.snapshots.load([ShopperKey(RETAILER, "0" * 64)])
        assert error.value.retriable
        await asyncio.to_thread(node.start if how == "kill" else node.resume)
        await asyncio.to_thread(listening, node)
        before, ready_s = len(archiver.acknowledged), time.monotonic()
        await eventually(lambda: _reached(archiver, before + 10 * BATCH))
        recovered_s = time.monotonic() - ready_s
        stop.set()
        await running
        found = {one.position.offset async for page in stores.archive.events(RETAILER, TODAY, 0) for one in page}
        assert archiver.acknowledged == found
        assert archiver.longest_s < IN_TIME_S
        assert recovered_s < RECOVERED_S
        assert 0 == archiver.final
        print(f"{how}: {archiver.failures} failures, longest call {archiver.longest_s:.2f} s, back {recovered_s:.2f} s")
    sample = metrics.registry.get_sample_value("hotbasket_store_errors_total", {"statement": "put_event"})
    assert sample is not None
    assert sample > 0


async def test_closing_ends_what_waits(stores: ScyllaStores, retailer: str) -> None:
    """Closing twice is harmless, and a call afterwards is an error worth repeating elsewhere, not a hang."""
    await stores.close()
    await stores.close()
    with pytest.raises(PortError):
        async with asyncio.timeout(IN_TIME_S):
            await stores.snapshots.load([ShopperKey(retailer, "0" * 64)])


async def test_more_requests_than_there_is_room_for_wait(settings: Any, opened: Any, retailer: str) -> None:
    """Calls beyond the bound on statements in flight wait for their turn and all succeed."""
    narrow = settings.model_copy(update={"scylla_requests_max": 2, "archive_batch_events": 1})
    async with opened(narrow) as stores:
        saved = [
            Snapshot(ShopperKey(retailer, f"{number:03x}{number:061x}"), Position(1, number), b"s", None, NOON_MS)
            for number in range(300)
        ]
        await asyncio.gather(*(stores.snapshots.save(7, saved[start : start + 30]) for start in range(0, 300, 30)))
        assert 300 == len(await stores.snapshots.load([one.key for one in saved]))


async def test_a_cancelled_call_leaves_room_for_others(settings: Any, opened: Any, retailer: str) -> None:
    """Whoever stops waiting gives back what it held."""
    narrow = settings.model_copy(update={"scylla_requests_max": 2})
    keys = [ShopperKey(retailer, f"{number:03x}{number:061x}") for number in range(256)]
    async with opened(narrow) as stores:
        for _ in range(20):
            call = asyncio.create_task(stores.snapshots.load(keys))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        async with asyncio.timeout(30):
            assert {} == await stores.snapshots.load(keys)


async def _reached(archiver: Archiver, count: int) -> bool:
    return len(archiver.acknowledged) >= count


async def _failed(archiver: Archiver, count: int) -> bool:
    return archiver.failures >= count
