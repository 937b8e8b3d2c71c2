"""Demand: how the quantity bought answers to price and promotion, by Poisson pseudo maximum likelihood."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEPS_MAX: Final = 50
STEP_MAX: Final = 2.0
"""Of one coefficient in one Newton step: keeps exp() within its range on the way."""
RIDGE: Final = 1e-3
"""Information of a prior around 0 with standard deviation 30: keeps what the data leave open from running away."""
SEASON_BLOCKS: Final = (1, 4, 13, 10_000)
"""Weeks that share a season effect: the finest with enough purchases, the last means none."""
PURCHASES_PER_BLOCK: Final = 10.0
JACKKNIFED_MAX: Final = 200
COEFFICIENT_MAX: Final = 15.0
ERROR_MAX: Final = 5.0
"""Beyond these the data don't identify the coefficient."""


class Sales(NamedTuple):
    """Crossed rows as arrays of the same length n.

    Attributes:
        bought: n, >= 0.
        group: n, the product and store that share a level of demand.
        cluster: n, the product, whose weeks may depend on each other.
        week: n.
        log_baskets: n, exposure.
        regressors: n x k; column 0 is the log of the relative price.
    """

    bought: Floats
    group: Ints
    cluster: Ints
    week: Ints
    log_baskets: Floats
    regressors: Floats


class Fit(NamedTuple):
    """What was estimated.

    Attributes:
        coefficients: k; nan where not identified.
        errors: k, standard errors; nan where not identified.
        rows: that informed.
        products: clusters that informed.
        purchases: sum of what those rows bought.
        season_weeks: weeks per season effect; 0 = no season effects.
        fault: why nothing was estimated; '' if something was.
    """

    coefficients: Floats
    errors: Floats
    rows: int
    products: int
    purchases: float
    season_weeks: int
    fault: str


def fit(sales: Sales, products_min: int = 5, purchases_min: int = 20) -> Fit:
    """Estimates E[bought] = baskets x exp(level of the group + season effect + regressors . b).

    With the group's level concentrated out, what a group bought in all, Y_i, falls on its rows in the shares

        p_it = baskets_t exp(s_t + x_it b) / sum over u of baskets_u exp(s_u + x_iu b)

    and b solves sum over i, t of (y_it - Y_i p_it) (x_it - mean_i x) = 0, found by Newton steps. It is consistent for
    any y >= 0 whose mean is as above, Poisson or not; the standard errors are clustered by product:

        V = (C - 1) / C x sum over c of d_c d_c',  d_c = (H - H_c)^-1 s_c

    with s_c and H_c the cluster's parts of score and information: d_c is what leaving out the cluster would change, by
    one Newton step. Above 200 clusters H stands for H - H_c. They are never smaller than the Poisson ones, H^-1, since
    few clusters can agree by luck.

    Source: Hausman, Hall & Griliches (1984), "Econometric models for count data with an application to the patents-R&D
    relationship", Econometrica 52(4); Wooldridge (1999), "Distribution-free estimation of some nonlinear panel data
    models", J. Econometrics 90(1); for demand in logs with zeros: Santos Silva & Tenreyro (2006), "The log of gravity",
    REStat 88(4); jackknifed clusters: Cameron & Miller (2015), "A practitioner's guide to cluster-robust inference",
    J. Human Resources 50(2), section VI.B.

    Args:
        sales: at least one regressor.
        products_min: clusters needed.
        purchases_min: sum of `bought` needed.

    Returns:
        The fit. Where price and promotion can't be told apart, price alone is estimated and the others are nan.
    """
    kept, season_weeks = _informative(sales)
    count = sales.regressors.shape[1]
    size = Fit(
        coefficients=np.full(count, np.nan),
        errors=np.full(count, np.nan),
        rows=len(kept.bought),
        products=len(np.unique(kept.cluster)),
        purchases=float(kept.bought.sum()),
        season_weeks=season_weeks,
        fault="",
    )
    if size.purchases < purchases_min:
        return size._replace(fault=f"{size.purchases:.0f} comparable purchases, {purchases_min} needed")
    varying = _varying_products(kept)
    if varying < products_min:
        return size._replace(products=varying, fault=f"{varying} products whose price varied, {products_min} needed")
    size = size._replace(products=varying)
    for used in dict.fromkeys((count, 1)):
        found = _solve(kept._replace(regressors=kept.regressors[:, :used]), season_weeks)
        if found is not None:
            coefficients, errors = (np.append(part, np.full(count - used, np.nan)) for part in found)
            return size._replace(coefficients=coefficients, errors=errors)
    return size._replace(fault="price and demand did not vary enough to tell")


