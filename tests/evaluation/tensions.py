"""What the basket-tension formulas give for real households: is reaching foretold, and when does a reward pay?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from batch.econometrics.assumptions import Assumptions
from batch.econometrics.tension import best_tensions, effect, round_step, shopper_spend, spend_of_totals

BASKETS_MIN = 5
TOTAL_MINOR_MIN = 100.0
MARGINS = (0.27, 0.4, 0.5)


def tension_lines(data: Path) -> Iterator[str]:
    """Gives the paragraphs about thresholds."""
    given = Assumptions()
    totals = _totals(data)
    last = totals.groupby("household_id").tail(1)
    before = totals.drop(last.index)
    store = spend_of_totals(before["total_minor"], before["household_id"], round_step("USD"), given)
    logs = np.log(before["total_minor"]).groupby(before["household_id"]).agg(["std", "size"])
    mean = before.groupby("household_id")["total_minor"].mean()
    known = logs[logs["size"] >= BASKETS_MIN].index
    actual = last.set_index("household_id")["total_minor"].reindex(known).to_numpy()
    predicted = mean.reindex(known).to_numpy()
    log_mean, sigma = shopper_spend(predicted, logs["std"].reindex(known), logs["size"].reindex(known), store, given)
    yield (
        "**Thresholds.** The complete baskets of days 1-79, each product once at its median price; a fifth of the "
        f"lines has none, and totals below 1.00 are left out: {len(totals):,} baskets, median "
        f"{np.exp(np.log(totals['total_minor']).median()) / 100:.2f}, sigma of the log {store.sigma:.2f}, within a "
        f"household {store.within:.2f}. For {len(known):,} households with at least {BASKETS_MIN} earlier baskets the "
        "last one was left out. How often it reached K:"
    )
    yield ""
    yield "| K, of the household's mean total | expected by the formula | happened |"
    yield "|---|---|---|"
    for factor in (0.75, 1.0, 1.25, 1.5, 2.0):
        reach = effect(log_mean, sigma, predicted * factor, 100.0, 0.3, given).reach_without
        yield f"| {factor:.2f} | {reach.mean():.1%} | {(actual >= predicted * factor).mean():.1%} |"
    yield ""
    for margin in MARGINS:
        best = best_tensions(log_mean, sigma, round_step("USD"), margin, given)
        pays = best.threshold_minor > 0
        gain = best.effect.margin_minor[pays].mean() / 100 if pays.any() else 0.0
        yield f"- Margin share {margin:.0%}: a threshold pays for {pays.mean():.1%} of them, {gain:.2f} a basket."
    yield ""
    yield from _predicted_better(given)


def _predicted_better(given: Assumptions) -> Iterator[str]:
    """Gives what better predictions of the total would bring."""
    yield (
        "Baskets of so different sizes are foretold badly by the household's mean, and the log-normal around it "
        "foretells the reaching too rarely: a reward would go to more shoppers than the formula says, so that a "
        "threshold pays even less often. With better predictions of the total it looks like this, for an expected "
        "total of 40.00:"
    )
    yield ""
    yield "| sigma | margin share | best threshold | reward | reached without, with | expected lift | expected margin |"
    yield "|---|---|---|---|---|---|---|"
    for spread in (0.15, 0.25, 0.4):
        for margin in MARGINS:
            yield _example(spread, margin, given)
    yield ""
    yield (
        f"That {given.response:.0%} fill a small gap, and nobody one above {given.lever:.0f} times the reward, is "
        "assumed: purchases without an experiment don't tell. Whoever would have come to the threshold anyway is "
        "rewarded too; that is why money pays only where totals are well predicted or margins high."
    )
    yield ""


def _example(spread: float, margin: float, given: Assumptions) -> str:
    best = best_tensions(np.log(4000) - spread**2 / 2, spread, round_step("USD"), margin, given)
    threshold, reward = int(best.threshold_minor[0]), int(best.reward_minor[0])
    if not threshold:
        return f"| {spread} | {margin:.0%} | none pays | | | | |"
    found = best.effect
    return (
        f"| {spread} | {margin:.0%} | {threshold / 100:.2f} | {reward / 100:.2f} | {found.reach_without[0]:.0%}, "
        f"{found.reach_with[0]:.0%} | {found.lift_minor[0] / 100:.2f} | {found.margin_minor[0] / 100:.2f} |"
    )


def _totals(data: Path) -> pd.DataFrame:
    """Gives household, basket and total in cents, in the order of time."""
    lines = pd.read_parquet(data / "baskets_day1_79.parquet")
    prices = pd.read_parquet(data / "products.parquet").set_index("product_id")["unit_price_paid_median"]
    lines["total_minor"] = lines["product_id"].map(prices).fillna(0.0) * 100
    totals = lines.groupby(["household_id", "day", "basket_id"], as_index=False)["total_minor"].sum()
    return totals[totals["total_minor"] >= TOTAL_MINOR_MIN].sort_values(
        ["household_id", "day", "basket_id"], ignore_index=True
    )
