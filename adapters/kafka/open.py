"""Opens production's logs: finds out first whether they can be used, and says why not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple

from adapters.kafka.commits import Commits
from adapters.kafka.connection import connect
from adapters.kafka.event_log import EPOCH, KafkaEventLog
from adapters.kafka.experience_log import KafkaExperienceLog
from adapters.kafka.producer import Producer
from adapters.kafka.quiet import quieten
from adapters.kafka.shopper_data import KafkaEventData, KafkaExperienceData
from adapters.kafka.topics import partition_counts, topics_of
from adapters.settings import Settings
from domain.errors import PortError
from domain.ports.clock import Clock
from domain.ports.shopper_data import ShopperData
from monitoring.metrics import Metrics

_FLUSH_S = 5.0


class KafkaLogs(NamedTuple):
    """Both logs of one process.

    Attributes:
        shopper_data: their part in an erasure; each visit connects by itself, also when the logs are closed.
        close: flushes what was accepted, leaves the group and ends every connection; may be repeated.
    """

    events: KafkaEventLog
    experiences: KafkaExperienceLog
    shopper_data: tuple[ShopperData, ...]
    close: Callable[[], Awaitable[None]]


async def open_logs(
    settings: Settings, metrics: Metrics, clock: Clock, *, group: Literal["hot", "cold"], member: str | None
) -> KafkaLogs:
    """Opens both logs.

    Args:
        group: whose commits `committed` gives, and which group `poll` joins.
        member: this process's name in the group, the same at every restart and of no other process; None for one that
            never polls.

    Raises:
        PortError: not retriable: Kafka can't be reached, does not let this process in, or has not these topics.
    """
    quieten()
    client = await connect(settings)
    producer = Producer(settings, metrics, clock)
    topics = topics_of(settings)
    try:
        counts = await partition_counts(client, settings)
        partitions = _partitions(counts.get(topics.events), counts.get(topics.experiences), settings)
        await producer.start()
    except BaseException as error:
        await producer.close()
        await client.close()
        if isinstance(error, PortError):
            raise PortError(str(error), retriable=False) from error
        raise
    name = f"{settings.kafka_topics}.{group}"
    commits = Commits(client, group=name, topic=topics.events, partitions=partitions, epoch=EPOCH)
    events = KafkaEventLog(
        producer,
        commits,
        settings,
        metrics,
        topic=topics.events,
        partitions=partitions,
        group=name,
        member=member,
    )
    experiences = KafkaExperienceLog(producer, settings, topic=topics.experiences, partitions=partitions)

    async def close() -> None:
        await events.close(_FLUSH_S)
        await experiences.close()
        await producer.close()
        await client.close()

    return KafkaLogs(
        events, experiences, (KafkaEventData(settings, partitions), KafkaExperienceData(settings, partitions)), close
    )


def _partitions(events: int | None, experiences: int | None, settings: Settings) -> int:
    topics = topics_of(settings)
    absent = [name for name, count in zip(topics, (events, experiences), strict=True) if count is None]
    if absent or events is None:
        raise PortError(
            f"{settings.kafka} has no topic {' and no topic '.join(absent)}: `hotbasket migrate` creates it, and user"
            f" {settings.kafka_user!r} must be allowed to see it",
            retriable=False,
        )
    if events != experiences:
        raise PortError(
            f"{topics.events} has {events} partitions and {topics.experiences} {experiences}: they must be alike; set"
            " HOTBASKET_KAFKA_TOPICS to a new name and let `hotbasket migrate` create both",
            retriable=False,
        )
    return events
