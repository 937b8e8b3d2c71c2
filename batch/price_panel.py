"""Prices and quantities by product, week and half of the orders: what econometrics reads, added up by Spark.

`batch.econometrics.panel` says what each column is; this is the same sum over what no single machine holds.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from batch.econometrics.panel import AMOUNT_MINOR_MAX, COLUMNS, KEY, PROMOTED_BELOW, empty_panel

_MONDAY = "1970-01-05"


def panel(sold: DataFrame) -> pd.DataFrame:
    """Gives the panel of a retailer's `sold_products` of one currency; as many rows as products times weeks, at most.

    The warehouse knows no stores: `store_id` is ''.
    """
    lines = believable(sold)
    baskets = lines.groupBy("store_id", "week", "half").agg(sf.countDistinct("order_id").alias("baskets"))
    summed = lines.groupBy(*KEY).agg(
        sf.count(sf.lit(1)).alias("lines"),
        sf.sum("quantity").alias("quantity"),
        sf.sum("amount_minor").alias("amount_minor"),
        sf.sum("regular_minor").alias("regular_minor"),
        sf.sum(sf.col("known").cast("int")).alias("regular_lines"),
        sf.sum(sf.col("promoted").cast("int")).alias("promotion_lines"),
    )
    rows: Any = summed.join(baskets, on=["store_id", "week", "half"], how="left").select(*COLUMNS).toPandas()
    if rows.empty:
        return empty_panel()
    return rows.astype(COLUMNS).sort_values(KEY, kind="stable", ignore_index=True)


def believable(sold: DataFrame) -> DataFrame:
    """Gives the lines that count, with their week, half, regular amount and whether they were promoted."""
    whole = sold.where(
        "product_id is not null and order_id is not null and day is not null and quantity > 0 and amount_minor > 0"
    ).where(sf.col("amount_minor") <= AMOUNT_MINOR_MAX)
    quantity, amount = sf.col("quantity").cast("double"), sf.col("amount_minor").cast("double")
    regular_price = sf.col("regular_price_minor")
    known = sf.coalesce((regular_price > 0) & (regular_price <= AMOUNT_MINOR_MAX), sf.lit(False))
    regular = sf.greatest(sf.when(known, quantity * regular_price).otherwise(0.0), amount)
    return whole.select(
        sf.coalesce("category_id", sf.lit("")).alias("category_id"),
        "product_id",
        sf.lit("").alias("store_id"),
        sf.floor(sf.date_diff(sf.col("day"), sf.lit(_MONDAY).cast("date")) / 7).alias("week"),
        (sf.crc32(sf.col("order_id").cast("binary")) % 2).alias("half"),
        "order_id",
        quantity.alias("quantity"),
        amount.alias("amount_minor"),
        regular.alias("regular_minor"),
        known.alias("known"),
        (amount < regular * PROMOTED_BELOW).alias("promoted"),
    )
