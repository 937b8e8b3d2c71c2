"""Arms: the mean of one group of shoppers and how sure it is, plain or read off a line over what they spent before."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVERAGE_MAX: Final = 0.5
"""One shopper's hold on a group's line; beyond, the line is that shopper's (Huber (1981), "Robust statistics", 7.2)."""

NOISE_MIN: Final = 1e-20
"""Share of the plain variance below which what is left is the arithmetic's rounding."""


class Arm(NamedTuple):
    """The estimated mean of a group of n shoppers.

    Attributes:
        mean, variance: of the estimate.
        degrees: of freedom.
        pulls: n, how far each shopper moves the mean; their sum is 0.
        slope: of spend over spend before; 0 for a plain mean.
    """

    mean: float
    variance: float
    degrees: int
    pulls: Floats
    slope: float = 0.0


def plain_mean(spend: Floats) -> Arm:
    """Gives the mean of a group: variance s^2 / n, pulls (y_i - mean) / n.

    Args:
        spend: n >= 2.
    """
    # Counted from one shopper's spend on, so that a group in which all spent the same has a variance of exactly 0.
    shifted = spend - spend[0]
    count, mean = len(spend), float(shifted.mean())
    residuals = shifted - mean
    variance = float(residuals @ residuals) / (count * (count - 1))
    return Arm(float(spend[0]) + mean, variance, count - 1, residuals / count)


def mean_on_line(spend: Floats, before: Floats, centre: float) -> Arm | str:
    """Gives what a group would have spent on average, had it spent `centre` before: see `adjusted_spend_effect`.

    Args:
        spend: n >= 3.
        before: n, of the same shoppers.
        centre: mean spend before of all shoppers.

    Returns:
        The mean, or the reason why spend before can't be used.
    """
    plain, count = plain_mean(spend), len(spend)
    middle = float(before.mean())
    x = before - middle
    squares = float(x @ x)
    if before.min() == before.max() or squares == 0:
        return "it is the same for all of a group"
    hats = 1 / count + x**2 / squares
    if float(hats.max()) > LEVERAGE_MAX:
        return "one shopper of a group would decide alone"
    y = plain.pulls * count
    slope = float(x @ y) / squares
    weights = 1 / count + (centre - middle) / squares * x
    pulls = weights * (y - slope * x)
    variance = float(pulls**2 @ (1 / (1 - hats)))
    if variance <= NOISE_MIN * plain.variance:
        return "it tells spend exactly"
    return Arm(plain.mean + slope * (centre - middle), variance, count - 2, pulls, slope)
