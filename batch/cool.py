"""Cooling: what the event store holds of some days goes into the warehouse, and its business tables follow.

Between the archiver, who fills the store, and the jobs that learn. A day is closed, and read for the last time, once
every log partition's watermark is five minutes past its midnight; an open day is read whole each time.

What is written, in this order, each in one commit: which days will change (`stale_days`), what could not be read
(`failed_events`), decisions, events, the business tables of every stale day, what was read (`cooled_days`). A run
killed anywhere leaves readable tables, and the next one finds its stale days and makes their tables.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from msgspec import Struct
from pyspark.sql import DataFrame, Row, SparkSession, Window
from pyspark.sql import functions as sf

from batch.flat import DAY_MS, PLACE
from batch.stale import Stale, rebuild_tables, stale_after
from batch.store_source import Slice, StoreOptions, in_store, read_store
from batch.table_forms import STAGING
from batch.warehouse import Days, Warehouse, expected_errors, in_days, named
from domain.ports.event_store import EventStore

CLOSED_AFTER_MS: Final = 5 * 60_000
"""Past midnight, by every partition's watermark, when a day is closed."""
Report = Callable[[str, int, int], None]
"""Told of progress: what is being done, how much of it is done, of how much."""
_EPOCH: Final = date(1970, 1, 1)
_KEY: Final = ("retailer_id", "event_id")
_DECISION_KEY: Final = ("retailer_id", "experience_id", "action", "trigger_event_id")
_STEPS: Final = ("read", "compare", "events", "tables", "books")


class Cooled(Struct, frozen=True, kw_only=True):
    """What a run did: rows_in = rows_out + rows_repeated + rows_failed.

    Attributes:
        rows_in: events that the store gave.
        rows_out: of them, new in the warehouse.
        rows_repeated: of them, there before or given twice.
        rows_failed: of them, unreadable; they stand in `failed_events`.
        rows_missing: event ids of the store that the warehouse lacks after all; not 0 is a fault of ours.
        decisions_in: rows that the store gave of what workers emitted, held out, withdrew and settled.
        decisions_out: of them, new in the warehouse.
        days_read: retailers' days that were read.
        days_closed: of them, read for the last time.
        days_skipped: retailers' days that were closed before.
        days_changed: retailers' days of the business tables that were made again.
        seconds: that it took.
    """

    rows_in: int = 0
    rows_out: int = 0
    rows_repeated: int = 0
    rows_failed: int = 0
    rows_missing: int = 0
    decisions_in: int = 0
    decisions_out: int = 0
    days_read: int = 0
    days_closed: int = 0
    days_skipped: int = 0
    days_changed: int = 0
    seconds: float = 0.0


class _Plan(NamedTuple):
    """What is to be read.

    Attributes:
        slices: of the store.
        closed: whether a retailer's day is closed, by both.
        skipped: how many were closed before.
    """

    slices: list[Slice]
    closed: dict[tuple[str, date], bool]
    skipped: int


def cool(
    spark: SparkSession,
    store: StoreOptions,
    warehouse: Warehouse,
    retailer_ids: Sequence[str],
    from_day: date,
    to_day: date,
    *,
    now_ms: int,
    report: Report = lambda _step, _done, _of: None,
) -> Cooled:
    """Brings the warehouse up to what the store holds of these days; may be repeated at any time.

    Args:
        spark: the session.
        store: where the event store is.
        warehouse: where the tables are.
        retailer_ids: whose events.
        from_day: UTC day of receipt from which to read.
        to_day: likewise, the last one.
        now_ms: Unix milliseconds: no day after it is read, none that it belongs to is closed.
        report: told of progress.

    Raises:
        Refused: another job works on the warehouse, or there is no store.
        PortError: the store can't be read, or the warehouse can't be written; run it again.
    """
    started_s = time.monotonic()
    with warehouse.lock(), expected_errors(f"cooling into {warehouse.root}"):
        report(_STEPS[0], 0, len(_STEPS))
        plan = _plan(store, warehouse, retailer_ids, from_day, to_day, now_ms)
        with _staging(warehouse) as staging:
            run = _Run(spark, store, warehouse, plan, staging, report)
            counts = run.work()
            run.keep_books(counts, now_ms)
    done = counts.total
    return Cooled(
        rows_in=done.rows_in,
        rows_out=done.rows_out,
        rows_repeated=done.rows_in - done.rows_out - done.rows_failed,
        rows_failed=done.rows_failed,
        rows_missing=counts.missing,
        decisions_in=counts.decisions_in,
        decisions_out=counts.decisions_out,
        days_read=len(plan.closed),
        days_closed=sum(plan.closed.values()) if not counts.missing else 0,
        days_skipped=plan.skipped,
        days_changed=counts.days_changed,
        seconds=round(time.monotonic() - started_s, 3),
    )


class _Counted(NamedTuple):
    """Rows of one retailer's day of receipt, or of all."""

    rows_in: int = 0
    rows_out: int = 0
    rows_failed: int = 0


