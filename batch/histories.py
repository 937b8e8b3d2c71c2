"""What each shopper bought, basket by basket: `sold_products` become what training and growing read. Pure."""

from __future__ import annotations

from typing import Final

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as sf

BASKETS_MAX: Final = 100
"""Baskets of one shopper, the latest: what a row may grow to, and two years of weekly shopping."""
_SHOPPER: Final = ("retailer_id", "shopper_id")


def histories(sold_products: DataFrame) -> DataFrame:
    """Gives one row a shopper with their last `BASKETS_MAX` baskets.

    Args:
        sold_products: as in the warehouse.

    Returns:
        retailer_id, shopper_id, baskets array<struct<day date, order_id string, products array<string>>>, oldest first
        by time paid, then order id; a basket's products are distinct, in the order of its lines.
    """
    lines = sf.sort_array(sf.collect_list(sf.struct("line", "product_id")))
    baskets = sold_products.groupBy(*_SHOPPER, "order_id", "day", "paid_at").agg(lines.alias("lines"))
    newest = Window.partitionBy(*_SHOPPER).orderBy(sf.col("paid_at").desc(), sf.col("order_id").desc())
    kept = baskets.withColumn("turn", sf.row_number().over(newest)).where(sf.col("turn") <= BASKETS_MAX)
    basket = sf.struct("paid_at", "order_id", "day", sf.array_distinct("lines.product_id").alias("products"))
    of_shopper = kept.groupBy(*_SHOPPER).agg(sf.sort_array(sf.collect_list(basket)).alias("sorted"))
    return of_shopper.select(
        *_SHOPPER,
        sf.transform(
            "sorted", lambda one: sf.struct(one["day"].alias("day"), one["order_id"].alias("order_id"),
                                            one["products"].alias("products"))
        ).alias("baskets"),
    )  # fmt: skip
