"""A broker that dies, hangs and comes back: nothing acknowledged is lost, and everything goes on by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from domain.errors import PortError
from domain.ports.event_log import Committed
from tests.contract.consumer import eventually
from tests.contract.test_experience_log import progress
from tests.integration.kafka.conftest import PARTITIONS, Open, Process, fresh_topics
from tests.integration.kafka.polling import Turns, spread
from tests.services.kafka.broker import Kafka

pytestmark = pytest.mark.slow

NOTICED_WITHIN_S = 10.0
LINES_MAX = 150


class Writers:
    """Appends without a pause, as gateways do: what failed is sent again under the same number."""

    def __init__(self, process: Process, count: int) -> None:
        self._log = process.logs.events
        self._next = 0
        self._is_stopping = False
        self.stored: set[int] = set()
        self._tasks = [asyncio.create_task(self._write()) for _ in range(count)]

    async def stop(self) -> None:
        """Waits for what is under way."""
        self._is_stopping = True
        await asyncio.gather(*self._tasks)

    async def _write(self) -> None:
        while not self._is_stopping:
            number, self._next = self._next, self._next + 1
            while number not in self.stored:
                try:
                    await self._log.append(spread(1, PARTITIONS, first=number))
                except PortError as error:
                    _expect_retriable(error)
                    await asyncio.sleep(0.05)
                else:
                    self.stored.add(number)
            await asyncio.sleep(0.002)


async def test_a_killed_broker_loses_nothing_and_everybody_goes_on(broker: Kafka, opened: Open) -> None:
    """Kill -9 under load: appends wait, readiness says no, and after the restart writers, readers and commits go on."""
    async with fresh_topics(broker.address) as settings:
        process = await opened(settings, "worker-1")
        events, experiences = process.logs.events, process.logs.experiences
        turns = Turns(events)
        token = await experiences.own(0, "worker-1")
        followed = experiences.follow({0: token}, only=[0])
        heard = asyncio.ensure_future(anext(followed))
        writers = Writers(process, 8)
        polling = asyncio.create_task(turns.until(lambda: turns.came > 0 and writers.stored <= _numbers(turns)))
        await _until(lambda: len(writers.stored) > 200)
        for _ in range(2):
            broker.kill()
            await eventually(_not(events.accepts))
            waiting = asyncio.ensure_future(events.append(spread(1, PARTITIONS, first=1_000_000)))
            stored = len(writers.stored)
            await asyncio.to_thread(broker.start)
            await eventually(events.accepts)
            await asyncio.gather(waiting, return_exceptions=True)
            await _until(lambda stored=stored: len(writers.stored) > stored + 100)  # type: ignore[misc]
        await experiences.append(0, token, [progress(token, 0)])
        assert [token + 1] == [entry.offset for entry in await heard]
        await writers.stop()
        await polling
        await turns.until(lambda: writers.stored <= _numbers(turns))
        for partition, offsets in turns.offsets.items():
            assert list(range(len(offsets))) == offsets, partition
        committed = Committed(turns.through(0), token, token)
        await eventually(lambda: _committed(process, committed))
        await followed.aclose()  # type: ignore[attr-defined]
        await process.logs.close()


async def test_a_broker_that_hangs_makes_the_log_unready(broker: Kafka, opened: Open) -> None:
    """Nobody answers and nobody hangs up: readiness says no within seconds, and yes when the broker goes on."""
    async with fresh_topics(broker.address) as settings:
        process = await opened(settings)
        log = process.logs.events
        await log.append(spread(1, PARTITIONS))
        broker.pause()
        try:
            waiting = asyncio.ensure_future(log.append(spread(1, PARTITIONS, first=1)))
            async with asyncio.timeout(NOTICED_WITHIN_S):
                await eventually(_not(log.accepts))
        finally:
            broker.resume()
        await eventually(log.accepts)
        await waiting
        await process.logs.close()


async def test_closing_while_the_broker_is_away_ends(broker: Kafka, opened: Open) -> None:
    """A process stops in bounded time although nobody takes what it still has; whoever waits for it is told."""
    async with fresh_topics(broker.address) as settings:
        process = await opened(settings, "worker-1")
        turns = Turns(process.logs.events)
        await process.logs.events.append(spread(PARTITIONS, PARTITIONS))
        await turns.until(lambda: turns.came == PARTITIONS)
        await process.logs.experiences.read(0, after=-1, records_max=1)
        broker.kill()
        waiting = asyncio.ensure_future(process.logs.events.append(spread(1, PARTITIONS, first=1)))
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await process.logs.close()
            with pytest.raises(PortError) as failure:
                await waiting
        assert failure.value.retriable
        await asyncio.to_thread(broker.start)


async def test_an_outage_writes_few_lines(broker: Kafka, opened: Open, caplog: pytest.LogCaptureFixture) -> None:
    """The library's lines of one kind come once in ten seconds, with the number of those held back."""
    async with fresh_topics(broker.address) as settings:
        process = await opened(settings, "worker-1")
        turns = Turns(process.logs.events)
        await turns.until(lambda: len(turns.owned) == PARTITIONS)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            broker.kill()
            waiting = asyncio.ensure_future(process.logs.events.append(spread(PARTITIONS, PARTITIONS)))
            await eventually(_not(process.logs.events.accepts))
            await asyncio.to_thread(broker.start)
            await waiting
        lines = [record for record in caplog.records if record.name.startswith("aiokafka")]
        assert 0 < len(lines) < LINES_MAX
        await process.logs.close()


def _numbers(turns: Turns) -> set[int]:
    return {number for numbers in turns.numbers.values() for number in numbers}


def _not(holds: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    async def does_not_hold() -> bool:
        return not await holds()

    return does_not_hold


def _expect_retriable(error: PortError) -> None:
    assert error.retriable, error


async def _until(holds: Callable[[], bool]) -> None:
    async def look() -> bool:
        return holds()

    await eventually(look)


async def _committed(process: Process, committed: Committed) -> bool:
    """Commits, and reads the commit back, as soon as the group's coordinator is there again."""
    try:
        await process.logs.events.commit(0, committed)
        return committed == await process.logs.events.committed(0)
    except PortError as error:
        _expect_retriable(error)
        return False
