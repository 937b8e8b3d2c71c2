"""Real baskets, played item by item: through a tree by the real fold and decision, or against a list."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from batch.journeys.habits import Bought
from deploy.complete_journey import Sold, sold
from domain.decide import decide
from domain.events import AddedToBasket, Product
from domain.fold import apply
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Record
from domain.shopper import Shopper
from domain.tree import Tree

CUTOFF_DAY = 58
"""Trees are grown from the baskets up to this day, and played on those after it."""
SEED = 7
_START = datetime(2026, 1, 5, 9, tzinfo=UTC)
_START_MS = int(_START.timestamp() * 1_000)
_STEP_MS = 20_000
_NOBODY = "00" * 32


class Visit(NamedTuple):
    """One real basket; products in the order in which they are added."""

    household: int
    day: int
    basket: int
    product_ids: tuple[str, ...]


class Outcome(NamedTuple):
    """What one basket made of a policy.

    Attributes:
        hits: products shown that were added later.
        shown: different products shown.
        remaining: products added after the first.
        screens: products on the screen, summed over the steps.
        screen_hits: of these, the ones added later.
    """

    hits: int
    shown: int
    remaining: int
    screens: int
    screen_hits: int


Policy = Callable[[Visit], Sequence[Sequence[str]]]
"""Gives what is on the screen after each product but the last."""


class Shop:
    """The real data on either side of the cutoff."""

    def __init__(self, data: Path) -> None:
        self.products = {row["product_id"]: sold(row) for row in pq.read_table(data / "products.parquet").to_pylist()}
        table = pd.read_parquet(data / "baskets_day1_79.parquet")
        keys = ["household_id", "day", "basket_id"]
        shuffle = np.random.default_rng(SEED)
        self.visits = [
            Visit(int(household), int(day), int(basket), tuple(str(product) for product in shuffle.permutation(rows)))
            for (household, day, basket), rows in table.sort_values([*keys, "product_id"]).groupby(keys)["product_id"]
        ]
        self.before: dict[int, list[Visit]] = defaultdict(list)
        for visit in self.visits:
            if visit.day <= CUTOFF_DAY:
                self.before[visit.household].append(visit)
        self.after = [
            v for v in self.visits if v.day > CUTOFF_DAY and v.household in self.before and len(v.product_ids) > 1
        ]

    def product(self, product_id: str) -> Sold:
        """Gives a product, a stranger where the data knows none."""
        found = self.products.get(int(product_id))
        return found or Sold(product_id, "other", None, "something", "", None)

    def lines(self, visit: Visit) -> list[tuple[str, str]]:
        """Gives product and category of each line."""
        return [(product, self.product(product).category_id) for product in visit.product_ids]

    def bought(self, household: int) -> list[Bought]:
        """Gives a household's baskets before the cutoff."""
        return [Bought(visit.day, self.lines(visit)) for visit in self.before[household]]

    def total_minor(self, visit: Visit) -> int:
        """Gives what a basket comes to at the usual prices."""
        return sum(self.product(product).price_minor or 0 for product in visit.product_ids)


def walked(shop: Shop, tree_of: Callable[[Visit], Tree]) -> Policy:
    """Gives the policy of trees: each addition is folded and decided as an actor does it."""

    def policy(visit: Visit) -> list[list[str]]:
        tree = tree_of(visit)
        state = Shopper(retailer_id="r", shopper=_NOBODY)
        screens = []
        for number, product_id in enumerate(visit.product_ids[:-1]):
            record = _added(shop.product(product_id), number)
            state, _ = decide(apply(state, record, Position(1, number)), record, tree, token=0)
            screens.append(_on_screen(state))
        return screens

    return policy


def listed(
    best: Callable[[Sequence[str], Mapping[str, float]], list[str]], rules: Mapping[str, Mapping[str, float]]
) -> Policy:
    """Gives the policy of a list that is made anew after each addition: `best` of the basket and what its rules say."""

    def policy(visit: Visit) -> list[list[str]]:
        strongest: dict[str, float] = {}
        screens = []
        for number, product_id in enumerate(visit.product_ids[:-1], start=1):
            for consequent, strength in rules.get(product_id, {}).items():
                strongest[consequent] = max(strength, strongest.get(consequent, 0.0))
            screens.append(best(visit.product_ids[:number], strongest))
        return screens

    return policy


def play(policy: Policy, visit: Visit) -> Outcome:
    """Gives what a basket makes of a policy."""
    place = {product: number for number, product in enumerate(visit.product_ids)}
    hits: set[str] = set()
    shown: set[str] = set()
    screens = screen_hits = 0
    for number, screen in enumerate(policy(visit)):
        later = {product for product in screen if place.get(product, -1) > number}
        hits |= later
        shown.update(screen)
        screens, screen_hits = screens + len(screen), screen_hits + len(later)
    return Outcome(len(hits), len(shown), len(visit.product_ids) - 1, screens, screen_hits)


def association_rules(baskets: Sequence[Sequence[str]], by: str) -> dict[str, dict[str, float]]:
    """Gives product → the 50 strongest consequents, of pairs in at least 3 baskets, by confidence or by lift."""
    alone: Counter[str] = Counter()
    together: dict[str, Counter[str]] = defaultdict(Counter)
    for basket in baskets:
        alone.update(basket)
        if len(basket) <= 60:
            for product in basket:
                together[product].update(other for other in basket if other != product)
    rules: dict[str, dict[str, float]] = {}
    for product, others in together.items():
        weighed = [
            (both / alone[product] * (1.0 if by == "confidence" else len(baskets) / alone[other]), other)
            for other, both in others.items()
            if both >= 3
        ]
        rules[product] = {
            other: strength for strength, other in sorted(weighed, key=lambda one: (-one[0], one[1]))[:50]
        }
    return rules


def _on_screen(state: Shopper) -> list[str]:
    """Gives the different products in the open slots of a page."""
    found: dict[str, None] = {}
    for slot in state.slots:
        if slot.state == "open" and slot.experience.expires_at_ms > state.clock_ms:
            for product in slot.experience.content.get("products", ()):
                found[product if isinstance(product, str) else product["product_id"]] = None
    return list(found)


def _added(product: Sold, number: int) -> Record:
    event = AddedToBasket(
        event_id=UUID(int=number + 1),
        occurred_at=_START,
        shopper_id=_NOBODY,
        product=Product(
            product_id=product.product_id,
            category_id=product.category_id,
            price_minor=product.price_minor,
            currency=None if product.price_minor is None else "USD",
        ),
    )
    at_ms = _START_MS + number * _STEP_MS
    return Record(
        schema_version=SCHEMA_VERSION, retailer_id="r", received_at_ms=at_ms, event_time_ms=at_ms, event=event
    )
