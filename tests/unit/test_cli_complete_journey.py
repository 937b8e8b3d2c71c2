"""The baskets of the Complete Journey data as events: what is kept, what is invented, and that it never varies."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.complete_journey import Basket, Sold, baskets, catalogue, events, slug, sold
from domain.events import AddedToBasket, OrderPaid, OutsideEvent, RemovedFromBasket
from domain.shopper import SESSION_GAP_MS

BREAD = Sold("1", "bread", "Private", "bread italian french", "16 OZ", 149)
SALT = Sold("2", "salt", "National", "table salt", "", None)
PRODUCTS = {1: BREAD, 2: SALT}
ROW: dict[str, Any] = {
    "product_id": 42,
    "department": "GROCERY",
    "brand": "National",
    "product_category": "FRUIT - SHELF STABLE",
    "product_type": "APPLE SAUCE",
    "package_size": "50 OZ",
    "unit_price_paid_median": 1.005,
}
many_baskets = st.lists(
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 30), st.integers(1, 9)), min_size=1, max_size=60
).map(lambda rows: baskets([(day, household, 1_000 * household + 100 * day + basket, product)
                            for day, household, basket, product in dict.fromkeys(rows)]))  # fmt: skip


def folded(made: list[OutsideEvent]) -> dict[str, int]:
    """Quantities in the basket after these events, the order left out."""
    quantities: Counter[str] = Counter()
    for event in made:
        match event:
            case AddedToBasket():
                quantities[event.product.product_id] += event.quantity
            case RemovedFromBasket():
                quantities[event.product.product_id] -= event.quantity
    return {product_id: quantity for product_id, quantity in quantities.items() if quantity}


def test_a_price_is_rounded_half_up_to_cents() -> None:
    """1.005 USD are 101 cents, as the decimal point says, not as the float does."""
    assert Sold("42", "fruit-shelf-stable", "National", "apple sauce", "50 OZ", 101) == sold(ROW)


def test_a_product_without_category_takes_its_department() -> None:
    """Every product has a category, so that every one fits a catalogue."""
    bare = ROW | {"product_category": None, "product_type": None, "package_size": None, "unit_price_paid_median": None}
    assert Sold("42", "grocery", "National", "grocery", "", None) == sold(bare)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("CHIPS&SNACKS", "chips-snacks"), ("CHRISTMAS  SEASONAL", "christmas-seasonal"), ("---", "other")],
)
def test_a_slug_has_letters_digits_and_single_dashes(name: str, expected: str) -> None:
    """Category names become identifiers."""
    assert expected == slug(name)


def test_day_285_is_the_first_of_2017() -> None:
    """Days of the data become dates."""
    (first, *_) = events([Basket(285, 7, 9, (1,))], PRODUCTS)
    assert datetime(2017, 1, 1, tzinfo=UTC) == first.occurred_at.replace(hour=0, minute=0, second=0, microsecond=0)


def test_an_order_carries_the_basket_and_the_known_prices() -> None:
    """An unknown price is 0 in its line, and the total is the sum of the known ones."""
    *_, last = events([Basket(1, 7, 9, (1, 2))], PRODUCTS)
    assert isinstance(last, OrderPaid)
    assert [("1", 1, 149), ("2", 1, 0)] == [(line.product_id, line.quantity, line.price_minor) for line in last.lines]
    assert ("basket-9", 149, "USD", "hh-7") == (last.order_id, last.total_minor, last.currency, last.shopper_id)


def test_an_added_product_without_a_price_has_no_currency_either() -> None:
    """What the data does not know is absent from the event."""
    added = [event.product for event in events([Basket(1, 7, 9, (2,))], PRODUCTS) if isinstance(event, AddedToBasket)]
    assert {(None, None)} == {(product.price_minor, product.currency) for product in added}


@given(many_baskets)
def test_each_basket_is_a_session_of_its_own(made: list[Basket]) -> None:
    """A household's sessions never overlap and are further apart than a session's gap; within one no gap ends it."""
    last: dict[str, OutsideEvent] = {}
    for event in events(made, PRODUCTS):
        before = last.get(event.shopper_id)
        if before is not None:
            gap = event.occurred_at - before.occurred_at
            limit = timedelta(milliseconds=SESSION_GAP_MS)
            assert (event.session_id != before.session_id) == (gap > limit)
            assert gap > timedelta(0)
            assert event.session_id == before.session_id or isinstance(before, OrderPaid)
        last[event.shopper_id] = event


@given(many_baskets)
def test_every_basket_ends_as_the_data_has_it(made: list[Basket]) -> None:
    """Adds and removals of a session come to exactly the lines of its order."""
    sessions: dict[str | None, list[OutsideEvent]] = {}
    for event in events(made, PRODUCTS):
        sessions.setdefault(event.session_id, []).append(event)
    assert {f"basket-{one.basket_id}": {str(product): 1 for product in one.product_ids} for one in made} == {
        session: folded(of_session) for session, of_session in sessions.items()
    }


@given(many_baskets)
def test_the_same_baskets_make_the_same_bytes_in_the_order_of_time(made: list[Basket]) -> None:
    """The conversion is a function: no clock, no lots; ids are unique."""
    once, again = list(events(made, PRODUCTS)), list(events(list(made), dict(PRODUCTS)))
    assert msgspec.json.encode(once) == msgspec.json.encode(again)
    assert sorted(event.occurred_at for event in once) == [event.occurred_at for event in once]
    assert len(once) == len({event.event_id for event in once})


def test_the_catalogue_has_every_product() -> None:
    """What `catalogue import` reads carries the same categories and prices as the events."""
    assert [("1", "Bread italian french 16 oz", "bread", 149), ("2", "Table salt", "salt", None)] == [
        (item.product_id, item.name, item.category_id, item.price_minor) for item in catalogue(PRODUCTS)
    ]
