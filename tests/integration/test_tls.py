"""Guarded servers: Kafka with SASL_SSL and SCRAM, CQL and Postgres with TLS and passwords, as production has them."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.clock import SystemClock
from adapters.settings import Settings
from adapters.upkeep import migrate_servers
from adapters.wiring import production
from domain.errors import PortError
from monitoring.metrics import Metrics
from tests.services.cassandra.node import SUPERUSER, Cassandra
from tests.services.certificates import Authority
from tests.services.kafka.broker import Kafka
from tests.services.postgres import USER, Postgres
from tests.services.processes import free_port
from tests.services.server import Credentials, Server

pytestmark = pytest.mark.slow

SERVERS = ("kafka", "scylla", "postgres")
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
WRONG = "not-the-password"
REFUSED_WITHIN_S = 30


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings that open guarded servers, on which everything is made."""
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority(folder / "certificates")
    certificate = authority.issue("server")
    user = Credentials("shop", secrets.token_hex(8))
    kafka = Kafka(folder / "kafka", credentials=user, certificate=certificate)
    cassandra = Cassandra(folder / "cassandra", is_guarded=True, certificate=certificate)
    postgres = Postgres(folder / "postgres", password=user.password, certificate=certificate)
    servers: tuple[Server, ...] = (kafka, cassandra, postgres)
    with ExitStack() as discarded, ThreadPoolExecutor(len(servers)) as threads:
        for server in servers:
            discarded.callback(server.discard)
        list(threads.map(lambda server: server.start(), servers))
        settings = Settings(
            kafka=kafka.address,
            kafka_user=user.user,
            kafka_password=SecretStr(user.password),
            kafka_ca_file=str(authority.file),
            scylla=cassandra.address,
            scylla_user=SUPERUSER.user,
            scylla_password=SecretStr(SUPERUSER.password),
            scylla_ca_file=str(authority.file),
            postgres=postgres.url,
            postgres_user=USER,
            postgres_password=SecretStr(user.password),
            postgres_ca_file=str(authority.file),
            subscription_secret=SecretStr(secrets.token_hex(32)),
            identity_secret=SecretStr(secrets.token_hex(32)),
        )
        asyncio.run(_migrate(settings))
        yield settings


async def test_all_ports_open_over_tls_with_passwords(guarded: Settings) -> None:
    """With the right certificate authority and the right passwords everything works as it does in the open."""
    ports = await production(guarded, Metrics(), SystemClock(), role="all", member="worker-1")
    try:
        assert await ports.events.accepts()
        assert 0 == await ports.experiences.own(0, "worker-1")
        assert await ports.snapshots.newest(0) is None
        assert {} == ports.retailers.current().retailers
    finally:
        await ports.close()


@pytest.mark.parametrize("server", SERVERS)
async def test_a_dead_server_is_named(guarded: Settings, server: str) -> None:
    """Where nobody listens, the message says so, and neither password nor certificate is blamed."""
    address = f"127.0.0.1:{free_port()}"
    elsewhere = f"postgresql://{address}/hotbasket" if server == "postgres" else address
    message = await _refusal(guarded, **{server: elsewhere})
    assert address in message
    assert {""} == _blamed(message, server), message


@pytest.mark.parametrize("server", SERVERS)
async def test_a_wrong_password_is_named(guarded: Settings, server: str) -> None:
    """A server that refuses the password is there and trusted: user and password are blamed, and not shown."""
    message = await _refusal(guarded, **{f"{server}_password": SecretStr(WRONG)})
    assert {"USER", "PASSWORD"} == _blamed(message, server), message
    assert WRONG not in message


@pytest.mark.parametrize("server", SERVERS)
async def test_an_untrusted_certificate_is_named(guarded: Settings, server: str, tmp_path: Path) -> None:
    """A certificate that somebody else signed is blamed before any password is sent."""
    message = await _refusal(guarded, **{f"{server}_ca_file": str(Authority(tmp_path).file)})
    assert {"CA_FILE"} == _blamed(message, server), message


@pytest.mark.parametrize("server", SERVERS)
async def test_forgotten_encryption_is_named(guarded: Settings, server: str) -> None:
    """A client in the open at a server that speaks TLS only is told which setting to look at."""
    message = await _refusal(guarded, **{f"{server}_ca_file": ""})
    assert "CA_FILE" in _blamed(message, server), message
    assert "PASSWORD" not in _blamed(message, server), message


async def _refusal(guarded: Settings, **wrong: object) -> str:
    """Opens the ports with one setting wrong, and gives what the refusal says."""
    settings = guarded.model_copy(update=wrong)
    async with asyncio.timeout(REFUSED_WITHIN_S):
        with pytest.raises(PortError) as refusal:
            await production(settings, Metrics(), SystemClock(), role="all", member="worker-1")
    assert not refusal.value.retriable
    message = str(refusal.value)
    for secret in (guarded.kafka_password, guarded.postgres_password):
        assert secret.get_secret_value() not in message
    return message


def _blamed(message: str, server: str) -> set[str]:
    """Gives which of the server's settings the message blames: `CA_FILE`, `USER`, `PASSWORD`, "" for its address."""
    found = re.findall(rf"HOTBASKET_{server.upper()}(?:_([A-Z]+(?:_FILE)?))?", message)
    return set(found) - {"TIMEOUT"}


async def _migrate(settings: Settings) -> None:
    """Makes topics and tables over the same guarded connections."""
    await migrate_servers(
        settings,
        partitions=1,
        replication=1,
        retention_ms=86_400_000,
        cql=(DEPLOY / "scylla" / "schema.cql").read_text(encoding="utf-8"),
        sql=[(file.name, file.read_text(encoding="utf-8")) for file in DEPLOY.glob("postgres/*.sql")],
    )
