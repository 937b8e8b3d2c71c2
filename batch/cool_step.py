"""The night's first step: cools what the event store holds and the warehouse does not, and tells what came of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from batch.cool import Cooled
from batch.cool import cool as cool_days
from batch.jobs import Job
from batch.stale import rebuild as rebuild_tables
from batch.store_source import StoreOptions
from domain.errors import PortError


def cool(job: Job, *, rebuild: bool = False) -> Cooled:
    """Cools the days that the event store still holds.

    Args:
        job: its retailer and stores; its day does not matter here.
        rebuild: whether to make every business table again afterwards, from the warehouse's own events and decisions.

    Raises:
        PortError: the store can't be read, the warehouse can't be written, or events are missing after all.
    """
    # By receipt, whatever day the run knows: what is told today may have happened long ago.
    today = datetime.now(UTC).date()
    cooled = cool_days(
        job.spark,
        StoreOptions(data=job.data),
        job.warehouse,
        [job.retailer_id],
        today - timedelta(days=job.settings.hot_days),
        today,
        now_ms=round(time.time() * 1_000),
        report=lambda _, done, of: job.report("cool", done, of),
    )
    for fate, rows in (
        ("in", cooled.rows_in),
        ("merged", cooled.rows_out),
        ("repeated", cooled.rows_repeated),
        ("failed", cooled.rows_failed),
        ("missing", cooled.rows_missing),
    ):
        job.metrics.cooled.labels(fate).set(rows)
    if cooled.rows_missing:
        raise PortError(
            f"{cooled.rows_missing} events of the store are not in the warehouse after cooling: run it again, and if"
            " that does not help, hotbasket doctor",
            retriable=True,
        )
    if rebuild:
        rebuild_tables(job.warehouse, lambda _, done, of: job.report("rebuild", done, of))
    return cooled
