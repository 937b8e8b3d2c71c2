"""Tension: the basket threshold just above what a shopper would spend anyway, its reward, and its expected lift."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from batch.econometrics.assumptions import Assumptions
from domain.money import DEFAULT_EXPONENT, EXPONENTS, MINOR_MAX

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIGMA_RANGE: Final = (0.05, 2.0)
STEP_MAJOR: Final = 5
"""A threshold is a multiple of 5.00."""
STEP_WITHOUT_DECIMALS: Final = 500
"""The same in a currency whose smallest unit is its only one (500 yen)."""


class Spend(Struct, frozen=True, kw_only=True):
    """What a basket comes to without any threshold: ln(total in minor units) ~ Normal(log_mean, sigma^2).

    Attributes:
        log_mean: of ln(minor units).
        sigma: standard deviation of the log, of any shopper's basket.
        within: the same of one shopper's baskets around that shopper's own mean.
        source: whether it rests on the store's baskets.
    """

    log_mean: float
    sigma: float
    within: float
    source: Literal["store", "assumed"]


class Effect(NamedTuple):
    """What a threshold K with a reward R is expected to do to one basket; arrays of one shape.

    Attributes:
        reach_without: probability to reach K without the reward.
        reach_with: and with it.
        lift_minor: expected additional spend.
        cost_minor: expected cost of the reward.
        margin_minor: expected additional margin, the reward's cost taken off.
    """

    reach_without: Floats
    reach_with: Floats
    lift_minor: Floats
    cost_minor: Floats
    margin_minor: Floats


class Tensions(NamedTuple):
    """The best threshold of each of n shoppers; threshold and reward are 0 where none pays.

    Attributes:
        threshold_minor, reward_minor: n.
        effect: of these, n each; 0 where none pays (but `reach_*` of the smallest threshold).
    """

    threshold_minor: Ints
    reward_minor: Ints
    effect: Effect


def effect(
    log_mean: ArrayLike,
    sigma: ArrayLike,
    threshold_minor: ArrayLike,
    reward_minor: ArrayLike,
    margin_share: float,
    assumptions: Assumptions,
) -> Effect:
    """Gives what a threshold does to a log-normal basket T with distribution F.

        D = lever x R                         the largest gap that anybody fills for the reward R
        a(d) = response x (1 - d / D)         probability to fill a gap d = K - T, 0 <= d <= D
        reach_without = 1 - F(K)
        reach_with = reach_without + integral of a(K - t) dF(t) over K - D <= t < K
        lift   = integral of a(K - t) (K - t) dF(t) over the same
        cost   = R x cost share x reach_with  who would have reached it anyway is rewarded too
        margin = margin_share x lift - cost

    The integrals are closed, with d = K - t, from the partial moments of the log-normal,

        M_n = exp(n m + n^2 s^2 / 2) x [Phi((ln b - m) / s - n s)] from b = K - D to b = K

    Source: partial moments: Aitchison & Brown (1957), "The lognormal distribution", section 2.4; that effort grows as
    the goal comes near: Kivetz, Urminsky & Zheng (2006), "The goal-gradient hypothesis resurrected", J. Marketing
    Research 43(1); the straight line and its two numbers are assumptions.

    Args:
        log_mean, sigma: see `Spend`.
        threshold_minor: K > 0.
        reward_minor: R >= 0, the reward's value.
        margin_share: of what is bought in addition, 0..1.
        assumptions: response, lever, the reward's cost as a share of its value.
    """
    m, s, k, r = (np.asarray(part, dtype=np.float64) for part in (log_mean, sigma, threshold_minor, reward_minor))
    widest = np.maximum(assumptions.lever * r, 1e-9)
    high = (np.log(k) - m) / s
    low = np.where(k > widest, (np.log(np.maximum(k - widest, 1e-9)) - m) / s, -np.inf)
    # In units of the threshold, so that the moments keep their digits.
    mass, first, second = (
        np.exp(n * (m - np.log(k)) + (n * s) ** 2 / 2) * (ndtr(high - n * s) - ndtr(low - n * s)) for n in range(3)
    )
    gap, gap_squared = np.maximum(mass - first, 0.0) * k, np.maximum(mass - 2 * first + second, 0.0) * k**2
    pull = np.clip(assumptions.response, 0.0, 1.0)
    filled = np.clip(pull * (mass - gap / widest), 0.0, 1.0)
    lift = np.maximum(pull * (gap - gap_squared / widest), 0.0)
    without = ndtr(-high)
    reached = np.minimum(without + filled, 1.0)
    cost = r * assumptions.reward_cost_share * reached
    return Effect(without, reached, lift, cost, margin_share * lift - cost)


def best_tensions(
    log_mean: ArrayLike, sigma: ArrayLike, step_minor: int, margin_share: float, assumptions: Assumptions
) -> Tensions:
    """Gives each shopper's threshold and reward with the best expected additional margin.

    Compared are the smallest multiple of the step above expected total x (1 + least stretch) and the next ones up to
    expected total x (1 + most stretch), each with every reward share, the reward rounded to a tenth of the step (at
    least one tenth). One is taken only if its expected additional margin is above 0; of equals the smaller threshold,
    then the smaller reward.

    Args:
        log_mean, sigma: n each, see `Spend`.
        step_minor: see `round_step`, > 0.
        margin_share: of the store, 0..1.
        assumptions: stretch range, thresholds tried, reward shares, and what `effect` assumes.
    """
    m = np.clip(np.atleast_1d(np.asarray(log_mean, dtype=np.float64)), 0.0, np.log(MINOR_MAX))[:, None, None]
    s = np.clip(np.atleast_1d(np.asarray(sigma, dtype=np.float64)), *SIGMA_RANGE)[:, None, None]
    expected = np.minimum(np.exp(m + s**2 / 2), float(MINOR_MAX))
    least, most = assumptions.stretch_range
    first = np.floor(expected * (1 + least) / step_minor) + 1
    count = max(1, assumptions.thresholds_tried)
    threshold = (first + np.arange(count)[None, :, None]) * step_minor
    tenth = max(1, step_minor // 10)
    shares = np.sort(np.asarray(assumptions.reward_shares, dtype=np.float64))[None, None, :]
    reward = np.maximum(np.rint(threshold * shares / tenth), 1.0) * tenth
    threshold = np.broadcast_to(threshold, reward.shape)
    tried = effect(m, s, threshold, reward, margin_share, assumptions)
    allowed = (threshold <= np.maximum(expected * (1 + most), first * step_minor)) & (threshold <= MINOR_MAX)
    rows = np.arange(len(m))
    best = np.argmax(np.where(allowed, tried.margin_minor, -np.inf).reshape(len(m), -1), axis=1)
    at = (rows, best // reward.shape[2], best % reward.shape[2])
    pays = allowed[at] & (tried.margin_minor[at] > 0)
    chosen = Effect(
        np.where(pays, tried.reach_without[at], tried.reach_without[:, 0, 0]),
        np.where(pays, tried.reach_with[at], tried.reach_without[:, 0, 0]),
        *(np.where(pays, part[at], 0.0) for part in tried[2:]),
    )
    thresholds, rewards = (np.where(pays, part[at], 0).astype(np.int64) for part in (threshold, reward))
    return Tensions(thresholds, rewards, chosen)


def round_step(currency: str | None) -> int:
    """Gives the step of thresholds in minor units: 5.00, or 500 in a currency without decimals."""
    exponent = EXPONENTS.get(currency or "", DEFAULT_EXPONENT)
    return STEP_MAJOR * 10**exponent if exponent else STEP_WITHOUT_DECIMALS


def spend_of_totals(
    totals_minor: ArrayLike, shoppers: ArrayLike | None, step_minor: int, assumptions: Assumptions
) -> Spend:
    """Gives a store's distribution from its orders' totals; zero, negative and absurd ones are left out.

        log_mean, sigma = mean and standard deviation of ln(total)
        within^2 = sum over orders of (ln total - mean of the shopper's ln totals)^2 / (orders - shoppers)

    Args:
        totals_minor: n.
        shoppers: n, whose; None = not known, then `within` is sigma. So it is where nobody ordered twice.
        step_minor: see `round_step`.
        assumptions: hold where there are fewer than two totals.
    """
    totals = np.atleast_1d(np.asarray(totals_minor, dtype=np.float64))
    good = (totals > 0) & (totals <= MINOR_MAX)
    logs = np.log(totals[good])
    if len(logs) < 2:
        return assumed_spend(step_minor, assumptions)
    sigma = within = float(np.clip(logs.std(ddof=1), *SIGMA_RANGE))
    if shoppers is not None:
        shopper = np.unique(np.atleast_1d(np.asarray(shoppers))[good], return_inverse=True)[1]
        means = np.bincount(shopper, logs) / np.bincount(shopper)
        freedom = len(logs) - len(means)
        if freedom > 0:
            within = float(np.clip((((logs - means[shopper]) ** 2).sum() / freedom) ** 0.5, *SIGMA_RANGE))
    return Spend(log_mean=float(logs.mean()), sigma=sigma, within=within, source="store")


def assumed_spend(step_minor: int, assumptions: Assumptions) -> Spend:
    """Gives the distribution of a store without orders: its median is `spend_steps_default` steps."""
    median_minor = max(assumptions.spend_steps_default * step_minor, 1.0)
    sigma = assumptions.spend_sigma_default
    return Spend(log_mean=float(np.log(median_minor)), sigma=sigma, within=sigma, source="assumed")


def shopper_spend(
    predicted_minor: ArrayLike, log_sd: ArrayLike, orders: ArrayLike, store: Spend, assumptions: Assumptions
) -> tuple[Floats, Floats]:
    """Gives the log-mean and sigma of n shoppers; strangers have the store's.

        sigma^2 = ((orders - 1) sd^2 + v within^2) / (orders - 1 + v),  v = `spend_orders_prior`
        log_mean = ln(predicted) - sigma^2 / 2

    Source: the posterior scale of a normal variance with a scaled inverse chi-squared prior: Gelman et al. (2013),
    "Bayesian data analysis", 3rd ed., section 2.6.

    Args:
        predicted_minor: n, expected total of the next basket; nan, 0 or less = a stranger.
        log_sd: n, standard deviation of the log of the shopper's totals, or of the predictor's error; nan = unknown.
        orders: n, how many it rests on, >= 0.
        store: `sigma` for strangers, `within` for shoppers with few orders.
        assumptions: how many orders `within` counts for.
    """
    predicted, sd, count = (
        np.atleast_1d(np.asarray(part, dtype=np.float64)) for part in (predicted_minor, log_sd, orders)
    )
    known = np.isfinite(predicted) & (predicted > 0) & (predicted <= MINOR_MAX)
    freedom = np.where(np.isfinite(sd) & (sd >= 0), np.maximum(np.nan_to_num(count) - 1, 0.0), 0.0)
    prior = max(assumptions.spend_orders_prior, 1e-9)
    own = np.where(freedom > 0, np.nan_to_num(sd, posinf=0.0, neginf=0.0), 0.0) ** 2
    variance = (freedom * own + prior * store.within**2) / (freedom + prior)
    sigma = np.clip(np.where(known, np.sqrt(variance), store.sigma), *SIGMA_RANGE)
    log_mean = np.where(known, np.log(np.where(known, predicted, 1.0)) - sigma**2 / 2, store.log_mean)
    return log_mean, sigma
