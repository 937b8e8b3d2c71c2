"""Growing: a tree for every active shopper, where their histories are; from the models, to `grown_trees`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pandas as pd
from msgspec import Struct
from pyspark import StorageLevel
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as sf

from batch.baskets.predictor import Predictor
from batch.histories import histories
from batch.jobs import Job
from batch.journeys.basket_total import HISTORY_MAX, Order
from batch.learning import Known, known_of, of_retailer
from batch.model_store import Artefact, load
from batch.next_basket import at, windows
from batch.planting import Grown as GrownTree
from batch.planting import Learned, Shopper, nursery
from batch.proposable import proposable
from batch.samples import Items, day_number
from domain.errors import Refused

BATCH_SHOPPERS = 256
"""Shoppers that are predicted together: what a task holds at once."""
_PRODUCTS = "products array<struct<product_id: string, category_id: string, score: double>>"
_ROW = f"shopper_id string, {_PRODUCTS}, total_minor bigint, tree binary, nodes int, bytes int"
_STEPS = 4


class Grown(Struct, frozen=True, kw_only=True):
    """What was grown.

    Attributes:
        trees: of shoppers and the default one.
        nodes_mean: of a tree.
        bytes_mean, bytes_max: of a tree, encoded.
    """

    trees: int
    nodes_mean: float
    bytes_mean: float
    bytes_max: int


def grow(job: Job) -> Grown:
    """Grows a tree for each shopper with an order in the last `batch_active_days`, and the default tree.

    Raises:
        Refused: the run has no models.
        PortError: the warehouse can't be read or written.
    """
    job.report("grow", 0, _STEPS)
    learned = msgspec.msgpack.encode(_learned(job))
    job.report("grow", 1, _STEPS)
    trees = grown(_active(job), learned).persist(StorageLevel.DISK_ONLY)
    try:
        run = (sf.lit(job.retailer_id).alias("retailer_id"), sf.lit(job.run_id).alias("run_id"))
        schema = job.warehouse.schema
        predictions = trees.select(*run, "*").select(*schema("predictions").names)
        job.warehouse.replace_run("predictions", predictions, job.retailer_id, job.run_id)
        job.report("grow", 2, _STEPS)
        default = nursery(learned).default()
        own = trees.select("shopper_id", "tree", "nodes", "bytes")
        strangers = job.spark.createDataFrame(
            [(default.shopper_id, default.tree, default.nodes, default.bytes)], own.schema
        )
        everybody = own.unionByName(strangers).select(*run, "*").select(*schema("grown_trees").names)
        job.warehouse.replace_run("grown_trees", everybody, job.retailer_id, job.run_id)
        job.report("grow", 3, _STEPS)
        sizes = everybody.agg(
            sf.count(sf.lit(1)).alias("trees"),
            sf.avg("nodes").alias("nodes"),
            sf.avg("bytes").alias("bytes"),
            sf.max("bytes").alias("largest"),
        ).first()
        assert sizes is not None
    finally:
        trees.unpersist()
    job.metrics.trees.labels("grown").set(sizes["trees"])
    job.report("grow", _STEPS, _STEPS)
    return Grown(
        trees=sizes["trees"],
        nodes_mean=round(sizes["nodes"], 1),
        bytes_mean=round(sizes["bytes"], 1),
        bytes_max=sizes["largest"],
    )


def grown(shoppers: DataFrame, learned: bytes) -> DataFrame:
    """Gives a prediction and a tree for each shopper.

    Args:
        shoppers: shopper_id, baskets as in `batch.histories`, orders array<struct<paid_at, total_minor>>, oldest first.
        learned: an encoded `Learned`.
    """
    return shoppers.select("shopper_id", "baskets", "orders").mapInPandas(_planted(learned), schema=_ROW)


def _planted(learned: bytes) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def planted(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        growing = nursery(learned)
        for frame in frames:
            for start in range(0, len(frame), BATCH_SHOPPERS):
                part = frame.iloc[start : start + BATCH_SHOPPERS]
                shoppers = [
                    Shopper(shopper, baskets, _orders(orders))
                    for shopper, baskets, orders in zip(
                        part["shopper_id"], part["baskets"], part["orders"], strict=True
                    )
                ]
                rows = list(growing.grow(shoppers))
                yield pd.DataFrame({name: [getattr(row, name) for row in rows] for name in GrownTree._fields})

    return planted


def _orders(rows: Iterable[Mapping[str, Any]] | None) -> list[Order]:
    """Gives the orders of a row; a shopper without any has none rather than an empty list."""
    found = () if rows is None else rows
    return [Order(round(row["paid_at"].timestamp() * 1_000), int(row["total_minor"])) for row in found]


def _active(job: Job) -> DataFrame:
    """Gives the active shoppers' baskets and orders."""
    rows = histories(of_retailer(job, "sold_products"))
    first = sf.lit(job.as_of - timedelta(days=job.settings.batch_active_days))
    newest = Window.partitionBy("shopper_id").orderBy(sf.col("paid_at").desc(), sf.col("order_id").desc())
    paid = of_retailer(job, "orders").where("total_minor > 0").withColumn("turn", sf.row_number().over(newest))
    orders = (
        paid.where(sf.col("turn") <= HISTORY_MAX)
        .groupBy("shopper_id")
        .agg(sf.sort_array(sf.collect_list(sf.struct("paid_at", "total_minor"))).alias("orders"))
    )
    active = rows.where(sf.element_at("baskets", -1)["day"] > first)
    return active.join(orders, on="shopper_id", how="left").select("shopper_id", "baskets", "orders")


def _learned(job: Job) -> Learned:
    """Gives what the run learned, with what is bought now, as of the run's day."""
    made = load(job)
    for name in ("items", "next_basket", "shop", "rules"):
        if name not in made:
            raise Refused(f"run {job.run_id} has no model {name}: its shoppers have too few baskets to learn from")
    items = msgspec.json.decode(made["items"].blob, type=Items)
    known = known_of(job, items)
    return Learned(
        as_of=job.as_of,
        items=made["items"].blob,
        predictor=_current(made["next_basket"], known, job),
        shop=made["shop"].blob,
        rules=made["rules"].blob,
        total=made["basket_total"].blob if "basket_total" in made else None,
        campaigns=proposable(job.retailer, job.catalogue, job.campaigns, time.time_ns() // 1_000_000),
    )


def _current(ranker: Artefact, known: Known, job: Job) -> bytes:
    ends = day_number(job.as_of) + 1
    within = windows(known.sample.histories, ends)
    predictor = Predictor.from_bytes(ranker.blob)
    if within is not None:
        predictor = at(predictor, known.sample.histories, ends, within.span)
    return predictor.to_bytes()
