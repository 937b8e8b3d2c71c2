"""What personal trees are worth within a session, measured on real baskets; and how good their ingredients are."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs

from batch.baskets.histories import Histories
from batch.baskets.predictor import Settings, learn
from batch.journeys import basket_total
from batch.journeys.calibration import Quality, quality
from batch.journeys.complements import counted
from batch.journeys.gardener import default_tree, grow
from batch.journeys.habits import habits_of, ranked, shop_of
from batch.journeys.next_category import Row, base_rates, fit, rows_of
from batch.journeys.plan import Ranked, ShopperPlan, ShopPlan, Tension
from deploy.complete_journey import Basket, events
from domain.records import SCHEMA_VERSION, Record
from domain.tree import Tree, encode
from tests.evaluation.played_baskets import (
    CUTOFF_DAY,
    SEED,
    Outcome,
    Shop,
    Visit,
    association_rules,
    listed,
    play,
    walked,
)

TREES = "personal trees"
SCREEN = 5
"""Products that the lists show; a page of a tree has as many."""
MODELLED = 30
"""Categories with a model: the shop's most frequent."""
RANKED = 100
RESAMPLES = 1_000
DAY_MS = 86_400_000
_ROW_HOUSEHOLDS = 700
"""Households whose sessions teach and test the next category."""


def section(data: Path) -> str:
    """Gives the section of the evaluation page on journeys, made from the real baskets in a folder; about a minute."""
    shop = Shop(data)
    trained, held_out = _rows(shop)
    base = base_rates(trained)
    frequent = sorted(base, key=lambda category: (-base[category], category))[:MODELLED]
    models = fit(trained, base, frequent)
    totals, held_out_orders = _totals(shop)
    plan = shop_of(counted(shop.lines(visit) for visits in shop.before.values() for visit in visits), "USD", models)
    plans = {household: _plan(shop, household, plan, totals) for household in sorted(shop.before)}
    started = time.process_time()
    grown = {household: encode(grow(one, plan)) for household, one in plans.items()}
    grown_s = time.process_time() - started
    predicted = {household: encode(grow(one, plan)) for household, one in _predicted(shop, plans).items()}
    parts = (
        _value(shop, outcomes_of(shop, plan, {TREES: predicted, "personal trees, by frequency": grown})),
        _categories(quality(models, trained, held_out), len(trained), len(held_out)),
        _spending(basket_total.errors(totals, held_out_orders), len(held_out_orders)),
        _sizes(list(predicted.values()), grown_s),
    )
    return "\n\n".join(parts) + "\n"


def _predicted(shop: Shop, plans: Mapping[int, ShopperPlan]) -> dict[int, ShopperPlan]:
    """Gives the plans with the products of the next-basket predictor, learned from the baskets before the cutoff."""
    households = sorted(plans)
    items = sorted(
        {product for household in households for visit in shop.before[household] for product in visit.product_ids}
    )
    number = {product: index for index, product in enumerate(items)}
    basket_ptr, item_ptr = [0], [0]
    lines: list[int] = []
    days: list[float] = []
    for household in households:
        for visit in shop.before[household]:
            lines += sorted(number[product] for product in visit.product_ids)
            item_ptr.append(len(lines))
            days.append(visit.day)
        basket_ptr.append(len(days))
    histories = Histories(
        len(items),
        np.array(basket_ptr),
        np.array(item_ptr),
        np.array(lines),
        np.array(households),
        np.array(days, dtype=np.float64),
        np.full(len(households), CUTOFF_DAY + 1.0),
    )
    best, probable = learn(histories, Settings(seed=SEED)).predict(histories, RANKED)
    made = {}
    for household, row, chances in zip(households, best.tolist(), probable.tolist(), strict=True):
        products = [
            Ranked(items[item], shop.product(items[item]).category_id, chance)
            for item, chance in zip(row, chances, strict=True)
            if item >= 0
        ]
        made[household] = structs.replace(plans[household], products=tuple(products))
    return made


