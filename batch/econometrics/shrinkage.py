"""Shrinkage: a noisy estimate is drawn towards the mean of its kind, the more the noisier it is."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KIND_MIN: Final = 3
"""Estimates that are needed to say how far the members of a kind are apart."""


class Normal(NamedTuple):
    """A belief: mean and standard deviation."""

    mean: float
    sd: float


def between_variance(estimates: Floats, errors: Floats) -> float:
    """Gives how much of the estimates' variance is not noise, tau^2, by the method of moments.

        w_i = 1 / s_i^2,  m = sum w b / sum w,  Q = sum w (b - m)^2
        tau^2 = max(0, (Q - (k - 1)) / (sum w - sum w^2 / sum w))

    Source: DerSimonian & Laird (1986), "Meta-analysis in clinical trials", Controlled Clinical Trials 7(3).

    Args:
        estimates: k >= 2, finite.
        errors: k, above 0.
    """
    weight = errors**-2.0
    mean = float(weight @ estimates / weight.sum())
    heterogeneity = float(weight @ (estimates - mean) ** 2)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    return max(0.0, (heterogeneity - (len(estimates) - 1)) / scale) if scale > 0 else 0.0


def mean_of(estimates: Floats, errors: Floats, variance: float) -> Normal:
    """Gives the mean of a kind and its standard error: weights 1 / (s_i^2 + tau^2).

    Source: DerSimonian & Laird (1986), the random-effects mean.
    """
    weight = 1.0 / (errors**2 + variance)
    return Normal(float(weight @ estimates / weight.sum()), float(weight.sum() ** -0.5))


def shrink(estimate: float, error: float, kind: Normal, variance: float) -> tuple[Normal, float]:
    """Draws an estimate towards the mean of its kind.

        weight B = tau^2 / (tau^2 + s^2);  value = B b + (1 - B) m
        error^2 = B s^2 + (1 - B)^2 sd(m)^2

    With much data (s to 0) it is the estimate, with none (s to infinity) the mean of the kind, whose own error is then
    the smaller part of what is not known: the members' spread comes to it.

    Source: Efron & Morris (1975), "Data analysis using Stein's estimator and its generalizations", JASA 70(350); the
    last term of the error: Morris (1983), "Parametric empirical Bayes inference", JASA 78(381).

    Args:
        estimate: finite, or nan if there is none.
        error: its standard error, above 0; nan if there is none.
        kind: mean of the kind and its standard error.
        variance: tau^2 of the kind's members, >= 0.

    Returns:
        The shrunk value with its error, and the weight B of the own estimate (0..1).
    """
    if not (np.isfinite(estimate) and np.isfinite(error) and error > 0):
        return Normal(kind.mean, float(np.hypot(kind.sd, variance**0.5))), 0.0
    weight = variance / (variance + error**2)
    value = weight * estimate + (1 - weight) * kind.mean
    spread = weight * error**2 + (1 - weight) ** 2 * kind.sd**2
    return Normal(value, float(spread**0.5)), float(weight)


def combine(one: Normal, other: Normal) -> tuple[Normal, float]:
    """Gives the belief after two independent ones about the same number, and the weight of the first (0 if it is nan).

        weight B = s_1^-2 / (s_1^-2 + s_2^-2);  value = B m_1 + (1 - B) m_2;  error^2 = 1 / (s_1^-2 + s_2^-2)

    Source: Gelman et al. (2013), "Bayesian data analysis", 3rd ed., section 2.5.
    """
    if not (np.isfinite(one.mean) and np.isfinite(one.sd) and one.sd > 0):
        return other, 0.0
    first, second = one.sd**-2, other.sd**-2
    weight = first / (first + second)
    return Normal(weight * one.mean + (1 - weight) * other.mean, float((first + second) ** -0.5)), float(weight)
