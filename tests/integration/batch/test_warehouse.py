"""The warehouse's tables: made by the first write, replaced by days, added to once, brought from older versions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyspark.sql import SparkSession

from batch.table_forms import FORMS, Form
from batch.warehouse import VERSION_PROPERTY, Warehouse, expected_errors, in_days
from batch.warehouse_lock import lease
from domain.errors import PortError, Refused

pytestmark = pytest.mark.slow

ONE, TWO, THREE = date(2024, 1, 1), date(2024, 1, 2), date(2024, 1, 3)
AT = datetime(2024, 1, 1, tzinfo=UTC)
SEARCHES = FORMS["searches"]


def search(day: date, event_id: str, retailer_id: str = "r-1") -> tuple[Any, ...]:
    """A row of `searches`."""
    return (retailer_id, day, event_id, "shopper", None, AT, "tea", 1)


def ids(warehouse: Warehouse) -> list[str]:
    """What `searches` holds."""
    return sorted(row["event_id"] for row in warehouse.table("searches").select("event_id").collect())


@pytest.fixture
def warehouse(tmp_path: Path, spark: SparkSession) -> Warehouse:
    """An empty one."""
    return Warehouse(str(tmp_path / "warehouse"), spark)


def test_a_table_that_was_never_written_is_empty(warehouse: Warehouse) -> None:
    """It has its columns, and reading does not make it."""
    assert ([], False) == (ids(warehouse), warehouse.exists("searches"))
    assert warehouse.schema("searches") == warehouse.table("searches").schema


def test_days_are_replaced_and_no_others(warehouse: Warehouse) -> None:
    """Rows of the named days of the named retailers go, also where nothing takes their place."""
    first = [search(ONE, "a"), search(TWO, "b"), search(THREE, "c"), search(ONE, "d", "r-2")]
    warehouse.append("searches", first)
    fresh = warehouse.rows("searches", [search(ONE, "e")])
    warehouse.replace_days("searches", fresh, {"r-1": [ONE, TWO], "r-2": []})
    assert ["c", "d", "e"] == ids(warehouse)


def test_what_is_there_is_not_added_again(warehouse: Warehouse) -> None:
    """A row whose key is there stays as it is; the others are added and counted."""
    warehouse.append("searches", [search(ONE, "a")])
    rows = warehouse.rows("searches", [search(ONE, "a"), search(ONE, "b"), search(ONE, "a", "r-2")])
    assert 2 == warehouse.add_missing("searches", rows, ("retailer_id", "event_id"), {"r-1": [ONE], "r-2": [ONE]})
    assert ["a", "a", "b"] == ids(warehouse)


def test_an_older_table_gets_the_columns_that_it_lacks(tmp_path: Path, spark: SparkSession) -> None:
    """A version that only added columns is reached in place: old rows have nothing there."""
    root = str(tmp_path / "warehouse")
    Warehouse(root, spark).append("searches", [search(ONE, "a")])
    newer = msgspec.structs.replace(SEARCHES, columns=f"{SEARCHES.columns}, words int", version=2)
    warehouse = Warehouse(root, spark, {**FORMS, "searches": newer})
    warehouse.append("searches", [(*search(TWO, "b"), 3)])
    found = warehouse.table("searches").orderBy("event_id").select("event_id", "words").collect()
    assert [("a", None), ("b", 3)] == [tuple(row) for row in found]
    with pytest.raises(Refused, match="schema version 2, newer than 1: run the newer hotbasket"):
        Warehouse(root, spark).table("searches")


def test_a_table_that_can_not_become_the_new_form_is_refused(tmp_path: Path, spark: SparkSession) -> None:
    """A column of another type needs a person: the sentence says which, and what to do."""
    root = str(tmp_path / "warehouse")
    Warehouse(root, spark).append("searches", [search(ONE, "a")])
    columns = SEARCHES.columns.replace("result_count bigint", "result_count string")
    newer: Form = msgspec.structs.replace(SEARCHES, columns=columns, version=2)
    with pytest.raises(Refused, match=r"searches has schema version 1.*result_count is bigint.*--rebuild"):
        Warehouse(root, spark, {**FORMS, "searches": newer}).table("searches")


def test_its_form_stands_in_its_properties(warehouse: Warehouse, spark: SparkSession) -> None:
    """No deletion vectors, statistics of harmless columns only, and the version."""
    warehouse.append("searches", [search(ONE, "a")])
    rows = spark.sql(f"SHOW TBLPROPERTIES delta.`{warehouse.path('searches')}`").collect()
    found = {row["key"]: row["value"] for row in rows}
    assert ("false", "at,result_count", "1") == (
        found["delta.enableDeletionVectors"],
        found["delta.dataSkippingStatsColumns"],
        found[VERSION_PROPERTY],
    )


def test_a_lease_is_held_by_one_and_runs_out(tmp_path: Path, spark: SparkSession) -> None:
    """Where there are no file locks a row says who works; one whose holder died can be taken when its time is over."""
    root = str(tmp_path)
    with lease(root, spark), pytest.raises(Refused, match=r"in use by another job.*runs out at"), lease(root, spark):
        raise AssertionError("two hold it")
    dead = "SELECT 'warehouse' AS name, 'dead' AS holder, TIMESTAMP'2020-01-01 00:00:00' AS until"
    spark.sql(dead).write.format("delta").mode("append").save(f"{root}/lock_table")
    with lease(root, spark):
        pass


@pytest.mark.parametrize(
    ("said", "retriable", "fault"),
    [
        ("java.io.IOException: No space left on device", True, "the disk is full"),
        (
            "domain.errors.PortError: log.db can't be used now (locked)\n  at",
            True,
            r"log.db can't be used now \(locked\)",
        ),
        ("io.delta.exceptions.ConcurrentAppendException: files were added", True, "another job changed it"),
        ("java.nio.file.AccessDeniedException: /warehouse", False, "access is denied"),
    ],
)
def test_expected_failures_are_one_sentence(said: str, *, retriable: bool, fault: str) -> None:
    """What Spark wraps in a page of Java becomes what happened and whether to try again."""
    with pytest.raises(PortError, match=f"^cooling: {fault}") as raised, expected_errors("cooling"):
        raise RuntimeError(said)
    assert retriable == raised.value.retriable


def test_what_nobody_expects_comes_through() -> None:
    """A bug keeps its own name and traceback."""
    with pytest.raises(ZeroDivisionError), expected_errors("cooling"):
        raise ZeroDivisionError


def test_ids_in_statements_are_harmless() -> None:
    """A retailer's id that would end a text is refused, and days are named plainly."""
    expected = "(retailer_id = 'r-1' AND day IN (DATE'2024-01-01', DATE'2024-01-02'))"
    assert (expected, "false") == (in_days({"r-1": [TWO, ONE]}), in_days({"r-1": []}))
    with pytest.raises(Refused, match="is no id"):
        in_days({"r' OR '1'='1": [ONE]})
