"""Which days of the business tables must be made again, and making them: the second half of `batch.cool`.

A day is noted as stale before what makes it so is written, and struck off after its tables are: whoever is killed in
between leaves the note to the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import date, timedelta
from functools import partial, reduce
from typing import Final

from msgspec import Struct
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as sf

from batch.business_tables import OF_DAYS, OF_ORDERS, Table
from batch.warehouse import Days, Warehouse, in_days

EVENTS: Final = "events"
ORDERS: Final = "orders"
DECISIONS: Final = "decisions"
Report = Callable[[str, int, int], None]
_ORDER: Final = ("retailer_id", "order_id")
_DAY: Final = timedelta(days=1)
_AT_ONCE: Final = 2


class Stale(Struct, frozen=True):
    """Days by what changed on them, by retailer: events, orders (theirs, or what is told of them), decisions."""

    days: Mapping[str, Days]

    @classmethod
    def found(cls, warehouse: Warehouse) -> Stale:
        """Gives what is noted."""
        return cls(_by_what((row["what"], row["retailer_id"], row["day"]) for row in _noted(warehouse)))

    def mark(self, warehouse: Warehouse) -> None:
        """Notes it, before what makes it so is written."""
        rows = [
            (retailer_id, day, what)
            for what, days in sorted(self.days.items())
            for retailer_id, dates in sorted(days.items())
            for day in sorted(dates)
        ]
        if rows:
            warehouse.append("stale_days", rows)


def stale_after(warehouse: Warehouse, found: Iterable[Row], new: DataFrame, decisions: DataFrame | None) -> Stale:
    """Gives what will be stale once new rows are written.

    Args:
        warehouse: before they are.
        found: retailer_id, day, is_paid and is_of_order of new events, counted.
        new: retailer_id, order_id and is_of_order of each.
        decisions: new ones: retailer_id, day.
    """
    noted = {(EVENTS, row["retailer_id"], row["day"]) for row in found}
    noted |= {(ORDERS, row["retailer_id"], row["day"]) for row in found if row["is_paid"]}
    if any(row["is_of_order"] for row in found):
        told = new.where("is_of_order").select(*_ORDER).distinct()
        known = warehouse.table("orders").select(*_ORDER, "day").join(told, on=list(_ORDER), how="left_semi")
        noted |= {
            (ORDERS, row["retailer_id"], row["day"]) for row in known.select("retailer_id", "day").distinct().collect()
        }
    if decisions is not None:
        days = decisions.select("retailer_id", "day").distinct().collect()
        noted |= {(DECISIONS, row["retailer_id"], row["day"]) for row in days}
    return Stale(_by_what(noted))


def rebuild_tables(warehouse: Warehouse, stale: Stale, report: Report) -> int:
    """Makes the business tables of stale days again, and strikes the days off.

    Returns:
        How many retailers' days of events and orders were stale.
    """
    changed = stale.days.get(EVENTS, {})
    ordered = stale.days.get(ORDERS, {})
    decided = stale.days.get(DECISIONS, {})
    answered = _union(decided, _union(changed, ordered))
    works: dict[str, Callable[[], None]] = {}
    for name, table in OF_DAYS.items():
        concerned = changed
        if table.of_decisions:
            concerned = answered if table.of_events else decided
        days = _around(concerned, table.reaches)
        if any(days.values()) and (warehouse.exists("decisions") or not table.of_decisions):
            works[name] = partial(_make_days, warehouse, name, table, days)
    if any(ordered.values()):
        told = _told_of_orders(warehouse, ordered)
        for name, make in OF_ORDERS.items():
            works[name] = partial(_make_orders, warehouse, name, make, told, ordered)
    _all(works, report)
    if stale.days:
        warehouse.delete("stale_days", "true")
    return sum(len(dates) for dates in _union(changed, ordered).values())


def _make_days(warehouse: Warehouse, name: str, table: Table, days: Days) -> None:
    read = in_days(_around(days, table.reads))
    made = table.make(warehouse.table("events").where(read), warehouse.table("decisions").where(read))
    warehouse.replace_days(name, made.where(in_days(days)), days)


def _make_orders(
    warehouse: Warehouse, name: str, make: Callable[[DataFrame], DataFrame], told: DataFrame, days: Days
) -> None:
    warehouse.replace_days(name, make(told).where(in_days(days)), days)


def _all(works: Mapping[str, Callable[[], None]], report: Report) -> None:
    """Does the works, two at a time: while one query is planned, which takes one core, another one runs."""
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        running = {threads.submit(work): name for name, work in works.items()}
        for number, done in enumerate(as_completed(running)):
            report(running[done], number, len(works))
            done.result()


def rebuild(warehouse: Warehouse, report: Report = lambda _step, _done, _of: None) -> dict[str, int]:
    """Makes every business table from events and decisions alone, and gives the rows of each.

    Raises:
        Refused: another job works on the warehouse.
        PortError: the warehouse can't be written; run it again.
    """
    with warehouse.lock():
        events, decisions = warehouse.table("events"), warehouse.table("decisions")
        makers = {name: table.make(events, decisions) for name, table in OF_DAYS.items()}
        makers |= {name: make(events) for name, make in OF_ORDERS.items()}
        _all({name: partial(warehouse.overwrite, name, made) for name, made in makers.items()}, report)
        warehouse.delete("stale_days", "true")
        return _counts(warehouse, makers)


def _counts(warehouse: Warehouse, names: Iterable[str]) -> dict[str, int]:
    counts = [
        warehouse.table(name).agg(sf.count(sf.lit(1)).alias("rows")).withColumn("name", sf.lit(name)) for name in names
    ]
    return {row["name"]: row["rows"] for row in reduce(DataFrame.union, counts).collect()}


def _told_of_orders(warehouse: Warehouse, days: Days) -> DataFrame:
    """Gives what is told of the orders of some days: the payments there, and every status, whenever it came.

    A payment there of an order that counts on another day, which is not stale, is a repeat of it and left out.
    """
    events = warehouse.table("events")
    on_days = in_days(days)
    paid = events.where(on_days).where(sf.col("type") == "OrderPaid")
    elsewhere = warehouse.table("orders").where(f"NOT ({on_days})").select(*_ORDER)
    paid = paid.join(elsewhere, on=list(_ORDER), how="left_anti")
    # A status is never older than its order, but the clock of who told it may be slow.
    first = min(min(dates) for dates in days.values() if dates) - _DAY
    statuses = events.where(sf.col("day") >= sf.lit(first)).where(sf.col("type") == "OrderStatusChanged")
    statuses = statuses.join(paid.select(*_ORDER).distinct(), on=list(_ORDER), how="left_semi")
    return paid.select(*events.columns).unionByName(statuses.select(*events.columns))


def _noted(warehouse: Warehouse) -> list[Row]:
    return warehouse.table("stale_days").distinct().collect()


def _by_what(rows: Iterable[tuple[str, str, date]]) -> dict[str, dict[str, set[date]]]:
    found: dict[str, dict[str, set[date]]] = {}
    for what, retailer_id, day in rows:
        found.setdefault(what, {}).setdefault(retailer_id, set()).add(day)
    return found


def _around(days: Days, span: tuple[int, int]) -> dict[str, set[date]]:
    """Gives the days and those of a span before and after each."""
    before, after = span
    return {
        retailer_id: {day + number * _DAY for day in dates for number in range(-before, after + 1)}
        for retailer_id, dates in days.items()
    }


def _union(one: Days, other: Days) -> dict[str, set[date]]:
    return {
        retailer_id: {*one.get(retailer_id, ()), *other.get(retailer_id, ())} for retailer_id in sorted({*one, *other})
    }
