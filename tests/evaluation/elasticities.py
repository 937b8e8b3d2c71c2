"""What the econometric rules find in the real sample: signs, errors, placebos, reliability, what pays."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from batch.econometrics.crossing import crossed
from batch.econometrics.demand import Fit, Sales, fit
from batch.econometrics.elasticities import Elasticities, Member, elasticities, sales_of
from batch.econometrics.generosity import best_percents, cautious
from batch.econometrics.panel import panel_of
from batch.econometrics.rules import Rules, rules_of
from tests.evaluation.tensions import tension_lines

PLACEBOS = 10
CATEGORY_PLACEBOS = 4
SEED = 7
NAIVE_LINES_MIN = 10
TOP = 15


class Real(NamedTuple):
    """The real sample in the form of the warehouse, and the department of each category."""

    sold: pd.DataFrame
    departments: dict[str, str]


def section(data: Path) -> str:
    """Gives the section of docs/evaluation.md about elasticities, generosities and thresholds.

    Args:
        data: the folder of the Complete Journey files.
    """
    real = read(data)
    panel = panel_of(real.sold)
    rules = rules_of(panel, (), "USD", departments=real.departments)
    found = elasticities(panel, real.departments)
    rows = crossed(panel)
    parts = [
        *_introduction(real, panel, rows),
        *_levels(found, fit(sales_of(rows))),
        *_departments(found),
        *_categories(found),
        *_placebo(panel, rows),
        *_reliability(panel, real.departments),
        *_generosities(rules),
        *tension_lines(data),
        *_limits(),
    ]
    return "\n".join(parts) + "\n"


def read(data: Path) -> Real:
    """Reads the sample as `sold_products`: USD cents, regular price before loyalty and matched coupon discounts."""
    lines = pd.read_parquet(data / "transactions_2017_sample.parquet")
    products = pd.read_parquet(data / "products.parquet")[["product_id", "department", "product_category"]]
    joined = lines.merge(products, how="left", on="product_id")
    regular = joined["sales_value"] + joined["retail_disc"] + joined["coupon_match_disc"]
    sold = pd.DataFrame(
        {
            "order_id": joined["basket_id"].astype(str),
            "day": joined["transaction_timestamp"],
            "product_id": joined["product_id"].astype(str),
            "category_id": joined["product_category"],
            "quantity": joined["quantity"],
            "amount_minor": (joined["sales_value"] * 100).round(),
            "regular_price_minor": regular * 100 / joined["quantity"].where(joined["quantity"] > 0),
        }
    )
    counts = joined.groupby(["product_category", "department"]).size().rename("lines").reset_index()
    counts = counts.sort_values(["product_category", "lines", "department"], ascending=[True, False, True])
    mostly = counts.drop_duplicates("product_category")
    return Real(sold, dict(zip(mostly["product_category"], mostly["department"], strict=True)))


def _introduction(real: Real, panel: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    yield "## Elasticities, generosities and thresholds"
    yield ""
    yield (
        f"From `transactions_2017_sample` ({len(real.sold):,} receipt lines, 5.1 % of a year), added up to "
        f"{len(panel):,} rows by product, week and half of the baskets. Prices are read from one half, quantities "
        f"counted in the other (`batch/econometrics/crossing.py` says why); {len(rows):,} priced cells meet "
        f"{rows['bought'].sum():,.0f} purchases. Own-price elasticity: of the quantity to the price paid, relative to "
        "the regular price. Lift: what being promoted adds at a given price, in log points. ± is one standard error, "
        "clustered by product."
    )
    yield ""


def _levels(found: Elasticities, whole: Fit) -> Iterator[str]:
    members = found.categories
    levels = [member.elasticity.level for member in members]
    known = [member for member in members if member.elasticity.raw is not None]
    negative_raw = sum(_raw(member) < 0 for member in known)
    negative = sum(member.elasticity.value < 0 for member in members)
    significant = sum(_raw(member) + 1.96 * _raw_error(member) < 0 for member in known)
    wrong = sum(_raw(member) - 1.96 * _raw_error(member) > 0 for member in known)
    yield (
        f"- {len(members)} categories: {len(known)} have an own estimate, and {levels.count('category')} of these say "
        f"enough to count; {levels.count('department')} fell back to their department, {levels.count('store')} to the "
        f"store, {levels.count('assumed')} to the assumed default."
    )
    yield (
        f"- Store: elasticity **{found.store.elasticity.value:.2f} ± {found.store.elasticity.error:.2f}** (mean of the "
        f"categories), lift {_signed(found.store.lift.value, found.store.lift.error)}. All rows in one regression: "
        f"{_signed(whole.coefficients[0], whole.errors[0])}, lift {_signed(whole.coefficients[1], whole.errors[1])} "
        f"({whole.products:,} products)."
    )
    yield (
        f"- Expected sign (below 0): {negative_raw} of {len(known)} own estimates before shrinkage "
        f"({significant} of them by more than 1.96 standard errors; {wrong} above 0 by as much), "
        f"{negative} of {len(members)} categories after it."
    )
    lifts = [member.lift for member in members if member.lift.raw is not None]
    yield (
        f"- Lift above 0: {sum((lift.raw or 0) > 0 for lift in lifts)} of {len(lifts)} own estimates: at a given "
        "price, a promotion as such adds little here. The rules don't count on it (`lift_counts`)."
    )
    yield ""


def _departments(found: Elasticities) -> Iterator[str]:
    yield from _header("department", "own estimate", "shrunk", "weight", "lift (shrunk)", "products", "how")
    for member in sorted(found.departments, key=lambda one: (-one.purchases, one.name)):
        if member.elasticity.raw is not None:
            yield _line(member)
    rest = [member.name for member in found.departments if member.elasticity.raw is None]
    yield ""
    yield f"Nothing to estimate from, so the store's value holds: {', '.join(rest)}."
    yield ""


def _categories(found: Elasticities) -> Iterator[str]:
    yield from _header("category", "own estimate", "shrunk", "weight", "lift (shrunk)", "products", "how")
    for member in sorted(found.categories, key=lambda one: (-one.purchases, one.name))[:TOP]:
        yield _line(member)
    yield ""
    yield f"The {TOP} categories with the most purchases that could be compared."
    yield ""


def _placebo(panel: pd.DataFrame, rows: pd.DataFrame) -> Iterator[str]:
    """Prices of other weeks must do nothing; the naive estimators show what they would have found."""
    draws = [fit(sales_of(_shuffled(rows, seed))).coefficients[0] for seed in range(SEED, SEED + PLACEBOS)]
    ratios = np.array([ratio for seed in range(SEED, SEED + CATEGORY_PLACEBOS) for ratio in _ratios(rows, seed)])
    yield "**Placebo.** Each product's prices are dealt out anew among its own weeks; what is found then is an error."
    yield ""
    yield from _header("estimator", "real prices", f"placebo, mean of {PLACEBOS} (range)")
    real = fit(sales_of(rows))
    yield _placebo_line("price and quantity from different halves (used)", real, draws)
    for name, sales in (
        ("sold weeks only, same lines", _naive(panel, filled=False)),
        ("same lines, unsold weeks filled in at the regular price", _naive(panel, filled=True)),
    ):
        dealt = [fit(_dealt(sales, seed)).coefficients[0] for seed in range(SEED, SEED + 2)]
        yield _placebo_line(name, fit(sales), dealt)
    yield ""
    yield (
        f"By category, {CATEGORY_PLACEBOS} placebos: {(abs(ratios) > 1.96).mean():.1%} of {len(ratios)} estimates are "
        "beyond 1.96 of their standard errors; 5 % would be chance alone. The two naive estimators (products with at "
        f"least {NAIVE_LINES_MIN} lines, 2 placebos) are no part of hotbasket."
    )
    yield ""


def _reliability(panel: pd.DataFrame, departments: dict[str, str]) -> Iterator[str]:
    """Odd against even weeks."""
    halves = [elasticities(panel[panel["week"] % 2 == parity], departments) for parity in (0, 1)]
    other = [{member.name: member for member in half.categories} for half in reversed(halves)]
    errors: dict[str, list[float]] = {"raw": [], "shrunk": [], "store": []}
    weights: list[float] = []
    for half, truth in zip(halves, other, strict=True):
        for member in half.categories:
            target = truth.get(member.name)
            if target is None or target.elasticity.raw is None or member.elasticity.raw is None:
                continue
            weights.append(_raw_error(target) ** -2)
            for name, guess in (
                ("raw", _raw(member)),
                ("shrunk", member.elasticity.value),
                ("store", half.store.elasticity.value),
            ):
                errors[name].append((guess - _raw(target)) ** 2)
    found = {name: float(np.average(values, weights=weights)) ** 0.5 for name, values in errors.items()}
    verdict, gain = (_compared(found["shrunk"], found[name]) for name in ("raw", "store"))
    yield (
        f"**Split halves.** Estimates of odd weeks against even weeks and back ({len(weights)} pairs, weighted by the "
        f"target's precision; the target is the other half's own estimate, noise included). Root mean squared error: "
        f"raw {found['raw']:.2f}, shrunk **{found['shrunk']:.2f}**, the store's value for all {found['store']:.2f}. "
        f"The shrunk estimate predicts {verdict} the raw one, and {gain} one number for the whole store."
    )
    yield ""


def _generosities(rules: Rules) -> Iterator[str]:
    given = rules.assumptions
    paying = [rule for rule in rules.categories if rule.generosity_percent > 0]
    yield (
        f"**Generosity.** The data have no costs, so every margin share is assumed. With them a discount pays in "
        f"{len(paying)} of {len(rules.categories)} categories: a discount earns more only where the margin share is "
        f"above 1 / |elasticity| (Lerner), and the rules believe the end of the estimate that is {given.caution_z} "
        "standard errors nearer to 0. The best percentage at other margin shares:"
    )
    yield ""
    shares = (0.3, 0.4, 0.5, 0.6, 0.7)
    yield from _header("category", "believed", "assumed margin", "pays above", *(f"at {share:.0%}" for share in shares))
    shown = sorted((rule for rule in rules.categories if rule.level == "category"), key=lambda rule: -rule.purchases)
    for rule in shown[:10]:
        believed = cautious(rule.elasticity, rule.elasticity_error, given)
        percents = best_percents(1.0, [1 - share for share in shares], believed, 0.0, given)
        above = f"{-1 / believed:.0%}" if believed < -1 else "never"
        cells = [rule.name, f"{believed:.2f}", f"{rule.margin_share:.0%}", above, *(f"{one} %" for one in percents)]
        yield "| " + " | ".join(cells) + " |"
    yield ""


def _limits() -> Iterator[str]:
    yield "**What a 5.1 % sample can't say.**"
    yield ""
    yield (
        "- Half of the products have one or two sampled lines a year: they inform nothing alone, and a category with "
        "few products falls back. With all lines a retailer would see twenty times as many purchases in each cell, and "
        "the errors would be a fraction of these."
    )
    yield (
        "- The price is that of one or two lines somewhere in the chain, while other stores may have had another: this "
        "draws elasticities towards 0. A panel by store would not, but hardly any store is sampled twice in a week."
    )
    yield (
        "- They are answers within the week. What is bought ahead, or taken from a sister product, is not taken off: a "
        "promotion is worth less to the retailer than these numbers make it."
    )
    yield (
        "- The retailer chose when to promote. Season effects by category take out what moves all its products, not "
        "what the retailer knew about one. Only shoppers held out at random can measure that."
    )
    yield ""


def _naive(panel: pd.DataFrame, *, filled: bool) -> Sales:
    """Price and quantity from the same lines; unsold weeks of a product's life left out or filled in."""
    kept = panel[panel.groupby("product_id")["lines"].transform("sum") >= NAIVE_LINES_MIN]
    cells = kept.groupby(["product_id", "week"], as_index=False)[["lines", "amount_minor", "regular_minor"]].sum()
    baskets = panel.groupby(["week", "half"])["baskets"].max().groupby("week").sum()
    if filled:
        life = cells.groupby("product_id")["week"].agg(["min", "max"])
        weeks = [(one, week) for one, low, high in life.itertuples() for week in range(low, high + 1)]
        whole = pd.DataFrame(weeks, columns=["product_id", "week"])
        cells = whole.merge(cells, how="left", on=["product_id", "week"])
        cells = cells.fillna({"lines": 0.0, "amount_minor": 1.0, "regular_minor": 1.0})
    group = np.unique(cells["product_id"].to_numpy(str), return_inverse=True)[1].astype(np.int64)
    relative = np.log((cells["amount_minor"] / cells["regular_minor"]).clip(0.2, 5.0)).to_numpy(np.float64)
    return Sales(
        bought=cells["lines"].to_numpy(np.float64),
        group=group,
        cluster=group,
        week=cells["week"].to_numpy(np.int64),
        log_baskets=np.log(cells["week"].map(baskets)).to_numpy(np.float64),
        regressors=np.column_stack([relative, relative < np.log(0.99)]),
    )


