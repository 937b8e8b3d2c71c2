"""Real baskets, replayed into the event store and cooled: the tables hold exactly what the source files do."""

from __future__ import annotations

import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from pyspark.sql import SparkSession

from batch.cool import Cooled, cool
from batch.histories import histories
from batch.store_source import StoreOptions
from batch.warehouse import Warehouse
from domain.money import MINOR_MAX
from domain.records import Record
from tests.integration.batch.filled_store import fill
from tests.integration.batch.journey_source import RETAILER, Journey, journey, records, shopper

pytestmark = [pytest.mark.needs_real_data, pytest.mark.slow, pytest.mark.timeout(900)]

DAYS = 21
"""Days of the data that are replayed: each is a partition of nine tables, which is what a test of them costs."""


class Replayed(NamedTuple):
    """The source, its records, and the warehouse that came of them."""

    source: Journey
    records: list[Record]
    warehouse: Warehouse
    said: Cooled


@pytest.fixture(scope="module")
def replayed(real_data: Path, tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Replayed:
    """All households' baskets of some weeks, received in one go as a replay sends them, and cooled."""
    folder = tmp_path_factory.mktemp("journey")
    source = journey(real_data, DAYS)
    told = list(records(source))
    fill(folder / "data", told)
    warehouse = Warehouse(str(folder / "warehouse"), spark)
    day = date(1970, 1, 1) + timedelta(milliseconds=told[0].received_at_ms)
    now_ms = int(time.time() * 1_000)
    store = StoreOptions(data=folder / "data")
    said = cool(spark, store, warehouse, [RETAILER], day, day, now_ms=now_ms)
    return Replayed(source, told, warehouse, said)


def test_every_record_is_cooled(replayed: Replayed) -> None:
    """Nothing fails, nothing is taken for a repeat, nothing is missing, and the day is closed."""
    count = len(replayed.records)
    said = replayed.said
    assert (count, count, 0, 0, 0, 1) == (
        said.rows_in,
        said.rows_out,
        said.rows_repeated,
        said.rows_failed,
        said.rows_missing,
        said.days_closed,
    )
    by_type = replayed.warehouse.table("events").groupBy("type").count().collect()
    assert Counter(type(one.event).__name__ for one in replayed.records) == {
        row["type"]: row["count"] for row in by_type
    }


def test_lines_and_baskets_are_those_of_the_source(replayed: Replayed) -> None:
    """Each product of each basket was sold once, on its day, at its price, to its household."""
    expected = Counter(
        (shopper(f"hh-{basket.household_id}"), f"basket-{basket.basket_id}", str(product), basket.day)
        for basket in replayed.source.baskets
        for product in basket.product_ids
    )
    first = date(2016, 3, 22)
    sold = replayed.warehouse.table("sold_products").select(
        "shopper_id", "order_id", "product_id", "day", "quantity", "amount_minor", "price_minor"
    )
    rows = sold.collect()
    assert expected == Counter((r["shopper_id"], r["order_id"], r["product_id"], (r["day"] - first).days) for r in rows)
    prices = replayed.source.products
    known = {product: prices[int(product)].price_minor or 0 for _, _, product, _ in expected if int(product) in prices}
    assert [] == [
        r for r in rows if not r["price_minor"] == r["amount_minor"] == known.get(r["product_id"], 0) <= MINOR_MAX
    ]


def test_orders_and_sessions_are_the_baskets(replayed: Replayed) -> None:
    """Each basket is one paid order with its number of lines, and one session that ends with it."""
    expected = Counter({f"basket-{one.basket_id}": len(one.product_ids) for one in replayed.source.baskets})
    orders = replayed.warehouse.table("orders").select("order_id", "lines", "status").collect()
    assert expected == {row["order_id"]: row["lines"] for row in orders}
    assert {"paid"} == {row["status"] for row in orders}
    sessions = replayed.warehouse.table("sessions").selectExpr("count(*)", "sum(orders)", "sum(events)").collect()
    assert [(len(expected), len(expected), len(replayed.records))] == [tuple(row) for row in sessions]


def test_histories_are_each_households_baskets(replayed: Replayed) -> None:
    """What training reads is what the household bought, basket by basket, oldest first."""
    expected: dict[str, list[tuple[str, list[str]]]] = {}
    paid_at = {one.event.order_id: one.event_time_ms for one in replayed.records if hasattr(one.event, "order_id")}
    for basket in replayed.source.baskets:
        name = f"basket-{basket.basket_id}"
        products = list(dict.fromkeys(map(str, basket.product_ids)))
        expected.setdefault(shopper(f"hh-{basket.household_id}"), []).append((name, products))
    for baskets in expected.values():
        baskets.sort(key=lambda one: (paid_at[one[0]], one[0]))
    found = histories(replayed.warehouse.table("sold_products")).collect()
    assert expected == {r["shopper_id"]: [(one["order_id"], one["products"]) for one in r["baskets"]] for r in found}
