"""Elasticities: own price and promotion, by category, with shrinkage towards department and store, and their errors."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import pandas as pd
from msgspec import Struct, structs

from batch.econometrics.assumptions import Assumptions
from batch.econometrics.crossing import crossed
from batch.econometrics.demand import Fit, Floats, Sales, fit
from batch.econometrics.shrinkage import KIND_MIN, Normal, between_variance, combine, mean_of, shrink

Level = Literal["category", "department", "store", "assumed"]
ROWS_MAX: Final = 400_000
"""Crossed rows of one fit; of more, whole products are drawn by the hash of their id until it is full."""
WEIGHT_MIN: Final = 0.05
"""A category whose own estimate weighs less rests on the level above."""
NOT_SEEN: Final = "never sold at a price that can be read"


class Estimate(Struct, frozen=True, kw_only=True):
    """One coefficient of one category, department or store.

    Attributes:
        raw, raw_error: own estimate and standard error; None where it could not be estimated.
        value, error: after shrinkage.
        weight: of the own estimate in `value`, 0..1.
        level: the nearest level whose estimate counts; `assumed` if there is none.
        reason: how it was estimated, or why it fell back.
        used: `value` within the range that rules may use.
        capped: whether `used` differs from `value`.
    """

    raw: float | None
    raw_error: float | None
    value: float
    error: float
    weight: float
    level: Level
    reason: str
    used: float
    capped: bool


class Member(Struct, frozen=True, kw_only=True):
    """A category, a department or the store with both its elasticities.

    Attributes:
        name: category id or department; '' for the store.
        department: of a category, '' if it has none.
        elasticity: of the quantity to the price paid: 1 % cheaper sells -elasticity % more. Expected below 0.
        lift: what being promoted adds at a given price, in log points. Expected above 0.
        rows, products, purchases: that informed the own estimate.
        season_weeks: weeks that share a season effect; 0 = none.
    """

    name: str
    department: str
    elasticity: Estimate
    lift: Estimate
    rows: int
    products: int
    purchases: float
    season_weeks: int


class Elasticities(Struct, frozen=True, kw_only=True):
    """Everything estimated of one retailer; departments and categories sorted by name."""

    store: Member
    departments: tuple[Member, ...]
    categories: tuple[Member, ...]


class _Prior(NamedTuple):
    """What a level takes over from the one above: its mean, its members' variance, where that comes from."""

    mean: Normal
    variance: float
    level: Level


class _Levels(NamedTuple):
    """One coefficient on all three levels; categories in the order of their names."""

    store: Estimate
    departments: dict[str, Estimate]
    categories: list[Estimate]


class _Scale(NamedTuple):
    """What is assumed of one coefficient."""

    default: Normal
    spread: float
    bounds: tuple[float, float]


def elasticities(
    panel: pd.DataFrame,
    departments: Mapping[str, str] | None = None,
    also: Iterable[str] = (),
    assumptions: Assumptions | None = None,
) -> Elasticities:
    """Estimates every category, then draws it towards its department, and that towards the store.

        store      = normal-normal mean of what is assumed and the random-effects mean of the categories
        department = its categories' random-effects mean, shrunk towards the store with the variance between departments
        category   = its own estimate, shrunk towards its department (without one: the store) with the variance within

    A level with fewer than three estimated categories is estimated from all its rows together instead. Price and
    promotion are shrunk each on its own.

    Source: formulas and papers in `crossing`, `demand` and `shrinkage`.

    Args:
        panel: of one retailer, see `batch.econometrics.panel`.
        departments: by category id; None = what stands before the first '/' or ' > ' of the id, else none.
        also: categories that must have a row although nothing was sold of them.
        assumptions: None = the defaults.

    Returns:
        One member for the store, for each department and for each category, in the same order for the same input.
    """
    given = assumptions or Assumptions()
    rows = crossed(panel)
    names = sorted({*panel["category_id"].unique(), *also} - {""})
    of = {name: department_of(name, departments) for name in names}
    by_category = {name: _fitted(part, given) for name, part in rows.groupby("category_id") if name != ""}
    fits = [by_category.get(name, _nothing()) for name in names]
    in_department: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        if of[name]:
            in_department.setdefault(of[name], []).append(index)
    pooled = {
        department: _fitted(rows[rows["category_id"].isin([names[index] for index in members])], given)
        for department, members in sorted(in_department.items())
    }
    whole = _fitted(rows, given)
    parts = [
        _hierarchy([of[name] for name in names], fits, pooled, whole, column, scale)
        for column, scale in enumerate(_scales(given))
    ]
    return Elasticities(
        store=_member("", "", whole, [part.store for part in parts]),
        departments=tuple(
            _member(name, name, one, [part.departments[name] for part in parts]) for name, one in pooled.items()
        ),
        categories=tuple(
            _member(name, of[name], fits[index], [part.categories[index] for part in parts])
            for index, name in enumerate(names)
        ),
    )


