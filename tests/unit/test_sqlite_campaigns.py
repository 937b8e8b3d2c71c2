"""Campaigns in the control file: files from before there were any, what can't be read, and what a put costs."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.settings import data_files, load_settings
from adapters.sqlite.budget_ledger import SqliteBudgetLedger
from adapters.sqlite.campaigns import SqliteCampaigns
from adapters.sqlite.control_file import SCHEMA, ControlFile
from adapters.sqlite.retailers import SqliteRetailers
from adapters.sqlite.tree_store import SqliteTreeStore
from adapters.wiring import Ports, embedded
from domain.campaigns import Budget, Change, created, moved
from domain.errors import PortError
from domain.ids import ShopperKey
from domain.ports.retailers import Retailer
from domain.ports.tree_store import StoredTree
from monitoring.metrics import Metrics
from tests.contract.campaigning import definition, scheduled, with_shops
from tests.contract.conftest import StoppedClock
from tests.contract.leasing_partition import Partition, lease
from tests.identity import WRAPPED
from tests.story import NOON_MS, RETAILER


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    return tmp_path / "data"


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """The control file of before, with a tree in it."""
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as old:
        for statement in (*SCHEMA.statements, *SCHEMA.upgrades[0]):
            old.execute(statement)
        old.execute("INSERT INTO trees VALUES (?, ?, 1, ?)", (RETAILER, "a" * 64, b"tree"))
        old.execute("INSERT INTO releases VALUES (?, 1, 1, 1, NULL)", (RETAILER,))
        old.execute("PRAGMA user_version=2")
    old.close()
    return path


@pytest.fixture
async def ports(data: Path) -> AsyncIterator[Ports]:
    """The running system's stores."""
    opened = embedded(data, load_settings(), Metrics(), StoppedClock())
    yield opened
    await opened.close()


async def test_a_file_from_before_there_were_campaigns(old_file: Path) -> None:
    """What is in it stays, campaigns can be put and leased, and whoever opens it next has nothing to do."""
    anna = ShopperKey(RETAILER, "a" * 64)
    for has_campaigns in (False, True):
        control = ControlFile(old_file, busy_s=1)
        campaigns, ledger = SqliteCampaigns(control), SqliteBudgetLedger(control, StoppedClock())
        try:
            assert {anna: StoredTree(1, b"tree")} == await SqliteTreeStore(control, StoppedClock()).load([anna])
            assert has_campaigns == bool(campaigns.current().campaigns)
            if not has_campaigns:
                await SqliteRetailers(control).add(Retailer(retailer_id=RETAILER, name="Shop"), "w", "s", WRAPPED)
                draft = created(RETAILER, "spring", definition(budget=Budget(money_minor=100)), NOON_MS)
                await campaigns.put(Change(campaign=draft, action="create", by="command"))
                live = moved(draft, "schedule", NOON_MS)
                await campaigns.put(Change(campaign=live, action="schedule", by="command"))
            assert lease(leased_minor=60) == (await Partition(ledger).ask(60)).lease
        finally:
            control.close()


def test_an_upgraded_file_is_as_a_fresh_one(old_file: Path, tmp_path: Path) -> None:
    """Both have the same tables."""
    found = []
    for path in (old_file, tmp_path / "fresh.db"):
        ControlFile(path, busy_s=1).close()
        with sqlite3.connect(path) as connection:
            assert (SCHEMA.version,) == connection.execute("PRAGMA user_version").fetchone()
            found.append(connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall())
        connection.close()
    assert found[0] == found[1]


async def test_what_a_newer_hotbasket_wrote_keeps_the_last_known_in_force(
    ports: Ports, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which campaign can't be read; a process that starts with it is told what to do."""
    await with_shops(ports)
    await scheduled(ports)
    before = ports.campaigns.current()
    with sqlite3.connect(data_files(data)["control"]) as newer:
        newer.execute("UPDATE campaign_versions SET definition = '{\"future\": 1}', version = 3 WHERE version = 2")
        newer.execute("UPDATE campaigns SET version = 3")
        newer.execute("UPDATE versions SET version = version + 1 WHERE subject = 'campaigns'")
    newer.close()
    ports.campaigns._file._looked_ns = 0  # type: ignore[attr-defined]
    with caplog.at_level(logging.ERROR, "hotbasket.control"):
        assert before is ports.campaigns.current()
    assert "the last known stay in force" in caplog.text
    opened = embedded(data, load_settings(), Metrics(), StoppedClock())
    try:
        with pytest.raises(
            PortError, match=r"campaign spring of r-1, version 3, can't be read.*newer hotbasket"
        ) as told:
            opened.campaigns.current()
        assert not told.value.retriable
    finally:
        await opened.close()


async def test_an_ask_that_changes_nothing_writes_nothing(ports: Ports, data: Path) -> None:
    """What a partition tells again costs no flush to disk."""
    await with_shops(ports)
    await scheduled(ports, budget=Budget(money_minor=100))
    partition = Partition(ports.ledger)
    await partition.ask(50)
    before = _written(data)
    for _ in range(5):
        await partition.ask()
    assert before == _written(data)
    assert [50] == [one.leased.minor for one in await ports.ledger.totals(RETAILER)]


def _written(data: Path) -> tuple[int, int]:
    """How large the write-ahead log is, and when it was last written."""
    found = data_files(data)["control"].with_suffix(".db-wal").stat()
    return found.st_size, found.st_mtime_ns