class _Counts(NamedTuple):
    """What a run counted; `by_day` by retailer and day of receipt."""

    by_day: dict[tuple[str, date], _Counted]
    missing: int = 0
    decisions_in: int = 0
    decisions_out: int = 0
    days_changed: int = 0

    @property
    def total(self) -> _Counted:
        """The sum over the days."""
        return _Counted(*(sum(one[index] for one in self.by_day.values()) for index in range(len(_Counted._fields))))


class _Run:
    """One run, its staged rows on disk: the store is read once."""

    def __init__(
        self, spark: SparkSession, store: StoreOptions, warehouse: Warehouse, plan: _Plan, staging: str, report: Report
    ) -> None:
        self._spark = spark
        self._store = store
        self._warehouse = warehouse
        self._plan = plan
        self._staging = staging
        self._report = report

    def work(self) -> _Counts:
        """Reads, compares, writes."""
        if not self._plan.slices:
            return _Counts({}, days_changed=rebuild_tables(self._warehouse, Stale.found(self._warehouse), self._report))
        events = self._staged("events")
        read = _counted(events)
        decisions = self._staged("decisions")
        decided = _days_of(decisions.groupBy("retailer_id", "day").count().collect())
        self._say(1)
        usable = events.where(sf.col("failed").isNull())
        days = _days_of(row for row in read if row["rows"] > row["failed"])
        marks = self._marked(usable, days)
        new = marks.where("is_new").groupBy("retailer_id", "received_day", "day", "is_paid", "is_of_order").count()
        found = new.collect()
        fresh_decisions = self._missing_decisions(decisions, decided)
        stale_after(self._warehouse, found, marks.where("is_new"), fresh_decisions).mark(self._warehouse)
        self._say(2)
        if any(row["failed"] for row in read):
            self._keep_failed(events, read)
        decisions_out = 0
        if fresh_decisions is not None:
            decisions_out = self._warehouse.add_missing("decisions", fresh_decisions, _DECISION_KEY, decided)
        if found:
            self._add_events(usable, marks)
        missing = self._not_found(usable, days) if days else 0
        self._say(3)
        changed = rebuild_tables(self._warehouse, Stale.found(self._warehouse), self._report)
        return _Counts(_by_day(read, found), missing, decisions.count() if decided else 0, decisions_out, changed)

    def keep_books(self, counts: _Counts, now_ms: int) -> None:
        """Writes what was read of each day, so that a closed one is not read again."""
        self._say(4)
        at = datetime.fromtimestamp(now_ms / 1_000, UTC)
        run = uuid.uuid4().hex
        rows = []
        for (retailer_id, day), closed in self._plan.closed.items():
            done = counts.by_day.get((retailer_id, day), _Counted())
            repeated = done.rows_in - done.rows_out - done.rows_failed
            # A day of which something is missing is not done.
            is_done = closed and not counts.missing
            rows.append((retailer_id, day, is_done, done.rows_in, done.rows_out, repeated, done.rows_failed, run, at))
        if rows:
            self._warehouse.replace("cooled_days", self._warehouse.rows("cooled_days", rows), _of(self._plan.closed))
        self._say(5)

    def _staged(self, what: str) -> DataFrame:
        path = f"{self._staging}/{what}"
        rows = read_store(self._spark, self._store, what, self._plan.slices)
        rows.write.parquet(path)
        return self._spark.read.schema(rows.schema).parquet(path)

    def _marked(self, usable: DataFrame, days: Days) -> DataFrame:
        """Gives each staged event's key, place and days, and whether it is the first of its id and not there yet."""
        told = Window.partitionBy(*_KEY).orderBy("received_at", *PLACE)
        marks = usable.select(
            *_KEY,
            "day",
            "received_day",
            (sf.col("type") == "OrderPaid").alias("is_paid"),
            sf.col("order_id").isNotNull().alias("is_of_order"),
            "order_id",
            "received_at",
            *PLACE,
        ).withColumn("turn", sf.row_number().over(told))
        there = self._kept_keys(days).withColumn("is_there", sf.lit(True))
        is_new = (sf.col("turn") == 1) & sf.col("is_there").isNull()
        marks = marks.join(there, on=list(_KEY), how="left").withColumn("is_new", is_new).drop("turn", "is_there")
        path = f"{self._staging}/marks"
        marks.write.parquet(path)
        return self._spark.read.schema(marks.schema).parquet(path)

    def _kept_keys(self, days: Days) -> DataFrame:
        return self._warehouse.table("events").where(in_days(days)).select(*_KEY).distinct()

    def _missing_decisions(self, staged: DataFrame, days: Days) -> DataFrame | None:
        """Gives the decisions that are not there yet, each once; None if the store gave none at all."""
        if not days:
            return None
        first = Window.partitionBy(*_DECISION_KEY).orderBy("received_at", *PLACE)
        kept = self._warehouse.table("decisions").where(in_days(days)).select(*_DECISION_KEY)
        fresh = staged.withColumn("turn", sf.row_number().over(first)).where("turn = 1")
        fresh = fresh.join(kept, on=list(_DECISION_KEY), how="left_anti")
        return fresh.select(*self._warehouse.schema("decisions").names)

    def _keep_failed(self, events: DataFrame, read: Sequence[Row]) -> None:
        failed = events.where(sf.col("failed").isNotNull()).withColumn("reason", sf.col("failed"))
        rows = failed.select(*self._warehouse.schema("failed_events").names)
        days = _days_of(row for row in read if row["failed"])
        self._warehouse.add_missing("failed_events", rows, ("retailer_id", *PLACE), days)

    def _add_events(self, usable: DataFrame, marks: DataFrame) -> None:
        """Appends what is new. The comparison is the merge; the lock keeps others from writing in between."""
        columns = self._warehouse.schema("events").names
        others = marks.where(~sf.col("is_new")).select(*PLACE)
        fresh = usable.join(others, on=list(PLACE), how="left_anti").select(*columns)
        # Rows of one type next to each other: a reader of orders skips the pages of everything else.
        self._warehouse.append("events", fresh.sortWithinPartitions("retailer_id", "day", "type", "shopper_id"))

    def _not_found(self, usable: DataFrame, days: Days) -> int:
        ids = usable.select(*_KEY).distinct()
        return ids.join(self._kept_keys(days), on=list(_KEY), how="left_anti").count()

    def _say(self, done: int) -> None:
        self._report(_STEPS[min(done, len(_STEPS) - 1)], done, len(_STEPS))


