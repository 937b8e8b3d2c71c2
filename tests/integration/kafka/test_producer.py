"""The producer's deaths: what was in flight fails, and another takes its place."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from adapters.kafka.topics import topics_of
from adapters.settings import Settings
from domain.errors import PortError
from tests.contract.consumer import events, eventually, partition_of
from tests.integration.kafka.conftest import Open, Process

RESTARTS = "hotbasket_producer_restarts_total"


def library_producer(process: Process) -> AIOKafkaProducer:
    """Gives the library's producer that is in use."""
    life = process.logs.events._producer._life
    assert life is not None
    return life.producer


async def test_a_producer_that_lost_count_is_replaced(settings: Settings, opened: Open) -> None:
    """The broker refuses a sequence that it can't explain; the append fails, and the next one works."""
    process = await opened(settings)
    log = process.logs.events
    await log.append(events(1))
    lost = library_producer(process)
    one = TopicPartition(topics_of(settings).events, partition_of(log))
    lost._txn_manager.increment_sequence_number(one, 1_000)
    with pytest.raises(PortError, match="OutOfOrderSequence") as failure:
        await log.append(events(1, first=1))
    assert failure.value.retriable
    (place,) = await log.append(events(1, first=2))
    assert [1, 1] == [place.position.offset, process.metric(RESTARTS)]
    assert library_producer(process) is not lost


async def test_a_dead_sender_is_noticed_without_an_append(settings: Settings, opened: Open) -> None:
    """When the library's sender ends by itself, the producer is replaced before anybody meets it."""
    process = await opened(settings)
    library_producer(process)._sender.sender_task.cancel()

    async def replaced() -> bool:
        return process.metric(RESTARTS) == 1 and process.logs.events._producer._life is not None

    await eventually(replaced)
    assert 1 == len(await process.logs.events.append(events(1)))
    assert await process.logs.events.accepts()
