"""What a running system notices of the control file, how often it looks, and what it does when it can't."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import structs

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.retailers import SqliteRetailers
from adapters.sqlite.tree_store import SqliteTreeStore
from domain.errors import Refused
from domain.ports.retailers import CatalogueItem, Retailer
from domain.ports.tree_store import DEFAULT
from tests.contract.conftest import StoppedClock
from tests.contract.consumer import eventually
from tests.identity import WRAPPED

SHOP = Retailer(retailer_id="r-1", name="Shop")
PASTA = CatalogueItem(product_id="p-1", name="Pasta", category_id="pasta", price_minor=120)


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[ControlFile]:
    """The control file of a running system."""
    opened = ControlFile(tmp_path / "control.db", busy_s=1)
    yield opened
    opened.close()


async def test_each_subject_has_its_own_version(control: ControlFile) -> None:
    """A pushed tree makes nobody read the retailers again."""
    subjects = ("retailers", "trees", "replays")
    before = [control.version(subject) for subject in subjects]
    await SqliteTreeStore(control, StoppedClock()).push("r-1", [(DEFAULT, b"tree")])
    after = [control.version(subject) for subject in subjects]
    assert [True, False, True] == [old == new for old, new in zip(before, after, strict=True)]


async def test_own_changes_are_seen_at_once(control: ControlFile) -> None:
    """Who changed something sees it with the next call, however soon."""
    trees = SqliteTreeStore(control, StoppedClock())
    seen = [trees.version()]
    for number in range(20):
        await trees.push("r-1", [(DEFAULT, b"%d" % number)])
        seen.append(trees.version())
    assert sorted(set(seen)) == seen


async def test_the_file_is_looked_at_once_a_millisecond(control: ControlFile) -> None:
    """Thousands of requests ask and few of them cost a look at the file."""
    looks: list[str] = []
    control.version("trees")
    control._watcher.set_trace_callback(looks.append)
    first_look_ns = control._looked_ns
    for _ in range(20_000):
        control.version("trees")
    elapsed_ms = (control._looked_ns - first_look_ns) / 1_000_000
    assert len(looks) <= elapsed_ms


async def test_a_refused_change_changes_no_version(control: ControlFile) -> None:
    """What was rolled back was never there."""
    retailers = SqliteRetailers(control)
    await retailers.add(SHOP, "w", "s", WRAPPED)
    before = retailers.current()
    with pytest.raises(Refused):
        await retailers.add(structs.replace(SHOP, retailer_id="r-2"), "w2", "s2", WRAPPED)
    assert before is retailers.current()


async def test_a_catalogue_is_read_again_only_when_it_changed(control: ControlFile) -> None:
    """A changed rule costs no second look at 100,000 products; a new catalogue or currency does."""
    retailers = SqliteRetailers(control)
    await retailers.add(SHOP, "w", "s", WRAPPED)
    await retailers.import_catalogue("r-1", [PASTA])
    known = retailers.current().known["r-1"]
    await retailers.change(structs.replace(SHOP, retention_days=7))
    assert known is retailers.current().known["r-1"]
    await retailers.import_catalogue("r-1", [structs.replace(PASTA, price_minor=130)])
    assert 130 == retailers.current().known["r-1"]["p-1"].price_minor


async def test_the_last_known_stays_in_force(
    control: ControlFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the changed file can't be read, requests go on under what was read before, and the log says so."""
    retailers = SqliteRetailers(control)
    await retailers.add(SHOP, "w", "s", WRAPPED)
    before = retailers.current()
    other = ControlFile(tmp_path / "control.db", busy_s=1)
    await other.database.write(lambda connection: connection.execute("ALTER TABLE keys RENAME TO hidden"))
    await SqliteRetailers(other).change(structs.replace(SHOP, retention_days=7))

    async def was_tried() -> bool:
        assert before is retailers.current()
        return "can't be read" in caplog.text

    with caplog.at_level(logging.ERROR, "hotbasket.control"):
        await eventually(was_tried)
    await other.database.write(lambda connection: connection.execute("ALTER TABLE hidden RENAME TO keys"))

    async def is_in_force() -> bool:
        return 7 == retailers.current().retailers["r-1"].retention_days

    await eventually(is_in_force)
    other.close()
