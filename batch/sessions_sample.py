"""Sessions to learn from: the latest events of a bounded sample of shoppers, as the live fold takes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as sf

from batch.jobs import Job
from batch.learning import EVENT_DAYS, SESSION_EVENTS_MAX, SESSION_SHOPPERS_MAX, of_retailer
from batch.unflatten import FOLDED, record_of
from domain.records import Record


def sampled_sessions(job: Job) -> Iterator[list[Record]]:
    """Gives the records of one shopper after the other, each in the log's order; the driver holds one at a time."""
    rows = latest_events(of_retailer(job, "events").where(sf.col("day") > sf.date_sub(sf.lit(job.as_of), EVENT_DAYS)))
    for _, of_shopper in groupby(rows.toLocalIterator(), key=lambda row: row["shopper_id"]):
        yield [record_of(row.asDict(recursive=True)) for row in of_shopper]


def latest_events(
    events: DataFrame, shoppers_max: int = SESSION_SHOPPERS_MAX, events_max: int = SESSION_EVENTS_MAX
) -> DataFrame:
    """Gives the latest events of the shoppers with the smallest hashes, sorted by shopper and place in the log."""
    moves = events.where(sf.col("type").isin(*FOLDED))
    shoppers = moves.select("shopper_id").distinct().orderBy("shopper_id").limit(shoppers_max)
    place = ("log_epoch", "log_partition", "log_offset")
    newest = Window.partitionBy("shopper_id").orderBy(*(sf.col(name).desc() for name in place))
    return (
        moves.join(sf.broadcast(shoppers), on="shopper_id", how="left_semi")
        .withColumn("turn", sf.row_number().over(newest))
        .where(sf.col("turn") <= events_max)
        .drop("turn")
        .orderBy("shopper_id", *place)
    )
