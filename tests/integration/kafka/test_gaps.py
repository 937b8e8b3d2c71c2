"""Records that retention removed before they were read: delivery goes on behind them, and somebody is told."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from adapters.kafka.topics import topics_of
from adapters.settings import Settings
from domain.ids import BEGINNING, Position
from tests.contract.consumer import events, partition_of, polled, taken
from tests.integration.kafka.conftest import Open
from tests.integration.kafka.polling import WITHIN_S, Turns

GAPS = "hotbasket_log_gap_records_total"


async def remove(settings: Settings, topic: str, partition: int, before: int) -> None:
    """Removes what stands before an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before)})
    finally:
        await admin.close()


async def test_what_is_gone_behind_a_commit_is_counted(
    settings: Settings, opened: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """Who starts behind its last place and finds the next records gone goes on with what is there, and says so once."""
    process = await opened(settings, "worker-1")
    log = process.logs.events
    await log.append(events(10))
    number = partition_of(log)
    await remove(settings, topics_of(settings).events, number, 6)
    await taken(log)
    await log.seek(number, Position(1, 1))
    assert [6, 7, 8, 9] == [place.position.offset for place, _ in await polled(log, 4)]
    assert 4 == process.metric(GAPS)
    assert 1 == sum("retention is too short" in record.message for record in caplog.records)


async def test_the_log_begins_where_it_begins(settings: Settings, opened: Open) -> None:
    """Who starts at the beginning misses nothing: what retention removed was for others."""
    process = await opened(settings, "worker-1")
    log = process.logs.events
    await log.append(events(10))
    number = partition_of(log)
    await remove(settings, topics_of(settings).events, number, 6)
    await taken(log)
    await log.seek(number, BEGINNING)
    assert [6, 7, 8, 9] == [place.position.offset for place, _ in await polled(log, 4)]
    assert 0 == process.metric(GAPS)


async def test_a_partition_of_which_everything_is_gone_is_at_its_end(settings: Settings, opened: Open) -> None:
    """Its end is told although nothing can be delivered, and the experience log reads as empty."""
    process = await opened(settings, "worker-1")
    log, experiences = process.logs.events, process.logs.experiences
    await log.append(events(3))
    number = partition_of(log)
    await experiences.own(0, "worker-1")
    for topic, partition, before in ((topics_of(settings).events, number, 3), (topics_of(settings).experiences, 0, 1)):
        await remove(settings, topic, partition, before)
    turns = Turns(log)
    async with asyncio.timeout(WITHIN_S):
        while number not in (await turns.turn()).at_end:
            pass
    assert [] == list(await experiences.read(0, after=-1, records_max=10))
    assert 0 == await experiences.end(0)