def department_of(category_id: str, departments: Mapping[str, str] | None) -> str:
    """Gives the department of a category: the mapping's, else what stands before '/' or ' > ', else ''."""
    if departments is not None:
        return departments.get(category_id, "")
    for separator in (" > ", "/"):
        head, found, _ = category_id.partition(separator)
        if found:
            return head.strip()
    return ""


def frame(found: Elasticities) -> pd.DataFrame:
    """Gives the table of what was estimated and what fell back: store, departments, categories, a row each."""
    kinds = [("store", (found.store,)), ("department", found.departments), ("category", found.categories)]
    table = []
    for kind, members in kinds:
        for member in members:
            row: dict[str, object] = {"kind": kind, "name": member.name, "department": member.department}
            for name in ("elasticity", "lift"):
                values = structs.asdict(getattr(member, name))
                row |= {f"{name}_{field}": np.nan if value is None else value for field, value in values.items()}
            table.append(row | {name: getattr(member, name) for name in ("rows", "products", "purchases")})
    return pd.DataFrame(table)


def sales_of(rows: pd.DataFrame) -> Sales:
    """Gives crossed rows as the arrays that are fitted, bounded by `ROWS_MAX`."""
    products, cluster = np.unique(rows["product_id"].to_numpy(str), return_inverse=True)
    if len(rows) > ROWS_MAX:
        drawn = np.argsort([zlib.crc32(str(product).encode()) for product in products], kind="stable")
        enough = np.cumsum(np.bincount(cluster)[drawn]) <= ROWS_MAX
        return sales_of(rows[np.isin(cluster, drawn[enough])])
    return Sales(
        bought=rows["bought"].to_numpy(np.float64),
        group=rows["group"].to_numpy(np.int64),
        cluster=cluster.astype(np.int64),
        week=rows["week"].to_numpy(np.int64),
        log_baskets=rows["log_baskets"].to_numpy(np.float64),
        regressors=rows[["log_relative", "promotion"]].to_numpy(np.float64),
    )


def _fitted(rows: pd.DataFrame, given: Assumptions) -> Fit:
    return _nothing() if rows.empty else fit(sales_of(rows), given.products_min, given.purchases_min)


def _nothing() -> Fit:
    return Fit(np.full(2, np.nan), np.full(2, np.nan), 0, 0, 0.0, 0, NOT_SEEN)


def _scales(given: Assumptions) -> tuple[_Scale, _Scale]:
    return (
        _Scale(
            Normal(given.elasticity_default, given.elasticity_default_sd),
            given.elasticity_spread,
            given.elasticity_range,
        ),
        _Scale(Normal(given.lift_default, given.lift_default_sd), given.lift_spread, given.lift_range),
    )


