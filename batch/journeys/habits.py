"""Plans from baskets: what the shop sells together, and what one shopper is used to; for the gardener."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from batch.journeys.complements import Counts, goes_with
from batch.journeys.odds import own_rate
from batch.journeys.plan import Model, Ranked, ShopPlan

POPULAR = 200
DAILY_DECAY = 0.97
"""What a basket counts against one of a day later."""
PRIOR_BASKETS = 1.0
AFFINITY = 0.7
"""How far a shopper's own rate of a category, against the shop's, moves what is popular in it."""
PRIOR_LINES_BASKETS = 2.0


class Bought(NamedTuple):
    """One basket of one shopper: the day (any count of days), and (product, category) of each line."""

    day: float
    lines: Sequence[tuple[str, str]]


class Habits(NamedTuple):
    """What one shopper is used to, shrunk towards the shop; see `ShopperPlan`."""

    category_rates: dict[str, float]
    lines: float


def shop_of(
    counts: Counts, currency: str, models: Mapping[str, Model], names: Mapping[str, str] | None = None
) -> ShopPlan:
    """Gives the plan of a shop from its counts; equal counts give equal plans, in whatever order they come."""
    baskets = max(counts.baskets, 1)
    best = sorted(counts.products.items(), key=lambda one: (-one[1], one[0]))[:POPULAR]
    rates = sorted(counts.categories.items(), key=lambda one: (-one[1], one[0]))
    return ShopPlan(
        currency=currency,
        popular=tuple(Ranked(product, counts.category_of[product], count / baskets) for product, count in best),
        goes_with=goes_with(counts),
        category_rates={category: count / baskets for category, count in rates},
        models=dict(models),
        category_names=dict(names or {}),
        lines=counts.lines / baskets if counts.lines else ShopPlan(currency=currency).lines,
    )


def habits_of(baskets: Sequence[Bought], shop: ShopPlan) -> Habits:
    """Gives what a shopper with these baskets is used to; without any, nothing is known."""
    if not baskets:
        return Habits({}, 0.0)
    own = Counter(category for basket in baskets for category in {category for _, category in basket.lines})
    rates = {
        category: own_rate(count, len(baskets), shop.category_rates.get(category, 0.0))
        for category, count in sorted(own.items())
    }
    lines = sum(len({product for product, _ in basket.lines}) for basket in baskets)
    usual = (lines + PRIOR_LINES_BASKETS * shop.lines) / (len(baskets) + PRIOR_LINES_BASKETS)
    return Habits(rates, usual)


def ranked(baskets: Sequence[Bought], as_of: float, shop: ShopPlan, most: int = 100) -> tuple[Ranked, ...]:
    """Gives what a shopper may buy next: what they bought often and lately, then what is popular in their categories.

    score = sum of d^age / (sum over all baskets of d^age + 1) + share in the shop x (own rate / shop's rate)^AFFINITY,
    d = DAILY_DECAY. It stands in where no better prediction is at hand.
    """
    scores: dict[str, float] = {}
    category_of: dict[str, str] = {}
    weight = PRIOR_BASKETS
    for basket in baskets:
        now = DAILY_DECAY ** max(as_of - basket.day, 0.0)
        weight += now
        for product, category in dict(basket.lines).items():
            scores[product] = scores.get(product, 0.0) + now
            category_of[product] = category
    known = {product: score / weight for product, score in scores.items()}
    rates = habits_of(baskets, shop).category_rates
    for product, category, share in shop.popular:
        base = shop.category_rates[category]
        taste = rates.get(category, own_rate(0, len(baskets), base)) / base
        known[product] = known.get(product, 0.0) + share * taste**AFFINITY
        category_of[product] = category
    best = sorted(known.items(), key=lambda one: (-one[1], one[0]))[:most]
    return tuple(Ranked(product, category_of[product], score) for product, score in best)
