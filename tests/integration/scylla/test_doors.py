"""Why a connection is refused: nobody there, a wrong password, or TLS; each with its cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.clock import SystemClock
from adapters.scylla.inspection import inspect
from adapters.scylla.schema import apply
from adapters.settings import Settings
from domain.errors import PortError
from tests.integration.scylla.conftest import StartNode, on
from tests.services.cassandra.node import SUPERUSER
from tests.services.certificates import Authority
from tests.services.processes import free_port
from tests.services.server import HOST

PASSWORD = "not the right one"


async def refused(settings: Settings, opened: Any) -> tuple[str, str, str]:
    """What doctor says first, and that opening says the same."""
    (finding,) = await inspect(settings, SystemClock())
    assert not finding.good
    with pytest.raises(PortError) as error:
        async with opened(settings):
            pass
    assert not error.value.retriable
    assert finding.cure in str(error.value)
    assert PASSWORD not in f"{finding}{error.value}"
    return finding.check, finding.detail, finding.cure


async def test_nobody_there(opened: Any) -> None:
    """A port that nobody listens on is named, with the setting to correct."""
    settings = on(f"{HOST}:{free_port()}")
    check, detail, cure = await refused(settings, opened)
    assert "scylla reachable" == check
    assert settings.scylla in detail
    assert "HOTBASKET_SCYLLA" in cure


async def test_a_name_that_nobody_knows(opened: Any) -> None:
    """A host name without an address is as good as nobody."""
    check, _, cure = await refused(on("scylla.invalid:9042"), opened)
    assert "scylla reachable" == check
    assert "HOTBASKET_SCYLLA" in cure


async def test_tls_with_a_node_that_speaks_none(scylla: str, tmp_path: Path, opened: Any) -> None:
    """A certificate file where the nodes speak without TLS is told as a matter of TLS."""
    authority = Authority(tmp_path)
    check, _, cure = await refused(on(scylla, scylla_ca_file=str(authority.file)), opened)
    assert "scylla tls" == check
    assert "HOTBASKET_SCYLLA_CA_FILE" in cure


async def test_a_ca_file_that_is_none(scylla: str, tmp_path: Path, opened: Any) -> None:
    """A file that is missing or holds no certificate is told as a matter of TLS, with its name."""
    nothing = tmp_path / "nothing.pem"
    check, detail, _ = await refused(on(scylla, scylla_ca_file=str(nothing)), opened)
    assert ("scylla tls", True) == (check, str(nothing) in detail)
    nothing.write_text("no certificate")
    check, detail, _ = await refused(on(scylla, scylla_ca_file=str(nothing)), opened)
    assert ("scylla tls", True) == (check, str(nothing) in detail)


@pytest.mark.slow
async def test_a_guarded_node(start_node: StartNode, tmp_path: Path, cql: str, opened: Any) -> None:
    """With the right password over TLS all is well; each wrong thing has its own name."""
    authority = Authority(tmp_path / "authority")
    # It listens on every address of the machine; its certificate is for one of them.
    listening = {"rpc_address": "0.0.0.0", "broadcast_rpc_address": HOST}
    node = start_node(is_guarded=True, certificate=authority.issue("cassandra"), configuration=listening)
    right = on(
        node.address,
        scylla_ca_file=str(authority.file),
        scylla_user=SUPERUSER.user,
        scylla_password=SUPERUSER.password,
    )
    await apply(right, cql, replication=1)
    async with opened(right) as stores:
        assert {} == await stores.archive.watermarks()
    assert [] == [one for one in await inspect(right, SystemClock()) if not one.good]
    wrong = {
        "password": {"scylla_password": PASSWORD},
        "no user": {"scylla_user": ""},
        "another authority": {"scylla_ca_file": str(Authority(tmp_path / "another").file)},
        "another name": {"scylla": f"127.0.0.2:{node.port}"},
        "no TLS": {"scylla_ca_file": ""},
    }
    told = {}
    for name, change in wrong.items():
        fields = right.model_dump() | change
        told[name] = await refused(Settings(**fields), opened)
    assert {
        "password": "scylla password",
        "no user": "scylla password",
        "another authority": "scylla tls",
        "another name": "scylla tls",
        "no TLS": "scylla reachable",
    } == {name: check for name, (check, _, _) in told.items()}
    assert "HOTBASKET_SCYLLA_CA_FILE" in told["no TLS"][2]
