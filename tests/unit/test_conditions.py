"""The condition algebra: when each kind holds, what it saw, and how it explains itself."""

from typing import Any

import msgspec
import pytest

from domain.conditions import PACKED, AnyCondition, Condition, Facts, PackedCondition, as_json, explain, holds
from domain.packing import as_array
from domain.records import Why
from domain.shopper import Shopper
from domain.state_conditions import logistic
from tests.story import RETAILER, SHOPPER, Story, record

NOBODY = Shopper(retailer_id=RETAILER, shopper=SHOPPER)
PENNE = {"product_id": "penne", "category_id": "pasta", "brand": "Blé"}
BARE = {"product_id": "penne"}
KNOWN = {"penne": {"category_id": "pasta", "brand": "Blé"}}


def both_forms(document: dict[str, Any]) -> list[Condition]:
    """The condition as written and as encoded in a tree."""
    condition: Condition = msgspec.convert(document, AnyCondition)
    return [condition, msgspec.convert(as_array(condition, PACKED), PackedCondition)]


def check(document: dict[str, Any], facts: Facts, held: bool, seen: object) -> None:
    """Both forms hold or not, alike, and explain themselves by one leaf."""
    for condition in both_forms(document):
        assert held == holds(condition, facts)
        assert (Why(condition=document, seen=seen, held=held),) == explain(condition, facts)
        assert document == as_json(condition)


def event(kind: str, **fields: Any) -> Facts:
    """An event of a shopper of whom nothing is known."""
    return Facts(NOBODY, record(kind, 0, 0, **fields))


ADDED = event("AddedToBasket", product=PENNE)
PENNE_SEEN = {"product_id": "penne", "category_id": "pasta", "brand": "Blé"}


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"action": "added"}, True),
        ({"action": "added", "product_ids": ["tea", "penne"]}, True),
        ({"action": "added", "product_ids": ["tea"]}, False),
        ({"action": "added", "category_ids": ["pasta"]}, True),
        ({"action": "added", "category_ids": ["tea"]}, False),
        ({"action": "added", "brands": ["Blé"]}, True),
        ({"action": "added", "brands": ["blé"]}, False),
        ({"action": "added", "product_ids": ["penne"], "category_ids": ["tea"]}, False),
        ({"action": "added", "product_ids": ["penne"], "category_ids": ["pasta"], "brands": ["Blé"]}, True),
    ],
)
def test_product_passes_every_filter_given(fields: dict[str, Any], held: bool) -> None:
    """All given filters must match, one entry of each is enough."""
    check({"kind": "product", **fields}, ADDED, held, PENNE_SEEN)


@pytest.mark.parametrize(
    ("action", "facts", "seen"),
    [
        ("added", event("RemovedFromBasket", product=PENNE), None),
        ("removed", event("RemovedFromBasket", product=PENNE), PENNE_SEEN),
        ("removed", ADDED, None),
        ("viewed", ADDED, None),
        ("viewed", event("PageViewed", page={"kind": "home"}), None),
        (
            "viewed",
            event("PageViewed", page={"kind": "product", "product_id": "penne"}, known=KNOWN),
            PENNE_SEEN,
        ),
        ("added", event("IdleElapsed", after_event_id=str(ADDED.record.event.event_id), node_id="start"), None),
    ],
)
def test_product_asks_for_its_action(action: str, facts: Facts, seen: object) -> None:
    """Another action with the same product does not count; a page without a product views none."""
    check({"kind": "product", "action": action}, facts, seen is not None, seen)


def test_product_takes_from_the_catalogue_what_the_event_does_not_say() -> None:
    """The event's own category and brand win, else the catalogue's at that moment; unknown ones match no filter."""
    pasta = {"kind": "product", "action": "added", "category_ids": ["pasta"], "brands": ["Blé"]}
    check(pasta, event("AddedToBasket", product=BARE, known=KNOWN), True, PENNE_SEEN)
    check(pasta, event("AddedToBasket", product=BARE), False, {**BARE, "category_id": None, "brand": None})
    own = {**BARE, "category_id": "dry goods"}
    check(pasta, event("AddedToBasket", product=own, known=KNOWN), False, {**PENNE_SEEN, "category_id": "dry goods"})


