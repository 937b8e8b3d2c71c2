"""Terms: what a campaign makes of a node's proposal, and what one promise may cost."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from domain.campaigns import Definition, Prize, Range, RewardRules
from domain.contents import Reward
from domain.experiences import Kind
from domain.terms import PRODUCTS_SHOWN_MAX, Terms, cost_at_least, cost_at_most, terms
from domain.timestamps import from_unix_ms
from tests.story import NOON_MS

PROMOTION: Kind = "personalised_promotion"
TENSION: Kind = "basket_tension"


def definition(kind: Kind = PROMOTION, **fields: Any) -> Definition:
    """A campaign."""
    starts_at, ends_at = from_unix_ms(NOON_MS), from_unix_ms(NOON_MS + 1)
    return Definition(name="Spring", kind=kind, starts_at=starts_at, ends_at=ends_at, **fields)


def promotion(generosity: dict[str, Any] | None = None, *products: Any, **fields: Any) -> dict[str, Any]:
    """A promotion's content as a node has it."""
    given = {} if generosity is None else {"generosity": generosity}
    return {"products": list(products or ("p-1",)), **given, **fields}


def amount(minor: int) -> dict[str, Any]:
    """An amount off."""
    return {"type": "amount", "value_minor": minor}


def percent(value: float) -> dict[str, Any]:
    """A share off."""
    return {"type": "percent", "value": value}


def made(campaign: Definition, content: dict[str, Any], products: frozenset[str] | None = None) -> Terms:
    """What a campaign makes of a proposal that it takes."""
    found = terms(campaign, products, campaign.kind, content)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("proposed", "expected", "is_clamped"),
    [
        (amount(250), 250, False),
        (amount(100), 100, False),
        (amount(300), 300, False),
        (amount(99), 100, True),
        (amount(0), 100, True),
        (amount(301), 300, True),
        (percent(50), 200, False),
        (None, 200, False),
    ],
)
def test_an_amount_is_drawn_into_the_bounds(proposed: dict[str, Any] | None, expected: int, is_clamped: bool) -> None:
    """What the node says within them, the usual one where it says nothing of the kind; drawn in, it is said."""
    campaign = definition(amount_minor=Range(usual=200, at_least=100, at_most=300))
    found = made(campaign, promotion(proposed))
    assert (amount(expected), expected, is_clamped) == (found.content["generosity"], found.cost_minor, found.is_clamped)


@pytest.mark.parametrize(
    ("proposed", "expected", "is_clamped"),
    [
        (percent(12.5), 12.5, False),
        (percent(4), 5, True),
        (percent(100), 20, True),
        (amount(1), 10, False),
        (None, 10, False),
    ],
)
def test_a_percentage_is_drawn_into_the_bounds(
    proposed: dict[str, Any] | None, expected: float, is_clamped: bool
) -> None:
    """And whatever it is, the promise costs at most what the campaign says."""
    campaign = definition(percent=Range(usual=10, at_least=5, at_most=20), max_discount_minor=700)
    found = made(campaign, promotion(proposed))
    assert (percent(expected), 700, is_clamped) == (found.content["generosity"], found.cost_minor, found.is_clamped)


def test_without_bounds_the_node_says_what_is_given() -> None:
    """The campaign limits what it costs: an amount below the limit reserves no more than itself, one above is cut."""
    campaign = definition(max_discount_minor=500)
    assert Terms(promotion(percent(30)), 500, False) == made(campaign, promotion(percent(30)))
    assert Terms(promotion(amount(200)), 200, False) == made(campaign, promotion(amount(200)))
    assert Terms(promotion(amount(500)), 500, False) == made(campaign, promotion(amount(500)))
    assert Terms(promotion(amount(500)), 500, True) == made(campaign, promotion(amount(900)))
    content = {"threshold_minor": 6_000, "reward": amount(900)}
    tension = definition(TENSION, max_discount_minor=500)
    assert Terms({"threshold_minor": 6_000, "reward": amount(500)}, 500, True) == made(tension, content)


def test_a_range_without_ends_is_one_number() -> None:
    """Whatever the node proposes."""
    campaign = definition(amount_minor=Range(usual=200))
    assert Terms(promotion(amount(200)), 200, True) == made(campaign, promotion(amount(500)))


def test_a_threshold_is_drawn_into_the_bounds() -> None:
    """Where the campaign has none, the node's stands; where the node has none, the campaign's usual one."""
    bounded = definition(amount_minor=Range(usual=200), threshold_minor=Range(usual=3_000, at_most=5_000))
    for proposed, expected, is_clamped in ((4_000, 4_000, False), (9_000, 5_000, True), (1, 3_000, True)):
        found = made(bounded, promotion(amount(200), threshold_minor=proposed))
        assert (expected, is_clamped) == (found.content["threshold_minor"], found.is_clamped)
    assert 3_000 == made(bounded, promotion(amount(200))).content["threshold_minor"]
    free = definition(amount_minor=Range(usual=200))
    assert 9_000 == made(free, promotion(amount(200), threshold_minor=9_000)).content["threshold_minor"]
    assert "threshold_minor" not in made(free, promotion(amount(200))).content


