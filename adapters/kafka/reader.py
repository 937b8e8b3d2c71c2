"""Reads any partition of a topic from any offset, one consumer for all of a process's reads.

All partitions are assigned once and paused; a read lets its own go on, takes what it wants, and pauses it again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from adapters.kafka.connection import client_options
from adapters.kafka.membership import FETCH_WAIT_MS, stop
from adapters.settings import Settings
from domain.errors import PortError

_READ_S = 10.0
_LOOK_MS = 500
_T = TypeVar("_T")
_PARKED = 2**62
"""Where paused partitions stand: an answer that is still under way then is not for them, and is dropped."""


def lone_consumer(settings: Settings) -> AIOKafkaConsumer:
    """Makes a consumer that belongs to no group."""
    return AIOKafkaConsumer(
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_uncommitted",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=2 * settings.kafka_batch_bytes,
        **client_options(settings),
    )


class Reader:
    """Reads of one topic; of different partitions at the same time, of one partition one after the other."""

    def __init__(self, settings: Settings, topic: str, partitions: int) -> None:
        """Takes how to reach Kafka; the first read connects."""
        self._settings = settings
        self._topic = topic
        self._all = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._consumer: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._is_closed = False

    async def end(self, partition: int) -> int:
        """Gives the offset behind the last record.

        Raises:
            PortError: Kafka does not say now.
        """
        return await self._within(partition, self._end(partition))

    async def offset_at(self, partition: int, at_ms: int) -> int:
        """Gives the offset of the first record that the broker took at a moment or later, else that behind the last.

        Raises:
            PortError: Kafka does not say now.
        """
        return await self._within(partition, self._offset_at(partition, at_ms))

    async def read(self, partition: int, start: int, records_max: int, stop_at: int | None = None) -> list[Any]:
        """Gives records of the library from an offset on, oldest first; fewer than asked for only at the end.

        Args:
            stop_at: offset behind the last record wanted; None = the log's end.

        Raises:
            PortError: Kafka does not answer now.
        """
        async with self._turns[partition]:
            return await self._within(partition, self._read(partition, start, records_max, stop_at))

    async def close(self) -> None:
        """Ends the consumer; may be repeated."""
        self._is_closed = True
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer)

    async def _within(self, partition: int, work: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(_READ_S):
                return await work
        except (KafkaError, TimeoutError, ConsumerStoppedError) as error:
            said = str(error) or f"no answer within {_READ_S:g} s"
            raise PortError(f"{self._topic}[{partition}] can't be read now: {said}", retriable=True) from error

    async def _end(self, partition: int) -> int:
        one = self._all[partition]
        ends: dict[TopicPartition, int] = await (await self._started()).end_offsets([one])
        return ends[one]

    async def _offset_at(self, partition: int, at_ms: int) -> int:
        one = self._all[partition]
        found = (await (await self._started()).offsets_for_times({one: at_ms}))[one]
        return await self._end(partition) if found is None else int(found.offset)

    async def _read(self, partition: int, start: int, records_max: int, stop_at: int | None) -> list[Any]:
        end = await self._end(partition) if stop_at is None else stop_at
        found: list[Any] = []
        if start >= end:
            return found
        consumer, one = await self._started(), self._all[partition]
        consumer.seek(one, start)
        consumer.resume(one)
        try:
            while start < end and len(found) < records_max:
                got = await consumer.getmany(one, timeout_ms=_LOOK_MS, max_records=records_max - len(found))
                records = got.get(one, ())
                if records:
                    found += records
                    start = records[-1].offset + 1
                elif (await consumer.beginning_offsets([one]))[one] >= end:
                    break  # all of it is gone
        finally:
            consumer.pause(one)
            consumer.seek(one, _PARKED)
        return [record for record in found if record.offset < end]

    async def _started(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._is_closed:
                raise PortError("the log is closed: this process is stopping", retriable=True)
            if self._consumer is not None and self._consumer._fetcher.error_future.done():
                dead, self._consumer = self._consumer, None
                await stop(dead)
            if self._consumer is None:
                consumer = lone_consumer(self._settings)
                try:
                    await consumer.start()
                    consumer.assign(self._all)
                    consumer.pause(*self._all)
                    for one in self._all:
                        consumer.seek(one, _PARKED)
                except BaseException:
                    await stop(consumer)
                    raise
                self._consumer = consumer
            return self._consumer