def _ratios(rows: pd.DataFrame, seed: int) -> Iterator[float]:
    """Gives estimate over standard error of each category after its prices were dealt out anew."""
    for _, part in _shuffled(rows, seed).groupby("category_id"):
        one = fit(sales_of(part))
        if not one.fault:
            yield float(one.coefficients[0] / one.errors[0])


def _dealt(sales: Sales, seed: int) -> Sales:
    """Deals the prices out anew among the sold rows of each group: what an unsold week cost is never known."""
    order = np.random.default_rng(seed).permutation(len(sales.bought))
    sold = sales.bought > 0
    shuffled = order[sold[order]]
    mixed = shuffled[np.argsort(sales.group[shuffled], kind="stable")]
    rows = np.flatnonzero(sold)
    regressors = sales.regressors.copy()
    regressors[rows[np.argsort(sales.group[rows], kind="stable")]] = sales.regressors[mixed]
    return sales._replace(regressors=regressors)


def _shuffled(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    order = np.random.default_rng(seed).permutation(len(rows))
    mixed = order[np.argsort(rows["group"].to_numpy()[order], kind="stable")]
    dealt = rows.sort_values("group", kind="stable").reset_index(drop=True)
    for name in ("log_relative", "promotion"):
        dealt[name] = rows[name].to_numpy()[mixed]
    return dealt


def _placebo_line(name: str, real: Fit, draws: Sequence[float]) -> str:
    middle = f"{np.mean(draws):+.2f} ({min(draws):+.2f} to {max(draws):+.2f})"
    return f"| {name} | {_signed(real.coefficients[0], real.errors[0])} | {middle} |"


def _header(*names: str) -> Iterator[str]:
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)


def _line(member: Member) -> str:
    one = member.elasticity
    own = "none" if one.raw is None else _signed(_raw(member), _raw_error(member))
    cells = [
        member.name,
        own,
        _signed(one.value, one.error),
        f"{one.weight:.2f}",
        _signed(member.lift.value, member.lift.error),
        str(member.products),
        one.reason,
    ]
    return "| " + " | ".join(cells) + " |"


def _compared(error: float, other: float) -> str:
    if abs(error / other - 1) < 0.05:
        return "about as well as"
    return "better than" if error < other else "worse than"


def _raw(member: Member) -> float:
    return float("nan") if member.elasticity.raw is None else member.elasticity.raw


def _raw_error(member: Member) -> float:
    return float("nan") if member.elasticity.raw_error is None else member.elasticity.raw_error


def _signed(value: float, error: float) -> str:
    return f"{value:+.2f} ± {error:.2f}"


if __name__ == "__main__":
    print(section(Path(sys.argv[1])))
