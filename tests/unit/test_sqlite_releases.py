"""Releases in the control file: several processes, files from before there were releases, and what is left on disk."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.settings import data_files, load_settings
from adapters.sqlite.control_file import SCHEMA, ControlFile
from adapters.sqlite.tree_releases import SqliteTreeReleases
from adapters.sqlite.tree_store import SqliteTreeStore
from adapters.wiring import Ports, embedded, open_releases
from domain.errors import PortError, Refused
from domain.ids import ShopperKey
from domain.ports.tree_store import DEFAULT, StoredTree
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.story import NOON_MS, RETAILER
from tests.unit.tree_putter import shopper, tree

CHECKOUT = Path(__file__).resolve().parents[2]
EACH = 2_000
BYTES = 300


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    return tmp_path / "data"


@pytest.fixture
def old_file(data: Path) -> Path:
    """The control file of before, with trees in three generations."""
    data.mkdir()
    path = data_files(data)["control"]
    with sqlite3.connect(path) as old:
        for statement in SCHEMA.statements:
            old.execute(statement)
        old.execute("INSERT INTO generations VALUES ('r-1', 3)")
        for generation, whose in ((1, "b" * 64), (2, "a" * 64), (2, DEFAULT), (3, "a" * 64)):
            old.execute("INSERT INTO trees VALUES ('r-1', ?, ?, ?)", (whose, generation, b"%d" % generation))
        old.execute("PRAGMA user_version=1")
    old.close()
    return path


@pytest.fixture
async def ports(data: Path) -> AsyncIterator[Ports]:
    """The running system's stores."""
    opened = embedded(data, load_settings(), Metrics(), StoppedClock())
    yield opened
    await opened.close()


