"""Effects: the formulas against other people's, and an answer for whatever a campaign may leave."""

import math

import numpy as np
import pytest
from msgspec.structs import replace
from scipy.stats import skew, ttest_ind

from batch.uplift.effects import Effect, adjusted_spend_effect, conversion_effect, spend_effect
from batch.uplift.intervals import t_quantile
from tests.unit.batch.uplift_shoppers import Floats, drawn

FEW = drawn(np.random.default_rng(7), 400, 0.2)
SPEND = FEW.spend * np.where(FEW.treated, 1.2, 1.0)


def told(effect: Effect) -> tuple[float | None, float | None, float | None]:
    """Effect and interval."""
    return effect.effect, effect.low, effect.high


def test_plain_spend_is_compared_as_welch_does() -> None:
    """Effect, standard error and interval are those of another library's Welch test."""
    found = spend_effect(FEW.treated, SPEND)
    expected = ttest_ind(SPEND[FEW.treated], SPEND[~FEW.treated], equal_var=False)
    bounds = expected.confidence_interval(0.95)
    assert ("welch", int(FEW.treated.sum()), int((~FEW.treated).sum())) == (found.method, found.treated, found.held_out)
    difference = SPEND[FEW.treated].mean() - SPEND[~FEW.treated].mean()
    assert (difference, bounds.low, bounds.high) == pytest.approx(told(found))
    assert difference / expected.statistic == pytest.approx(found.standard_error)


def test_adjusted_spend_is_the_regression_with_interactions() -> None:
    """Effect and variance are those of least squares on treatment, centred spend before and both, with HC2 errors."""
    x = FEW.before - FEW.before.mean()
    design = np.column_stack((np.ones(len(x)), FEW.treated, x, FEW.treated * x))
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ design.T @ SPEND
    residuals = SPEND - design @ coefficients
    hats = np.einsum("ij,jk,ik->i", design, inverse, design)
    sandwich = inverse @ (design.T * (residuals**2 / (1 - hats))) @ design @ inverse
    variance = sandwich[1, 1] + coefficients[3] ** 2 * x.var(ddof=1) / len(x)
    found = adjusted_spend_effect(FEW.treated, SPEND, FEW.before)
    assert "regression-adjusted" == found.method
    assert (coefficients[1], math.sqrt(variance)) == pytest.approx((found.effect, found.standard_error))
    plain = spend_effect(FEW.treated, SPEND)
    assert plain.standard_error is not None
    assert 1 - variance / plain.standard_error**2 == pytest.approx(found.variance_reduction)


def test_spend_before_that_tells_nothing_leaves_the_effect_as_it_was() -> None:
    """Shuffled spend before changes neither the effect nor its interval by much."""
    before = np.random.default_rng(8).permutation(FEW.before)
    plain, found = spend_effect(FEW.treated, SPEND), adjusted_spend_effect(FEW.treated, SPEND, before)
    assert plain.standard_error is not None
    assert told(plain) == pytest.approx(told(found), abs=0.2 * plain.standard_error)
    assert 0 == pytest.approx(found.variance_reduction, abs=0.05)


def test_a_multiple_of_the_spend_has_a_multiple_of_the_effect() -> None:
    """Cents or euros: the relative uplift and what is needed stay the same."""
    minor, major = (adjusted_spend_effect(FEW.treated, SPEND * unit, FEW.before * unit) for unit in (1.0, 0.01))
    assert (minor.relative, minor.relative_low, minor.relative_high) == pytest.approx(
        (major.relative, major.relative_low, major.relative_high)
    )
    assert minor.normal_from == major.normal_from


def test_the_shoppers_needed_grow_with_the_square_of_the_skewness() -> None:
    """With one group's spend all but fixed, it is 355 x skewness^2 of the other group."""
    draw = np.random.default_rng(9)
    treated = np.arange(4_000) % 2 == 0
    spend = np.where(treated, 1_000 + draw.random(4_000), draw.exponential(1_000, 4_000))
    found = spend_effect(treated, spend)
    assert 355 * skew(spend[~treated]) ** 2 == pytest.approx(found.normal_from, rel=1e-3)


