"""What became of each experience: `decisions` and `events` become `experiences`. Pure.

decided → held out or shown → clicked → dismissed or withdrawn → bought: whether the shopper's next order holds a
product that the experience was about. Each has one fate, so decided = held out + shown + withdrawn + replaced unseen +
unseen to its end.
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
_DECISION: Final = (*_EXPERIENCE, "action")
"""One event may hold out a campaign and tell an open basket tension again in the same slot, under one id."""


def experiences(decisions: DataFrame, events: DataFrame) -> DataFrame:
    """Gives one row an experience that was decided, emitted or held out, on the day on which it was decided.

    Args:
        decisions: as in the warehouse; for the experiences of a day, with those of `WITHIN_DAYS` days after.
        events: likewise, with those of the day before too: a client's clock may be slow.

    Returns:
        `experiences`; `order_id` is the shopper's next paid order, None where there is none within `WITHIN_DAYS` days;
        `bought_products` are those of `products` that it holds, sorted, with their quantity and amount paid. `fate` is
        the first that is true: `held_out`; `shown`, as the page told, or clicked or dismissed; `withdrawn`; `replaced`
        by a later one in its slot before its end; else `unseen`: expired so once `expires_at` is past.
    """
    decided = decisions.where(sf.col("action").isin("emitted", "held_out"))
    withdrawn = decisions.where(sf.col("action") == "withdrawn").groupBy(*_EXPERIENCE)
    answers = events.where(sf.col("experience_id").isNotNull()).groupBy(*_EXPERIENCE)
    answered = answers.agg(
        _first("ExperienceShown").alias("shown_at"),
        _first("ExperienceClicked").alias("clicked_at"),
        _first("ExperienceDismissed").alias("dismissed_at"),
    )
    sold = sold_products(events)
    found = (
        _with_next_order(_with_next_in_slot(decided), sold)
        .join(withdrawn.agg(sf.min("received_at").alias("withdrawn_at")), on=list(_EXPERIENCE), how="left")
        .join(answered, on=list(_EXPERIENCE), how="left")
        .withColumn("held_out", sf.col("action") == "held_out")
    )
    for told in ("shown_at", "clicked_at", "dismissed_at", "withdrawn_at"):
        found = found.withColumn(told, sf.when(~sf.col("held_out"), sf.col(told)))
    return found.join(_bought(found, sold), on=list(_DECISION), how="left").select(
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
        "held_out",
        "replaced_at",
        _fate().alias("fate"),
    )


def _fate() -> Column:
    seen = sf.coalesce("shown_at", "clicked_at", "dismissed_at").isNotNull()
    return (
        sf.when(sf.col("held_out"), "held_out")
        .when(seen, "shown")
        .when(sf.col("withdrawn_at").isNotNull(), "withdrawn")
        .when(sf.col("replaced_at").isNotNull(), "replaced")
        .otherwise("unseen")
    )


def _with_next_in_slot(decided: DataFrame) -> DataFrame:
    """Gives each experience with when a later one took its place, None where none did before its end.

    What is held out takes no place.
    """
    in_slot = Window.partitionBy(*_SHOPPER, "action", "slot").orderBy("log_epoch", "log_offset")
    next_at = sf.lead("decided_at").over(in_slot)
    ends_at = sf.least(sf.col("expires_at"), sf.col("decided_at") + sf.expr(f"INTERVAL {WITHIN_DAYS} DAYS"))
    is_replaced = (sf.col("action") == "emitted") & (sf.col("next_at") < ends_at)
    found = decided.withColumn("next_at", next_at)
    return found.withColumn("replaced_at", sf.when(is_replaced, sf.col("next_at"))).drop("next_at")


def _first(kind: str) -> Column:
    return sf.min(sf.when(sf.col("type") == kind, sf.col("event_time")))


def _with_next_order(decided: DataFrame, sold: DataFrame) -> DataFrame:
    """Gives each experience with the shopper's first order at or after its decision.

    Both stand in one line by time and each looks ahead: a join by time ranges would pair a busy shopper's every
    experience with every order.
    """
    orders = sold.groupBy(*_SHOPPER, "order_id").agg(sf.min("paid_at").alias("at"))
    moments = decided.withColumn("at", sf.col("decided_at")).unionByName(
        orders.withColumn("action", sf.lit("ordered")), allowMissingColumns=True
    )
    ordered = sf.when(sf.col("action") == "ordered", sf.struct("order_id", sf.col("at").alias("ordered_at")))
    # Backwards, and at one moment the order first: what was decided then may still have led to it.
    later = Window.partitionBy(*_SHOPPER).orderBy(
        sf.col("at").desc(), sf.col("action").desc(), sf.col("order_id").desc(), "experience_id"
    )
    upcoming = sf.last(ordered, ignorenulls=True).over(later.rowsBetween(Window.unboundedPreceding, Window.currentRow))
    found = moments.withColumn("upcoming", upcoming).where(sf.col("action") != "ordered").drop("order_id")
    in_time = sf.col("upcoming.ordered_at") <= sf.col("decided_at") + sf.expr(f"INTERVAL {WITHIN_DAYS} DAYS")
    return found.withColumn("order_id", sf.when(in_time, sf.col("upcoming.order_id"))).withColumn(
        "ordered_at", sf.when(in_time, sf.col("upcoming.ordered_at"))
    )


def _bought(found: DataFrame, sold: DataFrame) -> DataFrame:
    """Gives what each experience's order holds of its products."""
    about = found.where(sf.col("order_id").isNotNull()).select(
        *_DECISION, "order_id", sf.explode(sf.array_distinct("products")).alias("product_id")
    )
    lines = sold.groupBy(*_SHOPPER, "order_id", "product_id").agg(
        sf.sum("quantity").alias("quantity"), sf.sum("amount_minor").alias("amount_minor")
    )
    both = about.join(lines, on=[*_SHOPPER, "order_id", "product_id"], how="inner")
    return both.groupBy(*_DECISION).agg(
        sf.sort_array(sf.collect_list("product_id")).alias("bought_products"),
        sf.sum("quantity").alias("bought_quantity"),
        sf.sum("amount_minor").alias("bought_minor"),
    )
