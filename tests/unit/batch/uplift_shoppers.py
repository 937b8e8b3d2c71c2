"""Shoppers whose spend, and what a campaign adds to it, are known, to see whether it is found again."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOG_MEAN = 8.0
SIGMA = 0.7
"""Of the log of spend and of spend before: a skewness of 2.9."""
LOG_CORRELATION = 0.85
MEAN = math.exp(LOG_MEAN + SIGMA**2 / 2)
"""Spend of a shopper whom nothing was done to, minor units."""
CORRELATION = math.expm1(LOG_CORRELATION * SIGMA**2) / math.expm1(SIGMA**2)
"""Of spend and spend before themselves, as for any two log-normals."""


class Drawn(NamedTuple):
    """One simulated campaign, one element a shopper; `spend` is what each would spend untreated."""

    treated: Bools
    spend: Floats
    before: Floats


def drawn(draw: np.random.Generator, count: int, holdout_share: float) -> Drawn:
    """Draws a campaign: log-normal spend, correlated with log-normal spend before; assignment by lot."""
    first, second = draw.standard_normal((2, count))
    mixed = LOG_CORRELATION * first + math.sqrt(1 - LOG_CORRELATION**2) * second
    return Drawn(
        treated=draw.random(count) >= holdout_share,
        spend=np.exp(LOG_MEAN + SIGMA * mixed),
        before=np.exp(LOG_MEAN + SIGMA * first),
    )