def _informative(sales: Sales) -> tuple[Sales, int]:
    """Gives the rows whose group and season bought something and could have bought elsewhere, sorted by group."""
    order = np.lexsort((sales.week, sales.group))
    kept = _taken(sales, order)
    weeks = max(SEASON_BLOCKS)
    for weeks in SEASON_BLOCKS:
        blocks = len(np.unique(kept.week // weeks))
        if blocks <= 1 or kept.bought.sum() >= PURCHASES_PER_BLOCK * blocks:
            break
    while len(kept.bought):
        _, group, sizes = np.unique(kept.group, return_inverse=True, return_counts=True)
        season = np.unique(kept.week // weeks, return_inverse=True)[1]
        good = (sizes[group] > 1) & (np.bincount(group, kept.bought)[group] > 0)
        good &= np.bincount(season, kept.bought)[season] > 0
        if good.all():
            break
        kept = _taken(kept, np.flatnonzero(good))
    one_season = len(np.unique(kept.week // weeks)) <= 1
    return kept, 0 if one_season else weeks


def _taken(sales: Sales, rows: Ints) -> Sales:
    return Sales(
        bought=sales.bought[rows],
        group=sales.group[rows],
        cluster=sales.cluster[rows],
        week=sales.week[rows],
        log_baskets=sales.log_baskets[rows],
        regressors=sales.regressors[rows],
    )


def _varying_products(kept: Sales) -> int:
    """Counts the products that had more than one price within a group."""
    starts = _starts(kept.group)
    price = kept.regressors[:, 0]
    spread = np.maximum.reduceat(price, starts) - np.minimum.reduceat(price, starts)
    return len(np.unique(kept.cluster[starts[spread > 1e-6]]))


def _solve(kept: Sales, season_weeks: int) -> tuple[Floats, Floats] | None:
    """Gives the coefficients and standard errors of the regressors, or None if they are not identified."""
    count = kept.regressors.shape[1]
    design = np.hstack([kept.regressors, _seasons(kept.week, season_weeks)])
    starts = _starts(kept.group)
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(design))))
    total = np.add.reduceat(kept.bought, starts)[group]
    b = np.zeros(design.shape[1])
    for _ in range(STEPS_MAX):
        index = design @ b + kept.log_baskets
        odds = np.exp(index - np.maximum.reduceat(index, starts)[group])
        share = odds / np.add.reduceat(odds, starts)[group]
        centred = design - np.add.reduceat(share[:, None] * design, starts)[group]
        residual = kept.bought - total * share
        information = (centred * (total * share)[:, None]).T @ centred + RIDGE * np.eye(len(b))
        step = np.linalg.solve(information, centred.T @ residual - RIDGE * b)
        largest = float(np.abs(step).max())
        if largest < 1e-8:
            break
        b += step * min(1.0, STEP_MAX / largest)
    else:
        return None
    errors = _errors(information, centred, residual, total * share, kept.cluster)[:count]
    if np.abs(b[:count]).max() > COEFFICIENT_MAX or errors.max() > ERROR_MAX:
        return None
    return b[:count], errors


def _errors(information: Floats, centred: Floats, residual: Floats, expected: Floats, cluster: Ints) -> Floats:
    """Gives the standard errors of all coefficients: clustered, and never below the Poisson ones."""
    inverse = np.linalg.inv(information)
    code = np.unique(cluster, return_inverse=True)[1]
    clusters = int(code.max()) + 1
    scores = np.zeros((clusters, len(information)))
    np.add.at(scores, code, residual[:, None] * centred)
    if clusters > JACKKNIFED_MAX:
        parts = scores @ inverse
    else:
        rows = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
        own = [(centred[one] * expected[one, None]).T @ centred[one] for one in rows]
        parts = np.stack([np.linalg.solve(information - own[c], scores[c]) for c in range(clusters)])
    robust = (parts**2).sum(axis=0) * (clusters - 1) / clusters
    return np.asarray(np.sqrt(np.maximum(robust, np.diag(inverse))), dtype=np.float64)


def _seasons(week: Ints, season_weeks: int) -> Floats:
    """Dummies of the seasons but the first."""
    if season_weeks == 0:
        return np.zeros((len(week), 0))
    season = np.unique(week // season_weeks, return_inverse=True)[1]
    return np.asarray(np.arange(1, season.max() + 1)[None, :] == season[:, None], dtype=np.float64)


def _starts(group: Ints) -> Ints:
    """First row of each group, of sorted groups."""
    return np.flatnonzero(np.append(True, group[1:] != group[:-1])) if len(group) else np.zeros(0, dtype=np.int64)
