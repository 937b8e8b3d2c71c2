"""Both topics read raw, with a consumer that belongs to no group and nothing of the system's own adapters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from adapters.settings import Settings
from domain.campaigns import Campaign
from domain.ids import Position
from domain.purse import CampaignKey
from domain.records import ExperienceRecord, Owner, Record, decode_experience_record, decode_record
from tests.chaos.stored import EPOCH, Stored, stored_of


class Logs:
    """What the topics hold since the last `forget`; each read continues where the one before ended.

    Args:
        settings: where Kafka is, and the topics' name.
        partitions: of each topic.
    """

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._kafka = settings.kafka
        self._topics = (f"{settings.kafka_topics}.experiences", f"{settings.kafka_topics}.events")
        self._partitions = partitions
        self._next: dict[TopicPartition, int] = {}
        self._said: list[list[tuple[int, ExperienceRecord]]] = [[] for _ in range(partitions)]
        self._records: list[dict[Position, Record]] = [{} for _ in range(partitions)]

    async def forget(self) -> None:
        """Lets the past be: only who owns each partition still counts."""
        await self._read_on()
        for partition, said in enumerate(self._said):
            self._said[partition] = [row for row in said if isinstance(row[1], Owner)][-1:]
            self._records[partition].clear()

    async def read(self, campaigns: Mapping[CampaignKey, Campaign] | None = None) -> list[Stored]:
        """Gives each partition, up to now; campaigns never changed."""
        await self._read_on()
        both = zip(self._records, self._said, strict=True)
        return [stored_of(records, said, campaigns or {}) for records, said in both]

    async def _read_on(self) -> None:
        # In this order: what is processed can't be ahead of what was read of the events.
        for topic, take in zip(self._topics, (self._take_said, self._take_record), strict=True):
            consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, enable_auto_commit=False, fetch_max_wait_ms=50)
            await consumer.start()
            try:
                assigned = [TopicPartition(topic, number) for number in range(self._partitions)]
                ends = await consumer.end_offsets(assigned)
                behind = {one for one in assigned if self._next.get(one, 0) < ends[one]}
                if not behind:
                    continue
                consumer.assign(sorted(behind))
                for one in behind:
                    consumer.seek(one, self._next.get(one, 0))
                while behind:
                    got: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=500)
                    for one, messages in got.items():
                        for message in messages:
                            assert message.offset == self._next.get(one, 0), f"{one} has no {self._next.get(one, 0)}"
                            take(one.partition, message.offset, message.value)
                            self._next[one] = message.offset + 1
                    behind = {one for one in behind if self._next.get(one, 0) < ends[one]}
            finally:
                await consumer.stop()

    def _take_said(self, partition: int, offset: int, value: bytes) -> None:
        self._said[partition].append((offset, decode_experience_record(value)))

    def _take_record(self, partition: int, offset: int, value: bytes) -> None:
        record = decode_record(value)
        assert isinstance(record, Record), record
        self._records[partition][Position(EPOCH, offset)] = record
