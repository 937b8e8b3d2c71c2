"""What was bought: `events` become `sold_products`, one row a line of a paid order, and `orders`. Pure.

An order counts once, however often and on however many days it was told: as the retailer's server told it first, by
event time; what anybody may have forged counts only where the server told nothing. Its rows stand on that event's day.
Events that tell of an order must be given together.
"""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as sf

LINE_MINOR_MAX: Final = 10**15
"""What a line comes to at most. 5,000 of them stay within 64 bits; a real line is ten million times smaller."""
_ORDER: Final = ("retailer_id", "order_id")
_EARLIER: Final = ("event_time", "received_at", "event_id")


def first_paid(events: DataFrame) -> DataFrame:
    """Gives the event that counts of each paid order."""
    told = Window.partitionBy(*_ORDER).orderBy(sf.col("verified").desc(), *_EARLIER)
    paid = events.where(sf.col("type") == "OrderPaid").withColumn("_turn", sf.row_number().over(told))
    return paid.where(sf.col("_turn") == 1).drop("_turn")


def sold_products(events: DataFrame) -> DataFrame:
    """Gives one row a line of a paid order.

    An order that cost less than its lines was discounted as a whole. Each line bears its share of that:
    share_i = floor(D * (a_1 + … + a_i) / S) - floor(D * (a_1 + … + a_(i-1)) / S), where a_i is unit price x quantity,
    S the sum of all a_i and D = max(0, S - total). So the shares sum to D, to the cent. Then
    amount_i = a_i - share_i and discount_i = max(0, regular price - unit price) x quantity + share_i.

    Args:
        events: as in the warehouse.

    Returns:
        `sold_products`; `amount_minor` sums to min(total, sum of the lines) over an order. A product without a known
        regular price has no discount of its own.
    """
    lines = first_paid(events).select(
        "retailer_id",
        "day",
        "order_id",
        "shopper_id",
        "event_id",
        "currency",
        "verified",
        "total_minor",
        sf.col("event_time").alias("paid_at"),
        sf.posexplode("lines").alias("line", "sold"),
    )
    lines = lines.withColumn("full_minor", _times(sf.col("sold.price_minor"), sf.col("sold.quantity")))
    of_order = Window.partitionBy(*_ORDER)
    so_far = of_order.orderBy("line").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    lines = lines.withColumn("sum_minor", sf.sum("full_minor").over(of_order)).withColumn(
        "through_minor", sf.sum("full_minor").over(so_far)
    )
    off = sf.greatest(sf.col("sum_minor") - sf.col("total_minor"), sf.lit(0))
    lines = lines.withColumn("off_minor", off).withColumn("share_minor", sf.expr(_SHARE))
    regular = sf.coalesce("sold.regular_price_minor", "sold.price_minor")
    below = sf.greatest(regular - sf.col("sold.price_minor"), sf.lit(0))
    return lines.select(
        "retailer_id",
        "day",
        "order_id",
        "shopper_id",
        "event_id",
        "line",
        sf.col("sold.product_id").alias("product_id"),
        sf.col("sold.category_id").alias("category_id"),
        sf.col("sold.brand").alias("brand"),
        sf.col("sold.quantity").alias("quantity"),
        sf.col("sold.price_minor").alias("price_minor"),
        sf.col("sold.regular_price_minor").alias("regular_price_minor"),
        (_times(below, sf.col("sold.quantity")) + sf.col("share_minor")).alias("discount_minor"),
        (sf.col("full_minor") - sf.col("share_minor")).alias("amount_minor"),
        "currency",
        "paid_at",
        "verified",
    )


def orders(events: DataFrame) -> DataFrame:
    """Gives one row a paid order, with its latest status and what was returned of it.

    A status without a paid order makes no row. `returned` without lines returns the whole order; the lines of several
    partial returns add up, never beyond what was bought.

    Args:
        events: as in the warehouse.

    Returns:
        `orders`; the status is `paid` until another one is told.
    """
    paid = first_paid(events).select(
        "retailer_id",
        "day",
        "order_id",
        "shopper_id",
        "event_id",
        sf.col("event_time").alias("paid_at"),
        "total_minor",
        "currency",
        sf.size("lines").alias("lines"),
        sf.expr("aggregate(lines, 0L, (sum, line) -> sum + line.quantity)").alias("quantity"),
        "verified",
        sf.col("lines").alias("bought"),
    )
    told = events.where(sf.col("type") == "OrderStatusChanged")
    latest = told.groupBy(*_ORDER).agg(
        sf.max_by(sf.struct("status", "event_time"), sf.struct(*_EARLIER)).alias("latest"),
        sf.bool_or((sf.col("status") == "returned") & (sf.size("lines") == 0)).alias("whole"),
    )
    found = paid.join(latest, on=list(_ORDER), how="left")
    returned = _returned(found, told)
    return found.join(returned, on=list(_ORDER), how="left").select(
        "retailer_id",
        "day",
        "order_id",
        "shopper_id",
        "event_id",
        "paid_at",
        "total_minor",
        "currency",
        "lines",
        "quantity",
        sf.coalesce("latest.status", sf.lit("paid")).alias("status"),
        sf.coalesce("latest.event_time", "paid_at").alias("status_at"),
        sf.coalesce("returned_lines", sf.expr(f"CAST(array() AS {_RETURNED})")).alias("returned_lines"),
        "verified",
    )


_RETURNED = "array<struct<product_id: string, quantity: int>>"
# Decimals of 38 digits hold the product of two 64-bit numbers; `div` gives a 64-bit one again.
_SHARE = (
    "CASE WHEN off_minor = 0 THEN 0L ELSE"
    " (CAST(off_minor AS DECIMAL(19)) * CAST(through_minor AS DECIMAL(19))) div sum_minor"
    " - (CAST(off_minor AS DECIMAL(19)) * CAST(through_minor - full_minor AS DECIMAL(19))) div sum_minor END"
)


def _times(price: Column, quantity: Column) -> Column:
    return sf.least(price * quantity, sf.lit(LINE_MINOR_MAX))


def _returned(found: DataFrame, told: DataFrame) -> DataFrame:
    """Gives the returned lines of each order that has some, by product."""
    bought = found.where(sf.col("latest").isNotNull()).select(*_ORDER, "whole", sf.explode("bought").alias("line"))
    bought = bought.groupBy(*_ORDER, sf.col("line.product_id").alias("product_id")).agg(
        sf.sum("line.quantity").alias("bought"), sf.bool_or("whole").alias("whole")
    )
    back = told.where(sf.col("status").isin("returned", "partially_returned"))
    back = back.select(*_ORDER, sf.explode("lines").alias("line"))
    back = back.groupBy(*_ORDER, sf.col("line.product_id").alias("product_id")).agg(
        sf.sum("line.quantity").alias("back")
    )
    both = bought.join(back, on=[*_ORDER, "product_id"], how="left")
    quantity = sf.when(sf.col("whole"), sf.col("bought")).otherwise(sf.least("bought", "back")).cast("int")
    lines = both.withColumn("quantity", quantity).where(sf.col("whole") | sf.col("back").isNotNull())
    return lines.groupBy(*_ORDER).agg(
        sf.sort_array(sf.collect_list(sf.struct("product_id", "quantity"))).alias("returned_lines")
    )
