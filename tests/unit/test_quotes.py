"""Quotes: what the till may deduct now."""

from __future__ import annotations

from typing import Any

import pytest

from domain.events import OrderLine
from domain.quotes import Quoted, concerns_promises, open_promises, quote
from tests.story import NOON_MS
from tests.unit.market_story import ADDED, Json, MarketStory, campaign, edge, promotion, recommendation, tension

DELIVERY: Json = {"type": "delivery", "label": "free delivery"}
PASTA: Json = {"kind": "product", "action": "added", "category_ids": ["pasta"]}
TREE: Json = {
    "start": {"edges": [edge("sauce", PASTA), edge("shown", ADDED)]},
    "sauce": {"experiences": [promotion("main", "ten", "pasta", "sauce")]},
    "shown": {"experiences": [recommendation("main", "counted", "tea"), tension("bar", "free", 5_000, DELIVERY)]},
}
TEN = campaign("ten")
COUNTED = campaign("counted", kind="recommendation", budget={"count": 5})
FREE = campaign("free", kind="basket_tension", percent=None, max_discount_minor=390)


def story() -> MarketStory:
    """A shopper whom nobody has promised anything."""
    return MarketStory(TREE, TEN, COUNTED, FREE)


def lines(**of: tuple[int, int]) -> list[OrderLine]:
    """An order's lines: quantity and unit price by product."""
    return [OrderLine(product_id=name, quantity=one[0], price_minor=one[1]) for name, one in of.items()]


def quoted(told: MarketStory, at_s: float, **of: tuple[int, int]) -> list[Quoted]:
    """A quote for a shopper's state."""
    return quote(told.state.reservations, lines(**of), NOON_MS + int(at_s * 1_000))


def amounts(found: list[Quoted]) -> dict[str, int]:
    """What is deducted, by campaign."""
    return {one.promise.campaign_id: one.redemption.discount_minor for one in found}


def test_a_promise_is_quoted_until_it_ends() -> None:
    """From the moment of the decision to its last millisecond, for what the order has of its products."""
    told = story()
    told.add("pasta", at_s=10, category_id="pasta")
    assert {"ten": 30} == amounts(quoted(told, 10, pasta=(2, 150), bread=(1, 900)))
    assert {"ten": 30} == amounts(quoted(told, 610, pasta=(2, 150)))
    assert {} == amounts(quoted(told, 610.001, pasta=(2, 150)))
    assert {} == amounts(quoted(told, 9.999, pasta=(2, 150)))
    assert {} == amounts(quoted(told, 10, bread=(1, 900)))
    assert {} == amounts(quoted(told, 10))


def test_a_quote_may_be_asked_again() -> None:
    """The same lines give the same discounts, and nothing has changed."""
    told = story()
    told.add("pasta", category_id="pasta")
    before = told.state
    assert quoted(told, 1, pasta=(1, 150)) == quoted(told, 1, pasta=(1, 150))
    assert before == told.state


def test_the_order_that_follows_commits_what_was_quoted() -> None:
    """The verified order's settlement bears the quoted amount; afterwards nothing is left to deduct."""
    told = story()
    told.add("pasta", category_id="pasta")
    found = quoted(told, 5, pasta=(3, 333))
    told.order("o-1", 5, pasta=(3, 333))
    assert told.decided is not None
    assert [(one.promise.experience_id, one.redemption.cost_minor) for one in found] == [
        (one.experience_id, one.committed_minor) for one in told.decided.settlements
    ]
    assert [] == quoted(told, 6, pasta=(3, 333))


def test_a_reward_in_kind_deducts_nothing_and_is_named() -> None:
    """Past the threshold the till hands out what the content says; a recommendation takes nothing off."""
    told = story()
    told.add("tea", category_id="tea", price_minor=100)
    assert {"counted", "free"} == {one.campaign_id for one in told.open()}
    (free,) = quoted(told, 1, tea=(60, 100))
    assert ("free", 0, DELIVERY) == (free.promise.campaign_id, free.redemption.discount_minor, free.reward)
    assert [] == quoted(told, 1, tea=(49, 100))


def test_money_off_has_no_reward_beside() -> None:
    """What the amount says is not said twice."""
    told = story()
    told.add("pasta", category_id="pasta")
    assert [None] == [one.reward for one in quoted(told, 1, pasta=(1, 150))]


def test_what_a_snapshot_lacks_comes_from_decisions() -> None:
    """From any snapshot, or none, and the decisions since, the open promises are the shopper's."""
    told = story()
    states = [None, told.state]
    for at_s, step in enumerate(STEPS):
        step(told, at_s)
        states.append(told.state)
        later = [one for one in told.told if concerns_promises(one)]
        for state in states:
            assert told.open() == open_promises(state, later)


STEPS: list[Any] = [
    lambda told, at_s: told.add("tea", at_s, category_id="tea", price_minor=100),
    lambda told, at_s: told.add("tea", at_s, category_id="tea", price_minor=100),
    lambda told, at_s: told.remove("tea", at_s),
    lambda told, at_s: told.order("o-1", at_s, tea=(60, 100)),
    lambda told, at_s: told.add("pasta", at_s, category_id="pasta"),
    lambda told, at_s: told.order("o-2", at_s, bread=(1, 100)),
    lambda told, at_s: told.order("o-3", at_s, pasta=(1, 100)),
    lambda told, at_s: told.tell("OrderStatusChanged", at_s, order_id="o-3", status="cancelled", verified=True),
]


@pytest.mark.parametrize(("step", "expected"), [(0, True), (1, True), (3, True), (5, False)])
def test_what_concerns_promises(step: int, expected: bool) -> None:
    """Made, told again under a new id, ended: yes; an event that moves the shopper and promises nothing: no."""
    told = story()
    for at_s, one in enumerate(STEPS[: step + 1]):
        one(told, at_s)
    assert told.decided is not None
    assert expected is concerns_promises(told.decided)
