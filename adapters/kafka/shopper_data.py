"""What the logs hold of shoppers (`domain.ports.shopper_data`): visits say how far retention is.

Kafka removes nothing on request, and whole closed segments only: a little later than a record's own time is over.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from adapters.kafka.membership import stop
from adapters.kafka.reader import lone_consumer
from adapters.kafka.topics import topics_of
from adapters.settings import Settings
from domain.errors import PortError
from domain.ports.shopper_data import Erased, Visit

_LOOK_S = 10.0
_DECIDED_WITHIN_MS = 60_000
_WAITS_FOR = "the log's retention"


class _TopicData(ABC):
    """One topic's part; a visit has a consumer of its own, since it is rare."""

    def __init__(self, settings: Settings, topic: str, partitions: int) -> None:
        self._settings = settings
        self._topic = topic
        self._partitions = partitions

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Removes nothing: `left` are the shoppers of whom records may still be there."""
        consumer = lone_consumer(self._settings)
        try:
            async with asyncio.timeout(_LOOK_S):
                await consumer.start()
                left = await self._left(consumer, shoppers)
        except (KafkaError, TimeoutError) as error:
            raise PortError(f"{self._topic} does not say what it still holds: {error!r}", retriable=True) from error
        finally:
            await stop(consumer)
        return Visit(found=0, removed=0, left=left, waits_for=_WAITS_FOR if left else "")

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives the time of the oldest record of all retailers: partitions are everybody's, and segments go whole."""
        del retailer_id
        consumer = lone_consumer(self._settings)
        try:
            async with asyncio.timeout(_LOOK_S):
                await consumer.start()
                found = await self._first_times(consumer)
        except (KafkaError, TimeoutError) as error:
            raise PortError(f"{self._topic} does not say how old it is: {error!r}", retriable=True) from error
        finally:
            await stop(consumer)
        oldest = min(found, default=before_ms)
        return oldest if oldest < before_ms else None

    async def _first_times(self, consumer: AIOKafkaConsumer) -> list[int]:
        """Gives the brokers' time of the first record of each partition that has one."""
        ats = [TopicPartition(self._topic, number) for number in range(self._partitions)]
        first = await consumer.offsets_for_times(dict.fromkeys(ats, 0))
        return [found.timestamp for found in first.values() if found is not None]

    @abstractmethod
    async def _left(self, consumer: AIOKafkaConsumer, shoppers: Sequence[Erased]) -> int: ...

    def _at(self, one: Erased) -> TopicPartition:
        return TopicPartition(self._topic, one.place.partition)


class KafkaEventData(_TopicData):
    """A shopper's events stand before the shopper's end; a replay that was under way stands a little behind it."""

    name = "event log"

    def __init__(self, settings: Settings, partitions: int) -> None:
        """Takes how to reach Kafka, and the topic's partitions."""
        super().__init__(settings, topics_of(settings).events, partitions)

    async def _left(self, consumer: AIOKafkaConsumer, shoppers: Sequence[Erased]) -> int:
        begins, full = await _full(consumer, {self._at(one): one.past_ms for one in shoppers})
        return sum(self._at(one) in full or begins[self._at(one)] <= one.place.position.offset for one in shoppers)


class KafkaExperienceData(_TopicData):
    """What was decided about a shopper stands before what the brokers took a minute after the shopper's end.

    Nothing there names the shopper's end, so the brokers' clocks say it; shoppers of one partition wait for the last.
    """

    name = "experience log"

    def __init__(self, settings: Settings, partitions: int) -> None:
        """Takes how to reach Kafka, and the topic's partitions."""
        super().__init__(settings, topics_of(settings).experiences, partitions)

    async def _left(self, consumer: AIOKafkaConsumer, shoppers: Sequence[Erased]) -> int:
        times: dict[TopicPartition, int] = {}
        for one in shoppers:
            times[self._at(one)] = max(times.get(self._at(one), 0), one.at_ms + _DECIDED_WITHIN_MS, one.past_ms)
        _, full = await _full(consumer, times)
        return sum(self._at(one) in full for one in shoppers)


async def _full(
    consumer: AIOKafkaConsumer, times: Mapping[TopicPartition, int]
) -> tuple[Mapping[TopicPartition, int], set[TopicPartition]]:
    """Gives where partitions begin, and those that hold something which the brokers took before a time."""
    later = await consumer.offsets_for_times(dict(times))
    ends = await consumer.end_offsets(list(times))
    begins = await consumer.beginning_offsets(list(times))
    return begins, {at for at in times if begins[at] < (ends[at] if later[at] is None else later[at].offset)}
