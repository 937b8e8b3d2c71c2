"""The audit trail's kept connection: one that broke meanwhile refuses nobody, a server that is gone does so in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.postgres.audit_trail import PostgresAuditTrail
from adapters.postgres.migrations import migrate
from domain.errors import PortError
from tests.contract.test_audit_trail import entry
from tests.integration.postgres.conftest import Files, Open, StartServer, on
from tests.services.postgres import Postgres
from tests.story import NOON_MS

IN_TIME_S = 10.0


@asynccontextmanager
async def standing(
    start_server: StartServer, files: Files, opened: Open
) -> AsyncIterator[tuple[Postgres, PostgresAuditTrail]]:
    """A server of its own, and a trail in it."""
    server = start_server()
    await migrate(on(server.url), files)
    async with opened(on(server.url)) as control:
        yield server, control.audit


async def test_a_broken_connection_refuses_nobody(start_server: StartServer, files: Files, opened: Open) -> None:
    """The server was started again: the next entry goes through, once."""
    async with standing(start_server, files, opened) as (server, trail):
        await trail.append(entry(NOON_MS))
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await trail.append(entry(NOON_MS + 1))
        assert [entry(NOON_MS), entry(NOON_MS + 1)] == list(await trail.read("r-1", 0, 10))


async def test_a_server_that_is_gone_is_told_in_time(start_server: StartServer, files: Files, opened: Open) -> None:
    """Stopped or standing still: appending and reading fail, and go on when it is back."""
    async with standing(start_server, files, opened) as (server, trail):
        await trail.append(entry(NOON_MS))
        await asyncio.to_thread(server.pause)
        async with asyncio.timeout(IN_TIME_S):
            with pytest.raises(PortError) as appending:
                await trail.append(entry(NOON_MS + 1))
            with pytest.raises(PortError) as reading:
                await trail.read("r-1", 0, 10)
        assert (True, True) == (appending.value.retriable, reading.value.retriable)
        await asyncio.to_thread(server.resume)
        await trail.append(entry(NOON_MS + 2))
        assert {NOON_MS, NOON_MS + 2} <= {one.at_ms for one in await trail.read("r-1", 0, 10)}


async def test_many_append_at_once(start_server: StartServer, files: Files, opened: Open) -> None:
    """Each waits for its turn on the one connection, and none is lost."""
    async with standing(start_server, files, opened) as (_, trail):
        await asyncio.gather(*(trail.append(entry(NOON_MS + number)) for number in range(100)))
        assert 100 == len(await trail.read("r-1", 0, 1_000))
