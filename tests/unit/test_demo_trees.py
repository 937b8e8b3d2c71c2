"""The demo shop's trees: good ones, about goods that exist, that recommend each shopper's usual sauce."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from deploy.demo.goods import read_goods
from deploy.demo.tastes import EVERYBODY, PERSONAS, Taste
from deploy.demo.trees import grow
from domain.experiences import Kind
from domain.tree_faults import read_tree
from tests.story import TreeStory

TASTES = (EVERYBODY, *PERSONAS)
GOODS = {good.product_id: good for good in read_goods().products}
SHELVES = {good.category_id for good in GOODS.values()}
NAMED = pytest.mark.parametrize("taste", TASTES, ids=lambda taste: taste.shopper)


class Shopping(TreeStory):
    """A shopper of this taste in the demo shop."""

    def __init__(self, taste: Taste) -> None:
        super().__init__(grow(taste)["nodes"])

    def take(self, product_id: str, at_s: float = 0, quantity: int = 1) -> None:
        """Puts a product of the shop into the basket."""
        good = GOODS[product_id]
        self.add(product_id, at_s, quantity, category_id=good.category_id, price_minor=good.price_minor, currency="EUR")

    @property
    def node_id(self) -> str:
        """Where the shopper stands."""
        return self.state.node_id


def values_of(key: str, value: Any) -> Iterator[Any]:
    """Every value under a key, at any depth."""
    match value:
        case dict():
            for name, inner in value.items():
                if name == key:
                    yield inner
                yield from values_of(key, inner)
        case list():
            for inner in value:
                yield from values_of(key, inner)


@NAMED
def test_every_tree_passes_the_door(taste: Taste) -> None:
    """A tree of the demo is one that `tree push` would take, for the shopper of its taste."""
    shopper, _ = read_tree(grow(taste))
    assert taste.shopper == shopper


@NAMED
def test_every_tree_is_about_goods_of_the_shop(taste: Taste) -> None:
    """A tree names no product and no shelf that the shop does not have."""
    tree = grow(taste)
    listed = {product for products in values_of("product_ids", tree) for product in products}
    assert set() == (set(values_of("product_id", tree)) | listed) - GOODS.keys()
    assert set() == {shelf for shelves in values_of("category_ids", tree) for shelf in shelves} - SHELVES


@NAMED
def test_every_tree_shows_all_there_is(taste: Taste) -> None:
    """Each tree has the four kinds of experience, an idle timer and a score."""
    tree = grow(taste)
    kinds = set(values_of("kind", tree))
    assert set(get_args(Kind)) <= kinds
    assert "score" in kinds
    assert all(20 <= idle_s <= 45 for idle_s in values_of("idle_s", tree))
    assert any(values_of("idle_s", tree))


@NAMED
def test_pasta_brings_the_usual_sauce_and_a_threshold(taste: Taste) -> None:
    """Pasta at the start: the taste's own sauce first, and what is missing to the reward."""
    shopping = Shopping(taste)
    shopping.take("penne")
    shown = shopping.shown()
    assert taste.sauces[0] == shown["main"].content["products"][0]["product_id"]
    assert taste.threshold_minor - GOODS["penne"].price_minor == shown["basket"].content["missing_minor"]


@NAMED
@pytest.mark.parametrize("first", ["red-wine", "ground-coffee", "chicken-breast", "whole-chicken"])
def test_pasta_brings_the_sauce_whatever_came_before(taste: Taste, first: str) -> None:
    """Whichever way the trip began, pasta still brings the usual sauce."""
    shopping = Shopping(taste)
    shopping.take(first, quantity=4)
    shopping.take("spaghetti", at_s=5)
    assert taste.sauces[0] == shopping.shown()["main"].content["products"][0]["product_id"]


def test_the_personas_differ_in_their_sauces() -> None:
    """No two shoppers, with or without a history, are recommended the same sauce."""
    assert len(TASTES) == len({taste.sauces[0] for taste in TASTES})


@NAMED
def test_a_trip_leads_through_pairing_game_and_reminder_to_thanks(taste: Taste) -> None:
    """The sauce brings what goes with it, a full basket the game, the checkout a reminder, the order thanks."""
    shopping = Shopping(taste)
    shopping.take("penne")
    shopping.take(taste.sauces[0], at_s=5)
    assert "pairing" == shopping.node_id
    shopping.take("whole-chicken", at_s=10, quantity=5)
    assert ("game", taste.game) == (shopping.node_id, shopping.shown()["game"].content["game"])
    shopping.tell("PageViewed", 15, page={"kind": "checkout"})
    assert taste.forgotten == shopping.shown()["main"].content["products"][0]["product_id"]
    shopping.pay(at_s=20)
    assert ("thanks", ()) == (shopping.node_id, shopping.state.basket.lines)


def test_an_idle_shopper_is_made_an_offer() -> None:
    """Nothing more for a while after the sauce, and the personal offer appears."""
    taste = PERSONAS[0]
    shopping = Shopping(taste)
    shopping.take("penne")
    shopping.idle(45)
    offer = shopping.shown()["offer"]
    assert ("personalised_promotion", taste.favourite) == (offer.kind, offer.content["products"][0]["product_id"])


def test_a_hesitant_shopper_is_made_an_offer() -> None:
    """Several lines, many pages and second thoughts raise the score over its threshold."""
    shopping = Shopping(PERSONAS[0])
    for second, product_id in enumerate(("penne", "tomatoes", "onions", "lemons")):
        shopping.take(product_id, at_s=second)
    assert "sauce" == shopping.node_id
    for second in range(10, 15):
        shopping.tell("PageViewed", second, page={"kind": "category", "category_id": "rice"})
    assert "offer" == shopping.node_id


def test_reasons_are_said_in_french_too() -> None:
    """Each reason in a tree has its French words in the page."""
    from deploy.demo.routes import STATIC

    words = (STATIC / "words.js").read_text(encoding="utf-8")
    reasons = {reason for taste in TASTES for reason in values_of("reason", grow(taste))}
    assert [] == [reason for reason in sorted(reasons) if f"{json.dumps(reason)[1:-1]}': '" not in words]