def test_two_groups_with_the_same_skewness_and_size_cancel_it() -> None:
    """Means of equal groups lean the same way, so their difference does not lean."""
    spend = np.random.default_rng(10).exponential(1_000, 500)
    found = spend_effect(np.arange(1_000) < 500, np.concatenate((spend, spend)))
    assert (0.0, 30) == (found.effect, found.normal_from)


def test_spend_before_does_not_make_uneven_spend_even() -> None:
    """The adjusted interval is trusted no sooner than the plain one."""
    draw = np.random.default_rng(12)
    one = drawn(draw, 8_000, 0.1)
    spend = np.where(draw.random(8_000) < 0.4, one.spend, 0.0)
    plain = spend_effect(one.treated, spend)
    assert plain.normal_from is not None
    assert plain.normal_from > plain.held_out
    assert plain.normal_from == adjusted_spend_effect(one.treated, spend, one.before).normal_from


def test_capping_counts_the_largest_spends_as_a_percentile_of_all() -> None:
    """Beyond the percentile of both groups together it no longer matters how much was spent."""
    spend = np.arange(1.0, 1_001.0)
    treated = np.arange(1_000) % 2 == 0
    expected = spend_effect(treated, np.minimum(spend, 991.0))
    spend[-1] = 1e9
    found = spend_effect(treated, spend, capped_share=0.99)
    assert 991.0 == found.capped_at
    assert told(expected) == pytest.approx(told(found))
    assert spend_effect(treated, spend).capped_at is None


def test_capping_holds_for_spend_before_too() -> None:
    """A whale of last month does not decide the line, and the result says that something was capped."""
    before = FEW.before.copy()
    before[3] = 1e9
    assert "welch" == adjusted_spend_effect(FEW.treated, SPEND, before).method
    found = adjusted_spend_effect(FEW.treated, SPEND, before, capped_share=0.99)
    assert ("regression-adjusted", "") == (found.method, found.note)
    assert found.capped_at is not None


@pytest.mark.parametrize(
    ("before", "note"),
    [
        (None, "spend before was not used: it is not known"),
        (np.zeros(400), "spend before was not used: it is the same for all of a group"),
        (np.where(FEW.treated, FEW.before, 5.0), "spend before was not used: it is the same for all of a group"),
        (SPEND, "spend before was not used: it tells spend exactly"),
    ],
)
def test_where_spend_before_is_of_no_use_the_plain_effect_stands(before: Floats | None, note: str) -> None:
    """The reason is noted, and effect and interval are Welch's."""
    found, plain = adjusted_spend_effect(FEW.treated, SPEND, before), spend_effect(FEW.treated, SPEND)
    assert replace(plain, note=note) == found


def test_one_shopper_who_decides_the_line_is_not_let_to() -> None:
    """A slope that rests on a single shopper of a group is no slope."""
    before = np.random.default_rng(11).random(400)
    before[np.flatnonzero(~FEW.treated)[0]] = 1e6
    found = adjusted_spend_effect(FEW.treated, SPEND, before)
    assert ("welch", "spend before was not used: one shopper of a group would decide alone") == (
        found.method,
        found.note,
    )


def test_small_groups_are_not_adjusted() -> None:
    """Under 30 in a group a line is drawn through too little."""
    treated = np.arange(400) >= 29
    found = adjusted_spend_effect(treated, SPEND, FEW.before)
    assert ("welch", "spend before was not used: fewer than 30 shoppers in a group") == (found.method, found.note)
    treated = np.arange(400) >= 30
    assert "regression-adjusted" == adjusted_spend_effect(treated, SPEND, FEW.before).method


