"""What each shopper of a campaign spent and bought after entering it: the warehouse's tables become rows. Pure.

A shopper enters a campaign when it first wins a slot for them, shown or held out; what happened afterwards chooses
nobody. Only what the retailer's server told counts: anybody can forge a browser's order, or its return.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.window import Window

from domain.campaigns import Campaign
from domain.ports.retailers import CatalogueItem

BEFORE_DAYS: Final = 28
"""Before entering, whose spend is set against what was spent after."""
_SHOPPER: Final = ("campaign_id", "shopper_id")
_BACK: Final = ("cancelled", "returned", "partially_returned")


class Promoted(NamedTuple):
    """What campaigns promote.

    Attributes:
        campaigns: campaign_id, is_open: it names neither products nor categories.
        products: campaign_id, product_id, is_product (true), of those that are named, categories resolved.
        categories: campaign_id, category_id, is_category (true), of those that are named.
    """

    campaigns: DataFrame
    products: DataFrame
    categories: DataFrame


def promoted(spark: SparkSession, campaigns: Sequence[Campaign], catalogue: Iterable[CatalogueItem]) -> Promoted:
    """Gives what campaigns promote, as they are defined now.

    Args:
        spark: the session.
        campaigns: of one retailer.
        catalogue: the retailer's, in which products of a category are looked up; an order's own category counts too.
    """
    by_category: dict[str, list[str]] = {}
    for item in catalogue:
        by_category.setdefault(item.category_id, []).append(item.product_id)
    heads, products, categories = [], [], []
    for campaign in campaigns:
        campaign_id, definition = campaign.campaign_id, campaign.definition
        heads.append((campaign_id, not (definition.products or definition.category_ids)))
        named = {*definition.products, *(p for one in definition.category_ids for p in by_category.get(one, ()))}
        products += [(campaign_id, product_id, True) for product_id in sorted(named)]
        categories += [(campaign_id, category_id, True) for category_id in definition.category_ids]
    return Promoted(
        spark.createDataFrame(heads, "campaign_id string, is_open boolean"),
        spark.createDataFrame(products, "campaign_id string, product_id string, is_product boolean"),
        spark.createDataFrame(categories, "campaign_id string, category_id string, is_category boolean"),
    )


def entered(exposures: DataFrame) -> DataFrame:
    """Gives one row a campaign and shopper: how the campaign first won a slot for them.

    Args:
        exposures: `campaign_exposures` of one retailer.

    Returns:
        campaign_id, shopper_id, entered_at, held_out, products (of that first experience).
    """
    first = sf.min_by(
        sf.struct("decided_at", "held_out", "products"), sf.struct("decided_at", "received_at", "experience_id")
    )
    found = exposures.groupBy(*_SHOPPER).agg(first.alias("first"))
    return found.select(*_SHOPPER, sf.col("first.decided_at").alias("entered_at"), "first.held_out", "first.products")


def purchases(orders: DataFrame, sold: DataFrame, events: DataFrame, currency: str) -> DataFrame:
    """Gives what was bought, and what came back, each as a change at a moment: sums up to a moment are what was kept.

    A cancelled order comes back whole, and so does one that is `returned` without lines. Returned lines bear their
    share of what the order's lines of that product cost; together they are never more than was bought. What an order
    cost beyond its lines, delivery say, comes back with the whole order alone.

    Args:
        orders: of one retailer.
        sold: `sold_products`, of the same orders.
        events: of the same retailer, with every status told of them.
        currency: that counts; orders in another one are left out.

    Returns:
        buyer, paid_at (of the order), at (of the change), product_id and category_id (None: beyond the lines),
        quantity, amount in minor units.
    """
    counted = sf.col("verified") & (sf.col("currency") == currency)
    paid = orders.where(counted).select("order_id", sf.col("shopper_id").alias("buyer"), "paid_at", "total_minor")
    lines = _lines(paid, sold.where(counted))
    back = _back(lines, events.where(sf.col("verified") & (sf.col("type") == "OrderStatusChanged")))
    columns = ("buyer", "paid_at", "at", "product_id", "category_id", "quantity", "amount")
    return lines.withColumn("at", sf.col("paid_at")).select(*columns).unionByName(back.select(*columns))


def measured(shoppers: DataFrame, bought: DataFrame, of: Promoted, window_days: int) -> DataFrame:
    """Gives what each shopper did in the window after entering, and what they spent before.

    Args:
        shoppers: as `entered` gives them.
        bought: as `purchases` gives it, of at least `BEFORE_DAYS` before the first one entered and of every window.
        of: what the campaigns promote; those of others are left out.
        window_days: after entering, in which orders count, less what came back of them in the window.

    Returns:
        campaign_id, shopper_id, held_out, spend_minor (bigint), spend_before_minor (bigint: of the `BEFORE_DAYS` up to
        entering, less what had come back by then), converted: a promoted product was bought in the window and kept to
        its end. A campaign that names none promotes those of the shopper's first experience, and where that is about
        none, any.
    """
    opened = shoppers.join(sf.broadcast(of.campaigns), on="campaign_id", how="inner")
    is_after = sf.col("paid_at") > sf.col("entered_at")
    ends_at = sf.when(is_after, _later("entered_at", window_days)).otherwise(sf.col("entered_at"))
    in_time = (
        (sf.col("buyer") == sf.col("shopper_id"))
        & (sf.col("paid_at") > _later("entered_at", -BEFORE_DAYS))
        & (sf.col("paid_at") <= _later("entered_at", window_days))
        & (sf.col("at") <= ends_at)
    )
    both = (
        opened.join(bought, on=in_time, how="left")
        .join(sf.broadcast(of.products), on=["campaign_id", "product_id"], how="left")
        .join(sf.broadcast(of.categories), on=["campaign_id", "category_id"], how="left")
        .withColumn("is_after", is_after)
    )
    after, before = _sum("amount", sf.col("is_after")), _sum("amount", ~sf.col("is_after"))
    return both.groupBy(*_SHOPPER, "held_out").agg(
        sf.round(after).cast("bigint").alias("spend_minor"),
        sf.round(before).cast("bigint").alias("spend_before_minor"),
        # Of no order less than nothing is kept, so the sum is above 0 where one product of one order is.
        (_sum("quantity", sf.col("is_after") & _is_promoted()) > 0).alias("converted"),
    )


def _later(moment: str, days: int) -> Column:
    """Gives a moment so many times 24 hours later."""
    return sf.col(moment) + sf.expr(f"INTERVAL {days * 24} HOURS")


def _sum(amount: str, where: Column) -> Column:
    return sf.coalesce(sf.sum(sf.when(where, sf.col(amount))), sf.lit(0))


def _is_promoted() -> Column:
    of_experience = (sf.size("products") == 0) | sf.array_contains("products", sf.col("product_id"))
    shown = sf.col("products").isNull() | of_experience
    return (
        sf.coalesce("is_product", sf.lit(False))
        | sf.coalesce("is_category", sf.lit(False))
        | (sf.col("is_open") & sf.col("product_id").isNotNull() & sf.coalesce(shown, sf.lit(False)))
    )


def _lines(paid: DataFrame, sold: DataFrame) -> DataFrame:
    """Gives each order by product, and what it cost beyond its lines as a line without product."""
    by_product = sold.groupBy("order_id", "product_id").agg(
        sf.max("category_id").alias("category_id"),
        sf.sum("quantity").cast("double").alias("quantity"),
        sf.sum(sf.col("amount_minor").cast("double")).alias("amount"),
    )
    of_lines = sold.groupBy("order_id").agg(sf.sum(sf.col("amount_minor").cast("double")).alias("of_lines"))
    beyond = sf.col("total_minor") - sf.coalesce("of_lines", sf.lit(0))
    nothing = sf.lit(None).cast("string")
    rest = paid.join(of_lines, on="order_id", how="left").select(
        "order_id",
        "buyer",
        "paid_at",
        nothing.alias("product_id"),
        nothing.alias("category_id"),
        sf.lit(1.0).alias("quantity"),
        sf.greatest(beyond, sf.lit(0)).cast("double").alias("amount"),
    )
    products = paid.select("order_id", "buyer", "paid_at").join(by_product, on="order_id", how="inner")
    return products.unionByName(rest.where(sf.col("amount") > 0))


def _back(lines: DataFrame, statuses: DataFrame) -> DataFrame:
    """Gives the changes by what came back: of each line, in the order in which it was told, no more than was bought."""
    told = statuses.where(sf.col("status").isin(*_BACK)).select(
        "order_id", "event_id", sf.col("event_time").alias("at"), "status", "lines"
    )
    is_whole = (sf.col("status") == "cancelled") | ((sf.col("status") == "returned") & (sf.size("lines") == 0))
    whole = lines.join(told.where(is_whole).select("order_id", "event_id", "at"), on="order_id", how="inner")
    parts = (
        told.where(~is_whole)
        .select("order_id", "event_id", "at", sf.explode("lines").alias("line"))
        .groupBy("order_id", "event_id", "at", sf.col("line.product_id").alias("product_id"))
        .agg(sf.sum("line.quantity").cast("double").alias("told"))
    )
    some = lines.join(parts, on=["order_id", "product_id"], how="inner")
    everything = whole.withColumn("told", sf.col("quantity")).unionByName(some)
    in_time = Window.partitionBy("order_id", "product_id").orderBy("at", "event_id")
    through = sf.sum("told").over(in_time)
    found = everything.withColumn("through", through).withColumn(
        "gone", sf.least("through", "quantity") - sf.least(sf.col("through") - sf.col("told"), sf.col("quantity"))
    )
    return found.withColumn("amount", -sf.col("amount") * sf.col("gone") / sf.col("quantity")).withColumn(
        "quantity", -sf.col("gone")
    )
