"""Generosity: the discount with the best expected margin, between a floor and a cap, or none if none pays."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from batch.econometrics.assumptions import Assumptions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PERCENT_MAX: Final = 95
ELASTICITY_LEAST: Final = -20.0
"""Keeps demand finite, whatever is passed in."""
GAIN_MIN: Final = 1e-9
"""Of the margin without a discount: less is rounding."""


class Generosity(NamedTuple):
    """A discount and what is expected of it, per unit that a shopper would have bought anyway.

    Attributes:
        percent: 0 = no promotion.
        margin_minor: expected with it, in minor units.
        base_margin_minor: expected without.
        optimum_percent: where the closed form has its best discount, before steps, floor and cap; 0 if raising the
            price would be better still.
        reason: why this one, in words.
    """

    percent: int
    margin_minor: float
    base_margin_minor: float
    optimum_percent: float
    reason: str


def expected_margin(
    price_minor: ArrayLike,
    cost_minor: ArrayLike,
    share: ArrayLike,
    elasticity: ArrayLike,
    base: ArrayLike = 1.0,
    lift: ArrayLike = 0.0,
) -> Floats:
    """Gives the expected margin of one exposed shopper at a discount.

        margin(g) = base x exp(lift if g > 0) x (1 - g)^elasticity x (price (1 - g) - cost)

    Args:
        price_minor: regular unit price, > 0.
        cost_minor: of a unit, >= 0.
        share: the discount g, 0..0.95 of the price.
        elasticity: of demand to price, <= 0.
        base: units (or the probability of one) without a discount, >= 0.
        lift: what being promoted adds at a given price, log points.

    Returns:
        Minor units, by the usual broadcasting of the arguments.
    """
    price, cost, g = (np.asarray(part, dtype=np.float64) for part in (price_minor, cost_minor, share))
    demand = np.asarray(base, dtype=np.float64) * (1 - g) ** np.asarray(elasticity, dtype=np.float64)
    found: Floats = demand * np.exp(np.where(g > 0, lift, 0.0)) * (price * (1 - g) - cost)
    return found


def optimum(price_minor: ArrayLike, cost_minor: ArrayLike, elasticity: ArrayLike) -> Floats:
    """Gives the discount with the best expected margin of constant-elasticity demand, as a share of the price.

        the best price p* satisfies (p* - cost) / p* = 1 / |e|, so p* = cost e / (1 + e);  g* = 1 - p* / price

    for e < -1, cut to 0..1: below 0 the best would be a higher price. With e >= -1 every discount loses. So a
    discount pays only where the margin share is above 1 / |e|.

    Source: Lerner (1934), "The concept of monopoly and the measurement of monopoly power", Rev. Econ. Studies 1(3).
    """
    price, cost, e = (np.asarray(part, dtype=np.float64) for part in (price_minor, cost_minor, elasticity))
    elastic = e < -1
    slope = np.where(elastic, e, -2.0)
    g: Floats = np.where(elastic & (price > 0), 1 - cost * slope / (1 + slope) / np.maximum(price, 1e-9), 0.0)
    return np.clip(g, 0.0, 1.0)


def best_percents(
    price_minor: ArrayLike, cost_minor: ArrayLike, elasticity: ArrayLike, lift: ArrayLike, assumptions: Assumptions
) -> Ints:
    """Gives the discount in percent with the best expected margin among the allowed steps, 0 where none pays.

    Tried are the multiples of the step from floor to cap. One is chosen only if it is expected to earn more than no
    discount, so never below cost; of equals the smaller.

    Args:
        price_minor, cost_minor: n; anything but 0 <= cost < price gives 0.
        elasticity, lift: n or a number, as they are to be believed (caution is the caller's).
        assumptions: floor, cap and step.

    Returns:
        n whole percents.
    """
    price, cost, e, plus = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in (price_minor, cost_minor, elasticity, lift))
    )
    sane = np.isfinite(price) & np.isfinite(cost) & (cost >= 0) & (price > cost)
    price, cost = np.where(sane, price, 1.0)[:, None], np.where(sane, cost, 0.0)[:, None]
    e = np.clip(np.nan_to_num(e, nan=0.0), ELASTICITY_LEAST, 0.0)[:, None]
    plus = np.clip(np.nan_to_num(plus, nan=0.0), 0.0, 5.0)[:, None]
    percents = steps(assumptions)
    margins = expected_margin(price, cost, percents / 100, e, lift=plus)
    best = np.argmax(margins, axis=1)
    gain = np.take_along_axis(margins, best[:, None], axis=1)[:, 0] - margins[:, 0]
    return np.where(sane & (gain > GAIN_MIN * margins[:, 0]), percents[best], 0).astype(np.int64)


def best_generosity(
    price_minor: float | None,
    cost_minor: float | None,
    margin_share: float,
    estimates: tuple[float, float],
    assumptions: Assumptions,
    lift: tuple[float, float] = (0.0, 0.0),
) -> Generosity:
    """Gives the generosity of one product.

    It believes the cautious end of the estimate, min(0, e + z x error), so that noise gives nothing away; and of the
    promotion's own effect, where that counts at all, max(0, lift - z x error).

    Args:
        price_minor: regular unit price; None or 0 = no promotion.
        cost_minor: of a unit; None = price x (1 - margin_share).
        margin_share: 0..1.
        estimates: elasticity and its standard error.
        assumptions: floor, cap, step, z, whether the lift counts.
        lift: promotion's own effect and its standard error.
    """
    if price_minor is None or not np.isfinite(price_minor) or price_minor <= 0:
        return Generosity(0, 0.0, 0.0, 0.0, "no price")
    cost = price_minor * (1 - margin_share) if cost_minor is None else float(cost_minor)
    base = price_minor - cost
    if not base > 0 or cost < 0:
        return Generosity(0, min(base, 0.0), min(base, 0.0), 0.0, "not sold above cost")
    e, plus = cautious(*estimates, assumptions), cautious_lift(*lift, assumptions)
    percent = int(best_percents(price_minor, cost, e, plus, assumptions)[0])
    best = float(optimum(price_minor, cost, e)) * 100
    margin = float(expected_margin(price_minor, cost, percent / 100, e, lift=plus))
    return Generosity(percent, margin, base, best, _reason(percent, best, e, base / price_minor, assumptions))


def cautious(elasticity: float, error: float, assumptions: Assumptions) -> float:
    """Gives the end of the estimate towards no effect, never above 0; 0 for an unknown estimate or error."""
    end = elasticity + assumptions.caution_z * abs(error)
    return max(min(0.0, end), ELASTICITY_LEAST) if np.isfinite(end) else 0.0


def cautious_lift(lift: float, error: float, assumptions: Assumptions) -> float:
    """Gives the promotion's own effect as far as it may be counted on; 0 if it is not to be counted."""
    end = lift - assumptions.caution_z * abs(error)
    return max(0.0, end) if assumptions.lift_counts and np.isfinite(end) else 0.0


def steps(assumptions: Assumptions) -> Ints:
    """Gives the percents that are tried: 0, then the multiples of the step from floor to cap, ascending."""
    step = max(1, assumptions.generosity_step_percent)
    cap = min(assumptions.generosity_cap_percent, PERCENT_MAX)
    multiples = np.arange(step, cap + 1, step, dtype=np.int64)
    return np.append(np.int64(0), multiples[multiples >= assumptions.generosity_floor_percent])


def _reason(percent: int, optimum_percent: float, e: float, margin_share: float, assumptions: Assumptions) -> str:
    if percent == 0:
        if e >= -1:
            return f"no discount pays: a careful elasticity of {e:.2f} sells too little more"
        return f"no discount pays: the margin share of {margin_share:.0%} would have to be above {-1 / e:.0%}"
    if percent < optimum_percent and percent + assumptions.generosity_step_percent > assumptions.generosity_cap_percent:
        return f"the cap; the best would be {optimum_percent:.1f} %"
    return f"best expected margin; unrounded {optimum_percent:.1f} %"
