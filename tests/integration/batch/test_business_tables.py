"""The business tables as pure functions of events, on a real session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from batch.business_tables import OF_DAYS, OF_ORDERS, basket_changes, product_views, searches
from batch.experiences import experiences
from batch.histories import BASKETS_MAX, histories
from batch.orders import LINE_MINOR_MAX, orders, sold_products
from batch.sessions import sessions
from batch.table_forms import FORMS
from domain.fold import apply
from domain.ids import Position
from domain.records import Decided, Record
from domain.shopper import Shopper
from tests.integration.batch.shop_events import (
    DAY_S,
    added,
    became,
    decisions_of,
    events_of,
    paid,
    viewed,
)
from tests.story import NOON_MS, RETAILER, SHOPPER, TreeStory, record

OTHER = "0b" * 32
MINUTE_S = 60.0


def at(seconds: float) -> datetime:
    """The moment so many seconds after noon."""
    return datetime.fromtimestamp(NOON_MS / 1_000 + seconds, UTC).replace(tzinfo=None)


def found(frame: DataFrame, *columns: str, by: str) -> list[tuple[Any, ...]]:
    """These columns of the rows, in the order of one of them."""
    return [tuple(row) for row in frame.orderBy(by).select(*columns).collect()]


def test_every_table_has_its_form(spark: SparkSession) -> None:
    """What a function gives is what its table holds, column by column, also of nothing."""
    nothing, none_decided = events_of(spark, []), decisions_of(spark, [])
    made = {name: table.make(nothing, none_decided) for name, table in OF_DAYS.items()}
    made |= {name: make(nothing) for name, make in OF_ORDERS.items()}
    for name, frame in made.items():
        schema = spark.sql("SELECT 1").schema.fromDDL(FORMS[name].columns)
        assert schema.simpleString() == frame.schema.simpleString(), name


def test_a_line_bears_its_discount_and_its_share_of_the_orders(spark: SparkSession) -> None:
    """Amounts of an order sum to what was paid, to the cent, and discounts count from the regular price."""
    events = events_of(
        spark,
        [
            # 2 x 250 + 1 x 199 = 699, paid 599: 100 off, of which 500/699 go to the first line.
            paid(1, 0, "cheap", [("tea", 2, 250), ("salt", 1, 199)], total_minor=599),
            # Delivery makes the total larger than the lines: nothing is off.
            paid(2, 1, "plain", [("salt", 3, 100)], total_minor=799),
            paid(3, 2, "free", [("salt", 1, 0)]),
        ],
    )
    assert [
        ("cheap", 0, "tea", "drinks", "Leaf", 2, 250, 300, 171, 429),
        ("cheap", 1, "salt", None, None, 1, 199, None, 29, 170),
        ("free", 0, "salt", None, None, 1, 0, None, 0, 0),
        ("plain", 0, "salt", None, None, 3, 100, None, 0, 300),
    ] == sorted(
        tuple(row)
        for row in sold_products(events)
        .select(
            "order_id",
            "line",
            "product_id",
            "category_id",
            "brand",
            "quantity",
            "price_minor",
            "regular_price_minor",
            "discount_minor",
            "amount_minor",
        )
        .collect()
    )


def test_an_order_counts_once_as_it_was_first_paid(spark: SparkSession) -> None:
    """The same order told again, under another event id and on another day, adds nothing."""
    events = events_of(
        spark,
        [
            paid(1, DAY_S, "o-1", [("tea", 1, 300)]),
            paid(2, 5, "o-1", [("tea", 2, 250)], received_s=2 * DAY_S),
            paid(3, 9, "o-1", [("salt", 9, 9)]),
        ],
    )
    assert [("tea", 2, at(5))] == found(sold_products(events), "product_id", "quantity", "paid_at", by="line")
    assert [("o-1", 500, at(5))] == found(orders(events), "order_id", "total_minor", "paid_at", by="order_id")


def test_absurd_amounts_are_cut_and_never_overflow(spark: SparkSession) -> None:
    """5,000 lines of the largest price and quantity stay within 64 bits, and so does their discount."""
    events = events_of(spark, [paid(1, 0, "o", [(f"p-{n}", 9_999, 10**12) for n in range(5_000)], total_minor=10**12)])
    sums = sold_products(events).selectExpr("count(*)", "sum(amount_minor)", "max(discount_minor)").collect()[0]
    assert (5_000, 10**12) == tuple(sums)[:2]
    assert LINE_MINOR_MAX >= sums[2] > LINE_MINOR_MAX - 10**12
    assert [(10**12,)] == found(sessions(events), "paid_minor", by="day")


def test_orders_have_their_latest_status_and_what_was_returned(spark: SparkSession) -> None:
    """Statuses are told late and out of order; partial returns add up to what was bought at most."""
    events = events_of(
        spark,
        [
            paid(1, 0, "kept", [("tea", 1, 300)]),
            paid(2, 1, "partly", [("tea", 2, 300), ("salt", 3, 100)]),
            paid(3, 2, "back", [("tea", 1, 300), ("tea", 1, 300), ("salt", 1, 100)]),
            became(4, 30, "partly", "delivered", received_s=3 * DAY_S),
            became(5, 20, "partly", "shipped"),
            became(6, 40, "partly", "partially_returned", ("salt", 2)),
            became(7, 50, "partly", "partially_returned", ("salt", 2), ("never-bought", 1)),
            became(8, 60, "back", "returned"),
            became(9, 70, "unknown", "shipped"),
        ],
    )
    assert [
        ("back", 700, 3, 3, "returned", at(60), [("salt", 1), ("tea", 2)]),
        ("kept", 300, 1, 1, "paid", at(0), []),
        ("partly", 900, 2, 5, "partially_returned", at(50), [("salt", 3)]),
    ] == found(
        orders(events),
        "order_id",
        "total_minor",
        "lines",
        "quantity",
        "status",
        "status_at",
        "returned_lines",
        by="order_id",
    )


def test_row_by_row_tables_say_what_the_events_say(spark: SparkSession) -> None:
    """A basket change has the event's price, else the catalogue's; a view is of a product; a search has its words."""
    events = events_of(
        spark,
        [
            added(1, 1, "tea", quantity=2),
            record("RemovedFromBasket", 2, 2, product={"product_id": "tea", "price_minor": 280, "currency": "EUR"}),
            viewed(3, 3, "tea"),
            viewed(4, 4),
            record("ProductsSearched", 5, 5, query="green tea", result_count=0),
        ],
    )
    changes = found(basket_changes(events), "action", "product_id", "category_id", "quantity", "price_minor", by="at")
    assert [("added", "tea", "drinks", 2, 300), ("removed", "tea", None, 1, 280)] == changes
    assert [("tea", "drinks", "Leaf", 300)] == found(
        product_views(events), "product_id", "category_id", "brand", "regular_price_minor", by="at"
    )
    assert [("green tea", 0)] == found(searches(events), "query", "result_count", by="at")


def test_sessions_are_those_of_the_live_fold(spark: SparkSession) -> None:
    """Thirty minutes of silence end a session, to the millisecond as in the fold; a timer is no activity."""
    gap_s = 30 * MINUTE_S
    idle: dict[str, Any] = {"after_event_id": "00000000-0000-0000-0000-000000000005", "node_id": "n"}
    story = [
        viewed(1, 0),
        record("ProductsSearched", gap_s - 0.001, 2, query="tea"),
        added(3, 2 * gap_s - 0.001, "tea"),
        paid(4, 2 * gap_s, "o", [("tea", 1, 300)]),
        record("IdleElapsed", 2 * gap_s + 600, 5, **idle),
        record("RemovedFromBasket", 3 * gap_s, 6, product={"product_id": "tea"}),
    ]
    assert [
        (at(0), at(gap_s - 0.001), 2, 1, 1, 0, 0, 0, 0),
        (at(2 * gap_s - 0.001), at(2 * gap_s), 2, 0, 0, 1, 0, 1, 300),
        (at(3 * gap_s), at(3 * gap_s), 1, 0, 0, 0, 1, 0, 0),
    ] == found(
        sessions(events_of(spark, story)),
        "started_at",
        "ended_at",
        "events",
        "page_views",
        "searches",
        "added",
        "removed",
        "orders",
        "paid_minor",
        by="started_at",
    )
    state = folded(story)
    assert (3, at(3 * gap_s)) == (state.session.visits, at((state.session.started_at_ms - NOON_MS) / 1_000))


def folded(story: list[Record]) -> Shopper:
    """The shopper after these records, by the live fold."""
    state = Shopper(retailer_id=RETAILER, shopper=SHOPPER)
    for offset, one in enumerate(story):
        state = apply(state, one, Position(1, offset)).state
    return state


@pytest.fixture(scope="module")
def answered(spark: SparkSession) -> dict[str, Any]:
    """One recommendation, shown, clicked and bought; one basket tension, dismissed and later withdrawn."""
    tree = {
        "start": {"edges": [{"to": "sauce", "when": {"kind": "product", "action": "added", "product_ids": ["tea"]}}]},
        "sauce": {
            "experiences": [
                {"slot": "main", "kind": "recommendation", "content": {"products": ["milk", "sugar", "honey"]}},
                {
                    "slot": "banner",
                    "kind": "basket_tension",
                    "content": {"threshold_minor": 9_000, "reward": {"type": "delivery"}},
                },
            ]
        },
    }
    story = TreeStory(tree)
    decided: list[Decided] = []
    story.add("tea", 0, price_minor=300, number=0)
    ids = {slot: shown.experience_id for slot, shown in story.shown().items()}
    assert story.decided is not None
    decided.append(story.decided)
    story.pay("o-1", 100, number=1)
    assert story.decided is not None
    decided.append(story.decided)
    main: dict[str, Any] = {"experience_id": ids["main"]}
    banner: dict[str, Any] = {"experience_id": ids["banner"]}
    events = [
        record("ExperienceShown", 2, 2, **main),
        record("ExperienceShown", 1, 3, **main),
        record("ExperienceClicked", 5, 4, **main),
        # Somebody else's: not this shopper's answer.
        record("ExperienceDismissed", 6, 5, shopper_id=OTHER, **main),
        record("ExperienceDismissed", 7, 6, **banner),
        paid(7, -10, "before", [("honey", 1, 1)]),
        paid(8, 100, "o-1", [("sugar", 2, 90), ("milk", 1, 120), ("milk", 1, 120), ("tea", 1, 300)]),
        paid(9, 200, "after", [("honey", 1, 1)]),
        paid(10, 50, "others", [("honey", 1, 1)], shopper_id=OTHER),
    ]
    made = experiences(decisions_of(spark, decided), events_of(spark, events))
    return {row["slot"]: row.asDict() for row in made.collect()}


def test_an_experience_is_followed_to_the_order(answered: dict[str, Any]) -> None:
    """Decided, shown, clicked, bought: of its products, those in the shopper's next order count, and no others."""
    row = answered["main"]
    assert (at(0), at(1), at(5), None, None) == (
        row["decided_at"],
        row["shown_at"],
        row["clicked_at"],
        row["dismissed_at"],
        row["withdrawn_at"],
    )
    assert ("o-1", at(100), ["milk", "sugar"], 4, 420) == (
        row["order_id"],
        row["ordered_at"],
        row["bought_products"],
        row["bought_quantity"],
        row["bought_minor"],
    )


