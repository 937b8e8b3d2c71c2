"""The till: what promises take off an order."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from random import Random
from typing import Any, NamedTuple

import pytest

from domain.discounts import Redemption, Till
from domain.events import OrderLine
from domain.experiences import Kind

PROMOTION: Kind = "personalised_promotion"
TENSION: Kind = "basket_tension"
DELIVERY = {"type": "delivery", "label": "free"}


class Made(NamedTuple):
    """A promise as the till meets it."""

    kind: Kind
    content: dict[str, Any]
    cost_minor: int


def line(product: str, price_minor: int, quantity: int = 1) -> OrderLine:
    """A line of an order."""
    return OrderLine(product_id=product, price_minor=price_minor, quantity=quantity)


def amount(minor: int) -> dict[str, Any]:
    """An amount off."""
    return {"type": "amount", "value_minor": minor}


def percent(value: float) -> dict[str, Any]:
    """A share off."""
    return {"type": "percent", "value": value}


def promotion(generosity: dict[str, Any], *products: Any, cost_minor: int = 10**12, **fields: Any) -> Made:
    """A promotion on products."""
    return Made(PROMOTION, {"products": list(products), "generosity": generosity, **fields}, cost_minor)


def tension(threshold_minor: int, reward: dict[str, Any], cost_minor: int = 10**12) -> Made:
    """A reward for the whole basket."""
    return Made(TENSION, {"threshold_minor": threshold_minor, "reward": reward}, cost_minor)


def given(promise: Made, *lines: OrderLine) -> int | None:
    """The discount of one promise; None where it is not redeemed."""
    redemption = Till(lines).redeem(promise)
    if redemption is None:
        return None
    assert redemption.discount_minor == redemption.cost_minor
    return redemption.discount_minor


@pytest.mark.parametrize(
    ("value", "price_minor", "quantity", "expected"),
    [
        (10, 999, 1, 99),
        (10, 999, 2, 199),
        (33, 100, 1, 33),
        (33.33, 100, 1, 33),
        (33.33, 10_000, 1, 3_333),
        (12.5, 7, 1, 0),
        (12.5, 8, 1, 1),
        (0.01, 9_999, 1, 0),
        (0.01, 10_000, 1, 1),
        (100, 12_345, 3, 37_035),
        (0, 12_345, 3, 0),
        (50, 0, 1, 0),
        (19.99, 10**12, 9_999, 19_988_001 * 10**8),
    ],
)
def test_a_share_is_rounded_down(value: float, price_minor: int, quantity: int, expected: int) -> None:
    """To a whole minor unit of the sum of the lines, not of each piece."""
    assert expected == given(promotion(percent(value), "p-1", cost_minor=10**18), line("p-1", price_minor, quantity))


def test_an_amount_is_taken_off_what_is_promoted() -> None:
    """Never more than that comes to."""
    order = (line("p-1", 300), line("p-2", 5_000))
    assert 200 == given(promotion(amount(200), "p-1"), *order)
    assert 300 == given(promotion(amount(400), "p-1"), *order)
    assert 400 == given(promotion(amount(400), "p-1", {"product_id": "p-2", "reason": "goes with it"}), *order)


def test_nothing_costs_more_than_was_reserved() -> None:
    """A share, an amount, a reward."""
    order = (line("p-1", 10_000),)
    assert 700 == given(promotion(percent(50), "p-1", cost_minor=700), *order)
    assert 700 == given(promotion(amount(900), "p-1", cost_minor=700), *order)
    assert 700 == given(tension(1, percent(50), cost_minor=700), *order)


def test_an_order_without_the_products_redeems_nothing() -> None:
    """Whatever its total."""
    assert given(promotion(amount(200), "p-1"), line("p-2", 10_000)) is None
    assert given(promotion(amount(200), "p-1")) is None


@pytest.mark.parametrize(("threshold_minor", "expected"), [(5_000, 200), (5_001, None), (0, 200)])
def test_a_threshold_asks_for_the_whole_order(threshold_minor: int, expected: int | None) -> None:
    """Before any discount, with lines that are not promoted."""
    order = (line("p-1", 1_000), line("p-2", 2_000, quantity=2))
    assert expected == given(promotion(amount(200), "p-1", threshold_minor=threshold_minor), *order)
    assert expected == given(tension(threshold_minor, amount(200)), *order)


def test_a_threshold_does_not_mind_the_discounts_before() -> None:
    """Two promises that both ask for 50.00 are both kept by an order of 50.00."""
    till = Till((line("p-1", 5_000),))
    assert Redemption(4_000, 4_000) == till.redeem(promotion(amount(4_000), "p-1", threshold_minor=5_000))
    assert Redemption(500, 500) == till.redeem(tension(5_000, amount(500)))
    assert 5_000 == till.total_minor


def test_a_promise_finds_what_those_before_left() -> None:
    """No line is ever paid out: of what is left a share is taken, and an amount as far as it goes."""
    till = Till((line("p-1", 1_000), line("p-2", 100)))
    assert Redemption(500, 500) == till.redeem(promotion(percent(50), "p-1"))
    assert Redemption(250, 250) == till.redeem(promotion(percent(50), "p-1"))
    assert Redemption(250, 250) == till.redeem(promotion(amount(300), "p-1"))
    assert Redemption(0, 0) == till.redeem(promotion(amount(300), "p-1"))
    assert Redemption(100, 100) == till.redeem(tension(1, amount(900)))
    assert Redemption(0, 0) == till.redeem(tension(1, percent(10)))


def test_two_lines_of_one_product_are_one() -> None:
    """Also where they have two prices."""
    order = (line("p-1", 300), line("p-2", 50), line("p-1", 200, quantity=2))
    assert 70 == given(promotion(percent(10), "p-1"), *order)
    assert 700 == given(promotion(amount(900), "p-1"), *order)


def test_a_product_named_twice_is_taken_from_once() -> None:
    """In a share and in an amount; nothing comes off what was not promoted."""
    order = (line("p-1", 1_000), line("p-2", 1_000))
    twice = ("p-1", {"product_id": "p-1", "reason": "again"})
    assert 100 == given(promotion(percent(10), *twice), *order)
    assert 1_000 == given(promotion(amount(1_500), *twice), *order)


def test_lines_that_are_not_known_any_more_count_as_a_sum() -> None:
    """For thresholds and for what a whole basket is given; no promotion touches them."""
    till = Till((line("p-1", 1_000),), others_minor=4_000)
    assert 5_000 == till.total_minor
    assert Redemption(1_000, 1_000) == till.redeem(promotion(amount(1_200), "p-1", threshold_minor=5_000))
    assert Redemption(2_000, 2_000) == till.redeem(tension(5_000, percent(50)))
    assert Redemption(2_000, 2_000) == till.redeem(tension(5_000, amount(9_000)))
    assert Redemption(0, 0) == till.redeem(tension(5_000, amount(9_000)))


def test_a_recommendation_is_followed_and_costs_nothing() -> None:
    """Where one of its products was bought."""
    shown = Made("recommendation", {"products": ["p-1", "p-2"]}, 0)
    assert 0 == given(shown, line("p-2", 100))
    assert given(shown, line("p-3", 100)) is None


def test_a_reward_in_kind_takes_nothing_off_and_costs_what_was_reserved() -> None:
    """The shopper pays the order in full, the retailer sends the gift."""
    till = Till((line("p-1", 1_000),))
    assert Redemption(0, 490) == till.redeem(tension(1_000, DELIVERY, cost_minor=490))
    assert Redemption(1_000, 1_000) == till.redeem(tension(1_000, percent(100)))
    assert Till((line("p-1", 999),)).redeem(tension(1_000, DELIVERY, cost_minor=490)) is None


def test_a_game_gives_nothing_before_it_is_played() -> None:
    """Then its prize, on the products that it is about."""
    content = {"game": "scratch", "products": ["p-1"], "prize": amount(300)}
    order = (line("p-1", 1_000),)
    assert given(Made("gamified_promotion", content, 800), *order) is None
    played = Made("gamified_promotion", content | {"outcome": {"prize_id": "a"}}, 800)
    assert 300 == given(played, *order)
    assert given(played, line("p-2", 1_000)) is None


def test_whatever_is_promised_no_line_is_paid_out() -> None:
    """Over thousands of orders and piles of promises, discounts never sum to more than the lines come to."""
    rng = Random(11)
    for _ in range(2_000):
        order = [
            line(f"p-{rng.randrange(4)}", rng.choice([0, 1, 99, rng.randrange(5_000)]), rng.randrange(1, 4))
            for _ in range(rng.randrange(6))
        ]
        worths = [amount(rng.randrange(6_000)), percent(rng.randrange(10_001) / 100), DELIVERY]
        till, taken = Till(order), 0
        total_minor = sum(one.quantity * one.price_minor for one in order)
        for _ in range(rng.randrange(1, 6)):
            worth, cost_minor = rng.choice(worths), rng.randrange(6_000)
            products = [f"p-{rng.randrange(4)}" for _ in range(rng.randrange(1, 4))]
            promise = rng.choice([promotion(worth, *products), tension(rng.randrange(9_000), worth)])
            redemption = till.redeem(promise._replace(cost_minor=cost_minor))
            if redemption is None:
                continue
            assert 0 <= redemption.discount_minor <= redemption.cost_minor <= cost_minor
            if worth["type"] == "percent":
                assert redemption.discount_minor <= floor(Fraction(str(worth["value"])) * total_minor / 100)
            taken += redemption.discount_minor
            assert taken <= total_minor
