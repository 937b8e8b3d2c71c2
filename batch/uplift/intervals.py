"""Intervals: the 95 % bounds of a share, and of the difference and the ratio of two estimates."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final, NamedTuple

from scipy.special import stdtrit

CONFIDENCE: Final = 0.95
Z: Final = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
"""1.96: the normal quantile of a two-sided 95 % interval."""


class Interval(NamedTuple):
    """Two bounds, the lower first."""

    low: float
    high: float


def t_quantile(degrees: float) -> float:
    """Gives the two-sided 95 % quantile of Student's t, exact for any degrees of freedom above 0, whole or not."""
    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2))


def wilson(successes: int, count: int) -> Interval:
    """Gives the score interval of a share p = successes / count.

        (p + z^2 / 2n -/+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    It keeps its promise at 0 and 1 and for small n, where p -/+ z sqrt(p (1 - p) / n) shrinks to a point.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference", JASA 22(158).

    Args:
        successes: 0..count.
        count: n >= 1.
    """
    share = successes / count
    scale = 1 + Z**2 / count
    middle = share + Z**2 / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    low = 0.0 if successes == 0 else max(0.0, (middle - half) / scale)
    high = 1.0 if successes == count else min(1.0, (middle + half) / scale)
    return Interval(low, high)


def difference_of_shares(successes: int, count: int, base_successes: int, base_count: int) -> Interval:
    """Gives the interval of a share p less a base share q, from the Wilson interval (l, u) of each.

        low  = p - q - sqrt((p - l_p)^2 + (u_q - q)^2)
        high = p - q + sqrt((u_p - p)^2 + (q - l_q)^2)

    Source: Newcombe (1998), "Interval estimation for the difference between independent proportions: comparison of
    eleven methods", Statistics in Medicine 17(8), method 10.

    Args:
        successes, base_successes: 0..their count.
        count, base_count: >= 1.
    """
    share, base = successes / count, base_successes / base_count
    of_share, of_base = wilson(successes, count), wilson(base_successes, base_count)
    below = math.hypot(share - of_share.low, of_base.high - base)
    above = math.hypot(of_share.high - share, base - of_base.low)
    return Interval(share - base - below, share - base + above)


def ratio_of_shares(successes: int, count: int, base_successes: int, base_count: int) -> Interval | None:
    """Gives the interval of p / q, from the same Wilson intervals as the difference.

    Its bounds are the ratios R at which p - R q leaves its own interval; so R = 1 is outside exactly when 0 is outside
    the interval of the difference. With A = p q, and each root written so that it never divides by a small number:

        low  = B / (A + sqrt(A^2 - B C)),  B = l_p (2 p - l_p),  C = u_q (2 q - u_q)
        high = (A + sqrt(A^2 - D E)) / E,  D = u_p (2 p - u_p),  E = l_q (2 q - l_q)

    Source: Donner & Zou (2012), "Closed-form confidence intervals for functions of the normal mean and standard
    deviation", Statistical Methods in Medical Research 21(4), equation 9 (MOVER-R).

    Args:
        successes, base_successes: 0..their count.
        count, base_count: >= 1.

    Returns:
        Both bounds >= 0; None where no base success was seen, so that the ratio has no upper bound.
    """
    if base_successes == 0:
        return None
    share, base = successes / count, base_successes / base_count
    of_share, of_base = wilson(successes, count), wilson(base_successes, base_count)
    product = share * base
    b = of_share.low * (2 * share - of_share.low)
    c = of_base.high * (2 * base - of_base.high)
    d = of_share.high * (2 * share - of_share.high)
    e = of_base.low * (2 * base - of_base.low)
    low = b / (product + math.sqrt(max(0.0, product**2 - b * c))) if b > 0 else 0.0
    return Interval(low, (product + math.sqrt(max(0.0, product**2 - d * e))) / e)


class Estimates(NamedTuple):
    """Two estimated means with the variance of each and their covariance."""

    mean: float
    base: float
    variance: float
    base_variance: float
    covariance: float


def ratio_of_means(of: Estimates, quantile: float) -> Interval | None:
    """Gives the interval of mean / base: every R with (mean - R base)^2 <= t^2 var(mean - R base).

        a R^2 - 2 b R + c <= 0,  a = m_0^2 - t^2 v_0,  b = m_1 m_0 - t^2 v_10,  c = m_1^2 - t^2 v_1

    R = 1 is outside exactly when 0 is outside the interval of the difference.

    Source: Fieller (1954), "Some problems in interval estimation", J. Royal Statistical Society B 16(2).

    Args:
        of: the two means.
        quantile: t, of the difference's interval.

    Returns:
        The bounds; None where the base is not above 0 by more than chance (a <= 0): the ratio then has none.
    """
    square = quantile**2
    a = of.base**2 - square * of.base_variance
    if of.base <= 0 or a <= 0:
        return None
    b = of.mean * of.base - square * of.covariance
    c = of.mean**2 - square * of.variance
    root = math.sqrt(max(0.0, b**2 - a * c))
    return Interval((b - root) / a, (b + root) / a)
