"""The warehouse's part in an erasure, on tables in a folder: what goes, what stays, and what no file says any more."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from batch import shopper_table, visiting
from batch.folder_lock import VISIT, folder_lock
from batch.shopper_data import WarehouseData
from batch.table_forms import BY_DAY, BY_SHOPPER, FORMS, STAGING
from batch.visiting import visit_lease
from domain.errors import PortError, Refused
from domain.ids import Position, ShopperHash, ShopperKey
from domain.ports.event_log import Place
from domain.ports.shopper_data import Erased, Visit
from tests.unit.batch import warehouse_files
from tests.unit.batch.warehouse_files import ONE, TWO, fill, models, places_of, write

GONE = hashlib.sha256(b"gone").hexdigest()
STAYS = hashlib.sha256(b"stays").hexdigest()
WORD, OTHER_WORD = "quillonaut tea", "plain tea"
ROWS = 6
"""That `fill` writes of one shopper."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two shoppers at two retailers, under the same hashes, and models."""
    root = tmp_path / "warehouse"
    for retailer_id in ("r-1", "r-2"):
        fill(root, retailer_id, GONE, f"{WORD} {retailer_id}")
        fill(root, retailer_id, STAYS, OTHER_WORD)
        models(root, retailer_id)
    return root


def erased(shopper: str = GONE, retailer_id: str = "r-1") -> Erased:
    """One who is to be gone."""
    return Erased(ShopperKey(retailer_id, ShopperHash(shopper)), Place(0, Position(1, 1)), 0)


def data(root: Path, *, expected: bool = False) -> WarehouseData:
    """The part of a privacy worker that has just started."""
    return WarehouseData(str(root), expected=expected)


def day_ms(day: date) -> int:
    """When a day begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1_000)


def retailers(root: Path, name: str) -> list[str]:
    """Whose partitions a table has."""
    return sorted({part["retailer_id"] for part in DeltaTable(root / name).partitions()})


def parquet_files(root: Path) -> set[Path]:
    """Every file that holds rows."""
    return set(root.rglob("*.parquet"))


def versions(root: Path) -> dict[str, int]:
    """How many commits each table has."""
    return {path.name: DeltaTable(path).version() for path in root.iterdir() if path.is_dir()}


def test_tables_that_name_shoppers_and_days_are_known() -> None:
    """A new one with such a column is among them by itself; these are the ones that were thought of."""
    assert {"events", "decisions", "orders", "searches", "predictions", "grown_trees"} <= set(BY_SHOPPER)
    assert {"models", "rules", "runs", "uplift", "cooled_days"}.isdisjoint(BY_SHOPPER)
    assert [] == [name for name in BY_DAY if FORMS[name].partitioned_by != ("retailer_id", "day")]


async def test_a_shopper_is_gone_from_every_file(root: Path) -> None:
    """Rows, words, logs and old files; the models that learned from them; nobody else's of the same hash."""
    assert {"searches", "events", "predictions", "grown_trees"} == {
        place.partition("/")[0] for place in places_of(root, GONE)
    }
    before = places_of(root, f"{WORD} r-2")
    assert Visit(ROWS, ROWS, 0) == await data(root).erase([erased(), erased("0" * 64)])
    assert set() == places_of(root, f"{WORD} r-1")
    assert [] == [place for place in places_of(root, GONE) if "r-2" not in place]
    assert before == places_of(root, f"{WORD} r-2")
    assert ["r-2"] == retailers(root, "models")
    kept = (await data(root).rows("r-1", [STAYS]))[STAYS]
    assert [2, 2, 1, 1] == [len(kept[name]) for name in ("searches", "events", "predictions", "grown_trees")]


async def test_a_visit_may_be_repeated(root: Path) -> None:
    """It finds nothing, takes no model, and leaves no commit behind: requests are visited again for days."""
    part = data(root)
    await part.erase([erased()])
    models(root, "r-1")
    before = versions(root)
    for _ in range(2):
        assert Visit(0, 0, 0) == await part.erase([erased()])
    assert before == versions(root)
    assert Visit(0, 0, 0) == await data(root).erase([erased()])
    assert ["r-1", "r-2"] == retailers(root, "models")


async def test_what_a_night_brings_is_found(root: Path) -> None:
    """A table that was searched is searched again when it has changed."""
    part = data(root)
    await part.erase([erased()])
    await part.erase([erased()])
    fill(root, "r-1", GONE, WORD)
    assert Visit(ROWS, ROWS, 0) == await part.erase([erased()])


async def test_strangers_cost_nobody_a_model(root: Path) -> None:
    """Of whom nothing is held nothing was learned."""
    before = versions(root)
    assert Visit(0, 0, 0) == await data(root).erase([erased("0" * 64), erased(GONE, "r-3")])
    assert before == versions(root)


async def test_both_retailers_shoppers_go_at_once(root: Path) -> None:
    """A visit is about shoppers of any retailers."""
    assert Visit(2 * ROWS, 2 * ROWS, 0) == await data(root).erase([erased(), erased(retailer_id="r-2")])
    assert set() == places_of(root, GONE)


