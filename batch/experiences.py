"""What became of each experience: `decisions` and `events` become `experiences`. Pure.

decided → shown → clicked → dismissed or withdrawn → bought: whether the shopper's next order holds a product that the
experience was about.
"""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as sf

from batch.orders import sold_products

WITHIN_DAYS: Final = 7
"""Answers and orders later than this after the decision are nobody's doing."""
_SHOPPER: Final = ("retailer_id", "shopper_id")
_EXPERIENCE: Final = (*_SHOPPER, "experience_id")


def experiences(decisions: DataFrame, events: DataFrame) -> DataFrame:
    """Gives one row an emitted experience, on the day on which it was decided.

    Args:
        decisions: as in the warehouse; for the experiences of a day, with those of `WITHIN_DAYS` days after.
        events: likewise, with those of the day before too: a client's clock may be slow.

    Returns:
        `experiences`; `order_id` is the shopper's next paid order, None where there is none within `WITHIN_DAYS` days;
        `bought_products` are those of `products` that it holds, sorted, with their quantity and amount paid.
    """
    emitted = decisions.where(sf.col("action") == "emitted")
    withdrawn = decisions.where(sf.col("action") == "withdrawn").groupBy(*_EXPERIENCE)
    answers = events.where(sf.col("experience_id").isNotNull()).groupBy(*_EXPERIENCE)
    answered = answers.agg(
        _first("ExperienceShown").alias("shown_at"),
        _first("ExperienceClicked").alias("clicked_at"),
        _first("ExperienceDismissed").alias("dismissed_at"),
    )
    sold = sold_products(events)
    found = (
        _with_next_order(emitted, sold)
        .join(withdrawn.agg(sf.min("received_at").alias("withdrawn_at")), on=list(_EXPERIENCE), how="left")
        .join(answered, on=list(_EXPERIENCE), how="left")
    )
    return found.join(_bought(found, sold), on=list(_EXPERIENCE), how="left").select(
        "retailer_id",
        "day",
        "experience_id",
        "shopper_id",
        "trigger_event_id",
        "kind",
        "slot",
        "generation",
        "node_id",
        "campaign_id",
        "products",
        "content",
        "decided_at",
        "expires_at",
        "shown_at",
        "clicked_at",
        "dismissed_at",
        "withdrawn_at",
        "order_id",
        "ordered_at",
        sf.coalesce("bought_products", sf.expr("CAST(array() AS array<string>)")).alias("bought_products"),
        sf.coalesce("bought_quantity", sf.lit(0)).cast("bigint").alias("bought_quantity"),
        sf.coalesce("bought_minor", sf.lit(0)).cast("bigint").alias("bought_minor"),
    )


def _first(kind: str) -> Column:
    return sf.min(sf.when(sf.col("type") == kind, sf.col("event_time")))


def _with_next_order(emitted: DataFrame, sold: DataFrame) -> DataFrame:
    """Gives each experience with the shopper's first order at or after its decision.

    Both stand in one line by time and each looks ahead: a join by time ranges would pair a busy shopper's every
    experience with every order.
    """
    orders = sold.groupBy(*_SHOPPER, "order_id").agg(sf.min("paid_at").alias("at"))
    moments = emitted.withColumn("at", sf.col("decided_at")).unionByName(
        orders.withColumn("action", sf.lit("ordered")), allowMissingColumns=True
    )
    ordered = sf.when(sf.col("action") == "ordered", sf.struct("order_id", sf.col("at").alias("ordered_at")))
    # Backwards, and at one moment the order first: what was decided then may still have led to it.
    later = Window.partitionBy(*_SHOPPER).orderBy(
        sf.col("at").desc(), sf.col("action").desc(), sf.col("order_id").desc(), "experience_id"
    )
    upcoming = sf.last(ordered, ignorenulls=True).over(later.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    found = moments.withColumn("upcoming", upcoming).where(sf.col("action") == "emitted").drop("order_id")
    in_time = sf.col("upcoming.ordered_at") <= sf.col("decided_at") + sf.expr(f"INTERVAL {WITHIN_DAYS} DAYS")
    return found.withColumn("order_id", sf.when(in_time, sf.col("upcoming.order_id"))).withColumn(
        "ordered_at", sf.when(in_time, sf.col("upcoming.ordered_at"))
    )


def _bought(found: DataFrame, sold: DataFrame) -> DataFrame:
    """Gives what each experience's order holds of its products."""
    about = found.where(sf.col("order_id").isNotNull()).select(
        *_EXPERIENCE, "order_id", sf.explode(sf.array_distinct("products")).alias("product_id")
    )
    lines = sold.groupBy(*_SHOPPER, "order_id", "product_id").agg(
        sf.sum("quantity").alias("quantity"), sf.sum("amount_minor").alias("amount_minor")
    )
    both = about.join(lines, on=[*_SHOPPER, "order_id", "product_id"], how="inner")
    return both.groupBy(*_EXPERIENCE).agg(
        sf.sort_array(sf.collect_list("product_id")).alias("bought_products"),
        sf.sum("quantity").alias("bought_quantity"),
        sf.sum("amount_minor").alias("bought_minor"),
    )
