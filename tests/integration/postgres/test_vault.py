"""The reward vault on a real server: a database and a role of its own, outages, and what opens it and what does not."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors, sql

from adapters.clock import SystemClock
from adapters.settings import Settings, load_settings
from adapters.vault_wiring import migrate_vault, open_vault
from domain.errors import PortError, Refused
from domain.ports.reward_vault import Claim, ClaimId
from tests.integration.postgres.conftest import Files, StartServer
from tests.services.postgres import USER

IN_TIME_S = 10.0
EMAIL = "winner@post.example"
CLAIM = Claim(claim_id=ClaimId("c" * 64), retailer_id="r-1", campaign_id="spring", value_minor=4_723, currency="EUR")


class Apart(NamedTuple):
    """Two databases of one server, each with a role that owns it and nothing else."""

    control: str
    control_user: str
    vault: str
    vault_user: str

    def settings(self, **fields: Any) -> Settings:
        """Gives the settings of a gateway on them, some changed."""
        given = {
            "postgres": self.control,
            "postgres_user": self.control_user,
            "vault": self.vault,
            "vault_user": self.vault_user,
            "vault_secret": "ab" * 32,
            "vault_timeout_s": 1.0,
        }
        return load_settings(**given | fields)


@pytest.fixture
def vault_files(checkout: Path) -> Files:
    """The vault's schema."""
    return [(path.name, path.read_text()) for path in sorted((checkout / "deploy" / "postgres_vault").glob("*.sql"))]


@pytest.fixture
def apart(postgres: str) -> Iterator[Apart]:
    """An empty control plane and an empty vault, dropped after the test."""
    parts = urlsplit(postgres)
    names = [f"{kind}_{secrets.token_hex(5)}" for kind in ("control", "vault")]
    with psycopg.connect(postgres, user=USER, autocommit=True) as admin:
        for name in names:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*[sql.Identifier(name)] * 2))
        try:
            control, vault = (f"{parts.scheme}://{parts.netloc}/{name}" for name in names)
            yield Apart(control, names[0], vault, names[1])
        finally:
            for name in names:
                admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
                admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


async def test_the_role_of_the_control_plane_reads_nothing(apart: Apart, vault_files: Files) -> None:
    """Whoever holds the credentials of the control plane may connect to the vault, and is refused every row."""
    await migrate_vault(apart.settings(), vault_files)
    opened = await open_vault(None, apart.settings(), SystemClock())
    assert "stored" == await opened.vault.put(CLAIM, EMAIL)
    with (
        psycopg.connect(apart.vault, user=apart.control_user) as stranger,
        pytest.raises(errors.InsufficientPrivilege),
    ):
        stranger.execute("SELECT * FROM claims")
    with psycopg.connect(apart.vault, user=apart.vault_user) as owner:
        assert (1,) == owner.execute("SELECT count(*) FROM claims").fetchone()


async def test_its_schema_is_its_own(apart: Apart, files: Files, vault_files: Files) -> None:
    """Migrating may be repeated; without tables it does not open; the control plane's files are no part of it."""
    with pytest.raises(PortError, match="has no tables yet: run hotbasket migrate"):
        await open_vault(None, apart.settings(), SystemClock())
    assert [["0001_vault.sql"], []] == [list(await migrate_vault(apart.settings(), vault_files)) for _ in range(2)]
    with pytest.raises(Refused, match=r"has changed|was applied and is not here"):
        await migrate_vault(apart.settings(), files)
    later = [*vault_files, ("0002_next.sql", "SELECT 1")]
    assert ["0002_next.sql"] == list(await migrate_vault(apart.settings(), later))
    with pytest.raises(PortError, match="newer than 1: run the newer hotbasket"):
        await open_vault(None, apart.settings(), SystemClock())


async def test_another_secret_opens_no_row(apart: Apart, vault_files: Files) -> None:
    """A gateway with another secret takes the same experience for another win, and reads no address."""
    await migrate_vault(apart.settings(), vault_files)
    right = await open_vault(None, apart.settings(), SystemClock())
    wrong = await open_vault(None, apart.settings(vault_secret="cd" * 32), SystemClock())
    await right.vault.put(CLAIM, EMAIL)
    with pytest.raises(PortError, match="sealed under another secret") as raised:
        await wrong.vault.payouts("r-1")
    assert False is raised.value.retriable
    assert EMAIL == (await right.vault.payouts("r-1"))[0].email


async def test_a_wrong_role_is_told_with_the_settings_of_the_vault(apart: Apart) -> None:
    """The cure names the vault's variables, not those of the control plane."""
    with pytest.raises(PortError, match="HOTBASKET_VAULT_USER and HOTBASKET_VAULT_PASSWORD") as raised:
        await open_vault(None, apart.settings(vault_user="nobody_here"), SystemClock())
    assert (False, False) == (raised.value.retriable, "HOTBASKET_POSTGRES" in str(raised.value))


@pytest.mark.parametrize("how", ["stop", "kill", "pause"])
async def test_an_outage_fails_in_time_and_passes(start_server: StartServer, vault_files: Files, how: str) -> None:
    """Stopped, killed or standing still: claims fail within seconds, however many, and are taken once it is back."""
    server = start_server()
    settings = load_settings(vault=server.url, vault_user=USER, vault_secret="ab" * 32, vault_timeout_s=0.5)
    await migrate_vault(settings, vault_files)
    vault = (await open_vault(None, settings, SystemClock())).vault
    harm: dict[str, Callable[[], None]] = {"stop": server.stop, "kill": server.kill, "pause": server.pause}
    await asyncio.to_thread(harm[how])
    async with asyncio.timeout(IN_TIME_S):
        answers = await asyncio.gather(*(vault.put(CLAIM, EMAIL) for _ in range(20)), return_exceptions=True)
    assert {PortError} == {PortError if isinstance(answer, PortError) else type(answer) for answer in answers}
    assert {True} == {answer.retriable for answer in answers if isinstance(answer, PortError)}
    assert [] == [answer for answer in answers if EMAIL in str(answer)]
    # It opens while the server is away, too: a gateway that starts now takes events.
    again = await open_vault(None, settings, SystemClock())
    await asyncio.to_thread(server.resume if how == "pause" else server.start)
    async with asyncio.timeout(IN_TIME_S):
        assert "claimed_already" in [await again.vault.put(CLAIM, EMAIL) for _ in range(2)]
