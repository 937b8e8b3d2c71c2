"""Grown trees on real baskets: worth more than a list for everybody, and small."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch.journeys.complements import counted
from batch.journeys.gardener import grow
from batch.journeys.habits import habits_of, ranked, shop_of
from batch.journeys.plan import ShopperPlan
from domain.tree import encode
from tests.evaluation.in_session import TREES, outcomes_of
from tests.evaluation.played_baskets import CUTOFF_DAY, Shop

pytestmark = [pytest.mark.needs_real_data, pytest.mark.slow]


def test_personal_trees_beat_the_popularity_list_and_association_rules(real_data: Path) -> None:
    """More baskets with a hit, more hits per product shown, more of the rest shown; in 3 KB a tree on average."""
    shop = Shop(real_data)
    plan = shop_of(counted(shop.lines(visit) for visits in shop.before.values() for visit in visits), "USD", {})
    blobs = {}
    for household in sorted(shop.before):
        bought = shop.bought(household)
        habits = habits_of(bought, plan)
        blobs[household] = encode(
            grow(
                ShopperPlan(
                    shopper=f"{household:064x}",
                    products=ranked(bought, CUTOFF_DAY, plan),
                    category_rates=habits.category_rates,
                    lines=habits.lines,
                ),
                plan,
            )
        )
    assert sum(map(len, blobs.values())) / len(blobs) <= 3 * 1_024
    measured = {
        name: (
            sum(one.hits > 0 for one in outcomes) / len(outcomes),
            sum(one.hits for one in outcomes) / sum(one.shown for one in outcomes),
            sum(one.hits for one in outcomes) / sum(one.remaining for one in outcomes),
        )
        for name, outcomes in outcomes_of(shop, plan, {TREES: blobs}).items()
    }
    trees = measured.pop(TREES)
    better = {
        name: all(own > 1.1 * other for own, other in zip(trees, found, strict=True))
        for name, found in measured.items()
    }
    assert dict.fromkeys(measured, True) == better
