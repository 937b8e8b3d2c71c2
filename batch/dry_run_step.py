"""A campaign tried on the warehouse's events, shopper by shopper where they are; nothing is written.

What comes to the driver is one row an hour of the span.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from typing import Any, Final

import msgspec
import pyarrow as pa
from msgspec import Struct
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from adapters.zones import zone_of
from batch.dry_run import DAY_MS, Span, span_of, trial, tried
from batch.foreseen import HOUR_MS, Foreseen, Hour, foreseen
from batch.jobs import Job
from batch.unflatten import REPLAYED, record_of
from domain.campaigns import Campaign
from domain.errors import Refused
from domain.records import Known
from domain.timestamps import from_unix_ms, rfc3339

DAYS: Final = 28
_COUNTS: Final = Hour._fields[1:]
_ROW: Final = ", ".join(f"{name} bigint" for name in Hour._fields)
_PLACE: Final = ("log_epoch", "log_partition", "log_offset")
_READ: Final = (
    "retailer_id",
    "event_id",
    "type",
    "shopper_id",
    "occurred_at",
    "received_at",
    "event_time",
    "verified",
    "page_kind",
    "category_id",
    "product_id",
    "brand",
    "target",
    "query",
    "result_count",
    "price_minor",
    "regular_price_minor",
    "currency",
    "quantity",
    "order_id",
    "total_minor",
    "status",
    "lines",
    "experience_id",
)


class Sent(Struct, frozen=True):
    """A trial on its way to where it is tried.

    Attributes:
        campaign: in whatever state.
        known: the part of the catalogue that it asks for.
        zone: the retailer's.
        span: of the past.
    """

    campaign: Campaign
    known: dict[str, Known]
    zone: str
    span: Span


def dry_run(job: Job, campaign: Campaign, days: int, now_ms: int) -> Foreseen:
    """Tries a campaign on the latest days of the warehouse's events before a moment.

    Args:
        job: of the campaign's retailer; its day does not matter here.
        campaign: in whatever state.
        days: to try, at least 1.
        now_ms: Unix milliseconds; nothing after it is read.

    Raises:
        Refused: there are no events of that time.
    """
    job.report("dry-run", 0, 2)
    span = span_of(campaign.definition, days, now_ms)
    wanted = set(campaign.definition.category_ids)
    known = {
        item.product_id: Known(category_id=item.category_id) for item in job.catalogue if item.category_id in wanted
    }
    sent = Sent(campaign, known, job.retailer.time_zone, span)
    rows = hours_of(_events(job, span), sent).collect()
    job.report("dry-run", 1, 2)
    if not rows:
        between = f"from {rfc3339(span.since_ms)} to {rfc3339(span.until_ms)}"
        raise Refused(f"the warehouse has no events of {job.retailer.name} {between}: start with hotbasket batch cool")
    hours = sorted(Hour(*(row[name] for name in Hour._fields)) for row in rows)
    job.report("dry-run", 2, 2)
    return foreseen(campaign, job.retailer.currency, span, hours)


def hours_of(events: DataFrame, sent: Sent) -> DataFrame:
    """Gives what each hour would have seen: the columns of `Hour`.

    Args:
        events: of one retailer, of the types in `REPLAYED`, within the span.
        sent: what to try them on.
    """
    in_time = events.repartition("shopper_id").sortWithinPartitions("shopper_id", "event_time", *_PLACE)
    rows = in_time.select(*_READ).mapInArrow(_replayed(msgspec.json.encode(sent)), schema=_ROW)
    return rows.groupBy("hour").agg(*(sf.sum(name).alias(name) for name in _COUNTS))


def count(sent: Sent, rows: Iterable[dict[str, Any]]) -> list[Hour]:
    """Tries rows of events and gives the hours in which anything happened.

    Args:
        sent: what to try them on.
        rows: each shopper's next to each other and in the order of time; one shopper's state is held at a time.
    """
    of = trial(sent.campaign, sent.known, zone_of, sent.zone, sent.span)
    found: dict[int, Counter[str]] = {}
    for shopper, events in groupby(rows, key=lambda row: str(row["shopper_id"])):
        records = (record_of(row) for row in events)
        first = next(records)
        _hour(found, sent.span, first.event_time_ms)["active"] += 1
        met: set[bool] = set()
        for one in tried(of, shopper, chain((first,), records)):
            hour = _hour(found, sent.span, one.at_ms)
            if one.is_held_out not in met:
                met.add(one.is_held_out)
                hour["kept_out" if one.is_held_out else "reached"] += 1
            hour["held_out" if one.is_held_out else "decisions"] += 1
            hour["promises"] += one.promises
            hour["cost_minor"] += one.cost_minor
    return [Hour(hour=hour, **counts) for hour, counts in sorted(found.items())]


def _hour(found: dict[int, Counter[str]], span: Span, at_ms: int) -> Counter[str]:
    return found.setdefault((at_ms - span.since_ms) // HOUR_MS, Counter())


def _replayed(encoded: bytes) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def replayed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        sent = msgspec.json.decode(encoded, type=Sent)
        hours = count(sent, (row for batch in batches for row in batch.to_pylist()))
        columns = [pa.array([hour[index] for hour in hours], pa.int64()) for index in range(len(Hour._fields))]
        yield pa.RecordBatch.from_arrays(columns, names=list(Hour._fields))

    return replayed


def _events(job: Job, span: Span) -> DataFrame:
    """Gives the events of the span; the day that they stand on is another clock's, so a day more on either side."""
    first, last = (from_unix_ms(at_ms).date() for at_ms in (span.since_ms - DAY_MS, span.until_ms + DAY_MS))
    since, until = (sf.timestamp_millis(sf.lit(at_ms)) for at_ms in (span.since_ms, span.until_ms))
    events = job.warehouse.table("events").where(sf.col("retailer_id") == job.retailer_id)
    return events.where(
        sf.col("day").between(sf.lit(first), sf.lit(last))
        & (sf.col("event_time") >= since)
        & (sf.col("event_time") < until)
        & sf.col("type").isin(*REPLAYED)
    )