def test_page_asks_for_kind_and_category() -> None:
    """Without filters any page does; a product page has its product's category."""
    shelf = event("PageViewed", page={"kind": "category", "category_id": "pasta"})
    seen = {"kind": "category", "category_id": "pasta"}
    check({"kind": "page"}, shelf, True, seen)
    check({"kind": "page", "page_kinds": ["home", "category"]}, shelf, True, seen)
    check({"kind": "page", "page_kinds": ["home"], "category_ids": ["pasta"]}, shelf, False, seen)
    check({"kind": "page", "category_ids": ["tea"]}, shelf, False, seen)
    product = event("PageViewed", page={"kind": "product", "product_id": "penne"}, known=KNOWN)
    check({"kind": "page", "category_ids": ["pasta"]}, product, True, {"kind": "product", "category_id": "pasta"})
    check({"kind": "page"}, ADDED, False, None)


@pytest.mark.parametrize(
    ("terms", "query", "held"),
    [
        (["pasta"], "Fresh PASTA", True),
        (["fresh pasta"], "pasta, very fresh", True),
        (["fresh pasta"], "pasta", False),
        (["rice", "crème"], "creme fraiche", True),
        (["creme"], "CRÈME", True),
        (["past"], "pasta", False),
        (["œuf"], "oeuf bio", True),
        (["pasta"], "", False),
    ],
)
def test_search_finds_all_words_of_some_term(terms: list[str], query: str, held: bool) -> None:
    """Whole words in any order, case and accents folded."""
    check({"kind": "search", "terms": terms}, event("ProductsSearched", query=query), held, query)


def test_search_holds_for_searches_alone() -> None:
    """Another event searches nothing."""
    check({"kind": "search", "terms": ["pasta"]}, ADDED, False, None)


def test_event_asks_for_the_type() -> None:
    """The event is one of the types listed."""
    check({"kind": "event", "types": ["OrderPaid", "AddedToBasket"]}, ADDED, True, "AddedToBasket")
    check({"kind": "event", "types": ["OrderPaid"]}, ADDED, False, "AddedToBasket")


def shopping() -> Facts:
    """Three penne, one tea: 850 in two lines, on the second visit."""
    story = Story()
    story.tell("PageViewed", 0, page={"kind": "home"})
    story.add("penne", 3_600, quantity=3, price_minor=150, currency="EUR", category_id="pasta")
    story.add("tea", 3_660, price_minor=400, currency="EUR", category_id="drinks")
    return Facts(story.state, record("LinkClicked", 3_660, 9, target="/"))


@pytest.mark.parametrize(
    ("fields", "seen", "held"),
    [
        ({}, 4, True),
        ({"product_ids": ["penne"]}, 3, True),
        ({"product_ids": ["penne"], "at_least": 3, "at_most": 3}, 3, True),
        ({"product_ids": ["penne"], "at_least": 4}, 3, False),
        ({"product_ids": ["penne"], "at_most": 2}, 3, False),
        ({"product_ids": ["rice"]}, 0, False),
        ({"product_ids": ["rice"], "at_least": 0, "at_most": 0}, 0, True),
        ({"category_ids": ["drinks"]}, 1, True),
        ({"product_ids": ["penne"], "category_ids": ["drinks"]}, 4, True),
        ({"product_ids": ["tea"], "category_ids": ["drinks"]}, 1, True),
    ],
)
def test_in_basket_counts_pieces(fields: dict[str, Any], seen: int, held: bool) -> None:
    """A line counts once if its product or its category is named; without lists the whole basket counts."""
    check({"kind": "in_basket", **fields}, shopping(), held, seen)