def _plan(
    store: StoreOptions,
    warehouse: Warehouse,
    retailer_ids: Sequence[str],
    from_day: date,
    to_day: date,
    now_ms: int,
) -> _Plan:
    """Gives what is to be read; how far each partition is kept is asked before anything is read."""

    async def ask(archive: EventStore) -> Mapping[int, int]:
        return await archive.watermarks()

    watermarks = in_store(store, ask)
    partitions = range(max(watermarks, default=-1) + 1)
    kept_ms = min((watermarks.get(number, 0) for number in partitions), default=0)
    until_ms = min(kept_ms, now_ms)
    books = warehouse.table("cooled_days").where("closed").select("retailer_id", "received_day").collect()
    done = {(row["retailer_id"], row["received_day"]) for row in books}
    slices: list[Slice] = []
    closed: dict[tuple[str, date], bool] = {}
    skipped = 0
    last = min(to_day, _EPOCH + timedelta(days=now_ms // DAY_MS))
    for number in range((from_day - _EPOCH).days, (last - _EPOCH).days + 1):
        day = _EPOCH + timedelta(days=number)
        for retailer_id in retailer_ids:
            if (retailer_id, day) in done:
                skipped += 1
                continue
            closed[retailer_id, day] = until_ms >= (number + 1) * DAY_MS + CLOSED_AFTER_MS
            slices += [Slice(named(retailer_id), day, partition) for partition in partitions]
    return _Plan(slices, closed, skipped)


def _counted(events: DataFrame) -> list[Row]:
    """Gives how many rows, and failed ones, there are of each retailer, day of receipt and day."""
    return (
        events.groupBy("retailer_id", "received_day", "day")
        .agg(sf.count(sf.lit(1)).alias("rows"), sf.count("failed").alias("failed"))
        .collect()
    )


def _days_of(rows: Iterable[Row]) -> Days:
    days: dict[str, set[date]] = {}
    for row in rows:
        days.setdefault(row["retailer_id"], set()).add(row["day"])
    return days


def _by_day(read: Iterable[Row], new: Iterable[Row]) -> dict[tuple[str, date], _Counted]:
    counted: dict[tuple[str, date], _Counted] = {}
    for row in read:
        key = (row["retailer_id"], row["received_day"])
        so_far = counted.get(key, _Counted())
        counted[key] = so_far._replace(
            rows_in=so_far.rows_in + row["rows"], rows_failed=so_far.rows_failed + row["failed"]
        )
    for row in new:
        key = (row["retailer_id"], row["received_day"])
        counted[key] = counted[key]._replace(rows_out=counted[key].rows_out + row["count"])
    return counted


def _of(days: Collection[tuple[str, date]]) -> str:
    """Gives the SQL condition that a row of the books is about these retailers' days."""
    by_retailer: dict[str, list[date]] = {}
    for retailer_id, day in days:
        by_retailer.setdefault(retailer_id, []).append(day)
    return in_days(by_retailer).replace("day IN", "received_day IN")


@contextmanager
def _staging(warehouse: Warehouse) -> Iterator[str]:
    """Gives a folder for what is read; it is emptied before, of what a killed run left, and after."""
    path = warehouse.path(STAGING)
    warehouse.remove_folder(path)
    try:
        yield path
    finally:
        warehouse.remove_folder(path)
