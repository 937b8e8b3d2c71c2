"""The experience log on Kafka (`domain.ports.experience_log`): the topic NAME.experiences.

Workers append and confirm; gateways and archivers follow. A record's key says its kind and token, so that who looks
for a newer owner decodes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError

from adapters.kafka.membership import stop
from adapters.kafka.producer import BATCH_ROWS_OVERHEAD, Producer
from adapters.kafka.reader import Reader, lone_consumer
from adapters.kafka.speech import Speech
from adapters.settings import Settings
from domain.errors import Fenced, PortError
from domain.ports.experience_log import Entry
from domain.records import (
    SCHEMA_VERSION,
    Decided,
    ExperienceRecord,
    Failed,
    Owner,
    Progress,
    decode_experience_record,
    encode,
)

_OWNER = b"o"
_KINDS: Mapping[type[ExperienceRecord], bytes] = {Owner: _OWNER, Decided: b"d", Failed: b"f", Progress: b"p"}
_TOKEN_BYTES = 8
_READ_BACK_RECORDS = 10_000
_FOLLOWED_AT_ONCE = 1_000
_FOLLOW_WAIT_MS = 1_000
_RETRY_S = 0.5
_log = logging.getLogger("hotbasket.log")


class KafkaExperienceLog:
    """One process's end of the experience log."""

    def __init__(self, producer: Producer, settings: Settings, *, topic: str, partitions: int) -> None:
        """Takes the started producer; readers connect when they are needed."""
        self._producer = producer
        self._settings = settings
        self._topic = topic
        self._partitions = partitions
        self._reader = Reader(settings, topic, partitions)
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._newest: dict[int, int] = {}
        self._speeches: dict[int, Speech] = {}
        self._followers: set[AIOKafkaConsumer] = set()
        self._is_closed = False

    async def own(self, partition: int, worker_id: str) -> int:
        """Appends `Owner`; its offset is the token."""
        owner = Owner(schema_version=SCHEMA_VERSION, worker_id=worker_id)
        async with self._turns[partition]:
            token = await self._producer.append(self._topic, partition, [encode(owner)], [_key(owner)])
            self._newest[partition] = max(token, self._newest.get(partition, -1))
            self._speeches[partition] = Speech(token)
        return token

    async def append(self, partition: int, token: int, records: Sequence[Decided | Failed | Progress]) -> int:
        """Appends records in as few batches as hold them, unless this process knows of a newer owner."""
        last = -1
        async with self._turns[partition]:
            self._refuse_old(partition, token)
            speech = self._speech(partition, token)
            for some, payloads in self._batches(records):
                keys = [_key(record) for record in some]
                first = await self._producer.append(self._topic, partition, payloads, keys)
                last = first + len(some) - 1
                speech.said(first, last, is_progress=isinstance(some[-1], Progress))
        return last

    async def confirm(self, partition: int, token: int) -> int:
        """Gives the offset of this owner's last `Progress`, of its `Owner` before the first.

        Reads back only what stands between this owner's own records and is not its own: in quiet times, nothing.
        """
        self._refuse_old(partition, token)
        speech = self._speech(partition, token)
        progress = speech.progress
        while speech.hole is not None and speech.hole[0] < progress:
            hole = speech.hole
            newer = await self._owner_within(partition, *hole)
            if newer is not None:
                self._newest[partition] = max(newer, self._newest.get(partition, -1))
                self._refuse_old(partition, token)
            speech.read_back(hole)
        self._refuse_old(partition, token)
        return progress

    async def read(self, partition: int, *, after: int, records_max: int) -> Sequence[Entry]:
        """Gives entries behind an offset."""
        start = after + 1
        while True:
            records = await self._reader.read(partition, start, records_max)
            entries = _entries(records)
            if entries or not records:
                return entries
            start = records[-1].offset + 1  # nothing of these can be read

    async def end(self, partition: int) -> int:
        """Gives the offset of the last record."""
        return await self._reader.end(partition) - 1

    async def follow(
        self, after: Mapping[int, int], only: Collection[int] | None = None
    ) -> AsyncIterator[Sequence[Entry]]:
        """Gives what is behind the offsets, then what comes; waits for brokers that are away."""
        numbers = range(self._partitions) if only is None else sorted(set(only))
        starts = {TopicPartition(self._topic, number): after.get(number, -1) + 1 for number in numbers}
        if not starts:
            await asyncio.Event().wait()
        consumer: AIOKafkaConsumer | None = None
        try:
            while not self._is_closed:
                try:
                    if consumer is None:
                        consumer = await self._follower(starts)
                    got: dict[TopicPartition, list[Any]] = await consumer.getmany(
                        timeout_ms=_FOLLOW_WAIT_MS, max_records=_FOLLOWED_AT_ONCE
                    )
                    if not got and consumer._fetcher.error_future.done():
                        raise KafkaError("the consumer ended by itself")
                except (KafkaError, ConsumerStoppedError, PortError) as error:
                    _log.warning("experience log can't be followed", extra={"detail": repr(error)})
                    if consumer is not None:
                        await self._dismiss(consumer)
                        consumer = None
                    await asyncio.sleep(_RETRY_S)
                    continue
                entries: list[Entry] = []
                for one, records in got.items():
                    starts[one] = records[-1].offset + 1
                    entries += _entries(records)
                if entries:
                    yield entries
        finally:
            if consumer is not None:
                await self._dismiss(consumer)

    async def close(self) -> None:
        """Ends every reader; followers end with it. May be repeated."""
        self._is_closed = True
        await asyncio.gather(self._reader.close(), *(self._dismiss(consumer) for consumer in tuple(self._followers)))

    def _refuse_old(self, partition: int, token: int) -> None:
        newest = self._newest.get(partition, -1)
        if token < newest:
            raise Fenced(f"{self._topic}[{partition}] is owned by token {newest}, not by token {token}: take it again")

    def _speech(self, partition: int, token: int) -> Speech:
        speech = self._speeches.get(partition)
        if speech is None or speech.token != token:
            speech = self._speeches[partition] = Speech(token)
        return speech

    def _batches(
        self, records: Sequence[Decided | Failed | Progress]
    ) -> list[tuple[list[Decided | Failed | Progress], list[bytes]]]:
        """Cuts records into batches that the topic takes, in order."""
        batches: list[tuple[list[Decided | Failed | Progress], list[bytes]]] = []
        room = 0
        for record in records:
            payload = encode(record)
            need = len(payload) + BATCH_ROWS_OVERHEAD
            if need > room or not batches:
                batches.append(([], []))
                room = self._settings.kafka_batch_bytes
            room -= need
            batches[-1][0].append(record)
            batches[-1][1].append(payload)
        return batches

    async def _owner_within(self, partition: int, first: int, last: int) -> int | None:
        """Gives the offset of the newest `Owner` between two offsets."""
        newest: int | None = None
        start = first
        while start <= last:
            records = await self._reader.read(partition, start, _READ_BACK_RECORDS, last + 1)
            if not records:
                break
            owners = [record.offset for record in records if (record.key or b"")[:1] == _OWNER]
            newest = owners[-1] if owners else newest
            start = records[-1].offset + 1
        return newest

    async def _follower(self, starts: Mapping[TopicPartition, int]) -> AIOKafkaConsumer:
        consumer = lone_consumer(self._settings)
        self._followers.add(consumer)
        try:
            await consumer.start()
            consumer.assign(list(starts))
            for one, start in starts.items():
                consumer.seek(one, start)
        except BaseException:
            await self._dismiss(consumer)
            raise
        return consumer

    async def _dismiss(self, consumer: AIOKafkaConsumer) -> None:
        self._followers.discard(consumer)
        await stop(consumer)


def _key(record: ExperienceRecord) -> bytes:
    """Gives the kind's letter and the token; an `Owner`'s token is its offset, which nobody knows beforehand."""
    token = 0 if isinstance(record, Owner) else record.token
    return _KINDS[type(record)] + token.to_bytes(_TOKEN_BYTES, "big")


def _entries(records: Sequence[Any]) -> list[Entry]:
    """Gives entries; what can't be read is left out, said and survived: it was never acted upon."""
    entries: list[Entry] = []
    for record in records:
        try:
            decoded = decode_experience_record(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            detail = {"partition": record.partition, "offset": record.offset, "detail": str(error)}
            _log.error("experience record unreadable", extra=detail)
        else:
            entries.append(Entry(record.partition, record.offset, decoded))
    return entries