def putter(data: Path, generation: int, first: int, count: int = EACH) -> subprocess.Popen[bytes]:
    """Starts a process that puts trees."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HOTBASKET_")}
    arguments = [str(data), *map(str, (generation, first, count, BYTES))]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.tree_putter", *arguments],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
    )


def rows(data: Path) -> list[tuple[int, int]]:
    """The generations that are in the file, each with its number of trees, whoever may see them."""
    with sqlite3.connect(data_files(data)["control"]) as connection:
        found = connection.execute("SELECT generation, COUNT(*) FROM trees GROUP BY generation").fetchall()
    connection.close()
    return found


async def test_two_processes_put_while_a_third_loads(ports: Ports, data: Path) -> None:
    """Readers go on seeing what is visible while others write; then they see everything at one moment."""
    keys = [ShopperKey(RETAILER, shopper(number)) for number in range(2 * EACH)]
    await ports.trees.push(RETAILER, [(DEFAULT, b"default")])
    await ports.trees.push(RETAILER, [(key.shopper, b"old") for key in keys[::2]])
    before = await ports.trees.load(keys)
    generation = await ports.releases.begin(RETAILER)
    version = ports.trees.version()
    loads = 0
    with putter(data, generation, 0) as one, putter(data, generation, EACH) as other:
        while one.poll() is None or other.poll() is None:
            assert before == await ports.trees.load(keys)
            loads += 1
        said = [process.stdout.read() for process in (one, other) if process.stdout is not None]
    assert [b"begins\n%d %d 0\n" % (EACH, EACH * BYTES)] * 2 == said
    assert loads > 0
    assert version == ports.trees.version()
    await ports.releases.show(RETAILER, generation, trees=len(keys))
    after = {key: StoredTree(generation, tree(generation, number, BYTES)) for number, key in enumerate(keys)}
    assert after == await ports.trees.load(keys)


async def test_a_killed_process_leaves_nothing_visible(ports: Ports, data: Path) -> None:
    """What it had put is deleted by the next release, from the file as well."""
    key = ShopperKey(RETAILER, shopper(0))
    await ports.trees.push(RETAILER, [(DEFAULT, b"default")])
    half = await ports.releases.begin(RETAILER)
    with putter(data, half, 0, count=10**9) as process:
        while dict(rows(data)).get(half, 0) < 3:
            assert process.poll() is None
        process.kill()
    assert {key: StoredTree(1, b"default")} == await ports.trees.load([key])
    await ports.trees.push(RETAILER, [(DEFAULT, b"new")])
    assert await ports.releases.forget(RETAILER) > 0
    assert [(1, 1), (3, 1)] == rows(data)
    assert {key: StoredTree(3, b"new")} == await ports.trees.load([key])


async def test_the_file_does_not_grow_with_every_release(ports: Ports, data: Path) -> None:
    """Of a shopper there are the two kept trees and what was put since, however many were shown or rolled back."""
    for number in range(1, 13):
        generation = await ports.releases.begin(RETAILER)
        await ports.releases.put(RETAILER, generation, [(shopper(1), b"%d" % number)])
        if number % 4:
            await ports.releases.show(RETAILER, generation, trees=1)
        if number % 4 == 3:
            await ports.releases.rollback(RETAILER)
        assert len(rows(data)) <= 4
    assert [(9, 1), (10, 1), (12, 1)] == rows(data)


async def test_rolled_back_trees_leave_the_file(ports: Ports, data: Path) -> None:
    """Deleted in pieces, each a transaction of its own; what is visible stays."""
    trees = [(shopper(number), tree(1, number, BYTES)) for number in range(1_200)]
    for _ in range(2):
        generation = await ports.releases.begin(RETAILER)
        await ports.releases.put(RETAILER, generation, trees)
        await ports.releases.show(RETAILER, generation, trees=len(trees))
    await ports.releases.rollback(RETAILER)
    assert 1_200 == await ports.releases.forget(RETAILER)
    assert [(1, 1_200)] == rows(data)


async def test_a_file_from_before_there_were_releases(old_file: Path) -> None:
    """Its trees are visible, its generations go on, and its newest push can be rolled back."""
    control = ControlFile(old_file, busy_s=1)
    trees, releases = SqliteTreeStore(control, StoppedClock()), SqliteTreeReleases(control, StoppedClock())
    anna, ben, carl = (ShopperKey("r-1", letter * 64) for letter in "abc")
    try:
        found = {anna: StoredTree(3, b"3"), ben: StoredTree(1, b"1"), carl: StoredTree(2, b"2")}
        assert found == await trees.load([anna, ben, carl])
        listed = await releases.released("r-1")
        assert [(3, 1), (2, 2), (1, 1)] == [(one.generation, one.trees) for one in listed]
        assert all(one.released_at_ms > 0 for one in listed)
        assert 2 == await releases.rollback("r-1")
        assert {anna: StoredTree(2, b"2")} == await trees.load([anna])
        assert 4 == await trees.push("r-1", [(DEFAULT, b"4")])
    finally:
        control.close()


def test_an_upgraded_file_is_as_a_fresh_one(old_file: Path, tmp_path: Path) -> None:
    """Both have the same tables, and whoever opens it next has nothing to do."""
    found = []
    for path in (old_file, tmp_path / "fresh.db"):
        for _ in range(2):
            ControlFile(path, busy_s=1).close()
        with sqlite3.connect(path) as connection:
            assert (SCHEMA.version,) == connection.execute("PRAGMA user_version").fetchone()
            found.append(connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall())
        connection.close()
    assert found[0] == found[1]


async def test_the_clock_says_when(ports: Ports) -> None:
    """Released is when it was shown or pushed."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"1")])
    generation = await ports.releases.begin(RETAILER)
    await ports.releases.show(RETAILER, generation, trees=0)
    assert [NOON_MS, NOON_MS] == [one.released_at_ms for one in await ports.releases.released(RETAILER)]


async def test_a_writer_waits_for_another_as_long_as_the_setting_says(ports: Ports, data: Path) -> None:
    """Within `sqlite_busy_s` a put waits its turn; beyond it may be repeated."""
    generation = await ports.releases.begin(RETAILER)
    settings = load_settings(sqlite_busy_s=0.05)
    opened = await open_releases(data, settings, Metrics(), StoppedClock())
    holder = sqlite3.connect(data_files(data)["control"], isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(PortError, match="locked") as caught:
            await opened.releases.put(RETAILER, generation, [(shopper(1), b"tree")])
        assert caught.value.retriable
        holder.execute("ROLLBACK")
        await opened.releases.put(RETAILER, generation, [(shopper(1), b"tree")])
    finally:
        holder.close()
        await opened.close()


async def test_releases_of_no_data_directory_are_refused(tmp_path: Path) -> None:
    """A job on the wrong machine makes no new directory."""
    for _ in range(2):
        with pytest.raises(Refused, match="holds no hotbasket data"):
            await open_releases(tmp_path / "nothing", load_settings(), Metrics(), StoppedClock())
    with pytest.raises(Refused, match="HOTBASKET_SCYLLA is not set"):
        await open_releases(None, load_settings(), Metrics(), StoppedClock())
