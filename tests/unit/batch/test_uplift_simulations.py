"""Simulations: over 1,000 campaigns whose truth is known, the intervals keep what they promise."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from batch.uplift.checks import shoppers_needed, smallest_effect
from batch.uplift.effects import Effect, adjusted_spend_effect, conversion_effect, spend_effect
from tests.unit.batch.uplift_shoppers import CORRELATION, MEAN, SIGMA, drawn

RUNS = 1_000
COUNT = 1_800
HOLDOUT = 0.4
UPLIFT = 0.06
"""Every treated shopper spends so much more, as a share: the more a shopper spends, the larger the effect."""


class Found(NamedTuple):
    """Each run's results: plain and adjusted, without any effect and with a planted one."""

    nothing: tuple[list[Effect], list[Effect]]
    planted: tuple[list[Effect], list[Effect]]


@cache
def found() -> Found:
    """All runs, made once."""
    draw = np.random.default_rng(20_261)
    runs: Found = Found(([], []), ([], []))
    for _ in range(RUNS):
        campaign = drawn(draw, COUNT, HOLDOUT)
        treated, before = campaign.treated, campaign.before
        for lists, spend in (
            (runs.nothing, campaign.spend),
            (runs.planted, campaign.spend * np.where(treated, 1 + UPLIFT, 1.0)),
        ):
            lists[0].append(spend_effect(treated, spend))
            lists[1].append(adjusted_spend_effect(treated, spend, before))
    return runs


def covering(effects: list[Effect], truth: float) -> int:
    """In how many runs the interval holds the truth."""
    return sum(one.low <= truth <= one.high for one in effects if one.low is not None and one.high is not None)


def seen(effects: list[Effect]) -> int:
    """In how many runs the interval leaves 0 out."""
    return sum(one.excludes_zero for one in effects)


def error(effects: list[Effect]) -> float:
    """The usual standard error of the runs."""
    return float(np.median([one.standard_error or math.nan for one in effects]))


@pytest.mark.parametrize("method", [0, 1], ids=["plain", "adjusted"])
def test_the_interval_of_spend_covers_the_planted_effect(method: int) -> None:
    """95 % of intervals hold what was planted, no more and no less, in money and as a share."""
    effects = found().planted[method]
    assert 930 <= covering(effects, UPLIFT * MEAN) <= 970
    ratios = [
        one
        for one in effects
        if one.relative_low is not None and one.relative_low <= UPLIFT <= (one.relative_high or 0)
    ]
    assert 930 <= len(ratios) <= 970


@pytest.mark.parametrize("method", [0, 1], ids=["plain", "adjusted"])
def test_a_campaign_that_does_nothing_is_rarely_seen_to(method: int) -> None:
    """Two groups treated alike differ, by their intervals, once in twenty campaigns."""
    assert 30 <= seen(found().nothing[method]) <= 70


@pytest.mark.parametrize("method", [0, 1], ids=["plain", "adjusted"])
def test_neither_method_leans_to_a_side(method: int) -> None:
    """The mean effect over all runs is the planted one, within three standard errors of that mean."""
    effects = found().planted[method]
    mean = float(np.mean([one.effect for one in effects if one.effect is not None]))
    assert UPLIFT * MEAN == pytest.approx(mean, abs=3 * error(effects) / math.sqrt(RUNS))


def test_spend_before_narrows_the_interval_by_the_root_of_1_less_r_squared() -> None:
    """As wide as sqrt(1 - r^2) of the plain interval, and the variance reduction says r^2."""
    plain, adjusted = found().nothing
    assert math.sqrt(1 - CORRELATION**2) == pytest.approx(error(adjusted) / error(plain), rel=0.03)
    reductions = [one.variance_reduction for one in adjusted]
    assert CORRELATION**2 == pytest.approx(float(np.median(reductions)), abs=0.02)


