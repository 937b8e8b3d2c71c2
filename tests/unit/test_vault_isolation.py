"""The vault is apart: what knows behaviour reaches it by no import, and needs none of its credentials."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest

from actors.partition import Stores
from actors.worker import Worker
from adapters.clock import SystemClock
from adapters.settings import Settings
from adapters.wiring import Role, embedded, production
from domain.errors import HotbasketError
from monitoring.metrics import Metrics

ROOMS = ("actors", "adapters", "batch", "deploy", "domain", "gateway", "monitoring")
KNOW_BEHAVIOUR = ("actors", "adapters.wiring", "batch", "domain", "monitoring")
VAULT = {
    "adapters.postgres.reward_vault",
    "adapters.sqlite.reward_vault",
    "adapters.vault_keys",
    "adapters.vault_rows",
    "adapters.vault_wiring",
}
OPEN_IT = ("deploy.migrate", "deploy.processes", "deploy.rewards", "deploy.standalone")
NAMES = ("vault", "claim")


@cache
def reached(*starts: str) -> frozenset[str]:
    """Every module of ours that these reach by imports, however many steps away, inside functions too."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    found = set(starts)
    for start in starts:
        found |= graph.find_upstream_modules(start, as_package=True) | graph.find_descendants(start)
    return frozenset(found)


class Blind(Settings):
    """Settings of a process that has no business with the vault."""

    def __getattribute__(self, name: str) -> Any:
        """Gives any setting but the vault's."""
        assert not name.startswith(NAMES), f"{name} is the vault's"
        return super().__getattribute__(name)


def names_in(folder: Path, word: str) -> list[str]:
    """The files whose name has a word in it."""
    return [path.name for path in folder.iterdir() if word in path.name]


def test_the_vault_is_where_this_file_says() -> None:
    """The modules that open it and hold its keys are the ones that are kept away from the others."""
    graph = grimp.build_graph("adapters", cache_dir=None)
    assert VAULT == {module for module in graph.modules if "vault" in module}


@pytest.mark.parametrize("room", KNOW_BEHAVIOUR)
def test_what_knows_behaviour_never_reaches_the_vault(room: str) -> None:
    """No chain of imports leads from what sees shoppers to what could open the vault."""
    assert set() == reached(room) & VAULT


@pytest.mark.parametrize("module", OPEN_IT)
def test_what_opens_the_vault_reaches_it(module: str) -> None:
    """The same search finds the way where there is one."""
    assert "adapters.vault_wiring" in reached(module)


def test_import_linter_holds_the_same_rule(checkout: Path) -> None:
    """`make check` refuses an import that this file would refuse."""
    rules = configparser.ConfigParser(interpolation=None)
    rules.read(checkout / "setup.cfg", encoding="utf-8")
    rule = rules["importlinter:contract:vault"]
    assert (set(KNOW_BEHAVIOUR), VAULT) == (set(rule["source_modules"].split()), set(rule["forbidden_modules"].split()))
    assert "allow_indirect_imports" not in rule


def test_what_knows_behaviour_reads_no_setting_of_the_vault(checkout: Path) -> None:
    """None of its code names one, so that no worker, archiver or batch job needs any."""
    settings = {name for name in Settings.model_fields if name.startswith(NAMES)}
    assert len(settings) >= 9
    named = set()
    # What a gateway failed at is a word of its metrics, not the name of a setting.
    for module in reached(*KNOW_BEHAVIOUR) - {"adapters.settings", "monitoring.labels"}:
        path = checkout / f"{module.replace('.', '/')}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.is_file() else ():
            match node:
                case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if name in settings:
                    named.add(f"{module}: {name}")
    assert set() == named


@pytest.mark.parametrize("role", ["worker", "archiver", "command"])
async def test_opening_a_system_asks_for_none_of_them(role: Role) -> None:
    """Whoever opens Kafka, ScyllaDB and Postgres for a worker gets as far as the servers without the vault."""
    away: dict[str, Any] = {
        "kafka": "127.0.0.1:1",
        "scylla": "127.0.0.1:1",
        "postgres": "postgresql://127.0.0.1:1/control",
    }
    if role == "command":
        away |= {"subscription_secret": "ab" * 32, "identity_secret": "cd" * 32}
    with pytest.raises(HotbasketError, match=r"127\.0\.0\.1:1"):
        await production(Blind(**away, postgres_timeout_s=1), Metrics(), SystemClock(), role=role)


async def test_a_worker_asks_for_none_of_them(tmp_path: Path) -> None:
    """The stores of a data directory are opened, a worker is made, and both live without the vault."""
    settings, metrics, clock = Blind(), Metrics(), SystemClock()
    ports = embedded(tmp_path, settings, metrics, clock)
    try:
        stores = Stores(ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, clock, metrics)
        Worker(stores, settings, "worker")
    finally:
        await ports.close()
    assert [] == names_in(tmp_path, "vault")


def test_a_worker_process_does_not_even_load_the_vault(checkout: Path) -> None:
    """The modules that open it stay out of the memory of workers and archivers, which start from here."""
    script = (
        "import sys, actors.worker, adapters.wiring, batch.archive, deploy.processes, deploy.serve, deploy.supervisor;"
        "print(*sorted(name for name in sys.modules if 'vault_wiring' in name or 'adapters' in name and name.endswith("
        "'.reward_vault')))"
    )
    ran = subprocess.run([sys.executable, "-c", script], cwd=checkout, capture_output=True, text=True, check=True)
    assert "" == ran.stdout.strip()


def test_no_other_process_is_given_its_credentials(checkout: Path) -> None:
    """The manifests of the batch jobs hand down no variable of the vault."""
    manifests = [path for path in (checkout / "deploy" / "spark").iterdir() if path.is_file()]
    assert manifests
    assert [] == [path.name for path in manifests if "HOTBASKET_VAULT" in path.read_text(encoding="utf-8")]
