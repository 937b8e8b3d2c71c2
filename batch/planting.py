"""From what was learned to one shopper's tree: predictions, habits, threshold and generosities become a plan, and grow.

Runs where the histories are: everything it needs comes as bytes, is read once a process, and nothing else is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from math import log
from typing import Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct

from batch.baskets.predictor import Predictor
from batch.econometrics import rules as econometrics
from batch.econometrics.tension import best_tensions
from batch.journeys import basket_total
from batch.journeys.gardener import default_tree, grow
from batch.journeys.habits import Bought, habits_of
from batch.journeys.plan import NO_CAMPAIGNS, NO_CATEGORY, Campaigns, Ranked, ShopperPlan, ShopPlan, Tension
from batch.samples import Items, day_number, flat
from domain.ports.tree_store import DEFAULT
from domain.tree import TreeJson, encode

PRODUCTS_MAX = 100
"""Predicted products that a plan looks at."""
BOUGHT_ANYWAY = 0.6
"""Share of a shopper's baskets with a category from which a promotion would pay for what is bought without it."""


class Learned(Struct, frozen=True, kw_only=True):
    """What growing needs, as bytes.

    Attributes:
        as_of: the last day that is known.
        items, predictor, shop, rules: see `batch.train`.
        total: the model of totals; None where there is none.
        campaigns: that trees may propose.
    """

    as_of: date
    items: bytes
    predictor: bytes
    shop: bytes
    rules: bytes
    total: bytes | None
    campaigns: Campaigns = NO_CAMPAIGNS


class Shopper(NamedTuple):
    """What is known of one shopper.

    Attributes:
        shopper_id: hash.
        baskets: oldest first, as in `batch.histories`.
        orders: oldest first.
    """

    shopper_id: str
    baskets: Sequence[Mapping[str, Any]]
    orders: Sequence[basket_total.Order]


class Grown(NamedTuple):
    """One row of `predictions` and of `grown_trees`.

    Attributes:
        products: (product_id, category_id, score), most probable first.
        total_minor: median of the next order; None = unknown.
    """

    shopper_id: str
    products: list[tuple[str, str, float]]
    total_minor: int | None
    tree: bytes
    nodes: int
    bytes: int


class Nursery:
    """Everything learned, decoded."""

    def __init__(self, learned: Learned) -> None:
        """Decodes it; what the predictor keeps of its pairs takes seconds to prepare."""
        self._as_of = learned.as_of
        self._items = msgspec.json.decode(learned.items, type=Items)
        self._index = self._items.index()
        self._predictor = Predictor.from_bytes(learned.predictor)
        self._shop = msgspec.json.decode(learned.shop, type=ShopPlan)
        self._rules = econometrics.decode(learned.rules)
        self._total = None if learned.total is None else basket_total.from_bytes(learned.total)
        self._campaigns = learned.campaigns
        self._category_of = dict(zip(self._items.product_ids, self._items.category_ids, strict=True))
        self._generosities = {
            rule.name: float(rule.generosity_percent) for rule in self._rules.categories if rule.generosity_percent > 0
        }

    def grow(self, shoppers: Sequence[Shopper]) -> Iterator[Grown]:
        """Gives a tree for each shopper; a shopper's tree does not depend on who else is asked about."""
        if not shoppers:
            return
        histories = flat(
            ((one.shopper_id, one.baskets) for one in shoppers),
            self._index,
            len(self._items.product_ids),
            as_of=self._as_of,
        )
        known = np.flatnonzero(histories.baskets > 0)
        found, scores = self._predictor.predict(histories.take(known), PRODUCTS_MAX)
        place = {int(row): number for number, row in enumerate(known)}
        totals = [self._total_of(one.orders) for one in shoppers]
        tensions = self._tensions(totals)
        for number, one in enumerate(shoppers):
            row = place.get(number)
            products = () if row is None else self._ranked(found[row], scores[row])
            yield self._planted(one, products, totals[number], tensions[number])

    def default(self) -> Grown:
        """Gives the tree of strangers: what is popular, and the threshold of the store's baskets."""
        spend = self._rules.spend
        (tension,) = self._best([(spend.log_mean, spend.sigma)])
        tree = default_tree(self._shop, tension, self._generosities, self._campaigns)
        return _grown(DEFAULT, tree, (), None)

    def _planted(
        self,
        one: Shopper,
        products: tuple[Ranked, ...],
        total: basket_total.Prediction | None,
        tension: Tension | None,
    ) -> Grown:
        bought = [
            Bought(day_number(basket["day"]), [(product, self._category(product)) for product in basket["products"]])
            for basket in one.baskets
        ]
        habits = habits_of(bought, self._shop)
        plan = ShopperPlan(
            shopper=one.shopper_id,
            products=products,
            category_rates=habits.category_rates,
            lines=habits.lines,
            total_median_minor=None if total is None else total.median_minor,
            total_sigma=None if total is None else total.sigma,
            tension=tension,
            generosities={
                category: percent
                for category, percent in self._generosities.items()
                if habits.category_rates.get(category, 0.0) < BOUGHT_ANYWAY
            },
            campaigns=self._campaigns,
        )
        return _grown(plan.shopper, grow(plan, self._shop), products, total)

    def _category(self, product_id: str) -> str:
        return self._category_of.get(product_id, NO_CATEGORY)

    def _ranked(self, items: np.ndarray[Any, Any], scores: np.ndarray[Any, Any]) -> tuple[Ranked, ...]:
        return tuple(
            Ranked(self._items.product_ids[item], self._items.category_ids[item], float(score))
            for item, score in zip(items.tolist(), scores.tolist(), strict=True)
            if item >= 0
        )

    def _total_of(self, orders: Sequence[basket_total.Order]) -> basket_total.Prediction | None:
        return None if self._total is None else self._total.predict(orders)

    def _tensions(self, totals: Sequence[basket_total.Prediction | None]) -> list[Tension | None]:
        spend = self._rules.spend
        return self._best(
            [
                (spend.log_mean, spend.sigma) if total is None else (log(total.median_minor), total.sigma)
                for total in totals
            ]
        )

    def _best(self, spends: Sequence[tuple[float, float]]) -> list[Tension | None]:
        rules = self._rules
        best = best_tensions(
            [mean for mean, _ in spends],
            [sigma for _, sigma in spends],
            rules.step_minor,
            rules.store.margin_share,
            rules.assumptions,
        )
        return [
            Tension(threshold_minor=int(threshold), reward_minor=int(reward)) if threshold > 0 else None
            for threshold, reward in zip(best.threshold_minor.tolist(), best.reward_minor.tolist(), strict=True)
        ]


@lru_cache(maxsize=1)
def nursery(learned: bytes) -> Nursery:
    """Gives the nursery of an encoded `Learned`: a process prepares it once, however many tasks it runs."""
    return Nursery(msgspec.msgpack.decode(learned, type=Learned))


def _grown(shopper: str, tree: TreeJson, products: tuple[Ranked, ...], total: basket_total.Prediction | None) -> Grown:
    blob = encode(tree)
    return Grown(
        shopper,
        [(one.product_id, one.category_id, one.score) for one in products],
        None if total is None else total.median_minor,
        blob,
        len(tree.nodes),
        len(blob),
    )