@pytest.mark.parametrize("method", [0, 1], ids=["plain", "adjusted"])
def test_the_smallest_effect_is_seen_four_times_out_of_five(method: int) -> None:
    """An effect of the size that the campaign could have seen is seen in 75 to 85 % of campaigns."""
    smallest = smallest_effect(error(found().nothing[method]))
    assert smallest is not None
    draw = np.random.default_rng(20_262)
    effects = []
    for _ in range(RUNS):
        campaign = drawn(draw, COUNT, HOLDOUT)
        spend = campaign.spend + smallest * campaign.treated
        if method:
            effects.append(adjusted_spend_effect(campaign.treated, spend, campaign.before))
        else:
            effects.append(spend_effect(campaign.treated, spend))
    assert 750 <= seen(effects) <= 850


def test_a_campaign_of_the_shoppers_needed_sees_the_effect_four_times_out_of_five() -> None:
    """Planned from the spread of spend alone, before any campaign ran."""
    effect = 0.1 * MEAN
    count = shoppers_needed(effect, MEAN * math.sqrt(math.expm1(SIGMA**2)), HOLDOUT)
    assert count is not None
    draw = np.random.default_rng(20_263)
    campaigns = (drawn(draw, count, HOLDOUT) for _ in range(RUNS))
    effects = [spend_effect(one.treated, one.spend + effect * one.treated) for one in campaigns]
    assert 750 <= seen(effects) <= 850


def test_the_interval_holds_where_the_treatment_changes_whom_it_helps() -> None:
    """Treated shoppers spend alike, whatever they spent before: two slopes, and the spread of spend before counts."""
    draw = np.random.default_rng(20_264)
    effects, plain = [], []
    for _ in range(RUNS):
        before, noise = 5_000 + 1_000 * draw.standard_normal(600), 500 * draw.standard_normal(600)
        treated = draw.random(600) < 0.5
        spend = np.where(treated, 5_000, before) + noise
        effects.append(adjusted_spend_effect(treated, spend, before))
        plain.append(spend_effect(treated, spend))
    assert 930 <= covering(effects, 0.0) <= 970
    assert error(effects) < error(plain)


def test_capping_keeps_the_promise_for_a_tail_that_is_too_long() -> None:
    """Where a few shoppers spend thousands, capped spend of equal groups differs once in twenty, and is surer."""
    draw = np.random.default_rng(20_265)
    plain, capped = [], []
    for _ in range(RUNS):
        treated, spend = draw.random(1_000) < 0.5, 1_000 * draw.pareto(1.5, 1_000)
        plain.append(spend_effect(treated, spend))
        capped.append(spend_effect(treated, spend, capped_share=0.99))
    assert 30 <= seen(capped) <= 70
    assert error(capped) < 0.7 * error(plain)


@pytest.mark.parametrize(("base", "uplift"), [(0.1, 0.03), (0.02, 0.01), (0.98, 0.01)])
def test_the_interval_of_conversion_covers_the_planted_effect(base: float, uplift: float) -> None:
    """95 % of intervals hold the planted difference, and the planted ratio, for common and for rare purchases."""
    draw = np.random.default_rng(20_266)
    treated = draw.random(2_000) < 0.7
    chances = base + uplift * treated
    effects = [conversion_effect(treated, draw.random(2_000) < chances) for _ in range(RUNS)]
    assert 930 <= covering(effects, uplift) <= 970
    ratio = uplift / base
    ratios = [one for one in effects if one.relative_low is not None and one.relative_low <= ratio]
    assert 930 <= sum(one.relative_high is not None and ratio <= one.relative_high for one in ratios) <= 970


def test_a_campaign_that_converts_nobody_more_is_rarely_seen_to() -> None:
    """Conversion of groups treated alike differs once in twenty."""
    draw = np.random.default_rng(20_267)
    treated = draw.random(2_000) < 0.7
    effects = [conversion_effect(treated, draw.random(2_000) < 0.1) for _ in range(RUNS)]
    assert 30 <= seen(effects) <= 70


def test_the_smallest_effect_on_conversion_is_seen_four_times_out_of_five() -> None:
    """From the interval of a campaign that did nothing."""
    draw = np.random.default_rng(20_268)
    treated = draw.random(4_000) < 0.7
    smallest = smallest_effect(conversion_effect(treated, draw.random(4_000) < 0.2).standard_error)
    assert smallest is not None
    chances = 0.2 + smallest * treated
    effects = [conversion_effect(treated, draw.random(4_000) < chances) for _ in range(RUNS)]
    assert 750 <= seen(effects) <= 850
