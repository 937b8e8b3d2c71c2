"""Cooling a small shop: what comes out, again, late, from the start, on a full disk, and killed half-way."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pyspark.sql import SparkSession

from adapters.wiring import Ports
from batch.cool import CLOSED_AFTER_MS, Cooled, cool
from batch.stale import rebuild
from batch.store_source import StoreOptions
from batch.table_forms import BUSINESS
from batch.warehouse import Warehouse
from domain.errors import PortError, Refused
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Progress
from tests.integration.batch.cooled_shop import (
    EVERYTHING,
    FIRST_DAY,
    OTHER,
    Told,
    contents,
    first_days,
    later_days,
    versions,
)
from tests.integration.batch.filled_store import append, opened
from tests.story import RETAILER, SHOPPER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DAY = timedelta(days=1)
CHECKOUT = Path(__file__).resolve().parents[3]
MIDNIGHT_MS = (FIRST_DAY - date(1970, 1, 1)).days * 86_400_000
SECOND_NIGHT_MS = MIDNIGHT_MS + 2 * 86_400_000 + CLOSED_AFTER_MS - 1
"""A moment before the second day is closed."""
FOURTH_NIGHT_MS = MIDNIGHT_MS + 4 * 86_400_000 + CLOSED_AFTER_MS
FILE_BYTES_MAX = 64


class Shop:
    """A system that runs on its data directory all along, and a warehouse beside it."""

    def __init__(self, folder: Path, spark: SparkSession) -> None:
        self.data = folder / "data"
        self.root = folder / "warehouse"
        self.warehouse = Warehouse(str(self.root), spark)
        self._loop = asyncio.new_event_loop()
        self._ports: Ports = opened(self.data)

    def tell(self, told: Told) -> None:
        """Appends to both logs, as gateway and worker do."""
        self._loop.run_until_complete(self._tell(told))

    def cool(self, now_ms: int) -> Cooled:
        """Cools every day so far; a second retailer has no events at all."""
        return cool(
            self.warehouse.spark,
            StoreOptions(data=self.data),
            self.warehouse,
            [RETAILER, "r-without-orders"],
            FIRST_DAY - DAY,
            FIRST_DAY + 30 * DAY,
            now_ms=now_ms,
        )

    def close(self) -> None:
        """Stops the system."""
        self._loop.run_until_complete(self._ports.close())
        self._loop.close()

    async def _tell(self, told: Told) -> None:
        await append(self._ports, told.records)
        if told.decided:
            token = await self._ports.experiences.own(0, "worker")
            progress = Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, 0))
            await self._ports.experiences.append(0, token, [*told.decided, progress])


class State(NamedTuple):
    """What a run said, and what the tables held after it, where that was looked at."""

    said: Cooled
    tables: dict[str, list[str]]
    versions: dict[str, int]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Iterator[Shop]:
    """The shop, nothing told yet."""
    made = Shop(tmp_path_factory.mktemp("shop"), spark)
    yield made
    made.close()


def state_after(shop: Shop, now_ms: int) -> State:
    """Cools, and looks."""
    said = shop.cool(now_ms)
    return State(said, contents(shop.warehouse), versions(shop.root))


@pytest.fixture(scope="module")
def half(shop: Shop) -> State:
    """After the first two days, cooled by a process that was killed when it had written one business table."""
    shop.tell(first_days())
    kill_after_first_table(shop.data, shop.root)
    return State(Cooled(), contents(shop.warehouse), versions(shop.root))


@pytest.fixture(scope="module")
def first(shop: Shop, half: State) -> State:
    """After the run that followed; the second day is not closed yet."""
    return state_after(shop, SECOND_NIGHT_MS)


@pytest.fixture(scope="module")
def again(shop: Shop, first: State) -> State:
    """After one more run on the same store."""
    return State(shop.cool(SECOND_NIGHT_MS), {}, versions(shop.root))


@pytest.fixture(scope="module")
def refusal(shop: Shop, again: State) -> tuple[PortError, dict[str, int]]:
    """What a run said on a full disk, with more to cool; and the tables' versions after it."""
    shop.tell(Told(later_days(), []))
    java = shop.warehouse.spark._jvm.java.lang.ProcessHandle.current().pid()  # type: ignore[union-attr]
    before = resource.prlimit(java, resource.RLIMIT_FSIZE)
    resource.prlimit(java, resource.RLIMIT_FSIZE, (FILE_BYTES_MAX, before[1]))
    try:
        with pytest.raises(PortError) as raised:
            shop.cool(FOURTH_NIGHT_MS)
    finally:
        resource.prlimit(java, resource.RLIMIT_FSIZE, before)
    return raised.value, versions(shop.root)