@pytest.mark.parametrize(
    ("document", "seen", "held"),
    [
        ({"kind": "basket_total", "at_least_minor": 850}, 850, True),
        ({"kind": "basket_total", "at_least_minor": 851}, 850, False),
        ({"kind": "basket_total", "at_most_minor": 850}, 850, True),
        ({"kind": "basket_total", "at_least_minor": 0, "at_most_minor": 849}, 850, False),
        ({"kind": "basket_lines", "at_least": 2, "at_most": 2}, 2, True),
        ({"kind": "basket_lines", "at_least": 3}, 2, False),
        ({"kind": "basket_lines", "at_most": 1}, 2, False),
        ({"kind": "visits", "at_least": 2}, 2, True),
        ({"kind": "visits", "at_least": 3}, 2, False),
        ({"kind": "visits", "at_least": 1, "at_most": 1}, 2, False),
    ],
)
def test_bounds_are_included(document: dict[str, Any], seen: int, held: bool) -> None:
    """Totals, lines and visits are those of the state after the event; both bounds count."""
    check(document, shopping(), held, seen)


def test_order_asks_for_the_last_orders_status() -> None:
    """`paid` until the retailer moves the order on; without an order no state holds."""
    story = Story()
    document = {"kind": "order", "states": ["paid", "shipped"]}
    last = record("LinkClicked", 0, 9, target="/")
    check(document, Facts(story.state, last), False, None)
    story.pay()
    check(document, Facts(story.state, last), True, "paid")
    story.tell("OrderStatusChanged", 1, order_id="o-1", status="cancelled")
    check(document, Facts(story.state, last), False, "cancelled")


def test_score_is_a_logistic_model_over_hot_features() -> None:
    """Bias plus weighted features through the logistic function, compared with the threshold."""
    document = {"kind": "score", "bias": -1.5, "weights": {"basket_lines": 0.75}, "at_least": 0.5}
    check(document, shopping(), True, 0.5)
    check({**document, "bias": -1.6}, shopping(), False, logistic(-0.1))


@pytest.mark.parametrize(
    ("log_odds", "expected"),
    [
        (0.0, 0.5),
        (1e6, 1.0),
        (-1e6, 0.0),
        (float("inf"), 1.0),
        (float("-inf"), 0.0),
        (float("nan"), 0.0),
    ],
)
def test_the_logistic_never_overflows(log_odds: float, expected: float) -> None:
    """Both ends are exact, and what is no number scores nothing."""
    assert expected == logistic(log_odds)


def test_weights_of_any_size_give_a_probability() -> None:
    """Infinities that cancel out are no error on the way of an event."""
    document = {"kind": "score", "bias": 1e308, "weights": {"basket_total_minor": -1e308}, "at_least": 0.5}
    check(document, shopping(), False, 0.0)


TRUE = {"kind": "visits", "at_least": 1}
FALSE = {"kind": "visits", "at_least": 3}


@pytest.mark.parametrize(
    ("kind", "parts", "held", "leaves"),
    [
        ("all", [TRUE, TRUE], True, [True, True]),
        ("all", [FALSE, TRUE], False, [False]),
        ("any", [FALSE, TRUE, FALSE], True, [False, True]),
        ("any", [FALSE, FALSE], False, [False, False]),
        ("none", [FALSE, FALSE], True, [False, False]),
        ("none", [FALSE, TRUE, FALSE], False, [False, True]),
    ],
)
def test_composites_list_the_leaves_that_they_evaluated(
    kind: str, parts: list[dict[str, Any]], held: bool, leaves: list[bool]
) -> None:
    """A composite stops as soon as it knows, and explains itself by the leaves up to there."""
    for condition in both_forms({"kind": kind, "of": parts}):
        assert held == holds(condition, shopping())
        assert leaves == [why.held for why in explain(condition, shopping())]


def test_composites_nest() -> None:
    """Leaves of inner composites are listed in the order of evaluation."""
    document = {"kind": "all", "of": [{"kind": "none", "of": [FALSE]}, {"kind": "any", "of": [FALSE, TRUE]}]}
    for condition in both_forms(document):
        assert holds(condition, shopping())
        assert [FALSE, FALSE, TRUE] == [why.condition for why in explain(condition, shopping())]
        assert document == as_json(condition)
