"""What Spark adds up over everybody is what the plain functions add up over what is at hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pandas as pd
from pandas.testing import assert_frame_equal
from pyspark.sql import SparkSession

from batch.econometrics.panel import panel_of
from batch.histories import histories
from batch.journeys.complements import Counts, counted
from batch.journeys.plan import NO_CATEGORY
from batch.price_panel import panel
from batch.samples import Items, items_of, sample
from batch.shop_counts import shop_counts
from batch.table_forms import FORMS

ORDERS = 60
FIRST = date(2026, 9, 28)


def sold_rows(seed: int) -> list[dict[str, Any]]:
    """Lines of orders, absurd ones among them."""
    lots = Random(seed)
    rows = []
    for number in range(ORDERS):
        day = FIRST + timedelta(days=lots.randrange(28))
        for line in range(lots.randint(1, 6)):
            product = lots.randrange(8)
            price = lots.choice((0, 99, 250, 10**11))
            quantity = lots.choice((1, 1, 2, 5))
            rows.append(
                {
                    "retailer_id": "r-1",
                    "day": day,
                    "order_id": f"o-{number}",
                    "shopper_id": f"{lots.randrange(9):064x}",
                    "event_id": f"e-{number}",
                    "line": line,
                    "product_id": f"p-{product}",
                    "category_id": None if product == 7 else f"c-{product % 3}",
                    "brand": None,
                    "quantity": quantity,
                    "price_minor": price,
                    "regular_price_minor": lots.choice((None, 0, 120, 250)),
                    "discount_minor": 0,
                    "amount_minor": price * quantity,
                    "currency": "EUR",
                    "paid_at": datetime(day.year, day.month, day.day, 12, number % 60, tzinfo=UTC),
                    "verified": True,
                }
            )
    return rows


def test_the_panel_is_that_of_pandas(spark: SparkSession) -> None:
    """Same rows, same types, same order, gifts and absurd prices left out alike."""
    rows = sold_rows(1)
    found = panel(spark.createDataFrame(rows, FORMS["sold_products"].columns))
    assert_frame_equal(panel_of(pd.DataFrame(rows)), found)
    assert panel(spark.createDataFrame([], FORMS["sold_products"].columns)).empty


def test_counts_are_those_of_baskets_at_hand(spark: SparkSession) -> None:
    """Baskets, lines, products, categories and pairs; pairs seen too seldom are left out by both sides' readers."""
    rows = sold_rows(2)
    baskets: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        baskets.setdefault(row["order_id"], []).append((row["product_id"], row["category_id"] or NO_CATEGORY))
    expected = counted(baskets.values())
    found = shop_counts(spark.createDataFrame(rows, FORMS["sold_products"].columns))
    often = {pair: count for pair, count in expected.together.items() if count >= 3}
    assert expected._replace(together=often) == Counts(*found)


def test_a_sample_is_the_same_every_time(spark: SparkSession) -> None:
    """It has the smallest hashes, their baskets in the order of time, and their paid orders."""
    rows = sold_rows(3)
    sold = spark.createDataFrame(rows, FORMS["sold_products"].columns)
    orders = spark.createDataFrame(
        [
            (row["retailer_id"], row["day"], row["order_id"], row["shopper_id"], row["paid_at"], 500)
            for row in rows
            if row["line"] == 0
        ],
        "retailer_id string, day date, order_id string, shopper_id string, paid_at timestamp, total_minor bigint",
    )
    items = items_of(sold, FIRST + timedelta(days=28))
    assert (
        Items(
            product_ids=tuple(f"p-{number}" for number in range(8)),
            category_ids=tuple(NO_CATEGORY if number == 7 else f"c-{number % 3}" for number in range(8)),
        )
        == items
    )
    one = sample(histories(sold), orders, items, 4)
    assert tuple(sorted({row["shopper_id"] for row in rows})[:4]) == one.shoppers
    assert 4 == len(one.histories)
    times = [[order.paid_at_ms for order in of_shopper] for of_shopper in one.orders]
    assert [sorted(of_shopper) for of_shopper in times] == times
    again = sample(histories(sold), orders, items, 4)
    assert one.histories.items.tolist() == again.histories.items.tolist()
    assert one.orders == again.orders
