"""Topics of a test's own, and the logs opened on them as processes do."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple, Protocol

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from adapters.clock import SystemClock
from adapters.kafka.open import KafkaLogs, open_logs
from adapters.kafka.topics import create_topics, topics_of
from adapters.settings import Settings, load_settings
from monitoring.metrics import Metrics
from tests.services.given import given
from tests.services.kafka.broker import Kafka

PARTITIONS = 4
DAY_MS = 86_400_000
SESSION_S = 6.0


class Process(NamedTuple):
    """The logs as one process has them, and its metrics."""

    logs: KafkaLogs
    metrics: Metrics

    def metric(self, name: str) -> float:
        """Gives the value of a metric."""
        return self.metrics.registry.get_sample_value(name) or 0.0


class Open(Protocol):
    """Opens the logs as a process of its own; they are closed at the test's end if they are not before."""

    async def __call__(self, settings: Settings, member: str | None = None, *, is_cold: bool = False) -> Process:
        """Opens them; with a member's name to poll."""
        ...


@pytest.fixture(scope="session")
def kafka_address() -> str:
    """The address of a broker on which topics may be made and removed."""
    address = given(os.environ).kafka
    if not address:
        pytest.skip("needs Kafka: make integration, or set HOTBASKET_TEST_KAFKA=host:port")
    return address


@asynccontextmanager
async def fresh_topics(address: str, partitions: int = PARTITIONS, **more: object) -> AsyncIterator[Settings]:
    """Makes topics, and removes them at the end."""
    settings = load_settings(
        kafka=address, kafka_topics=f"test-{secrets.token_hex(5)}", **{"kafka_session_s": SESSION_S, **more}
    )
    await create_topics(settings, partitions=partitions, replication=1, retention_ms=DAY_MS)
    yield settings
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    await admin.delete_topics(list(topics_of(settings)))
    await admin.close()


@pytest.fixture
async def settings(kafka_address: str) -> AsyncIterator[Settings]:
    """Settings of empty topics."""
    async with fresh_topics(kafka_address) as made:
        yield made


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """A way to open the logs, as each process does."""
    async with AsyncExitStack() as stack:

        async def open_process(settings: Settings, member: str | None = None, *, is_cold: bool = False) -> Process:
            metrics = Metrics()
            logs = await open_logs(settings, metrics, SystemClock(), group="cold" if is_cold else "hot", member=member)
            stack.push_async_callback(logs.close)
            return Process(logs, metrics)

        yield open_process


@pytest.fixture(scope="module")
def own_broker(kafka_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker that the tests of one file may kill and pause; it is running when a test begins."""
    with Kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def broker(own_broker: Kafka) -> Kafka:
    """The file's own broker, started again if the test before has left it dead."""
    own_broker.start()
    return own_broker