async def test_days_are_rewritten_a_few_at_a_time(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little fits into memory at once, all of them are; rows that say no day too."""
    fill_without_day = {"retailer_id": "r-1", "event_id": "e", "shopper_id": GONE, "query": WORD}
    write(root, "searches", [fill_without_day])
    monkeypatch.setattr(shopper_table, "BYTES_AT_ONCE", 1)
    assert Visit(ROWS + 1, ROWS + 1, 0) == await data(root).erase([erased()])
    assert [] == [place for place in places_of(root, GONE) if "r-2" not in place]


async def test_what_killed_jobs_left_goes_too(root: Path) -> None:
    """Files that no commit names, and what cooling had staged."""
    part = data(root)
    await part.erase([erased()])
    orphan = next(root / place for place in places_of(root, OTHER_WORD) if f"retailer_id=r-1/day={ONE}" in place)
    orphan.with_name("part-orphan.snappy.parquet").write_bytes(orphan.read_bytes())
    (root / STAGING / "events").mkdir(parents=True)
    (root / STAGING / "events" / "part").write_text(GONE, encoding="utf-8")
    assert Visit(0, 0, 0) == await part.erase([erased()])
    assert orphan.exists()
    assert (False, False) == (orphan.with_name("part-orphan.snappy.parquet").exists(), (root / STAGING).exists())


async def test_a_warehouse_that_no_night_has_filled(tmp_path: Path) -> None:
    """Holds nothing, and is not made; one that the settings name has to be there."""
    absent = tmp_path / "absent"
    assert Visit(0, 0, 0) == await data(absent).erase([erased()])
    assert ({}, None) == (await data(absent).rows("r-1", [GONE]), await data(absent).oldest_ms("r-1", 10**13))
    assert not absent.exists()
    with pytest.raises(PortError, match="is not there: mount it"):
        await data(absent, expected=True).erase([erased()])
    absent.mkdir()
    assert Visit(0, 0, 0) == await data(absent, expected=True).erase([erased()])


async def test_while_a_job_works_nothing_is_visited(root: Path) -> None:
    """The visit fails and may be repeated; when the job is over it comes through."""
    with folder_lock(root), pytest.raises(PortError, match="a job works on the warehouse") as caught:
        await data(root).erase([erased()])
    assert caught.value.retriable
    assert set() != places_of(root, GONE)
    assert Visit(ROWS, ROWS, 0) == await data(root).erase([erased()])


async def test_a_job_waits_for_a_visit(root: Path) -> None:
    """A night is not lost because a visit of seconds was in its way, as it would be for another job."""

    def job() -> str:
        with folder_lock(root):
            return "done"

    with folder_lock(root, VISIT):
        waiting = asyncio.create_task(asyncio.to_thread(job))
        assert (set(), {waiting}) == await asyncio.wait([waiting], timeout=0.5)
    assert "done" == await waiting
    with folder_lock(root, VISIT), pytest.raises(Refused, match="in use"), folder_lock(root, wait_s=0.3):
        pass


def test_a_lease_is_held_by_one_and_runs_out(root: Path) -> None:
    """Where there are no file locks; of a holder that died until its time is over, and then by the next."""
    address = str(root)
    with visit_lease(address), pytest.raises(Refused, match="in use by another job"), visit_lease(address):
        pass
    with visit_lease(address):
        pass
    leave_lease(address, lease_s=-1)
    with visit_lease(address):
        pass


def leave_lease(address: str, lease_s: float) -> None:
    """Leaves a lease behind as one who died does."""
    visiting._take(visiting._table(address), "who died", lease_s)


async def test_without_its_library_it_says_what_to_install(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can promise that nothing is there."""
    monkeypatch.setitem(sys.modules, "deltalake", None)
    for call in (data(root).erase([erased()]), data(root).rows("r-1", [GONE])):
        with pytest.raises(shopper_table.LibraryMissing, match=r"pip install 'hotbasket\[warehouse\]'"):
            await call


async def test_a_damaged_file_is_a_fault_that_names_nobody(root: Path) -> None:
    """A visit that could not look says so."""
    for path in (root / "searches").rglob("*.parquet"):
        path.write_bytes(b"no parquet at all")
    with pytest.raises(PortError, match="table searches") as caught:
        await data(root).erase([erased()])
    assert GONE not in str(caught.value)


async def test_the_oldest_day_is_told_from_partitions(root: Path) -> None:
    """The start of the first that lies wholly before a moment, of this retailer."""
    part = data(root)
    after_one = day_ms(TWO)
    asked = [after_one - 1, after_one, day_ms(date(2024, 2, 1))]
    assert [None, day_ms(ONE), day_ms(ONE)] == [await part.oldest_ms("r-1", before_ms) for before_ms in asked]
    assert None is await part.oldest_ms("r-3", day_ms(date(2024, 2, 1)))


async def test_rows_are_told_as_they_are(root: Path) -> None:
    """Of one retailer's shoppers, by table, with everything that is in them."""
    told = await data(root).rows("r-1", [GONE, "0" * 64])
    assert ({GONE}, {GONE: ROWS, STAYS: ROWS}) == (set(told), await data(root).count("r-1", [GONE, STAYS, "0" * 64]))
    rows = told[GONE]
    assert {"searches", "events", "predictions", "grown_trees"} == set(rows)
    assert [(ONE, f"{WORD} r-1"), (TWO, f"{WORD} r-1")] == [(row["day"], row["query"]) for row in rows["searches"]]
    assert f"{WORD} r-1" == rows["events"][0]["lines"][0]["product_id"]
    assert warehouse_files.AT == rows["events"][0]["occurred_at"]
    assert os.fsencode(GONE) == rows["grown_trees"][0]["tree"]


def test_what_is_read_is_not_joined(root: Path) -> None:
    """A join would hold all rows of the retailer in memory before it looks whose they are."""
    table = shopper_table.opened(str(root), "events")
    assert table is not None
    for query in ("SELECT kept.*", "SELECT count(*)"):
        plan = "\n".join(
            str(row) for row in table._select(f"EXPLAIN {query} {shopper_table._named('r-1', [GONE, STAYS])}")
        )
        assert "Join" not in plan
        assert GONE in plan


async def test_days_that_are_over_go_with_their_files(root: Path) -> None:
    """Of one retailer, in every table by day; what is by run stays, and doing it again changes nothing."""
    files = parquet_files(root)
    one = data(root)
    assert 2 == await one.expire("r-1", day_ms(TWO))
    assert day_ms(ONE) == await one.oldest_ms("r-2", day_ms(TWO))
    assert await one.oldest_ms("r-1", day_ms(TWO)) is None
    gone = files - parquet_files(root)
    # Two tables by day, in which each shopper has a file.
    assert {("r-1", ONE.isoformat())} == {
        (path.parent.parent.name.partition("=")[2], path.parent.name.partition("=")[2]) for path in gone
    }
    assert 4 == len(gone)
    assert ["r-1", "r-2"] == retailers(root, "grown_trees")
    before = versions(root)
    assert 0 == await one.expire("r-1", day_ms(TWO))
    assert before == versions(root)


async def test_a_day_that_is_not_over_stays(root: Path) -> None:
    """The last day that goes is the one that ended before the moment."""
    assert 2 == await data(root).expire("r-1", day_ms(TWO) + 86_399_999)


async def test_no_day_goes_while_a_night_works(root: Path) -> None:
    """Whoever removes waits for the night, which goes on with what it has read."""
    with folder_lock(root), pytest.raises(PortError, match="a job works on"):
        await data(root).expire("r-1", day_ms(TWO))


async def test_without_a_warehouse_nothing_is_over(tmp_path: Path) -> None:
    """To which no night has come yet."""
    assert 0 == await data(tmp_path / "nothing").expire("r-1", day_ms(TWO))
    assert await data(tmp_path / "nothing").oldest_run_ms("r-1", day_ms(TWO)) is None


async def test_runs_that_are_over_go_from_every_table(root: Path) -> None:
    """What a night long ago has left goes, with its files; the two newest that pushed stay, and so does their book."""
    later = ("2024-02-01", "2024-02-02", "2024-02-03")
    for number, run_id in enumerate((warehouse_files.RUN, *later)):
        for retailer_id in ("r-1", "r-2"):
            book = {"retailer_id": retailer_id, "run_id": run_id, "state": "done", "said": "{}"}
            ended_at = datetime(2024, 2, 1 + number, tzinfo=UTC)
            write(root, "runs", [book | {"step": step, "ended_at": ended_at} for step in ("evaluate", "push")])
            tree = {"retailer_id": retailer_id, "run_id": run_id, "shopper_id": STAYS, "tree": b"later"}
            write(root, "grown_trees", [tree | {"nodes": 1, "bytes": 5}])
    one = data(root)
    # The third newest is younger than the moment.
    moment_ms = day_ms(date(2024, 2, 2))
    assert day_ms(date(2024, 2, 1)) == await one.oldest_run_ms("r-1", moment_ms)
    assert await one.oldest_run_ms("r-1", moment_ms - 86_400_000) is None
    assert 1 == await one.expire_runs("r-1", moment_ms)
    trees = {(part["retailer_id"], part["run_id"]) for part in DeltaTable(root / "grown_trees").partitions()}
    assert {("r-1", run_id) for run_id in later} == {part for part in trees if part[0] == "r-1"}
    assert ["r-2"] == retailers(root, "predictions") == retailers(root, "models")
    assert set() == {place for place in places_of(root, STAYS) if "retailer_id=r-1/run_id=2024-01-03" in place}
    before = versions(root)
    assert 0 == await one.expire_runs("r-1", moment_ms)
    assert before == versions(root)
    # However old, two stay.
    assert await one.oldest_run_ms("r-1", moment_ms) is None
    assert day_ms(date(2024, 2, 2)) == await one.oldest_run_ms("r-1", day_ms(date(2030, 1, 1)))
    assert 1 == await one.expire_runs("r-1", day_ms(date(2030, 1, 1)))
    assert 8 == DeltaTable(root / "runs").to_pyarrow_table().filter(pc.field("retailer_id") == "r-1").num_rows
