"""Checks: whether the groups are as large as planned, and which effects they are large enough to show."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

from msgspec import Struct
from scipy.special import bdtr, bdtrc

from batch.uplift.intervals import Z

MISMATCH_P: Final = 0.001
"""A split as uneven as this by chance is taken as a fault of the assignment, not as chance."""
POWER: Final = 0.8
"""Probability to see an effect that is there, at the smallest effect that can be seen."""
REACH: Final = Z + NormalDist().inv_cdf(POWER)
"""2.80: standard errors of an effect that 80 % of campaigns tell from 0, in a two-sided test at 5 %."""


class SampleRatio(Struct, frozen=True, kw_only=True):
    """Whether as many shoppers were held out as planned.

    Attributes:
        treated, held_out: shoppers.
        planned_share: to be held out, 0..1.
        held_out_share: that was; None without shoppers.
        p_value: how often chance alone gives a split at least so far from the plan.
        holds: whether it is above `MISMATCH_P`; a campaign for which it does not hold can't be measured.
        verdict: the same as a sentence.
    """

    treated: int
    held_out: int
    planned_share: float
    held_out_share: float | None
    p_value: float
    holds: bool
    verdict: str


def sample_ratio(treated: int, held_out: int, planned_share: float) -> SampleRatio:
    """Compares the split of shoppers with the planned one.

    Of n shoppers, held out ~ Binomial(n, planned share), and p = 2 min(P(K <= held out), P(K >= held out)), at most 1.
    The tails are exact for any n (incomplete beta function); for large n this is the chi-square test with one degree
    of freedom.

    A shopper is in one group or the other by a hash, so only a fault can bend the split: exposures that are logged in
    one group only, a group whose shoppers leave, a rule that changed while the campaign ran. Whatever it is, those who
    are missing are not missing by chance, and no interval accounts for that.

    Source: Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments", KDD; doubling
    the smaller tail: Fisher, in Yates (1984), "Tests of significance for 2 x 2 contingency tables", J. Royal
    Statistical Society A 147(3).

    Args:
        treated, held_out: shoppers, >= 0.
        planned_share: to be held out, 0..1.

    Raises:
        ValueError: a number is out of its range.
    """
    if treated < 0 or held_out < 0 or not 0 <= planned_share <= 1:
        raise ValueError(f"{treated} treated, {held_out} held out, share {planned_share}: out of range")
    count = treated + held_out
    tails = 1.0, 1.0
    if count:
        # P(K >= held out) is P(K > held out - 1), and certain where nobody was held out.
        over = float(bdtrc(held_out - 1, count, planned_share)) if held_out else 1.0
        tails = float(bdtr(held_out, count, planned_share)), over
    p_value = min(1.0, 2 * min(tails))
    holds = p_value >= MISMATCH_P
    return SampleRatio(
        treated=treated,
        held_out=held_out,
        planned_share=planned_share,
        held_out_share=held_out / count if count else None,
        p_value=p_value,
        holds=holds,
        verdict=_verdict(held_out, count, planned_share, p_value, holds),
    )


def smallest_effect(standard_error: float | None) -> float | None:
    """Gives the effect that this campaign had a chance of 80 % to tell from 0, two-sided at 5 %.

        (z_0.975 + z_0.8) x standard error = 2.80 x standard error

    With the normal quantiles for t's, which at 30 shoppers in a group is 2 % too little, and at 300 nothing.

    Source: Bloom (1995), "Minimum detectable effects: a simple way to report the statistical power of experimental
    designs", Evaluation Review 19(5).

    Args:
        standard_error: of the effect; None or 0 where it is not known.

    Returns:
        Above 0, in the unit of the standard error; None if that is not known.
    """
    return REACH * standard_error if standard_error else None


def shoppers_needed(effect: float, deviation: float, holdout_share: float) -> int | None:
    """Gives how many shoppers, of both groups, show an effect with a chance of 80 %, two-sided at 5 %.

        n = (z_0.975 + z_0.8)^2 x deviation^2 / (share x (1 - share) x effect^2)

    Source: as `smallest_effect`, solved for n.

    Args:
        effect: to be seen, in the unit of the deviation; its sign does not matter.
        deviation: standard deviation of one shopper's value; of a share p it is sqrt(p (1 - p)). With spend before it
            is sqrt(1 - r^2) of the plain one; of a campaign that ran it is standard error x sqrt(n_1 n_0 / n).
        holdout_share: 0..1.

    Returns:
        At least 2; None where no number is enough: no effect, or nobody held out or treated.
    """
    parts = holdout_share * (1 - holdout_share) * effect**2
    needed = REACH**2 * deviation**2 / parts if parts > 0 else math.inf
    return max(2, math.ceil(needed)) if math.isfinite(needed) else None


def _verdict(held_out: int, count: int, planned_share: float, p_value: float, holds: bool) -> str:
    if not count:
        return "No shopper has entered yet."
    shares = f"{100 * held_out / count:.2f} % where {100 * planned_share:.2f} % is planned"
    seen = f"{held_out:,} of {count:,} shoppers were held out, {shares}"
    chance = f"p = {p_value:.2g}" if p_value > 1e-300 else "p < 1e-300"
    if holds:
        return f"{seen}: no sign of a fault in the assignment ({chance})."
    return f"{seen}: hardly by chance ({chance}). Until the reason is found, the groups can't be compared."
