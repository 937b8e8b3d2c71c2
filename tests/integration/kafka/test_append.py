"""Appends under load: how they share batches, what is left out, and what is refused."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from adapters.settings import Settings
from domain.errors import PortError
from domain.records import Known, Record
from tests.contract.consumer import events
from tests.integration.kafka.conftest import PARTITIONS, Open, fresh_topics
from tests.integration.kafka.polling import Turns, spread

SMALL_BATCH_BYTES = 64 * 1_024


def padded(record: Record, size: int) -> Record:
    """Gives a record of about so many bytes."""
    return msgspec.structs.replace(record, known={"p-1": Known(brand="x" * size)})


async def test_a_burst_shares_few_batches(settings: Settings, opened: Open) -> None:
    """What waits together is flushed together: thousands of appends, a handful of batches, each at its place."""
    process = await opened(settings, "worker-1")
    records = spread(4_000, PARTITIONS)
    places = await asyncio.gather(*(process.logs.events.append([record]) for record in records))
    assert process.metric("hotbasket_log_commit_seconds_count") < 40
    turns = Turns(process.logs.events)
    await turns.until(lambda: turns.came == len(records))
    found = {
        (partition, offset): number
        for partition, numbers in turns.numbers.items()
        for offset, number in zip(turns.offsets[partition], numbers, strict=True)
    }
    assert list(range(len(records))) == [found[place.partition, place.position.offset] for (place,) in places]


async def test_records_of_several_partitions_keep_their_order_in_the_answer(settings: Settings, opened: Open) -> None:
    """One append of many shoppers gives one place a record, in the order of the records."""
    process = await opened(settings)
    places = await process.logs.events.append(spread(10, PARTITIONS))
    assert [number % PARTITIONS for number in range(10)] == [place.partition for place in places]
    assert [number // PARTITIONS for number in range(10)] == [place.position.offset for place in places]


async def test_who_gave_up_in_time_is_left_out(settings: Settings, opened: Open) -> None:
    """An append that is cancelled before its batch is made is never written; of several partitions, none of it."""
    process = await opened(settings, "worker-1")
    log = process.logs.events
    single, several = log.append(spread(1, PARTITIONS)), log.append(spread(PARTITIONS, PARTITIONS))
    for given_up in (single, several):
        assert isinstance(given_up, asyncio.Future)
        given_up.cancel()
    places = await log.append(spread(PARTITIONS, PARTITIONS, first=100))
    assert [0] * PARTITIONS == [place.position.offset for place in places]
    assert 0 == process.metric("hotbasket_log_queue_events")
    assert await log.accepts()


async def test_what_does_not_fit_goes_on_in_the_next_batch(kafka_address: str, opened: Open) -> None:
    """An append larger than a batch is written in order over several, and its places say where."""
    async with fresh_topics(kafka_address, kafka_batch_bytes=SMALL_BATCH_BYTES) as settings:
        process = await opened(settings, "worker-1")
        records = [padded(record, SMALL_BATCH_BYTES // 3) for record in events(10)]
        places = await process.logs.events.append(records)
        assert list(range(10)) == [place.position.offset for place in places]
        assert process.metric("hotbasket_log_commit_seconds_count") > 3
        turns = Turns(process.logs.events)
        await turns.until(lambda: turns.came == 10)
        assert [list(range(10))] == list(turns.numbers.values())


async def test_a_record_larger_than_a_batch_travels_alone(kafka_address: str, opened: Open) -> None:
    """Up to what the topic takes, a large record is written; beyond, it alone is refused, and says which bound."""
    async with fresh_topics(kafka_address, kafka_batch_bytes=SMALL_BATCH_BYTES) as settings:
        process = await opened(settings)
        small, large = events(2)
        await process.logs.events.append([small, padded(large, SMALL_BATCH_BYTES * 3 // 2), small])
        with pytest.raises(PortError, match="HOTBASKET_KAFKA_BATCH_BYTES") as refusal:
            await process.logs.events.append([padded(large, 2 * SMALL_BATCH_BYTES)])
        assert not refusal.value.retriable
        (place,) = await process.logs.events.append([small])
        assert 3 == place.position.offset
        assert 0 == process.metric("hotbasket_producer_restarts_total")
