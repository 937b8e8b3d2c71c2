"""Histories between Spark and the models: DataFrame rows to flat arrays, on executors as on the driver.

What the driver holds is bounded: a sample of shoppers chosen by hash, and the most bought products.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from msgspec import Struct
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as sf

from batch.baskets.histories import Histories, from_lists
from batch.journeys.basket_total import HISTORY_MAX, Order
from batch.journeys.plan import NO_CATEGORY

ITEMS_MAX = 20_000
"""Products that the next-basket model knows, the most bought of the last year; the others are never predicted."""
ITEMS_DAYS = 365
_EPOCH = date(1970, 1, 1)
_ID_DIGITS = 15
"""Hexadecimal digits of a hash that tell shoppers apart in flat arrays: 60 bits."""


class Items(Struct, frozen=True, kw_only=True):
    """The products that a model knows, in the order of its item numbers.

    Attributes:
        product_ids: ascending.
        category_ids: of each, `NO_CATEGORY` where unknown.
    """

    product_ids: tuple[str, ...]
    category_ids: tuple[str, ...]

    def index(self) -> dict[str, int]:
        """Gives item numbers by product id."""
        return {product_id: number for number, product_id in enumerate(self.product_ids)}


class Sample(NamedTuple):
    """Histories of a bounded number of shoppers.

    Attributes:
        shoppers: hashes, ascending.
        histories: of these, with days since 1970-01-01.
        orders: by shopper, in time, the latest 200.
    """

    shoppers: tuple[str, ...]
    histories: Histories
    orders: tuple[tuple[Order, ...], ...]


def items_of(sold: DataFrame, as_of: date, most: int = ITEMS_MAX) -> Items:
    """Gives the most bought products of the year before `as_of`; bounded, so the driver may hold them."""
    recent = sold.where(sf.col("day") > sf.date_sub(sf.lit(as_of), ITEMS_DAYS)).where("product_id is not null")
    rows = (
        recent.groupBy("product_id")
        .agg(sf.count("*").alias("lines"), sf.max(sf.coalesce("category_id", sf.lit(NO_CATEGORY))).alias("category_id"))
        .orderBy(sf.col("lines").desc(), "product_id")
        .limit(most)
        .collect()
    )
    found = sorted((row["product_id"], row["category_id"]) for row in rows)
    return Items(
        product_ids=tuple(product for product, _ in found), category_ids=tuple(category for _, category in found)
    )


def sample(histories: DataFrame, orders: DataFrame, items: Items, shoppers_max: int) -> Sample:
    """Collects the histories of at most `shoppers_max` shoppers: those with the smallest hashes, which are as random.

    Args:
        histories: see `batch.histories`.
        orders: the warehouse's `orders` of the same retailer and days.
        items: what the model knows.
        shoppers_max: bound of what the driver holds.
    """
    chosen = histories.orderBy("shopper_id").limit(shoppers_max)
    rows = [(row["shopper_id"], row["baskets"]) for row in chosen.select("shopper_id", "baskets").collect()]
    paid = orders.join(chosen.select("shopper_id"), on="shopper_id", how="left_semi").where("total_minor > 0")
    newest = Window.partitionBy("shopper_id").orderBy(sf.col("paid_at").desc(), sf.col("order_id").desc())
    kept = paid.withColumn("turn", sf.row_number().over(newest)).where(sf.col("turn") <= HISTORY_MAX)
    of_shopper: dict[str, list[Order]] = {}
    for row in kept.select("shopper_id", "paid_at", "total_minor").orderBy("shopper_id", "paid_at").toLocalIterator():
        of_shopper.setdefault(row["shopper_id"], []).append(
            Order(round(row["paid_at"].timestamp() * 1_000), row["total_minor"])
        )
    shoppers = tuple(shopper for shopper, _ in rows)
    return Sample(
        shoppers,
        flat(rows, items.index(), len(items.product_ids)),
        tuple(tuple(of_shopper.get(shopper, ())) for shopper in shoppers),
    )


def flat(
    shoppers: Iterable[tuple[str, Sequence[Mapping[str, Any]]]],
    index: Mapping[str, int],
    item_num: int,
    *,
    as_of: date | None = None,
) -> Histories:
    """Gives histories as the models take them; products that the model does not know are left out.

    Args:
        shoppers: hash, and the baskets of `batch.histories`, oldest first: rows with `day` and `products`.
        index: item numbers by product id.
        item_num: of the model.
        as_of: the last day that is known: the next basket is wanted for the day after it; None = not said.
    """
    lists: list[list[list[int]]] = []
    days: list[list[float]] = []
    ids: list[int] = []
    for shopper, baskets in shoppers:
        ids.append(int(shopper[:_ID_DIGITS], 16))
        lists.append([[index[product] for product in basket["products"] if product in index] for basket in baskets])
        days.append([float(day_number(basket["day"])) for basket in baskets])
    wanted = None if as_of is None else [float(day_number(as_of) + 1)] * len(lists)
    return from_lists(lists, item_num, days=days, as_of=wanted, ids=ids)


def day_number(day: date) -> int:
    """Gives days since 1970-01-01."""
    return (day - _EPOCH).days
