"""Intervals: published examples, and the definitions worked out another way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import t as student

from batch.uplift.intervals import (
    Estimates,
    difference_of_shares,
    ratio_of_means,
    ratio_of_shares,
    t_quantile,
    wilson,
)


@st.composite
def two_shares(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Successes and count, twice."""
    count, base_count = draw(st.integers(1, 500)), draw(st.integers(1, 500))
    return draw(st.integers(0, count)), count, draw(st.integers(0, base_count)), base_count


def test_wilson_gives_the_published_interval() -> None:
    """81 of 263 is the example of Newcombe (1998), "Two-sided confidence intervals for the single proportion"."""
    assert (0.2553, 0.3662) == pytest.approx(wilson(81, 263), abs=5e-5)


def test_wilson_leaves_room_where_nobody_or_everybody_did() -> None:
    """Nobody of 20 is no proof of never: z^2 / (n + z^2) stays possible."""
    assert (0.0, 0.16113) == pytest.approx(wilson(0, 20), abs=5e-6)
    assert (0.83887, 1.0) == pytest.approx(wilson(20, 20), abs=5e-6)


@pytest.mark.parametrize(
    ("shares", "bounds"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
    ],
)
def test_the_difference_of_shares_has_the_published_interval(
    shares: tuple[int, int, int, int], bounds: tuple[float, float]
) -> None:
    """Rows of table II of Newcombe (1998), method 10."""
    assert bounds == pytest.approx(difference_of_shares(*shares), abs=5e-5)


@given(two_shares())
def test_the_ratio_says_more_exactly_when_the_difference_does(shares: tuple[int, int, int, int]) -> None:
    """1 is below the ratio's interval when 0 is below the difference's, and likewise above."""
    difference, ratio = difference_of_shares(*shares), ratio_of_shares(*shares)
    if ratio is None:
        assert 0 == shares[2]
        return
    assert 0.0 <= ratio.low <= shares[0] / shares[1] / (shares[2] / shares[3]) * (1 + 1e-12)
    assert math.isfinite(ratio.high)
    if abs(difference.low) > 1e-12:
        assert (difference.low > 0) == (ratio.low > 1)
    if abs(difference.high) > 1e-12:
        assert (difference.high < 0) == (ratio.high < 1)


@pytest.mark.parametrize("shares", [(56, 70, 48, 80), (7, 34, 1, 34), (90, 1_000, 100, 1_000), (5, 5, 4, 6)])
def test_a_ratio_is_a_bound_where_the_weighted_difference_reaches_0(shares: tuple[int, int, int, int]) -> None:
    """Both bounds are the roots of p - R q's own interval, as a search finds them."""
    p, q = shares[0] / shares[1], shares[2] / shares[3]
    of_p, of_q = wilson(*shares[:2]), wilson(*shares[2:])
    low = brentq(lambda r: p - r * q - math.hypot(p - of_p.low, r * (of_q.high - q)), 0, p / q)
    high = brentq(lambda r: p - r * q + math.hypot(of_p.high - p, r * (q - of_q.low)), p / q, 1e4)
    assert (low, high) == pytest.approx(ratio_of_shares(*shares), rel=1e-9)


def test_a_ratio_of_means_is_every_ratio_that_chance_allows() -> None:
    """At both bounds mean - R base lies t standard errors from 0."""
    of = Estimates(mean=11.0, base=10.0, variance=0.3, base_variance=0.5, covariance=0.1)
    bounds = ratio_of_means(of, 2.0)
    assert bounds is not None
    assert bounds.low < 1.1 < bounds.high
    for ratio in bounds:
        error = math.sqrt(of.variance - 2 * ratio * of.covariance + ratio**2 * of.base_variance)
        assert 2.0 == pytest.approx(abs(of.mean - ratio * of.base) / error)


@pytest.mark.parametrize("base", [0.0, 1.4, -10.0])
def test_a_base_about_0_or_below_has_no_ratio(base: float) -> None:
    """What is not above 0 by more than chance can't be divided by."""
    assert ratio_of_means(Estimates(11.0, base, 0.3, 0.5, 0.0), 2.0) is None


@pytest.mark.parametrize("degrees", [1.0, 1.7, 29.3, 1e7])
def test_students_quantile_is_the_exact_one(degrees: float) -> None:
    """Whole degrees of freedom or not, few or many."""
    assert student.ppf(0.975, degrees) == pytest.approx(t_quantile(degrees), rel=1e-9)