def test_an_experience_that_left_the_page_says_how(answered: dict[str, Any]) -> None:
    """A basket tension is about no product; the shopper closed it, and nothing of it was bought."""
    row = answered["banner"]
    assert (None, at(7), "o-1", [], 0) == (
        row["shown_at"],
        row["dismissed_at"],
        row["order_id"],
        row["bought_products"],
        row["bought_quantity"],
    )


def test_histories_hold_the_last_baskets_in_order(spark: SparkSession) -> None:
    """A shopper's baskets come oldest first, at most so many, each with its distinct products by line."""
    count = BASKETS_MAX + 5
    records = [paid(n, n * 60, f"o-{n:04}", [("b", 1, 1), ("a", 1, 1), ("b", 1, 1)]) for n in range(count)]
    records.append(paid(count, 0, "x", [("tea", 1, 1)], shopper_id=OTHER))
    by_shopper = {
        row["shopper_id"]: row["baskets"] for row in histories(sold_products(events_of(spark, records))).collect()
    }
    baskets = by_shopper[SHOPPER]
    assert [f"o-{n:04}" for n in range(5, count)] == [basket["order_id"] for basket in baskets]
    assert (at(0).date(), ["b", "a"]) == (baskets[0]["day"], baskets[0]["products"])
    assert [["tea"]] == [basket["products"] for basket in by_shopper[OTHER]]


def test_a_shopper_with_fifty_thousand_events_is_one_shopper(spark: SparkSession) -> None:
    """Windows over one very busy shopper end, with every event counted."""
    count = 50_000
    events = events_of(spark, [viewed(n, n * 0.5) for n in range(count)])
    assert [(count, count)] == found(sessions(events), "events", "page_views", by="started_at")
