"""The holdout: a stable share of shoppers, other ones for each campaign."""

from __future__ import annotations

import hashlib
from math import sqrt

import pytest

from domain.campaigns import PPM
from domain.holdout import is_held_out

SHOPPERS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000)]
DEVIATIONS_MAX = 4.5
"""The names never change, so neither do the counts: what passes once passes for ever."""


def held_out(campaign_id: str, share_ppm: int) -> set[str]:
    """Who of the shoppers is held out."""
    return {shopper for shopper in SHOPPERS if is_held_out(campaign_id, shopper, share_ppm)}


def deviations(count: int, expected_share: float) -> float:
    """How far a count of shoppers is from what is expected, in standard deviations of the binomial distribution."""
    mean = len(SHOPPERS) * expected_share
    return abs(count - mean) / sqrt(mean * (1 - expected_share))


@pytest.mark.parametrize("share_ppm", [1_000, 10_000, 50_000, 100_000, 333_333, 500_000, 900_000])
@pytest.mark.parametrize("campaign_id", ["spring", "summer", "Été 2026"])
def test_the_share_is_kept(campaign_id: str, share_ppm: int) -> None:
    """Of 10,000 shoppers as many as the share says, within what chance allows."""
    assert deviations(len(held_out(campaign_id, share_ppm)), share_ppm / PPM) < DEVIATIONS_MAX


def test_nobody_or_everybody() -> None:
    """A share of nothing holds nobody out, the whole everybody."""
    assert set() == held_out("spring", 0)
    assert set(SHOPPERS) == held_out("spring", PPM)


def test_a_larger_share_contains_the_smaller() -> None:
    """Whoever is held out stays so when the share grows."""
    before: set[str] = set()
    for share_ppm in (1, 500, 20_000, 20_001, 100_000, 400_000, 900_000):
        now = held_out("spring", share_ppm)
        assert before <= now
        before = now


def test_campaigns_hold_out_independently() -> None:
    """Of those whom one campaign holds out, another holds out its own share."""
    one, other = held_out("spring", 300_000), held_out("summer", 200_000)
    assert deviations(len(one & other), 0.3 * 0.2) < DEVIATIONS_MAX
    assert deviations(len(one - other), 0.3 * 0.8) < DEVIATIONS_MAX


def test_the_two_names_are_told_apart() -> None:
    """What ends one name does not begin the other."""
    pairs = [("a", "bc"), ("ab", "c")]
    shares = range(0, PPM, 1_000)
    first, second = ([is_held_out(campaign, shopper, ppm) for ppm in shares] for campaign, shopper in pairs)
    assert first != second


def test_it_is_the_same_tomorrow() -> None:
    """Chosen by nothing but the names: these are held out for good."""
    assert [11, 24, 31, 42, 43, 46, 48] == [n for n in range(50) if is_held_out("spring", SHOPPERS[n], 100_000)]
