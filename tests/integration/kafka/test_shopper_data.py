"""What the logs still hold of erased shoppers, by what was removed from the topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from adapters.kafka.shopper_data import KafkaEventData, KafkaExperienceData
from adapters.kafka.topics import topics_of
from adapters.settings import Settings, load_settings
from domain.errors import PortError
from domain.ids import Position, ShopperKey
from domain.ports.event_log import Place
from domain.ports.shopper_data import Erased, Visit
from tests.contract.test_experience_log import said
from tests.integration.kafka.conftest import PARTITIONS, Open
from tests.integration.kafka.polling import WITHIN_S, shopper_of, spread
from tests.services.processes import free_port
from tests.story import RETAILER

MINUTE_MS = 60_000
GONE = Visit(found=0, removed=0, left=0)


def now_ms() -> int:
    """The time of this machine, which is the broker's too."""
    return time.time_ns() // 1_000_000


def kept(left: int) -> Visit:
    """A visit to a log that keeps records of so many shoppers."""
    return Visit(found=0, removed=0, left=left, waits_for="the log's retention")


def erased(partition: int, offset: int, *, at_ms: int, retailer: str = RETAILER) -> Erased:
    """A shopper of a partition whose end stands at an offset of the event log."""
    key = ShopperKey(retailer, shopper_of(partition, PARTITIONS))
    return Erased(key, Place(partition, Position(1, offset)), at_ms)


async def remove(settings: Settings, topic: str, before: Mapping[int, int]) -> None:
    """Removes the records before an offset of partitions, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records(
            {TopicPartition(topic, number): RecordsToDelete(offset) for number, offset in before.items()}
        )
    finally:
        await admin.close()


async def test_a_process_has_both_logs_by_the_names_of_receipts(settings: Settings, opened: Open) -> None:
    """What is opened gives both, and both say of a log that nobody wrote to that nothing is left."""
    events, experiences = (await opened(settings)).logs.shopper_data
    assert ("event log", "experience log") == (events.name, experiences.name)
    assert GONE == await experiences.erase([erased(0, 0, at_ms=now_ms())])


async def test_events_are_there_until_their_shoppers_end_is_gone(settings: Settings, opened: Open) -> None:
    """A shopper waits for the own end's offset; one of the same hash at another retailer counts apart."""
    logs = (await opened(settings)).logs
    places = await logs.events.append(spread(3 * PARTITIONS, PARTITIONS))
    assert [0, 1, 2] == [place.position.offset for place in places if place.partition == 0]
    log, topic = logs.shopper_data[0], topics_of(settings).events
    shoppers = [erased(number, 1, at_ms=now_ms(), retailer=one) for number in (0, 1) for one in (RETAILER, "r-2")]
    assert kept(4) == await log.erase(shoppers)
    await remove(settings, topic, {0: 1, 1: 1})
    assert kept(4) == await log.erase(shoppers)
    await remove(settings, topic, {0: 2})
    assert kept(2) == await log.erase(shoppers)
    await remove(settings, topic, {1: 3})
    assert [GONE, GONE] == [await log.erase(shoppers) for _ in range(2)]
    assert kept(1) == await log.erase([erased(0, 2, at_ms=now_ms())])


async def test_decisions_are_there_while_anything_is_before_the_first_later_record(
    settings: Settings, opened: Open
) -> None:
    """Where no record is later, the whole partition must go."""
    logs = (await opened(settings)).logs
    token = await logs.experiences.own(0, "worker-1")
    last = await logs.experiences.append(0, token, said(token, 0))
    log, topic = logs.shopper_data[1], topics_of(settings).experiences
    shoppers = [erased(0, 0, at_ms=now_ms()), erased(0, 0, at_ms=now_ms(), retailer="r-2"), erased(1, 0, at_ms=1)]
    assert kept(2) == await log.erase(shoppers)
    await remove(settings, topic, {0: last})
    assert kept(2) == await log.erase(shoppers)
    await remove(settings, topic, {0: last + 1})
    assert [GONE, GONE] == [await log.erase(shoppers) for _ in range(2)]


async def test_decisions_of_later_than_a_minute_are_not_the_erased_ones(settings: Settings, opened: Open) -> None:
    """The brokers' clock parts what may be of the erased shopper from what came after."""
    logs = (await opened(settings)).logs
    token = await logs.experiences.own(0, "worker-1")
    last = await logs.experiences.append(0, token, said(token, 0))
    parted_ms = now_ms() + 1
    async with asyncio.timeout(WITHIN_S):
        while now_ms() <= parted_ms:
            await asyncio.sleep(0.001)
    await logs.experiences.append(0, token, said(token, 2))
    log, topic = logs.shopper_data[1], topics_of(settings).experiences
    ended = erased(0, 0, at_ms=parted_ms - MINUTE_MS)
    long_ago = erased(0, 0, at_ms=parted_ms - 60 * MINUTE_MS, retailer="r-2")
    assert kept(1) == await log.erase([ended])
    assert GONE == await log.erase([long_ago])
    assert kept(2) == await log.erase([long_ago, ended])
    await remove(settings, topic, {0: last})
    assert kept(1) == await log.erase([ended])
    await remove(settings, topic, {0: last + 1})
    assert [GONE, GONE] == [await log.erase([ended]) for _ in range(2)]


@pytest.mark.parametrize("kind", [KafkaEventData, KafkaExperienceData])
async def test_a_broker_that_is_away_is_asked_again(kind: type[KafkaEventData | KafkaExperienceData]) -> None:
    """A visit that finds no broker fails as something that may be repeated, and leaves nothing open."""
    settings = load_settings(kafka=f"127.0.0.1:{free_port()}")
    with pytest.raises(PortError, match="does not say what it still holds") as failed:
        await kind(settings, PARTITIONS).erase([erased(0, 0, at_ms=1)])
    assert failed.value.retriable
    with pytest.raises(PortError, match="does not say how old it is"):
        await kind(settings, PARTITIONS).oldest_ms(RETAILER, now_ms())


async def test_a_log_is_as_old_as_its_first_record(settings: Settings, opened: Open) -> None:
    """By the broker's clock, over all partitions; what was removed does not count."""
    logs = (await opened(settings)).logs
    log, topic = logs.shopper_data[0], topics_of(settings).events
    before_ms = now_ms()
    assert await log.oldest_ms(RETAILER, before_ms + MINUTE_MS) is None
    await logs.events.append(spread(PARTITIONS, PARTITIONS))
    oldest_ms = await log.oldest_ms(RETAILER, now_ms() + MINUTE_MS)
    assert oldest_ms is not None
    assert before_ms <= oldest_ms <= now_ms()
    assert await log.oldest_ms(RETAILER, before_ms) is None
    await remove(settings, topic, dict.fromkeys(range(PARTITIONS), 1))
    assert await log.oldest_ms(RETAILER, now_ms() + MINUTE_MS) is None
