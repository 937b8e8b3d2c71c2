"""Checks: a bent split is found, a straight one left alone, and planning agrees with what is seen."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, chisquare, norm

from batch.uplift.checks import MISMATCH_P, sample_ratio, shoppers_needed, smallest_effect


def test_48_to_52_among_100_000_is_no_chance() -> None:
    """The verdict says so in numbers, and that nothing can be compared."""
    found = sample_ratio(52_000, 48_000, 0.5)
    assert not found.holds
    assert found.p_value < 1e-30
    assert 0.48 == found.held_out_share
    assert (
        "48,000 of 100,000 shoppers were held out, 48.00 % where 50.00 % is planned: hardly by chance (p = 1.2e-36). "
        "Until the reason is found, the groups can't be compared."
    ) == found.verdict


def test_an_even_split_is_left_alone() -> None:
    """A split within chance holds, and the verdict says so."""
    found = sample_ratio(50_100, 49_900, 0.5)
    assert found.holds
    assert (
        "49,900 of 100,000 shoppers were held out, 49.90 % where 50.00 % is planned: "
        "no sign of a fault in the assignment (p = 0.53)."
    ) == found.verdict


@pytest.mark.parametrize(("count", "share"), [(60, 0.5), (100_000, 0.5), (100_000, 0.1)])
@pytest.mark.parametrize("nominal", [0.05, 0.01])
def test_chance_alone_raises_few_alarms(count: int, share: float, nominal: float) -> None:
    """Over 1,000 campaigns that were split as planned, p is below a bound at most 1.5 times as often as it says."""
    held_out = np.random.default_rng(31).binomial(count, share, 1_000)
    values = [sample_ratio(count - int(one), int(one), share).p_value for one in held_out]
    assert sum(value < nominal for value in values) <= 1.5 * nominal * 1_000


def test_the_verdict_itself_is_rarely_wrong() -> None:
    """Of 20,000 campaigns split as planned, 20 are expected to be doubted, and at most 30 are."""
    held_out = np.random.default_rng(32).binomial(100_000, 0.1, 20_000)
    doubted = sum(not sample_ratio(100_000 - int(one), int(one), 0.1).holds for one in held_out)
    assert doubted <= 1.5 * MISMATCH_P * 20_000


@pytest.mark.parametrize(("held_out", "count"), [(3, 10), (0, 6), (10, 10), (17, 50), (25, 50)])
def test_small_splits_are_judged_exactly(held_out: int, count: int) -> None:
    """Half to half, the smaller tail twice is the exact binomial test."""
    expected = binomtest(held_out, count, 0.5).pvalue
    assert expected == pytest.approx(sample_ratio(count - held_out, held_out, 0.5).p_value)


def test_large_splits_are_judged_as_by_chi_square() -> None:
    """For a million shoppers the exact p is that of the chi-square test."""
    expected = chisquare([900_700, 99_300], [900_000, 100_000]).pvalue
    assert expected == pytest.approx(sample_ratio(900_700, 99_300, 0.1).p_value, rel=0.01)


@pytest.mark.parametrize(
    ("treated", "held_out", "share", "p_value"),
    [
        (0, 0, 0.1, 1.0),
        (10, 0, 0.0, 1.0),
        (10, 1, 0.0, 0.0),
        (0, 10, 1.0, 1.0),
        (1, 10, 1.0, 0.0),
        (10**9, 1, 0.5, 0.0),
        (1, 0, 0.5, 1.0),
    ],
)
def test_the_ends_have_answers(treated: int, held_out: int, share: float, p_value: float) -> None:
    """Nobody, nobody to be held out, everybody, a billion: p is a number between 0 and 1."""
    found = sample_ratio(treated, held_out, share)
    assert (p_value, p_value >= MISMATCH_P) == (found.p_value, found.holds)
    assert "nan" not in found.verdict


def test_a_share_or_a_count_out_of_range_is_refused() -> None:
    """What no campaign can have is a fault of the caller."""
    for numbers in ((-1, 1, 0.1), (1, -1, 0.1), (1, 1, 1.1), (1, 1, -0.1), (1, 1, math.nan)):
        with pytest.raises(ValueError, match="out of range"):
            sample_ratio(*numbers)


def test_the_smallest_effect_is_2_8_standard_errors() -> None:
    """The normal quantiles of 97.5 % and 80 % together; nothing where the error is not known."""
    assert 10 * (norm.ppf(0.975) + norm.ppf(0.8)) == pytest.approx(smallest_effect(10.0))
    assert (None, None) == (smallest_effect(None), smallest_effect(0.0))


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_with_the_shoppers_needed_the_effect_is_the_smallest_that_is_seen(share: float) -> None:
    """Planning and looking back use one formula."""
    needed = shoppers_needed(-30.0, 900.0, share)
    assert needed is not None
    error = 900.0 * math.sqrt(1 / (needed * share) + 1 / (needed * (1 - share)))
    assert 30.0 == pytest.approx(smallest_effect(error), rel=1e-3)


def test_a_textbook_campaign() -> None:
    """Half a standard deviation between two equal groups takes 63 shoppers each by the normal approximation."""
    assert 126 == shoppers_needed(0.5, 1.0, 0.5)


def test_what_no_number_of_shoppers_shows_is_none() -> None:
    """No effect, nobody held out, nobody treated; and without spread the least that can be compared."""
    assert (None, None, None) == (
        shoppers_needed(0.0, 1.0, 0.5),
        shoppers_needed(1.0, 1.0, 0.0),
        shoppers_needed(1.0, 1.0, 1.0),
    )
    assert 2 == shoppers_needed(1.0, 0.0, 0.5)
