"""Databases and servers of the tests' own, and the control plane opened on them."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from adapters.clock import SystemClock
from adapters.postgres.migrations import migrate
from adapters.postgres.open import PostgresControl, open_control
from adapters.settings import Settings, load_settings
from monitoring.metrics import Metrics
from tests.services.given import given
from tests.services.postgres import USER, Postgres

POLL_S = 0.1
TIMEOUT_S = 1.0

Files = list[tuple[str, str]]
Open = Callable[[Settings], AbstractAsyncContextManager[PostgresControl]]
StartServer = Callable[..., Postgres]


@pytest.fixture(scope="session")
def postgres() -> str:
    """The address of a server on which the role `hotbasket` may make databases."""
    address = given(os.environ).postgres
    if not address:
        pytest.skip("needs Postgres: make integration, or set HOTBASKET_TEST_POSTGRES=postgresql://host:port/database")
    return address


@pytest.fixture
def empty(postgres: str) -> Iterator[Settings]:
    """Settings for a database without tables, dropped after the test."""
    name = f"hotbasket_test_{secrets.token_hex(5)}"
    parts = urlsplit(postgres)
    with psycopg.connect(postgres, user=USER, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
        try:
            yield on(f"{parts.scheme}://{parts.netloc}/{name}")
        finally:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def settings(empty: Settings, files: Files) -> Settings:
    """Settings for a database with the schema in force."""
    await migrate(empty, files)
    return empty


@pytest.fixture
def files(checkout: Path) -> Files:
    """The schema's files."""
    return [(path.name, path.read_text()) for path in sorted((checkout / "deploy" / "postgres").glob("*.sql"))]


@pytest.fixture
def metrics() -> Metrics:
    """The metrics of what is opened."""
    return Metrics()


@pytest.fixture
def opened(metrics: Metrics) -> Open:
    """A way to open the control plane, as each process does."""

    @asynccontextmanager
    async def opening(settings: Settings) -> AsyncIterator[PostgresControl]:
        control = await open_control(settings, metrics, SystemClock())
        try:
            yield control
        finally:
            await control.close()

    return opening


@pytest.fixture
def start_server(postgres: str, tmp_path: Path) -> Iterator[StartServer]:
    """A way to start a server that a test may break."""
    with ExitStack() as started:
        yield lambda **how: started.enter_context(Postgres(tmp_path / secrets.token_hex(3), **how))


def on(address: str, **fields: object) -> Settings:
    """Gives settings for an address, with looks and time-outs short enough for a test."""
    return load_settings(postgres=address, **{"control_poll_s": POLL_S, "postgres_timeout_s": TIMEOUT_S, **fields})