@pytest.fixture(scope="module")
def late(shop: Shop, refusal: tuple[PortError, dict[str, int]]) -> State:
    """After the third and fourth day, with what they bring of the first."""
    return state_after(shop, FOURTH_NIGHT_MS)


def rows(state: State, name: str, *columns: str) -> list[tuple[Any, ...]]:
    """These columns of a table's rows, sorted."""
    return sorted(tuple(json.loads(row).get(column) for column in columns) for row in state.tables[name])


def test_killed_half_way_it_leaves_readable_tables(half: State) -> None:
    """After kill -9 between two tables each one can be read, and the days that lack their tables are known."""
    assert [SHOPPER] * 5 + [OTHER] * 2 == [json.loads(row)["shopper_id"] for row in by_time(half.tables["events"])]
    assert any(not half.tables[name] for name in BUSINESS)
    assert "cooled_days" not in half.versions
    assert "stale_days" in half.versions


def by_time(events: list[str]) -> list[str]:
    """Events in the order in which they occurred."""
    return sorted(events, key=lambda row: str(json.loads(row)["occurred_at"]))


def test_the_next_run_completes_what_was_killed(half: State, first: State) -> None:
    """Of nine records one is unreadable and all others are there, one of them told twice; the tables follow."""
    said = first.said
    assert (9, 0, 8, 1, 0) == (said.rows_in, said.rows_out, said.rows_repeated, said.rows_failed, said.rows_missing)
    # A day before anything, the two days, and of the day that has just begun nothing: of two retailers each.
    assert (8, 4, 0, 2) == (said.days_read, said.days_closed, said.days_skipped, said.days_changed)
    assert half.tables["events"] == first.tables["events"]
    assert 1 == len(first.tables["decisions"]) == len(first.tables["failed_events"])


def test_events_become_business_tables(first: State) -> None:
    """Each table says what happened, by retailer and the UTC day of the client's clock."""
    one, two = FIRST_DAY.isoformat(), (FIRST_DAY + DAY).isoformat()
    assert [
        (one, "o-1", 0, "tea", 2, 116, 484),
        (one, "o-1", 1, "milk", 1, 4, 116),
        (two, "o-2", 0, "salt", 1, 0, 90),
    ] == sorted(
        rows(
            first,
            "sold_products",
            "day",
            "order_id",
            "line",
            "product_id",
            "quantity",
            "discount_minor",
            "amount_minor",
        )
    )
    assert [(one, "o-1", "paid", []), (two, "o-2", "paid", [])] == rows(
        first, "orders", "day", "order_id", "status", "returned_lines"
    )
    assert [(one, "added", "tea"), (two, "added", "salt")] == rows(
        first, "basket_changes", "day", "action", "product_id"
    )
    assert [(one, "green tea")] == rows(first, "searches", "day", "query")
    assert [(one, "tea")] == rows(first, "product_views", "day", "product_id")
    assert [(one, SHOPPER, 5, 1), (two, OTHER, 2, 1)] == rows(
        first, "sessions", "day", "shopper_id", "events", "orders"
    )
    assert [(one, "recommendation", ["milk"], "o-1", 116)] == rows(
        first, "experiences", "day", "kind", "bought_products", "order_id", "bought_minor"
    )


def test_what_can_not_be_read_is_kept_apart(first: State) -> None:
    """A failed event has its place and reason, and nothing of its payload."""
    (row,) = [json.loads(row) for row in first.tables["failed_events"]]
    assert ("time_out_of_range", 1, 0, 5) == (row["reason"], row["log_epoch"], row["log_partition"], row["log_offset"])
    assert {"retailer_id", "day", "event_id", "reason", "log_epoch", "log_partition", "log_offset"} == set(row)


