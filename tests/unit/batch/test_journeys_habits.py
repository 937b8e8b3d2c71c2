"""Plans from baskets: lifts, the shop's plan, and what one shopper is used to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.journeys.complements import LINES_MAX, counted, goes_with, lift
from batch.journeys.habits import Bought, habits_of, ranked, shop_of
from batch.journeys.odds import PRIOR_SESSIONS

PASTA, SAUCE, TEA = ("penne", "pasta"), ("pesto", "sauces"), ("sencha", "tea")
BASKETS = [[PASTA, SAUCE]] * 8 + [[TEA]] * 10 + [[PASTA]] * 2


def test_counts_are_of_baskets() -> None:
    """A product named twice counts once, and a category once for all of its products."""
    counts = counted([[PASTA, PASTA, ("fusilli", "pasta"), SAUCE], [SAUCE]])
    assert (2, 4) == (counts.baskets, counts.lines)
    assert {"penne": 1, "fusilli": 1, "pesto": 2} == counts.products
    assert {"pasta": 1, "sauces": 2} == counts.categories
    assert {("pasta", "pesto"): 1, ("sauces", "penne"): 1, ("sauces", "fusilli"): 1} == counts.together


def test_a_basket_of_everything_says_nothing_of_what_goes_together() -> None:
    """Beyond so many lines, products count and pairs do not."""
    counts = counted([[(f"p-{number}", f"c-{number % 3}") for number in range(LINES_MAX + 1)]])
    assert LINES_MAX + 1 == len(counts.products)
    assert {} == counts.together


def test_the_sauce_goes_with_pasta() -> None:
    """Together twice as often as by chance, shrunk: (8 + 2) / (10 x 8 / 20 + 2)."""
    found = goes_with(counted(BASKETS))
    assert 10 / 6 == pytest.approx(found["pasta"]["pesto"])
    assert "tea" not in found


@given(st.integers(1, 50), st.integers(1, 50), st.integers(50, 1_000))
def test_a_lift_of_what_meets_by_chance_is_one(category: int, product: int, baskets: int) -> None:
    """Neither more nor less than expected moves nothing, however little was seen."""
    assert 1.0 == pytest.approx(lift(category * product / baskets, category, product, baskets))


def test_the_shop_s_plan_has_shares_of_baskets() -> None:
    """Most popular first; of equal ones the first by id."""
    shop = shop_of(counted(BASKETS), "EUR", {})
    assert [("penne", "pasta", 0.5), ("sencha", "tea", 0.5), ("pesto", "sauces", 0.4)] == [
        tuple(p) for p in shop.popular
    ]
    assert {"pasta": 0.5, "tea": 0.5, "sauces": 0.4} == shop.category_rates
    assert 28 / 20 == shop.lines


@given(st.permutations(BASKETS))
def test_a_shop_s_plan_does_not_hang_on_the_order_of_baskets(baskets: list[list[tuple[str, str]]]) -> None:
    """Equal counts, equal plan."""
    one, other = shop_of(counted(BASKETS), "EUR", {}), shop_of(counted(baskets), "EUR", {})
    assert (one.popular, one.goes_with, list(one.category_rates)) == (
        other.popular,
        other.goes_with,
        list(other.category_rates),
    )


def test_habits_lean_on_the_shop_while_little_is_known() -> None:
    """One basket of pasta is a rate between the shop's and one."""
    shop = shop_of(counted(BASKETS), "EUR", {})
    habits = habits_of([Bought(1, [PASTA])], shop)
    assert {"pasta": (1 + PRIOR_SESSIONS * 0.5) / (1 + PRIOR_SESSIONS)} == habits.category_rates
    assert 1.0 < habits.lines < shop.lines
    assert ({}, 0.0) == habits_of([], shop)


def test_what_was_bought_lately_and_often_comes_first() -> None:
    """Own purchases before what is merely popular, later ones before earlier ones, and popularity by own categories."""
    baskets = [[TEA]] * 10 + [[PASTA, SAUCE]] * 10 + [[("fusilli", "pasta")]] * 5 + [[("mint", "tea")]] * 5
    shop = shop_of(counted(baskets), "EUR", {})
    own = [Bought(1, [("own-1", "rice"), ("own-2", "rice")]), Bought(9, [("own-2", "rice"), ("own-3", "rice")])]
    assert ["own-2", "own-3", "own-1"] == [product.product_id for product in ranked(own, 10, shop)[:3]]
    drinker = [product.product_id for product in ranked([Bought(1, [("rooibos", "tea")])] * 4, 10, shop)]
    assert ["rooibos", "sencha"] == drinker[:2]
    assert drinker.index("mint") < drinker.index("fusilli")


def test_a_stranger_gets_what_is_popular() -> None:
    """Without a basket the shop's order stands."""
    shop = shop_of(counted(BASKETS), "EUR", {})
    assert [product.product_id for product in shop.popular] == [product.product_id for product in ranked([], 0, shop)]
