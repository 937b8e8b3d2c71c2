"""Flips: the smallest change of a basket that makes a condition true."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from domain.conditions import AnyCondition, Facts
from domain.flips import Effort, flip
from domain.records import Known
from tests.story import Story, record

VIEWED: dict[str, Any] = {"kind": "event", "types": ["PageViewed"]}
PAID: dict[str, Any] = {"kind": "event", "types": ["OrderPaid"]}


def facts() -> Facts:
    """Two of p-1 at 1.50 of pasta and one of p-2 at 6.60: 9.60; then a page was viewed."""
    story = Story()
    story.add("p-1", quantity=2, price_minor=150, category_id="pasta", currency="EUR")
    story.add("p-2", price_minor=660, category_id="wine", currency="EUR")
    story.tell("PageViewed", page={"kind": "home"})
    return Facts(story.state, record("PageViewed", 0, 9, page={"kind": "home"}))


def flipped(condition: Any, **known: Known) -> Any:
    """The flip of a condition as lookups tell it."""
    return msgspec.to_builtins(flip(msgspec.convert(condition, AnyCondition), facts(), known))


def total(**bounds: int) -> dict[str, Any]:
    """A condition of the total."""
    return {"kind": "basket_total", **bounds}


def lines(**bounds: int) -> dict[str, Any]:
    """A condition of the number of lines."""
    return {"kind": "basket_lines", **bounds}


def held(**of: Any) -> dict[str, Any]:
    """A condition of what is in the basket."""
    return {"kind": "in_basket", **of}


def both(*of: Any) -> dict[str, Any]:
    """All of these."""
    return {"kind": "all", "of": list(of)}


MORE = {"change": "basket_total", "by_minor": 340}
CASES: list[tuple[str, Any, Any]] = [
    ("true already", total(at_least_minor=960), None),
    ("more money", total(at_least_minor=1_300), MORE),
    ("less money", total(at_most_minor=900), {"change": "basket_total", "by_minor": -60}),
    ("never below nothing", both(total(at_most_minor=900), total(at_least_minor=901)), None),
    ("one more piece", held(product_ids=["p-1"], at_least=3), {"change": "add", "product_id": "p-1", "quantity": 1}),
    ("a named product", held(product_ids=["p-7"]), {"change": "add", "product_id": "p-7", "quantity": 1}),
    (
        "a named category",
        held(category_ids=["tea"], at_least=2),
        {"change": "add", "category_id": "tea", "quantity": 2},
    ),
    (
        "fewer",
        held(product_ids=["p-1"], at_least=0, at_most=1),
        {"change": "remove", "product_id": "p-1", "quantity": 1},
    ),
    ("one line more", lines(at_least=3), {"change": "add", "quantity": 1}),
    ("two lines more are two changes", lines(at_least=4), None),
    ("one line fewer", lines(at_most=1), {"change": "remove", "product_id": "p-1", "quantity": 2}),
    ("the event is as asked", both(VIEWED, total(at_least_minor=1_300)), MORE),
    ("the event is another", both(PAID, total(at_least_minor=1_300)), None),
    ("some other event", {"kind": "any", "of": [PAID, total(at_least_minor=1_300)]}, MORE),
    ("visits", {"kind": "visits", "at_least": 2}, None),
    ("the last order", {"kind": "order", "states": ["paid"]}, None),
    (
        "none of it",
        {"kind": "none", "of": [held(category_ids=["wine"])]},
        {"change": "remove", "product_id": "p-2", "quantity": 1},
    ),
    (
        "product and total at once",
        both(held(product_ids=["p-1"], at_least=3), total(at_least_minor=1_300)),
        {"change": "add", "product_id": "p-1", "quantity": 3},
    ),
    (
        "too much of it",
        both(held(product_ids=["p-2"], at_least=2), total(at_most_minor=1_000)),
        None,
    ),
    (
        "the model asks for money",
        {"kind": "score", "bias": -10, "weights": {"basket_total_minor": 0.01, "visits": 0}, "at_least": 0.5},
        {"change": "basket_total", "by_minor": 40},
    ),
    (
        "the model asks for pieces",
        {"kind": "score", "bias": -5, "weights": {"basket_quantity": 1}, "at_least": 0.5},
        {"change": "add", "product_id": "p-1", "quantity": 2},
    ),
    ("the model asks for visits", {"kind": "score", "bias": -5, "weights": {"visits": 1}, "at_least": 0.5}, None),
]


@pytest.mark.parametrize(("name", "condition", "expected"), CASES, ids=[case[0] for case in CASES])
def test_the_smallest_change(name: str, condition: Any, expected: Any) -> None:
    """One line, or the total alone, by as little as will do; what is no matter of the basket has no flip."""
    assert expected == flipped(condition), name


def test_the_catalogue_knows_what_a_new_product_costs() -> None:
    """Of two ways the cheaper one, where the catalogue knows the price; without it a piece of the mean price."""
    either = {"kind": "any", "of": [held(product_ids=["p-7"]), total(at_least_minor=1_300)]}
    added = {"change": "add", "product_id": "p-7", "quantity": 1}
    assert added == flipped(either)
    assert added == flipped(either, **{"p-7": Known(price_minor=339)})
    assert MORE == flipped(either, **{"p-7": Known(price_minor=341)})


def test_the_catalogues_price_counts_towards_the_total() -> None:
    """A new product that reaches the threshold by its price does both."""
    asked = both(held(product_ids=["p-7"]), total(at_least_minor=1_300))
    assert flipped(asked) is None
    assert {"change": "add", "product_id": "p-7", "quantity": 2} == flipped(asked, **{"p-7": Known(price_minor=200)})


def test_the_work_is_bounded() -> None:
    """Without effort left nothing is found, whatever there is."""
    asked = msgspec.convert(total(at_least_minor=1_300), AnyCondition)
    assert flip(asked, facts()) is not None
    assert flip(asked, facts(), effort=Effort(0)) is None
