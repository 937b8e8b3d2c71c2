"""A keyspace of the tests' own, stores opened on it, and nodes to break."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.scylla.connection import connect
from adapters.scylla.open import ScyllaStores, open_stores
from adapters.scylla.schema import apply
from adapters.settings import Settings, load_settings
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.integration.scylla.control_plane import MemoryGenerations, MemoryRequests
from tests.services.cassandra.node import Cassandra
from tests.services.given import given
from tests.services.server import HOST

SCHEMA = Path(__file__).resolve().parents[3] / "deploy" / "scylla" / "schema.cql"
PARTITIONS = 64
_LISTENS_WITHIN_S = 30.0

Open = Callable[[], AbstractAsyncContextManager[ScyllaStores]]
StartNode = Callable[..., Cassandra]


@pytest.fixture(scope="session")
def scylla() -> str:
    """The address of a node on which tests may make keyspaces."""
    address = given(os.environ).scylla
    if not address:
        pytest.skip("needs ScyllaDB or Cassandra: make integration, or set HOTBASKET_TEST_SCYLLA=host:port")
    return address


@pytest.fixture(scope="session")
def cql() -> str:
    """The text of schema.cql."""
    return SCHEMA.read_text(encoding="utf-8")


@pytest.fixture
def no_keyspace(scylla: str) -> Iterator[Settings]:
    """Settings for a keyspace that is not there yet, dropped after the test."""
    settings = on(scylla)
    yield settings
    execute(settings, f"DROP KEYSPACE IF EXISTS {settings.scylla_keyspace}")


@pytest.fixture(scope="session")
def settings(scylla: str, cql: str) -> Iterator[Settings]:
    """Settings for a keyspace with the schema in force, shared by all tests: each uses a retailer of its own."""
    found = on(scylla)
    asyncio.run(apply(found, cql, replication=1))
    yield found
    execute(found, f"DROP KEYSPACE {found.scylla_keyspace}")


@pytest.fixture
def retailer() -> str:
    """A retailer that no other test has."""
    return f"r-{secrets.token_hex(8)}"


@pytest.fixture
def partition() -> int:
    """A log partition that hardly any other test has: the tables' key is any integer."""
    return secrets.randbelow(2**31)


@pytest.fixture
def clock() -> StoppedClock:
    """The clock of the stores under test."""
    return StoppedClock()


@pytest.fixture
def metrics() -> Metrics:
    """What the stores count."""
    return Metrics()


@pytest.fixture
def generations() -> MemoryGenerations:
    """Which trees are visible."""
    return MemoryGenerations()


@pytest.fixture
def requests() -> MemoryRequests:
    """Which replays are wanted."""
    return MemoryRequests()


@pytest.fixture
def opened(clock: StoppedClock, metrics: Metrics, generations: MemoryGenerations, requests: MemoryRequests) -> Any:
    """Opens the stores of some settings, closed at the block's end."""

    @asynccontextmanager
    async def open_on(settings: Settings) -> AsyncIterator[ScyllaStores]:
        stores = await open_stores(
            settings, metrics, clock, generations, requests, lambda _: 1_095, partitions=PARTITIONS
        )
        try:
            yield stores
        finally:
            await stores.close()

    return open_on


@pytest.fixture
async def stores(settings: Settings, opened: Any) -> AsyncIterator[ScyllaStores]:
    """The stores on the shared keyspace."""
    async with opened(settings) as found:
        yield found


@pytest.fixture
def start_node(scylla: str, tmp_path: Path) -> Iterator[StartNode]:
    """Starts a node of the test's own; only where the tests were given servers, so that Java is expected."""
    with ExitStack() as started:

        def start(**options: Any) -> Cassandra:  # Any: as the node takes them
            node = started.enter_context(Cassandra(tmp_path / "node", **options))
            listening(node)
            return node

        yield start


def listening(node: Cassandra) -> None:
    """Waits until a started node takes connections: it logs that it is about to a moment earlier."""
    deadline_s = time.monotonic() + _LISTENS_WITHIN_S
    while True:
        try:
            socket.create_connection((HOST, node.port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)


def on(address: str, **more: Any) -> Settings:  # Any: settings validates each
    """Settings for a keyspace with a name of its own."""
    return load_settings(scylla=address, scylla_keyspace=f"test_{secrets.token_hex(6)}", **more)


def execute(settings: Settings, *statements: str) -> None:
    """Runs statements as an operator would."""
    session = connect(settings)
    try:
        for statement in statements:
            session.execute(statement, timeout=60)
    finally:
        session.cluster.shutdown()
