"""What processes and doctor refuse to work with: a sentence that says which, and the cure; nothing half-starts."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator

import pytest

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import production
from domain.ids import Position, ShopperKey
from domain.ports.snapshot_store import Snapshot
from monitoring.metrics import Metrics
from tests.cli.running import hotbasket
from tests.contract.production import Stores
from tests.services.given import Servers
from tests.services.processes import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Variables = dict[str, str]
PROCESSES = (("gateway", "--port", "0"), ("worker", "--processes", "1"), ("archiver",))


@pytest.fixture
async def variables(servers: Servers) -> AsyncIterator[Variables]:
    """The settings of a system on empty servers."""
    stores = Stores(servers)
    name = f"refusals_{secrets.token_hex(4)}"
    try:
        async with stores.database() as database:
            yield {
                "HOTBASKET_KAFKA": servers.kafka,
                "HOTBASKET_SCYLLA": servers.scylla,
                "HOTBASKET_POSTGRES": database,
                "HOTBASKET_KAFKA_TOPICS": name,
                "HOTBASKET_SCYLLA_KEYSPACE": name,
                "HOTBASKET_SUBSCRIPTION_SECRET": secrets.token_hex(32),
                "HOTBASKET_IDENTITY_SECRET": secrets.token_hex(32),
            }
    finally:
        stores.close()


async def refused(variables: Variables, *words: str) -> None:
    """Every kind of process ends with 1 and a sentence that holds these words; so does doctor."""
    for command in (*PROCESSES, ("doctor",)):
        ran = await asyncio.to_thread(hotbasket, *command, **variables)
        said = ran.stdout + ran.stderr
        assert (1, []) == (ran.returncode, [word for word in words if word not in said]), (command, said)
        assert "Traceback" not in said, said


async def migrated(variables: Variables, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Makes topics and tables."""
    return await asyncio.to_thread(hotbasket, "migrate", "--replication", "1", *arguments, **variables)


async def test_servers_that_were_never_prepared(variables: Variables) -> None:
    """Without tables nothing starts, and the cure is named."""
    await refused(variables, "hotbasket migrate")


async def test_a_server_that_is_not_there(variables: Variables) -> None:
    """A wrong address is named with its setting."""
    await refused(variables | {"HOTBASKET_KAFKA": (address := f"127.0.0.1:{free_port()}")}, address, "HOTBASKET_KAFKA")


async def test_a_server_that_is_not_named(variables: Variables) -> None:
    """Some servers without the others are no system."""
    await refused(variables | {"HOTBASKET_SCYLLA": ""}, "HOTBASKET_SCYLLA is not set")


async def test_a_gateway_without_its_secrets(variables: Variables) -> None:
    """Who names shoppers and signs tokens needs both secrets; the fault shows neither."""
    await migrated(variables, "--partitions", "4")
    ran = await asyncio.to_thread(
        hotbasket, "gateway", "--port", "0", **variables | {"HOTBASKET_IDENTITY_SECRET": "abc"}
    )
    assert 1 == ran.returncode
    assert "HOTBASKET_IDENTITY_SECRET must be 64 hex digits" in ran.stderr
    assert "abc" not in ran.stderr


async def test_partitions_are_fixed(variables: Variables) -> None:
    """A second migration with another number changes nothing and says so."""
    assert 0 == (await migrated(variables, "--partitions", "4")).returncode
    again = await migrated(variables, "--partitions", "8")
    assert 1 == again.returncode
    assert "4" in again.stderr
    same = await migrated(variables, "--partitions", "4")
    assert (0, "nothing to do: everything is there\n") == (same.returncode, same.stdout)


async def test_a_log_that_ends_before_its_snapshots(variables: Variables) -> None:
    """A worker that finds snapshots from beyond the log's end decides nothing; doctor tells the same."""
    assert 0 == (await migrated(variables, "--partitions", "4")).returncode
    values = {name.removeprefix("HOTBASKET_").lower(): value for name, value in variables.items()}
    ports = await production(load_settings(**values), Metrics(), SystemClock(), role="worker")
    beyond = Snapshot(ShopperKey("r-1", "000" + "a" * 61), Position(1, 1_000), b"", None, 0)
    await ports.snapshots.save(0, [beyond])
    await ports.close()
    for command in (("worker", "--processes", "1"), ("doctor",)):
        ran = await asyncio.to_thread(hotbasket, *command, **variables)
        said = ran.stdout + ran.stderr
        assert 1 == ran.returncode, said
        assert "1-1000" in said
        assert "Traceback" not in said
