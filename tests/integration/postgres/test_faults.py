"""What keeps a process from its database is told apart, with the cure and without anything secret."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from adapters.clock import SystemClock
from adapters.postgres.inspection import inspect
from adapters.postgres.migrations import migrate
from adapters.postgres.open import open_control
from adapters.settings import Settings
from domain.errors import PortError
from monitoring.metrics import Metrics
from tests.integration.postgres.conftest import Files, StartServer, on
from tests.services.certificates import Authority
from tests.services.processes import free_port
from tests.services.proxy import Proxy

PASSWORD = "gr8-Secret-of-the-control-plane"
WRONG = "not-" + PASSWORD
ALL = ["server", "tls", "password", "database", "schema", "clock"]


class LateClock(SystemClock):
    """A clock that is an hour late."""

    def now_ms(self) -> int:
        """An hour ago."""
        return super().now_ms() - 3_600_000


async def test_a_database_in_order_has_no_fault(settings: Settings) -> None:
    """Every check is good."""
    assert [(f"postgres {what}", True) for what in ALL] == await _checks(settings)


async def test_clocks_that_differ_are_a_fault(settings: Settings) -> None:
    """The difference is told."""
    *others, clock = await inspect(settings, LateClock())
    assert all(one.good for one in others)
    assert (False, "postgres clock") == (clock.good, clock.check)
    assert "3600." in clock.detail


async def test_a_missing_schema_is_a_fault(empty: Settings) -> None:
    """The database is good, its tables are missing."""
    *others, schema, _ = await inspect(empty, SystemClock())
    assert all(one.good for one in others)
    assert (False, "postgres schema", "run hotbasket migrate") == (schema.good, schema.check, schema.cure)


async def test_a_dead_server_is_told(postgres: str) -> None:
    """Nothing listens there."""
    nowhere = on(f"postgresql://127.0.0.1:{free_port()}/hotbasket")
    assert "HOTBASKET_POSTGRES;" in await _refused(nowhere)
    assert [("postgres server", False)] == await _checks(nowhere)


async def test_a_name_without_an_address_is_told(postgres: str) -> None:
    """No such host is the server's fault, too."""
    assert "no-such-host.invalid" in await _refused(on("postgresql://no-such-host.invalid/hotbasket"))


async def test_a_silent_server_is_told(postgres: str) -> None:
    """What accepts a connection and says nothing is given up in time."""
    with Proxy(urlsplit(postgres).netloc) as proxy:
        proxy.swallow()
        silent = on(f"postgresql://{proxy.address}/hotbasket")
        assert "no answer" in await _refused(silent)
        assert [("postgres server", False)] == await _checks(silent)


async def test_a_missing_database_is_told(settings: Settings) -> None:
    """The server answers; it has no such database."""
    missing = on(settings.postgres + "_not_here")
    assert "createdb" in await _refused(missing)
    passed = [(f"postgres {what}", True) for what in ("server", "tls", "password")]
    assert [*passed, ("postgres database", False)] == await _checks(missing)


async def test_a_wrong_password_is_told_apart_from_a_dead_server(start_server: StartServer, files: Files) -> None:
    """Wrong, absent and right password and an unknown role each have their answer, none of which holds a password."""
    server = start_server(password=PASSWORD)
    right = on(server.url, postgres_password=SecretStr(PASSWORD))
    await migrate(right, files)
    for wrong in (
        on(server.url, postgres_password=SecretStr(WRONG)),
        on(server.url, postgres_password=SecretStr(PASSWORD), postgres_user="somebody"),
        on(server.url),
    ):
        assert "HOTBASKET_POSTGRES_PASSWORD" in await _refused(wrong)
        assert [("postgres server", True), ("postgres tls", True), ("postgres password", False)] == await _checks(wrong)
    assert [(f"postgres {what}", True) for what in ALL] == await _checks(right)


async def test_faults_of_tls_are_told(start_server: StartServer, files: Files, tmp_path: Path) -> None:
    """The right authority connects, encrypted; another one, none and a missing file each have their answer."""
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server = start_server(certificate=authority.issue("server"))
    right = on(server.url, postgres_ca_file=str(authority.file))
    await migrate(right, files)
    assert [(f"postgres {what}", True) for what in ALL] == await _checks(right)
    for signer in (str(stranger.file), "", str(tmp_path / "nothing.pem")):
        wrong = on(server.url, postgres_ca_file=signer)
        assert "HOTBASKET_POSTGRES_CA_FILE" in await _refused(wrong)
        assert [("postgres server", True), ("postgres tls", False)] == await _checks(wrong)


async def test_a_server_without_tls_is_told(settings: Settings, tmp_path: Path) -> None:
    """Who asks for TLS never speaks without it."""
    wrong = on(settings.postgres, postgres_ca_file=str(Authority(tmp_path).file))
    assert "HOTBASKET_POSTGRES_CA_FILE" in await _refused(wrong)


async def _checks(settings: Settings) -> list[tuple[str, bool]]:
    findings = await inspect(settings, SystemClock())
    for one in findings:
        print(one)
        assert PASSWORD not in f"{one.detail} {one.cure}"
        assert one.good == (one.cure == "")
    return [(one.check, one.good) for one in findings]


async def _refused(settings: Settings) -> str:
    with pytest.raises(PortError) as refused:
        await open_control(settings, Metrics(), SystemClock())
    print(refused.value)
    assert refused.value.retriable is False
    assert PASSWORD not in str(refused.value)
    return str(refused.value) + ";"