@pytest.mark.parametrize(
    ("treated", "spend", "means", "note"),
    [
        ([], [], (None, None, None), "nobody was held out"),
        ([True, True], [1, 3], (2.0, None, None), "nobody was held out"),
        ([False], [7], (None, 7.0, None), "nobody was treated"),
        ([True, False], [9, 7], (9.0, 7.0, 2.0), "one shopper alone was held out, which tells no spread"),
        ([True, False, False], [9, 7, 8], (9.0, 7.5, 1.5), "one shopper alone was treated, which tells no spread"),
        ([True, True, False, False], [5, 5, 3, 4], (5.0, 3.5, 1.5), "all treated shoppers spent the same, which"),
        ([True, True, False, False], [3, 4, 0, 0], (3.5, 0.0, 3.5), "all held-out shoppers spent the same, which"),
        ([True, False] * 100, [0.1] * 200, (0.1, 0.1, 0.0), "all treated shoppers spent the same, which"),
    ],
)
def test_without_spread_there_are_means_and_no_interval(
    treated: list[bool], spend: list[float], means: tuple[float | None, ...], note: str
) -> None:
    """Whatever can be told is told, the rest is None, and a note says why."""
    for found in (spend_effect(treated, spend), adjusted_spend_effect(treated, spend, spend)):
        assert means == (found.treated_mean, found.held_out_mean, found.effect)
        assert (None, None, None, None, None) == (
            found.low,
            found.high,
            found.standard_error,
            found.relative,
            found.normal_from,
        )
        assert found.note.startswith(note)
        assert not found.excludes_zero


def test_two_shoppers_a_group_have_an_interval() -> None:
    """By hand: variances 2 and 8 of two each give V = 5 and 1.47 degrees of freedom."""
    found = spend_effect([True, True, False, False], [10, 12, 3, 7])
    half = t_quantile(5**2 / (1 + 16)) * math.sqrt(5)
    assert (6.0, 6 - half, 6 + half) == pytest.approx(told(found))


def test_returns_may_make_spend_negative_and_then_nothing_is_relative() -> None:
    """The difference stands; a share of a mean below 0 means nothing."""
    found = spend_effect(FEW.treated, np.where(FEW.treated, SPEND, -SPEND))
    assert found.excludes_zero
    assert (None, None, None) == (found.relative, found.relative_low, found.relative_high)


def test_conversion_is_counted_by_group() -> None:
    """56 of 70 against 48 of 80: Newcombe's interval, and a third more."""
    treated = np.arange(150) < 70
    found = conversion_effect(treated, (np.arange(150) < 56) | (np.arange(150) >= 102))
    assert (0.8, 0.6) == (found.treated_mean, found.held_out_mean)
    assert (0.2, 0.0524, 0.3339) == pytest.approx(told(found), abs=5e-5)
    assert 1 / 3 == pytest.approx(found.relative)
    assert found.relative_low is not None
    assert found.relative_low > 0
    usual = math.sqrt(0.8 * 0.2 / 70 + 0.6 * 0.4 / 80)
    assert usual == pytest.approx(found.standard_error, rel=0.05)


@pytest.mark.parametrize("bought", [True, False])
def test_all_or_nobody_converted_is_no_certainty(bought: bool) -> None:
    """The effect is 0 and its interval is not; a ratio to nobody is None."""
    found = conversion_effect(np.arange(200) < 100, np.full(200, bought))
    assert 0.0 == found.effect
    assert (-0.037, 0.037) == pytest.approx((found.low, found.high), abs=5e-4)
    assert bought == (found.relative is not None)


def test_conversion_of_an_empty_group_is_not_known() -> None:
    """The other group's share is."""
    found = conversion_effect([True, True], [True, False])
    assert (0.5, None, None, None) == (found.treated_mean, found.held_out_mean, found.effect, found.low)
    assert "nobody was held out" == found.note
    assert 1.0 == conversion_effect([True, False], [True, False]).effect


def test_what_is_no_column_of_shoppers_is_refused() -> None:
    """Other lengths, amounts that are not finite, and a cap that is no upper quantile."""
    with pytest.raises(ValueError, match="spend_minor has shape"):
        spend_effect([True, False], [1.0])
    with pytest.raises(ValueError, match="converted has shape"):
        conversion_effect([True, False], [True])
    with pytest.raises(ValueError, match="not finite"):
        spend_effect([True, False], [1.0, math.nan])
    with pytest.raises(ValueError, match="spend_before_minor has values"):
        adjusted_spend_effect(FEW.treated, SPEND, np.full(400, math.inf))
    for share in (0.5, 1.0):
        with pytest.raises(ValueError, match="capped_share"):
            spend_effect([True, False], [1.0, 2.0], capped_share=share)