def _plan(shop: Shop, household: int, plan: ShopPlan, totals: basket_total.TotalModel) -> ShopperPlan:
    """Gives a household's plan on the evening of the cutoff."""
    bought = shop.bought(household)
    habits = habits_of(bought, plan)
    orders = [basket_total.Order(visit.day * DAY_MS, shop.total_minor(visit)) for visit in shop.before[household]]
    told = totals.predict([order for order in orders if order.total_minor])
    threshold_minor = 500 * (1 + int(1.1 * told.median_minor) // 500)
    return ShopperPlan(
        shopper=f"{household:064x}",
        products=ranked(bought, CUTOFF_DAY, plan),
        category_rates=habits.category_rates,
        lines=habits.lines,
        total_median_minor=told.median_minor,
        total_sigma=told.sigma,
        tension=Tension(threshold_minor=threshold_minor, reward_minor=threshold_minor // 20),
    )


def outcomes_of(shop: Shop, plan: ShopPlan, grown: Mapping[str, Mapping[int, bytes]]) -> dict[str, list[Outcome]]:
    """Gives each policy's outcomes, in the order of `shop.after`.

    Args:
        shop, plan: the data, and what all trees share.
        grown: kinds of personal trees: household → encoded tree.
    """
    popular = [product.product_id for product in plan.popular]
    baskets = [visit.product_ids for visits in shop.before.values() for visit in visits]
    stranger = Tree(encode(default_tree(plan)), 1)

    def best(basket: Sequence[str], strongest: Mapping[str, float]) -> list[str]:
        told = sorted((-strength, product) for product, strength in strongest.items() if product not in basket)
        found = [product for _, product in told[:SCREEN]]
        return found + [p for p in popular if p not in basket and p not in found][: SCREEN - len(found)]

    policies = {
        **{name: walked(shop, _own({h: Tree(blob, 1) for h, blob in blobs.items()})) for name, blobs in grown.items()},
        "default tree": walked(shop, lambda _: stranger),
        "popularity list": listed(best, {}),
        "rules by confidence": listed(best, association_rules(baskets, "confidence")),
        "rules by lift": listed(best, association_rules(baskets, "lift")),
    }
    return {name: [play(policy, visit) for visit in shop.after] for name, policy in policies.items()}


def _own(trees: Mapping[int, Tree]) -> Callable[[Visit], Tree]:
    return lambda visit: trees[visit.household]


def _rows(shop: Shop) -> tuple[list[Row], list[Row]]:
    """Gives the examples of the next category before and after the cutoff, from sessions as `convert` makes them."""
    households = sorted(shop.before)[:_ROW_HOUSEHOLDS]
    wanted = set(households)
    records: dict[str, list[Record]] = defaultdict(list)
    baskets = sorted(
        Basket(v.day, v.household, v.basket, tuple(map(int, v.product_ids)))
        for v in shop.visits
        if v.household in wanted
    )
    for event in events(baskets, shop.products):
        at_ms = int(event.occurred_at.timestamp() * 1_000)
        records[event.shopper_id].append(
            Record(
                schema_version=SCHEMA_VERSION, retailer_id="r", received_at_ms=at_ms, event_time_ms=at_ms, event=event
            )
        )
    first_ms = min(of[0].event_time_ms for of in records.values())
    until_ms = first_ms - first_ms % DAY_MS + CUTOFF_DAY * DAY_MS
    rows = [row for household in households for row in rows_of(records[f"hh-{household}"])]
    return [row for row in rows if row.at_ms < until_ms], [row for row in rows if row.at_ms >= until_ms]


def _totals(shop: Shop) -> tuple[basket_total.TotalModel, list[basket_total.Example]]:
    """Gives the model of orders before the cutoff, and the orders after it with what came before them."""
    orders: dict[int, list[basket_total.Order]] = defaultdict(list)
    for visit in shop.visits:
        total_minor = shop.total_minor(visit)
        if total_minor:
            orders[visit.household].append(basket_total.Order(visit.day * DAY_MS, total_minor))
    trained: list[basket_total.Example] = []
    held_out: list[basket_total.Example] = []
    for household, own in sorted(orders.items()):
        examples = basket_total.examples_of(f"{household:064x}", own)
        early = sum(order.paid_at_ms <= CUTOFF_DAY * DAY_MS for order in own)
        trained += examples[:early]
        held_out += examples[early:]
    return basket_total.fit(trained), held_out


MEASURES: dict[str, Callable[[Any], Any]] = {
    "baskets with a hit": lambda sums: sums[..., 0] / sums[..., 5],
    "hits per product shown": lambda sums: sums[..., 1] / sums[..., 2],
    "share of the rest that was shown": lambda sums: sums[..., 1] / sums[..., 3],
    "right on the screen, step by step": lambda sums: sums[..., 6] / sums[..., 4],
}
"""From sums over baskets (hit at all, hits, shown, remaining, screens, baskets, screen hits) to shares."""


def _sums(households: Sequence[int], outcomes: Sequence[Outcome]) -> Any:
    """Gives [shoppers, 7] sums of outcomes."""
    number = {household: index for index, household in enumerate(sorted(set(households)))}
    sums = np.zeros((len(number), 7))
    for household, one in zip(households, outcomes, strict=True):
        sums[number[household]] += (one.hits > 0, one.hits, one.shown, one.remaining, one.screens, 1, one.screen_hits)
    return sums


def _value(shop: Shop, played: Mapping[str, list[Outcome]]) -> str:
    """Gives the table of what was shown and bought, with paired intervals over shoppers."""
    households = [visit.household for visit in shop.after]
    sums = {name: _sums(households, outcomes) for name, outcomes in played.items()}
    shoppers = len(next(iter(sums.values())))
    draws = np.random.default_rng(SEED).multinomial(shoppers, np.full(shoppers, 1 / shoppers), size=RESAMPLES)
    rows = [["policy", *MEASURES, "products shown a basket"]]
    for name, own in sums.items():
        shares = [f"{measure(own.sum(axis=0)):.1%}" for measure in MEASURES.values()]
        rows.append([name, *shares, f"{own[:, 2].sum() / own[:, 5].sum():.1f}"])
    gains = [[f"{TREES} less", *MEASURES]]
    trees = draws @ sums[TREES]
    for name, own in sums.items():
        if name != TREES:
            gains.append([name, *(_interval(measure(trees) - measure(draws @ own)) for measure in MEASURES.values())])
    return (
        "## Within a session\n\n### What is shown and bought within a basket\n\n"
        f"{len(shop.after):,} baskets of {shoppers:,} shoppers after day {CUTOFF_DAY}, played item by item through the "
        "real fold and decision; trees, list and rules are made from the baskets up to that day and show at most "
        f"{SCREEN} products at a time. Products of personal trees come from the next-basket predictor, or from decayed "
        "frequency. "
        "A hit is a product that was shown, then added to the same basket. The order of the items is shuffled "
        f"(seed {SEED}): the data has none.\n\n{_table(rows)}\n\n"
        "Differences in percentage points, with 95 % intervals of a paired bootstrap over shoppers:\n\n"
        f"{_table(gains)}"
    )


def _interval(differences: Any) -> str:
    low, middle, high = 100 * np.quantile(differences, (0.025, 0.5, 0.975))
    return f"{middle:+.1f} ({low:+.1f} to {high:+.1f})"


def _categories(found: Sequence[Quality], trained: int, held_out: int) -> str:
    """Gives the table of the models of the next category."""
    rows = [["category", "share", "AUC", "AUC of own rate", "log-loss", "base rate's", "calibration error"]]
    numbers = np.array([one[2:] for one in found])
    weights = np.array([one.rows for one in found], dtype=np.float64)
    mean = np.average(numbers, axis=0, weights=weights)
    rows += [[one.category, *_quality(one[2:])] for one in found[:8]]
    rows.append([f"all {len(found)}, by rows", *_quality(mean)])
    better = sum(one.log_loss < one.base_log_loss for one in found)
    return (
        "### The next category\n\n"
        f"P(a category is added later in this session) after each event, {trained:,} events to learn from and "
        f"{held_out:,} after day {CUTOFF_DAY}. Better than the base rate by log-loss: {better} of {len(found)} "
        "categories. What was bought is real; views, searches and times between are invented by "
        f"`convert complete-journey`.\n\n{_table(rows)}"
    )


def _quality(numbers: Any) -> list[str]:
    share, auc, habit, loss, base, error = numbers
    return [f"{share:.1%}", f"{auc:.3f}", f"{habit:.3f}", f"{loss:.4f}", f"{base:.4f}", f"{error:.2%}"]


def _spending(found: Mapping[str, basket_total.Error], orders: int) -> str:
    """Gives the table of the next order's total."""
    rows = [["", "mean absolute error", "mean relative error", "orders within the 80 % interval"]]
    for name, one in found.items():
        inside = "" if np.isnan(one.coverage) else f"{one.coverage:.1%}"
        rows.append([name, f"{one.mae_minor / 100:.2f} USD", f"{one.mape:.1%}", inside])
    return f"### The next basket's total\n\n{orders:,} orders after day {CUTOFF_DAY}.\n\n{_table(rows)}"


def _sizes(blobs: Sequence[bytes], grown_s: float) -> str:
    """Gives the table of the sizes of trees, and how fast they grow."""
    rows = [["", "mean", "95 %", "max"]]
    for name, numbers in (
        ("bytes, encoded", [len(blob) for blob in blobs]),
        ("nodes", [Tree(blob, 1).node_count for blob in blobs]),
    ):
        rows.append([name, f"{np.mean(numbers):,.0f}", f"{np.quantile(numbers, 0.95):,.0f}", f"{max(numbers):,}"])
    return (
        f"### The trees\n\n{len(blobs):,} trees, grown and encoded at {len(blobs) / grown_s:,.0f} a second on one core "
        f"of the machine that made this page.\n\n{_table(rows)}"
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---", *("---:" for _ in head[1:])], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
