"""What goes together in a shop, counted by Spark over everybody's baskets; from the warehouse, to the shop's plan.

The counts are bounded by the catalogue, never by shoppers or orders, so the driver may hold them.
"""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as sf

from batch.journeys.complements import LINES_MAX, TOGETHER_MIN, Counts
from batch.journeys.plan import NO_CATEGORY

PER_CATEGORY_MAX = 200
"""Products kept of each category's companions, those seen together most often."""
PRODUCTS_MAX = 20_000


def shop_counts(sold: DataFrame) -> Counts:
    """Counts a retailer's `sold_products`, as `complements.counted` counts baskets that are at hand.

    Costs the lines times the categories of a basket, of baskets of at most 80 products.
    """
    lines = basket_lines(sold).persist()
    try:
        total = lines.agg(sf.countDistinct("order_id").alias("baskets"), sf.count(sf.lit(1)).alias("lines")).first()
        assert total is not None
        products = product_counts(lines).orderBy(sf.col("baskets").desc(), "product_id").limit(PRODUCTS_MAX).collect()
        categories = {row["category_id"]: row["baskets"] for row in category_counts(lines).collect()}
        known = {row["product_id"]: row["baskets"] for row in products}
        together = {
            (row["category_id"], row["product_id"]): row["baskets"]
            for row in together_counts(lines).collect()
            if row["product_id"] in known
        }
    finally:
        lines.unpersist()
    return Counts(
        baskets=total["baskets"],
        lines=total["lines"],
        products=known,
        categories=categories,
        category_of={row["product_id"]: row["category_id"] for row in products},
        together=together,
    )


def basket_lines(sold: DataFrame) -> DataFrame:
    """Gives each product of each order once: order_id, product_id, category_id (`NO_CATEGORY` where unknown)."""
    return (
        sold.where("product_id is not null and order_id is not null")
        .groupBy("order_id", "product_id")
        .agg(sf.coalesce(sf.max("category_id"), sf.lit(NO_CATEGORY)).alias("category_id"))
        .select("order_id", "product_id", "category_id")
    )


def product_counts(lines: DataFrame) -> DataFrame:
    """Gives product_id, its category_id (of several the last by name), baskets with it."""
    return lines.groupBy("product_id").agg(
        sf.max("category_id").alias("category_id"), sf.count(sf.lit(1)).alias("baskets")
    )


def category_counts(lines: DataFrame) -> DataFrame:
    """Gives category_id, baskets with it."""
    return lines.groupBy("category_id").agg(sf.countDistinct("order_id").alias("baskets"))


def together_counts(lines: DataFrame) -> DataFrame:
    """Gives category_id, product_id of another category, baskets with both; the most frequent of each category."""
    small = lines.groupBy("order_id").agg(sf.count(sf.lit(1)).alias("size")).where(sf.col("size") <= LINES_MAX)
    usable = lines.join(small.select("order_id"), on="order_id", how="left_semi")
    here = usable.select("order_id", sf.col("category_id").alias("beside")).distinct()
    pairs = (
        usable.join(here, on="order_id", how="inner")
        .where("category_id != beside")
        .groupBy("beside", "product_id")
        .agg(sf.count(sf.lit(1)).alias("baskets"))
        .where(sf.col("baskets") >= TOGETHER_MIN)
    )
    most = Window.partitionBy("beside").orderBy(sf.col("baskets").desc(), "product_id")
    return (
        pairs.withColumn("place", sf.row_number().over(most))
        .where(sf.col("place") <= PER_CATEGORY_MAX)
        .select(sf.col("beside").alias("category_id"), "product_id", "baskets")
    )
