"""The ends of both logs, read by when the broker took a record: for who asks about an event of a moment ago."""

from __future__ import annotations

import asyncio
import time

import pytest

from adapters.kafka.log_tail import open_log_tail
from adapters.settings import Settings, load_settings
from domain.errors import PortError
from domain.records import Decided, Progress, Record
from tests.contract.test_experience_log import said
from tests.integration.kafka.conftest import PARTITIONS, Open
from tests.integration.kafka.polling import WITHIN_S, spread
from tests.services.processes import free_port


async def next_moment_ms() -> int:
    """A moment that nothing before it shares, by this machine's clock, which is the broker's too."""
    moment_ms = time.time_ns() // 1_000_000 + 1
    async with asyncio.timeout(WITHIN_S):
        while time.time_ns() // 1_000_000 <= moment_ms:
            await asyncio.sleep(0.001)
    return moment_ms


async def test_events_are_read_from_a_moment_to_the_end(settings: Settings, opened: Open) -> None:
    """In order, with their positions, of one partition; what came before is left out, and behind the end is nothing."""
    logs = (await opened(settings)).logs
    await logs.events.append(spread(2 * PARTITIONS, PARTITIONS))
    parted_ms = await next_moment_ms()
    later = spread(2 * PARTITIONS, PARTITIONS, first=2 * PARTITIONS)
    await logs.events.append(later)
    tail = await open_log_tail(settings)
    try:
        assert PARTITIONS == tail.partitions
        found = [one async for page in tail.events(1, parted_ms) for one in page]
        assert [2, 3] == [one.position.offset for one in found]
        assert [later[1], later[1 + PARTITIONS]] == [one.record for one in found if isinstance(one.record, Record)]
        assert 4 == len([one async for page in tail.events(1, 0) for one in page])
        assert [] == [one async for page in tail.events(1, await next_moment_ms()) for one in page]
    finally:
        await tail.close()


async def test_decisions_count_when_they_are_closed(settings: Settings, opened: Open) -> None:
    """What no `Progress` has closed yet is no decision."""
    logs = (await opened(settings)).logs
    token = await logs.experiences.own(0, "worker-1")
    await logs.experiences.append(0, token, said(token, 0))
    open_ended = [one for one in said(token, 2) if not isinstance(one, Progress)]
    await logs.experiences.append(0, token, open_ended)
    tail = await open_log_tail(settings)
    try:
        found = [one async for page in tail.decided(0, 0) for one in page]
        assert [one for one in said(token, 0) if isinstance(one, Decided)] == found
        assert [] == [one async for page in tail.decided(1, 0) for one in page]
    finally:
        await tail.close()


async def test_a_broker_that_is_away_is_told_so() -> None:
    """Nobody waits for ever."""
    with pytest.raises(PortError):
        await open_log_tail(load_settings(kafka=f"127.0.0.1:{free_port()}"))
