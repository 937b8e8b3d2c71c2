"""The tables that other jobs read, each made from the warehouse's own `events` and `decisions`: pure functions by name.

A row's day is the UTC day of the event that it stands for, by the client's clock; so a day of a retailer in another
time zone is not its calendar's day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from batch.campaign_tables import campaign_exposures, campaign_settlements
from batch.experiences import WITHIN_DAYS, experiences
from batch.orders import orders, sold_products
from batch.sessions import sessions


class Table(NamedTuple):
    """How a table comes about, and how far a change of one day reaches.

    Attributes:
        make: from events and decisions of the days that it reads.
        reads: days before and after a day that its rows are made from.
        reaches: days before and after a changed day whose rows may change.
        of_decisions: whether each row is about a decision; without decisions there are none.
        of_events: whether rows depend on events too.
    """

    make: Callable[[DataFrame, DataFrame], DataFrame]
    reads: tuple[int, int] = (0, 0)
    reaches: tuple[int, int] = (0, 0)
    of_decisions: bool = False
    of_events: bool = True


def basket_changes(events: DataFrame) -> DataFrame:
    """Gives one row a product added or removed; the price is the event's, else the catalogue's of that moment."""
    changes = events.where(sf.col("type").isin("AddedToBasket", "RemovedFromBasket"))
    return changes.select(
        *_told(),
        sf.when(sf.col("type") == "AddedToBasket", "added").otherwise("removed").alias("action"),
        "product_id",
        "category_id",
        "brand",
        "quantity",
        sf.coalesce("price_minor", "regular_price_minor").alias("price_minor"),
        "regular_price_minor",
        "currency",
    )


def searches(events: DataFrame) -> DataFrame:
    """Gives one row a search."""
    return events.where(sf.col("type") == "ProductsSearched").select(
        *_told(),
        "query",
        "result_count",
    )


def product_views(events: DataFrame) -> DataFrame:
    """Gives one row a view of a product's page."""
    views = events.where((sf.col("type") == "PageViewed") & sf.col("product_id").isNotNull())
    return views.select(
        *_told(),
        "product_id",
        "category_id",
        "brand",
        "regular_price_minor",
    )


def _told() -> tuple[str | Column, ...]:
    """Gives what these tables keep of every event: whose, which, when."""
    return "retailer_id", "day", "event_id", "shopper_id", "session_id", sf.col("event_time").alias("at")


OF_ORDERS: Final[Mapping[str, Callable[[DataFrame], DataFrame]]] = {"sold_products": sold_products, "orders": orders}
"""Tables whose rows depend on what is told of an order on whatever day; `batch.cool` finds those days."""

OF_DAYS: Final[Mapping[str, Table]] = {
    "basket_changes": Table(lambda events, _: basket_changes(events)),
    "searches": Table(lambda events, _: searches(events)),
    "product_views": Table(lambda events, _: product_views(events)),
    "sessions": Table(lambda events, _: sessions(events), reads=(1, 1), reaches=(1, 1)),
    "experiences": Table(
        lambda events, decisions: experiences(decisions, events),
        reads=(1, WITHIN_DAYS + 1),
        reaches=(WITHIN_DAYS + 1, 1),
        of_decisions=True,
    ),
    "campaign_exposures": Table(lambda _, decisions: campaign_exposures(decisions), of_decisions=True, of_events=False),
    "campaign_settlements": Table(
        lambda _, decisions: campaign_settlements(decisions), of_decisions=True, of_events=False
    ),
}
"""Tables whose rows depend on events and decisions of their day, or of some days around it."""