def _hierarchy(
    of: Sequence[str], fits: Sequence[Fit], pooled: Mapping[str, Fit], whole: Fit, column: int, scale: _Scale
) -> _Levels:
    """Estimates one coefficient on all three levels."""
    raw, errors = _column(fits, column)
    store_raw, store_variance, how = _level_mean(raw, errors, whole, column, scale.spread**2)
    shrunk, weight = combine(store_raw, scale.default)
    store = _Prior(shrunk, store_variance, "store" if weight else "assumed")
    top = _estimate(store_raw, shrunk, weight, store.level, how, scale)

    own = {name: _members(of, name, raw, errors) for name in pooled}
    means = {name: _level_mean(*own[name], one, column, store_variance) for name, one in pooled.items()}
    usable = [mean[0] for mean in means.values() if np.isfinite(mean[0].mean)]
    between = store_variance
    if len(usable) >= KIND_MIN:
        between = between_variance(np.array([one.mean for one in usable]), np.array([one.sd for one in usable]))
    priors: dict[str, _Prior] = {}
    middle: dict[str, Estimate] = {}
    for name, (mean, variance, reason) in means.items():
        value, share = shrink(*mean, store.mean, between)
        level: Level = "department" if np.isfinite(mean.mean) else store.level
        priors[name] = _Prior(value, variance, level)
        middle[name] = _estimate(mean, value, share, level, reason, scale)

    bottom = []
    for index, name in enumerate(of):
        prior = priors.get(name, store)
        one = Normal(float(raw[index]), float(errors[index]))
        value, share = shrink(*one, prior.mean, prior.variance)
        reason = fits[index].fault or _told(one)
        if np.isfinite(one.mean) and share < WEIGHT_MIN:
            reason = f"own estimate too noisy to count beside the {prior.level}'s"
        bottom.append(_estimate(one, value, share, "category" if share >= WEIGHT_MIN else prior.level, reason, scale))
    return _Levels(top, middle, bottom)


def _level_mean(raw: Floats, errors: Floats, pooled: Fit, column: int, variance: float) -> tuple[Normal, float, str]:
    """Gives a level's own mean, the variance of its categories, and how it was found.

    Args:
        raw, errors: of its categories; nan where not estimated.
        pooled: the fit of all its rows.
        column: of the coefficient.
        variance: taken for its categories' where there are too few to tell.
    """
    known = np.isfinite(raw)
    count = int(known.sum())
    if count >= KIND_MIN:
        found = between_variance(raw[known], errors[known])
        return mean_of(raw[known], errors[known], found), found, f"mean of {count} categories"
    mean = Normal(float(pooled.coefficients[column]), float(pooled.errors[column]))
    return mean, variance, pooled.fault or (_told(mean) if np.isnan(mean.mean) else "all its rows together")


def _column(fits: Sequence[Fit], column: int) -> tuple[Floats, Floats]:
    return (
        np.array([one.coefficients[column] for one in fits], dtype=np.float64),
        np.array([one.errors[column] for one in fits], dtype=np.float64),
    )


def _members(of: Sequence[str], name: str, raw: Floats, errors: Floats) -> tuple[Floats, Floats]:
    chosen = np.array([one == name for one in of], dtype=bool)
    return raw[chosen], errors[chosen]


def _told(own: Normal) -> str:
    return "estimated" if np.isfinite(own.mean) else "promotions can't be told from prices"


def _estimate(own: Normal, shrunk: Normal, weight: float, level: Level, reason: str, scale: _Scale) -> Estimate:
    used = min(max(shrunk.mean, scale.bounds[0]), scale.bounds[1])
    known = bool(np.isfinite(own.mean))
    return Estimate(
        raw=own.mean if known else None,
        raw_error=own.sd if known else None,
        value=shrunk.mean,
        error=shrunk.sd,
        weight=weight,
        level=level,
        reason=reason,
        used=used,
        capped=used != shrunk.mean,
    )


def _member(name: str, department: str, one: Fit, estimates: Sequence[Estimate]) -> Member:
    return Member(
        name=name,
        department=department,
        elasticity=estimates[0],
        lift=estimates[1],
        rows=one.rows,
        products=one.products,
        purchases=one.purchases,
        season_weeks=one.season_weeks,
    )
