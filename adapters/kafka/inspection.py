"""Looks at Kafka without changing it: for `hotbasket doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from adapters.finding import Finding
from adapters.kafka.connection import client_options, knock
from adapters.kafka.event_log import EPOCH
from adapters.kafka.membership import stop
from adapters.kafka.reader import lone_consumer
from adapters.kafka.topics import topics_of
from adapters.settings import Settings
from domain.errors import PortError
from domain.ids import Position

_STEPS = {"address": "kafka reachable", "tls": "kafka encryption", "password": "kafka password"}
_WATCHED = ("retention.ms", "segment.ms", "min.insync.replicas", "max.message.bytes", "cleanup.policy")
_DAY_MS = 86_400_000
_LOOK_S = 5.0
_FOR_EVER_MS = 365 * _DAY_MS
_MIGRATE = "run `hotbasket migrate`"


async def inspect(settings: Settings) -> list[Finding]:
    """Gives what was found, in the order of the checks; later ones only where earlier ones allow; never raises."""
    try:
        refusal = await knock(settings)
    except PortError as error:
        return [Finding("kafka settings", good=False, detail=str(error), cure="change the setting")]
    if refusal is not None:
        return [Finding(_STEPS[refusal.step], good=False, detail=refusal.detail, cure=refusal.cure)]
    encryption = "TLS" if settings.kafka_ca_file else "no TLS"
    user = f"user {settings.kafka_user}" if settings.kafka_user else "no password"
    findings = [Finding("kafka reachable", good=True, detail=f"{settings.kafka}, {encryption}, {user}")]
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        found = {topic["topic"]: topic for topic in await admin.describe_topics()}
        topics = {name: found[name] for name in topics_of(settings) if name in found}
        findings += _counts(topics, settings)
        configs = await _configs(admin, topics)
        for name, topic in topics.items():
            findings += _topic(name, topic, configs.get(name, {}), settings)
    except (KafkaError, TimeoutError) as error:
        findings.append(Finding("kafka topics", good=False, detail=f"can't be looked at: {error!r}", cure="try again"))
    finally:
        await admin.close()
    return findings


async def events_ends(settings: Settings) -> Sequence[Position]:
    """Gives the position behind the last record of each partition of the event log.

    Raises:
        PortError: Kafka does not say now.
    """
    topic = topics_of(settings).events
    consumer = lone_consumer(settings)
    try:
        async with asyncio.timeout(_LOOK_S):
            await consumer.start()
            numbers = await consumer._client._wait_on_metadata(topic)
            ends = await consumer.end_offsets([TopicPartition(topic, number) for number in sorted(numbers)])
    except (KafkaError, TimeoutError) as error:
        raise PortError(f"{topic} does not say where it ends: {error!r}", retriable=True) from error
    finally:
        await stop(consumer)
    return [Position(EPOCH, ends[one]) for one in sorted(ends)]


def _counts(topics: Mapping[str, Any], settings: Settings) -> list[Finding]:
    absent = [name for name in topics_of(settings) if name not in topics]
    if absent:
        return [Finding("kafka topics", good=False, detail=f"there is no {' and no '.join(absent)}", cure=_MIGRATE)]
    counts = {name: len(topic["partitions"]) for name, topic in topics.items()}
    detail = ", ".join(f"{name} has {count} partitions" for name, count in counts.items())
    alike = len(set(counts.values())) == 1
    cure = "" if alike else f"set HOTBASKET_KAFKA_TOPICS to a new name and {_MIGRATE}"
    return [Finding("kafka topics", good=alike, detail=detail, cure=cure)]


async def _configs(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(_WATCHED)) for name in names]
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(asked) if asked else ():
        for _, _, _, name, entries in answer.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return configs


def _topic(name: str, topic: Mapping[str, Any], config: Mapping[str, str], settings: Settings) -> list[Finding]:
    replicas = min(len(partition["replicas"]) for partition in topic["partitions"])
    behind = sum(len(partition["isr"]) < len(partition["replicas"]) for partition in topic["partitions"])
    leaderless = sum(partition["leader"] < 0 for partition in topic["partitions"])
    retention_ms, segment_ms = int(config.get("retention.ms", "-1")), int(config.get("segment.ms", "-1"))
    in_sync, message_bytes = int(config.get("min.insync.replicas", "0")), int(config.get("max.message.bytes", "0"))
    policy = config.get("cleanup.policy", "unknown")
    kept = f"kept {retention_ms / _DAY_MS:.1f} days, closed after {segment_ms / _DAY_MS:.1f}"
    is_bounded = 0 < retention_ms <= _FOR_EVER_MS and segment_ms <= retention_ms and policy == "delete"
    is_safe = in_sync >= 2 or replicas < 3
    fits = message_bytes > settings.kafka_batch_bytes + settings.kafka_batch_bytes // 8
    alter = f"kafka-configs --alter --entity-type topics --entity-name {name} --add-config"
    return [
        Finding(
            f"{name} retention",
            good=is_bounded,
            detail=f"{kept}, {policy}",
            cure="" if is_bounded else f"{alter} cleanup.policy=delete,retention.ms=…,segment.ms=… (at most retention)",
        ),
        Finding(
            f"{name} replicas",
            good=is_safe and not behind and not leaderless,
            detail=f"{replicas} replicas, {in_sync} needed in sync; partitions: {behind} late, {leaderless} unled",
            cure=_replicas_cure(alter, is_safe, is_whole=not behind and not leaderless),
        ),
        Finding(
            f"{name} message size",
            good=fits,
            detail=f"max.message.bytes={message_bytes}, HOTBASKET_KAFKA_BATCH_BYTES={settings.kafka_batch_bytes}",
            cure="" if fits else f"{alter} max.message.bytes={2 * settings.kafka_batch_bytes}",
        ),
    ]


def _replicas_cure(alter: str, is_safe: bool, *, is_whole: bool) -> str:
    cures = [] if is_safe else [f"{alter} min.insync.replicas=2"]
    if not is_whole:
        cures.append("start the brokers that are down, and wait until they have caught up")
    return "; ".join(cures)
