"""Visits to the shop: `events` become `sessions`. Pure.

The rule is the live fold's (`domain.fold`): 30 minutes without an event from outside, in event time, end a session.
What the fold sees in the order of the log is seen here in the order of event time, so the two differ where an event
came late (the fold counts it to the session that was going on when it came), where an id came again after 128 others
(the fold counts it again), and where a session is longer than two midnights (it is cut at the second).
"""

from __future__ import annotations

from typing import Final, get_args

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as sf

from domain.events import InsideEvent
from domain.shopper import SESSION_GAP_MS

PAID_MINOR_MAX: Final = 10**18
INSIDE: Final = tuple(kind.__name__ for kind in get_args(InsideEvent))
"""Types of a worker's timers: no activity of the shopper's."""
_SHOPPER: Final = ("retailer_id", "shopper_id")


def sessions(events: DataFrame) -> DataFrame:
    """Gives one row a session; it stands on the day of its first event.

    Args:
        events: as in the warehouse; for the sessions of a day, with those of the day before and the day after.

    Returns:
        `sessions`; times in event time, `events` those from outside, `paid_minor` what its orders came to.
    """
    in_time = Window.partitionBy(*_SHOPPER).orderBy("event_time", "received_at", "log_epoch", "log_offset", "event_id")
    outside = events.where(~sf.col("type").isin(*INSIDE)).select(
        *_SHOPPER, "day", "event_id", "type", "event_time", "received_at", "log_epoch", "log_offset", "total_minor"
    )
    gap_ms = sf.unix_millis("event_time") - sf.unix_millis(sf.lag("event_time").over(in_time))
    starts = sf.coalesce(gap_ms >= SESSION_GAP_MS, sf.lit(True)).cast("int")
    numbered = outside.withColumn("starts", starts).withColumn("number", sf.sum("starts").over(in_time))
    return (
        numbered.groupBy(*_SHOPPER, "number")
        .agg(
            sf.min_by("day", sf.struct("event_time", "received_at", "log_epoch", "log_offset", "event_id")).alias(
                "day"
            ),
            sf.min("event_time").alias("started_at"),
            sf.max("event_time").alias("ended_at"),
            sf.count(sf.lit(1)).alias("events"),
            _count("PageViewed").alias("page_views"),
            _count("ProductsSearched").alias("searches"),
            _count("AddedToBasket").alias("added"),
            _count("RemovedFromBasket").alias("removed"),
            _count("OrderPaid").alias("orders"),
            # A shopper whose every event is an order of the largest amount would leave 64 bits.
            sf.coalesce(sf.sum(sf.col("total_minor").cast("decimal(38,0)")), sf.lit(0)).alias("paid"),
        )
        .select(
            "retailer_id",
            "day",
            "shopper_id",
            "started_at",
            "ended_at",
            "events",
            "page_views",
            "searches",
            "added",
            "removed",
            "orders",
            sf.least("paid", sf.lit(PAID_MINOR_MAX)).cast("bigint").alias("paid_minor"),
        )
    )


def _count(kind: str) -> Column:
    return sf.count_if(sf.col("type") == kind)