def test_the_transaction_log_knows_no_shopper(shop: Shop, first: State) -> None:
    """No statistic, condition or path names a shopper or an event; deleted rows leave no vectors behind."""
    logs = [path.read_text() for path in sorted(shop.root.glob("*/_delta_log/*.json"))]
    ids = {json.loads(row)["event_id"] for row in first.tables["events"]}
    assert len(logs) > len(EVERYTHING)
    assert [] == [name for name in (SHOPPER, OTHER, *ids) if any(name in text for text in logs)]
    made = [text for text in logs if '"metaData"' in text]
    assert all('"delta.enableDeletionVectors":"false"' in text for text in made)


def test_a_second_run_changes_nothing(first: State, again: State) -> None:
    """Closed days are not read, the open day's events are all there, and no table gets a commit but the books."""
    said = again.said
    assert (3, 0, 3, 0, 4, 0) == (
        said.rows_in,
        said.rows_out,
        said.rows_repeated,
        said.rows_failed,
        said.days_skipped,
        said.days_changed,
    )
    assert {"cooled_days"} == {name for name, version in again.versions.items() if version != first.versions[name]}


def test_a_full_disk_is_one_sentence_and_changes_nothing(
    again: State, refusal: tuple[PortError, dict[str, int]]
) -> None:
    """What is full, that nothing was written, and that it may be run again."""
    error, after = refusal
    assert error.retriable
    assert "the disk is full; nothing was written" in str(error)
    assert again.versions == after


def test_late_events_find_their_day(late: State) -> None:
    """What comes later of an earlier day changes that day's rows: a session's events, an order's status and returns."""
    one = FIRST_DAY.isoformat()
    assert (8, 5, 3) == (late.said.rows_in, late.said.rows_out, late.said.rows_repeated)
    assert [(one, "milk"), (one, "tea")] == rows(late, "product_views", "day", "product_id")
    assert (one, SHOPPER, 6) in rows(late, "sessions", "day", "shopper_id", "events")
    returned = [{"product_id": "tea", "quantity": 1}]
    assert (one, "o-1", "partially_returned", 600, returned) in rows(
        late, "orders", "day", "order_id", "status", "total_minor", "returned_lines"
    )


def test_an_order_told_again_another_day_is_sold_once(late: State) -> None:
    """The repeat adds no order and no line on its own day."""
    assert ["o-1", "o-2", "o-3"] == [order for (order,) in rows(late, "orders", "order_id")]
    assert [("o-1", 1), ("o-1", 2), ("o-2", 1), ("o-3", 2)] == rows(late, "sold_products", "order_id", "quantity")


def test_every_table_can_be_made_again(shop: Shop, late: State) -> None:
    """From the warehouse's own events and decisions alone, each business table comes out the same."""
    made = rebuild(shop.warehouse)
    assert {name: len(late.tables[name]) for name in BUSINESS} == made
    assert late.tables == contents(shop.warehouse)


def test_one_works_at_a_time(shop: Shop, spark: SparkSession) -> None:
    """While one job holds the warehouse, another is refused at once; the holder itself may go on."""
    other = Warehouse(str(shop.root), spark)
    with other.lock(), other.lock(), pytest.raises(Refused, match="in use by another job"):
        shop.cool(FOURTH_NIGHT_MS)
    with shop.warehouse.lock():
        pass


def test_a_store_that_is_none_is_refused(shop: Shop, spark: SparkSession, tmp_path: Path) -> None:
    """A directory without a log is named, and so is the cure."""
    nowhere = StoreOptions(data=tmp_path)
    with pytest.raises(Refused, match="holds no hotbasket data"):
        cool(spark, nowhere, shop.warehouse, [RETAILER], FIRST_DAY, FIRST_DAY, now_ms=FOURTH_NIGHT_MS)


def kill_after_first_table(data: Path, root: Path) -> None:
    """Starts a run of its own and kills it, Java and all, when it has written its first business table."""
    arguments = [data, root, RETAILER, FIRST_DAY, FIRST_DAY + DAY, SECOND_NIGHT_MS]
    command = [sys.executable, "-m", "tests.integration.batch.cool_until_killed", *map(str, arguments)]
    running = subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    )
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if line.strip() in BUSINESS:
                break
            assert line.strip() != "done", "it ended before it could be killed"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        if running.stdout is not None:
            running.stdout.close()
