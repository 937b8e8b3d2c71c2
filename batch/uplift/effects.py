"""Effects: how much more treated shoppers spent and bought than those held out, each with its 95 % interval."""

from __future__ import annotations

import math
from typing import Final, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import ArrayLike, NDArray

from batch.uplift.arms import Arm, mean_on_line, plain_mean
from batch.uplift.intervals import (
    Estimates,
    Interval,
    Z,
    difference_of_shares,
    ratio_of_means,
    ratio_of_shares,
    t_quantile,
)

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ARM_MIN: Final = 30
"""Shoppers in each group below which nothing should be said, and spend before is not used."""
SKEWNESS_FACTOR: Final = 355.0
"""A mean of n is close enough to normal from n = 355 x skewness^2 on."""


class Effect(Struct, frozen=True, kw_only=True):
    """The difference between treated and held-out shoppers. Nothing in it is ever nan or infinite.

    Attributes:
        method: `welch`: plain means; `regression-adjusted`: reduced by spend before; `newcombe`: shares.
        treated, held_out: shoppers in each group.
        treated_mean, held_out_mean: minor units a shopper, or a share 0..1; adjusted if the method is. None = nobody.
        effect: their difference; None if a group is empty.
        low, high: its 95 % interval; None where it can't be told, `note` says why.
        standard_error: of the effect, None with the interval. Of shares: half the interval's width / 1.96, which unlike
            the usual sqrt(p (1 - p) / n) is not 0 where nobody or everybody bought.
        relative, relative_low, relative_high: effect / held-out mean, with its interval; None where the held-out mean
            is about 0 (not above it by more than chance).
        variance_reduction: share of the plain variance that spend before took away; 0 for plain methods. Below 0 where
            it told nothing and chance had its way.
        normal_from: shoppers in the smaller group from which the interval's normal approximation is close, at this
            unevenness of spend (adjusted: no sooner than plain); None where there is no interval, or one that does not
            lean on it (`newcombe`).
        capped_at: spend above was counted as this, in minor units; None = nothing was capped.
        note: why there is no interval or why spend before was not used; '' if there is nothing to say.
    """

    method: Literal["welch", "regression-adjusted", "newcombe"]
    treated: int
    held_out: int
    treated_mean: float | None = None
    held_out_mean: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    standard_error: float | None = None
    relative: float | None = None
    relative_low: float | None = None
    relative_high: float | None = None
    variance_reduction: float = 0.0
    normal_from: int | None = None
    capped_at: float | None = None
    note: str = ""

    @property
    def smaller(self) -> int:
        """Shoppers in the smaller group."""
        return min(self.treated, self.held_out)

    @property
    def excludes_zero(self) -> bool:
        """Whether chance alone is an unlikely (5 %) reason for the effect."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def spend_effect(treated: ArrayLike, spend_minor: ArrayLike, *, capped_share: float | None = None) -> Effect:
    """Compares mean spend, with groups of different spread.

        effect = mean_1 - mean_0,  V = s_1^2 / n_1 + s_0^2 / n_0,  interval = effect -/+ t sqrt(V)
        degrees of t = V^2 / (sum over a of (s_a^2 / n_a)^2 / (n_a - 1))

    Spend has a long tail, and t leans on the normal approximation of both means. With u_i what shopper i adds to the
    effect, its skewness is g = sum u^3 / (sum u^2)^1.5, and each tail of the interval holds within half a percent of
    its 2.5 % while g^2 <= 1 / 355; at this split that takes 355 g^2 times the shoppers (`normal_from`). For one group
    this is n = 355 x skewness^2. Capping at a percentile of both groups together tames the tail; what is then compared
    is capped spend, a little less than all spend.

    Source: Welch (1947), "The generalization of 'Student's' problem when several different population variances are
    involved", Biometrika 34; 355: Kohavi, Deng, Longbotham & Xu (2014), "Seven rules of thumb for web site
    experimenters", KDD, rule 7, from Boos & Hughes-Oliver (2000), "How large does n have to be for Z and t
    intervals?", The American Statistician 54(2); capping: Dixon (1960), "Simplified estimation from censored normal
    samples", Annals of Mathematical Statistics 31(2) (winsorising).

    Args:
        treated: n, True = treated, False = held out.
        spend_minor: n, net spend in the window, finite; negative where more was returned than bought.
        capped_share: spend above this quantile of all shoppers counts as the quantile, e.g. 0.999; None = none does.

    Raises:
        ValueError: lengths differ, something is not finite, or `capped_share` is not between 0.5 and 1.
    """
    group = np.asarray(treated, dtype=np.bool_)
    spend, capped_at = _capped(_amounts(spend_minor, group, "spend_minor"), capped_share)
    found = _sizes("welch", group, capped_at)
    if found.note:
        return _with_means(found, group, spend)
    return _compared(found, plain_mean(spend[group]), plain_mean(spend[~group]))


def adjusted_spend_effect(
    treated: ArrayLike,
    spend_minor: ArrayLike,
    spend_before_minor: ArrayLike | None,
    *,
    capped_share: float | None = None,
) -> Effect:
    """Compares mean spend after taking away what spend before entering told already.

    In each group a, spend y is drawn as a line over spend before x, and both lines are read at the mean x of all:

        m_a = mean_a y + b_a (mean x - mean_a x),  b_a = the group's slope,  effect = m_1 - m_0
        V = sum over a, i of w_i^2 e_i^2 / (1 - h_i)  +  (b_1 - b_0)^2 s_x^2 / n
        w_i = 1 / n_a + (mean x - mean_a x)(x_i - mean_a x) / S_a,  h_i = 1 / n_a + (x_i - mean_a x)^2 / S_a

    with residuals e and S_a = sum of (x_i - mean_a x)^2. Without x this is Welch's comparison. The last term is there
    because other shoppers would have had another mean x. Where x and y correlate by r, the interval is sqrt(1 - r^2)
    as wide. x was there before the treatment, so adjusting by it takes nothing of the effect away.

    Of the two usual ways, CUPED takes one slope for both groups, pooled; this takes a slope for each (ordinary
    regression with interactions). They agree where a treatment adds the same to everybody. Where it does not and the
    groups are of different size, as with a holdout of a tenth, the pooled slope is the larger group's and can widen the
    interval; two slopes never do, in large samples.

    Source: Lin (2013), "Agnostic notes on regression adjustments to experimental data: reexamining Freedman's
    critique", Annals of Applied Statistics 7(1), with his HC2 variance; the last term: Negi & Wooldridge (2021),
    "Revisiting regression adjustment in experiments with heterogeneous treatment effects", Econometric Reviews 40(5);
    CUPED: Deng, Xu, Kohavi & Walker (2013), "Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data", WSDM.

    Args:
        treated, spend_minor, capped_share: as for `spend_effect`.
        spend_before_minor: n, of the same shoppers before they entered, 0 for who was not there; capped at its own
            quantile. None = not known.

    Returns:
        The effect; of the plain method, with a note, where spend before can't be used: not known, a group under 30,
        the same for all of a group, or one shopper who would decide the line alone.

    Raises:
        ValueError: as for `spend_effect`.
    """
    plain = spend_effect(treated, spend_minor, capped_share=capped_share)
    if plain.standard_error is None:
        return plain
    if spend_before_minor is None:
        return _unadjusted(plain, "it is not known")
    group = np.asarray(treated, dtype=np.bool_)
    before, _ = _capped(_amounts(spend_before_minor, group, "spend_before_minor"), capped_share)
    spend, _ = _capped(np.asarray(spend_minor, dtype=np.float64), capped_share)
    if plain.smaller < ARM_MIN:
        return _unadjusted(plain, f"fewer than {ARM_MIN} shoppers in a group")
    centre = float(before.mean())
    one, other = (mean_on_line(spend[of], before[of], centre) for of in (group, ~group))
    if isinstance(one, str) or isinstance(other, str):
        return _unadjusted(plain, one if isinstance(one, str) else str(other))
    found = _sizes("regression-adjusted", group, plain.capped_at)
    adjusted = _compared(found, one, other, before - centre)
    assert adjusted.standard_error is not None, "a line without noise was read"
    return replace(
        adjusted,
        variance_reduction=1 - (adjusted.standard_error / plain.standard_error) ** 2,
        # The slopes are estimates too, which tilts the effect in a way that what is left of spend does not show.
        normal_from=max(adjusted.normal_from or 0, plain.normal_from or 0),
    )


def conversion_effect(treated: ArrayLike, converted: ArrayLike) -> Effect:
    """Compares the shares of shoppers who bought a promoted product.

    Source: `batch.uplift.intervals`: Newcombe's hybrid score interval for the difference, MOVER-R for the ratio. Both
    hold for small groups, and where nobody or everybody bought.

    Args:
        treated: n, True = treated, False = held out.
        converted: n, True = bought.

    Raises:
        ValueError: lengths differ.
    """
    group, bought = np.asarray(treated, dtype=np.bool_), np.asarray(converted, dtype=np.bool_)
    if group.shape != bought.shape or group.ndim != 1:
        raise ValueError(f"converted has shape {bought.shape}, treated {group.shape}: one row a shopper is needed")
    found = _sizes("newcombe", group, None)
    if not found.smaller:
        return _with_means(found, group, bought.astype(np.float64))
    ours, base = int(bought[group].sum()), int(bought[~group].sum())
    counts = (ours, found.treated, base, found.held_out)
    bounds, ratio = difference_of_shares(*counts), ratio_of_shares(*counts)
    share, base_share = ours / found.treated, base / found.held_out
    return replace(
        found,
        treated_mean=share,
        held_out_mean=base_share,
        effect=share - base_share,
        low=bounds.low,
        high=bounds.high,
        standard_error=(bounds.high - bounds.low) / (2 * Z),
        note="",
        **_relative(share, base_share, ratio),
    )


def _amounts(values: ArrayLike, group: Bools, name: str) -> Floats:
    amounts = np.asarray(values, dtype=np.float64)
    if amounts.shape != group.shape or group.ndim != 1:
        raise ValueError(f"{name} has shape {amounts.shape}, treated {group.shape}: one row a shopper is needed")
    if not np.isfinite(amounts).all():
        raise ValueError(f"{name} has values that are not finite: give 0 for a shopper who bought nothing")
    return amounts


def _capped(amounts: Floats, share: float | None) -> tuple[Floats, float | None]:
    if share is None:
        return amounts, None
    if not 0.5 < share < 1:
        raise ValueError(f"capped_share is {share}: a quantile between 0.5 and 1 is needed, or None")
    if not len(amounts):
        return amounts, None
    at = float(np.quantile(amounts, share, method="higher"))
    return np.minimum(amounts, at), at


def _sizes(
    method: Literal["welch", "regression-adjusted", "newcombe"], group: Bools, capped_at: float | None
) -> Effect:
    treated = int(group.sum())
    held_out = len(group) - treated
    note = ""
    for count, name in sorted(((treated, "treated"), (held_out, "held out"))):
        if count < 2 and not note:
            note = f"one shopper alone was {name}, which tells no spread" if count else f"nobody was {name}"
    return Effect(method=method, treated=treated, held_out=held_out, capped_at=capped_at, note=note)


def _with_means(found: Effect, group: Bools, values: Floats) -> Effect:
    """Adds what can be told without an interval: the means of the groups that have shoppers."""
    ours, base = (float(values[of].mean()) if of.any() else None for of in (group, ~group))
    effect = None if ours is None or base is None else ours - base
    return replace(found, treated_mean=ours, held_out_mean=base, effect=effect)


def _unadjusted(plain: Effect, reason: str) -> Effect:
    return replace(plain, note=f"spend before was not used: {reason}")


def _compared(found: Effect, one: Arm, other: Arm, before: Floats | None = None) -> Effect:
    """Adds difference, ratio and their intervals.

    Args:
        found: the sizes.
        one, other: the means of treated and held out.
        before: n, spend before less its mean, if the means were read off lines over it.
    """
    effect, gap = one.mean - other.mean, one.slope - other.slope
    means = replace(found, treated_mean=one.mean, held_out_mean=other.mean, effect=effect)
    for arm, name in ((one, "treated"), (other, "held-out")):
        if not arm.variance > 0:
            return replace(means, note=f"all {name} shoppers spent the same, which tells no spread")
    of_centre = 0.0 if before is None else float(before @ before) / (len(before) * (len(before) - 1))
    variance = one.variance + other.variance + gap**2 * of_centre
    parts = sum((arm.variance / variance) ** 2 / arm.degrees for arm in (one, other))
    quantile, error = t_quantile(1 / parts), math.sqrt(variance)
    estimates = Estimates(
        mean=one.mean,
        base=other.mean,
        variance=one.variance + one.slope**2 * of_centre,
        base_variance=other.variance + other.slope**2 * of_centre,
        covariance=one.slope * other.slope * of_centre,
    )
    return replace(
        means,
        low=effect - quantile * error,
        high=effect + quantile * error,
        standard_error=error,
        normal_from=_normal_from(np.concatenate((one.pulls, -other.pulls)), found.smaller),
        **_relative(one.mean, other.mean, ratio_of_means(estimates, quantile)),
    )


def _normal_from(pulls: Floats, smaller: int) -> int:
    """Gives the size of the smaller group at which the skewness of the effect is small enough."""
    scaled = pulls / np.abs(pulls).max()  # so that no power of a small number becomes 0
    skewness = float((scaled**3).sum()) / math.sqrt(float((scaled**2).sum()) ** 3)
    return max(ARM_MIN, math.ceil(SKEWNESS_FACTOR * skewness**2 * smaller))


def _relative(mean: float, base: float, ratio: Interval | None) -> dict[str, float]:
    if ratio is None:
        return {}
    return {"relative": mean / base - 1, "relative_low": ratio.low - 1, "relative_high": ratio.high - 1}