def test_a_tension_keeps_its_threshold_and_gets_its_reward() -> None:
    """Both within the campaign's bounds; the products of a campaign say nothing of a whole basket."""
    campaign = definition(
        TENSION, amount_minor=Range(usual=200), threshold_minor=Range(usual=3_000, at_least=2_000, at_most=5_000)
    )
    found = made(campaign, {"threshold_minor": 6_000, "reward": amount(500)})
    assert Terms({"threshold_minor": 5_000, "reward": amount(200)}, 200, True) == found


def test_a_reward_in_kind_costs_what_the_campaign_allows() -> None:
    """A product or a delivery has no amount of its own."""
    reward = {"type": "delivery", "label": "free"}
    content = {"threshold_minor": 6_000, "reward": reward}
    assert Terms(content, 490, False) == made(definition(TENSION, max_discount_minor=490), content)


def test_what_is_promoted_of_what_is_proposed() -> None:
    """Those of the node's products that the campaign promotes, with their reasons and in their order."""
    campaign = definition(amount_minor=Range(usual=1), products=("p-3", "p-2"))
    because = {"product_id": "p-2", "reason": "often bought"}
    found = made(campaign, promotion(None, "p-1", because, "p-3"), frozenset(campaign.products))
    assert [because, "p-3"] == found.content["products"]


def test_the_campaign_shows_its_own_where_the_node_has_none_of_them() -> None:
    """The first of those named; products of a category alone are too many to choose from."""
    own = tuple(f"q-{number}" for number in range(PRODUCTS_SHOWN_MAX + 1))
    campaign = definition(amount_minor=Range(usual=1), products=own)
    assert list(own[:PRODUCTS_SHOWN_MAX]) == made(campaign, promotion(None, "p-1"), frozenset(own)).content["products"]
    by_category = definition(amount_minor=Range(usual=1), category_ids=("pasta",))
    assert terms(by_category, frozenset(own), PROMOTION, promotion(None, "p-1")) is None


def test_a_campaign_for_anything_shows_what_is_proposed() -> None:
    """And nothing where nothing is."""
    campaign = definition("recommendation")
    assert Terms({"products": ["p-1", "p-2"]}, 0, False) == made(campaign, {"products": ["p-1", "p-2"]})
    assert terms(campaign, None, "recommendation", {"products": []}) is None


def test_a_game_gives_the_campaigns_first_prize_and_reserves_the_dearest() -> None:
    """Without prizes the node's game stands, drawn by the order, and the draw for the basket is what it costs."""
    cheap = Prize(prize_id="a", reward=Reward(type="amount", value_minor=50), chance_ppm=9, cost_minor=50)
    dear = Prize(prize_id="b", reward=Reward(type="product", product_id="p-9"), chance_ppm=1, cost_minor=800)
    content = {"game": "wheel", "products": ["p-1"], "prize": {"type": "percent", "value": 5}}
    campaign = definition("gamified_promotion", game="scratch", prizes=(cheap, dear))
    expected = {"game": "scratch", "products": ["p-1"], "prize": {"type": "amount", "value_minor": 50}}
    assert Terms(expected, 800, False) == made(campaign, content)
    drawn = definition("gamified_promotion", game="scratch", reward=RewardRules(chance_ppm=10, at_most_minor=9_000))
    assert Terms({**content, "draws_on": "order"}, 9_000, False) == made(drawn, content)


def test_the_node_is_left_as_it_was() -> None:
    """What a campaign makes of it is its own: the tree serves other shoppers."""
    content = promotion(amount(900), "p-1", "p-2", threshold_minor=1)
    before = promotion(amount(900), "p-1", "p-2", threshold_minor=1)
    campaign = definition(amount_minor=Range(usual=200), threshold_minor=Range(usual=3_000))
    assert made(campaign, content, frozenset({"p-1"})).content != before
    assert before == content


def test_no_promise_costs_more_than_its_campaign_says() -> None:
    """Whatever is proposed, at least `cost_at_least` is reserved and at most `cost_at_most`."""
    rng = Random(7)
    for _ in range(2_000):
        least, more, most = rng.randrange(1, 60), rng.randrange(40), rng.choice([None, rng.randrange(40, 200)])
        bounds = Range(usual=least + more // 2, at_least=least, at_most=least + more)
        kind = rng.choice([PROMOTION, TENSION])
        fields: dict[str, Any] = {"max_discount_minor": most}
        if most is None or rng.random() < 0.4:
            fields["amount_minor"] = bounds
        elif rng.random() < 0.5:
            fields["percent"] = bounds
        worth = rng.choice([amount(rng.randrange(300)), percent(rng.randrange(101))])
        if kind == TENSION and "percent" not in fields and "amount_minor" not in fields:
            worth = rng.choice([worth, {"type": "delivery"}])
        content = promotion(worth) if kind == PROMOTION else {"threshold_minor": 1, "reward": worth}
        campaign = definition(kind, **fields)
        assert cost_at_least(campaign) <= made(campaign, content).cost_minor <= cost_at_most(campaign)
