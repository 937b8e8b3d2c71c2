"""Readiness: what /health/ready answers and what the gauge says are the same, whatever becomes of the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest

from domain.ids import Position
from domain.ports.event_log import Committed, EventLog, Place, Poll
from domain.records import Record
from gateway.app import Gateway
from monitoring.metrics import Metrics
from tests.gateway.standing import Standing, until

READY = "hotbasket_gateway_ready"


class Door:
    """An event log in front of another, whose word on appends a test decides.

    Attributes:
        accepts_now: what it says; None = nothing, for ever.
        fault: what it raises instead.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.accepts_now: bool | None = True
        self.fault: Exception | None = None

    @property
    def partitions(self) -> int:
        """Of the log behind it."""
        return self._log.partitions

    def append(self, records: Sequence[Record]) -> Awaitable[Sequence[Place]]:
        """Hands on."""
        return self._log.append(records)

    async def accepts(self) -> bool:
        """What the test says."""
        if self.fault is not None:
            raise self.fault
        if self.accepts_now is None:
            await asyncio.Event().wait()
        return bool(self.accepts_now)

    async def poll(self, *, records_max: int, wait_s: float) -> Poll:
        """Hands on."""
        return await self._log.poll(records_max=records_max, wait_s=wait_s)

    async def seek(self, partition: int, after: Position) -> None:
        """Hands on."""
        await self._log.seek(partition, after)

    async def commit(self, partition: int, committed: Committed) -> None:
        """Hands on."""
        await self._log.commit(partition, committed)

    async def committed(self, partition: int) -> Committed | None:
        """Hands on."""
        return await self._log.committed(partition)


class Watched:
    """A gateway behind a door, seen as a load balancer and as Prometheus see it."""

    def __init__(self, standing: Standing) -> None:
        self.door = Door(standing.ports.events)
        self.metrics = Metrics()
        stores = standing.stores()._replace(events=self.door, metrics=self.metrics)
        self.gateway = Gateway(stores, standing.keys, standing.settings)

    def gauge(self) -> float | None:
        """What a scrape gets."""
        return self.metrics.registry.get_sample_value(READY)

    async def answers(self) -> int:
        """The status of `/health/ready`."""
        transport = httpx.ASGITransport(self.gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
            return (await http.get("/health/ready")).status_code

    async def becomes(self, gauge: float) -> None:
        """Waits until a scrape gets this, while nobody asks for `/health/ready`."""

        async def is_so() -> bool:
            return self.gauge() == gauge

        await until(is_so, f"the gauge says {gauge:g}")


@asynccontextmanager
async def watched(standing: Standing) -> AsyncIterator[Watched]:
    """A gateway that runs and is ready."""
    made = Watched(standing)
    await made.gateway.start()
    try:
        await made.becomes(1)
        yield made
    finally:
        await made.gateway.stop()


@pytest.mark.parametrize("accepts", [False, None], ids=["refuses", "hangs"])
async def test_a_log_that_is_away_takes_the_gauge_with_it(standing: Standing, accepts: bool | None) -> None:
    """While the log refuses or says nothing, both say no, without a request; when it is back, both say yes."""
    async with watched(standing) as made:
        assert 200 == await made.answers()
        made.door.accepts_now = accepts
        await made.becomes(0)
        assert 503 == await made.answers()
        made.door.accepts_now = True
        await made.becomes(1)
        assert 200 == await made.answers()


async def test_a_log_that_breaks_its_word_ends_no_watch(standing: Standing) -> None:
    """An error where none may be is no readiness; the watch goes on."""
    async with watched(standing) as made:
        made.door.fault = RuntimeError("a bug")
        await made.becomes(0)
        made.door.fault = None
        await made.becomes(1)


async def test_the_gauge_believes_nothing_old(standing: Standing) -> None:
    """A gateway whose loop stands still says no by itself, since nobody could be answered."""
    async with watched(standing) as made:
        standing.clock.ahead_s += 6
        assert 0 == made.gauge()
        await made.becomes(1)


async def test_the_gauge_follows_the_gateways_life(standing: Standing) -> None:
    """It is 0 before the start, 0 from the first moment of draining, and 0 after the end."""
    made = Watched(standing)
    assert 0 == made.gauge()
    async with watched(standing) as living:
        await living.gateway.drain()
        assert 0 == living.gauge()
        assert 503 == await living.answers()
    assert 0 == living.gauge()
