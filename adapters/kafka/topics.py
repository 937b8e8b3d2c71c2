"""The two topics: their names, how they are made, and how many partitions they have."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code

from adapters.kafka.connection import client_options, connect
from adapters.settings import Settings
from domain.errors import PortError, Refused

_DAY_MS = 86_400_000
_SEGMENT_MS_MIN = 60_000
_LOOKS, _LOOK_S = 150, 0.1
_ALREADY_EXISTS = 36
_INVALID_REPLICATION = 38


class Topics(NamedTuple):
    """Names of the topics."""

    events: str
    experiences: str


def topics_of(settings: Settings) -> Topics:
    """Gives the names of the topics."""
    return Topics(f"{settings.kafka_topics}.events", f"{settings.kafka_topics}.experiences")


def segment_ms(retention_ms: int) -> int:
    """Gives how old a segment may grow: Kafka removes whole closed segments, so a record lives that much longer."""
    return min(_DAY_MS, max(_SEGMENT_MS_MIN, retention_ms // 8))


def topic_settings(settings: Settings, *, replication: int, retention_ms: int) -> dict[str, str]:
    """Gives what the topics are made with."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(retention_ms),
        "segment.ms": str(segment_ms(retention_ms)),
        "min.insync.replicas": "2" if replication >= 3 else "1",
        "max.message.bytes": str(2 * settings.kafka_batch_bytes),
        # Retention runs on the brokers' clocks: no client's wrong clock shortens or prolongs it.
        "message.timestamp.type": "LogAppendTime",
        # A replica that is behind has lost acknowledged records: better no leader than that one.
        "unclean.leader.election.enable": "false",
    }


async def create_topics(settings: Settings, *, partitions: int, replication: int, retention_ms: int) -> Sequence[str]:
    """Makes the topics that are absent, and leaves those that exist as they are; may be repeated.

    Returns:
        Names of the topics made.

    Raises:
        Refused: a topic exists with another number of partitions, or the cluster can't make such topics.
        PortError: Kafka can't be reached.
    """
    client = await connect(settings)
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        absent = _absent(await partition_counts(client, settings), settings, partitions)
        if not absent:
            return ()
        await admin.start()
        config = topic_settings(settings, replication=replication, retention_ms=retention_ms)
        made = await admin.create_topics(
            [NewTopic(name, partitions, replication, topic_configs=config) for name in absent]
        )
        faults = [
            _fault(name, code, message, replication)
            for name, code, message in made.topic_errors
            if code not in {0, _ALREADY_EXISTS}
        ]
        if faults:
            raise Refused(*faults)
        await _until_visible(client, settings, partitions)
        return absent
    except KafkaError as error:
        raise PortError(f"topics can't be made at {settings.kafka}: {error}", retriable=True) from error
    finally:
        await admin.close()
        await client.close()


async def partition_counts(client: AIOKafkaClient, settings: Settings) -> Mapping[str, int]:
    """Gives the number of partitions of each of the topics that exists; never makes one.

    Raises:
        PortError: Kafka does not say now.
    """
    try:
        # Asked for by name, a broker that makes topics by itself would make them.
        cluster = await client.fetch_all_metadata()
    except KafkaError as error:
        raise PortError(f"Kafka at {settings.kafka} does not list its topics: {error}", retriable=True) from error
    found = {name: cluster.partitions_for_topic(name) for name in topics_of(settings)}
    return {name: len(numbers) for name, numbers in found.items() if numbers}


def _absent(counts: Mapping[str, int], settings: Settings, partitions: int) -> tuple[str, ...]:
    faults = [
        f"topic {name} has {count} partitions and not {partitions}: within one epoch of the log their number is fixed;"
        f" ask for {count}, or set HOTBASKET_KAFKA_TOPICS to a name for new topics"
        for name, count in counts.items()
        if count != partitions
    ]
    if faults:
        raise Refused(*faults)
    return tuple(name for name in topics_of(settings) if name not in counts)


def _fault(name: str, code: int, message: str | None, replication: int) -> str:
    said = message or for_code(code).__name__
    cure = f": start {replication} brokers or ask for fewer replicas" if code == _INVALID_REPLICATION else ""
    return f"topic {name} can't be made: {said}{cure}"


async def _until_visible(client: AIOKafkaClient, settings: Settings, partitions: int) -> None:
    """Waits until the broker that is asked knows every partition and its leader."""
    wanted = dict.fromkeys(topics_of(settings), partitions)
    for _ in range(_LOOKS):
        if await partition_counts(client, settings) == wanted:
            return
        await asyncio.sleep(_LOOK_S)
    raise PortError(f"topics were made at {settings.kafka}, and are not to be seen yet: try again", retriable=True)
