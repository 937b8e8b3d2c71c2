"""Tension: formulas against brute force, thresholds above what is spent anyway, and nothing that loses money."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from batch.econometrics.assumptions import Assumptions
from batch.econometrics.tension import (
    Spend,
    best_tensions,
    effect,
    round_step,
    shopper_spend,
    spend_of_totals,
)

GIVEN = Assumptions()
STORE = Spend(log_mean=8.0, sigma=0.9, within=0.5, source="store")


@pytest.mark.parametrize("reward", [50.0, 300.0, 2_000.0])
@pytest.mark.parametrize("sigma", [0.1, 0.4, 1.2])
def test_the_closed_form_is_what_summing_up_gives(sigma: float, reward: float) -> None:
    """Reach, lift, cost and margin agree with a sum over a million baskets of the distribution."""
    totals = np.exp(np.log(4_000) + sigma * norm.ppf((np.arange(1_000_000) + 0.5) / 1_000_000))
    gap = 5_000 - totals
    response = np.where((gap > 0) & (gap <= 10 * reward), 0.5 * (1 - gap / (10 * reward)), 0.0)
    without = (totals >= 5_000).mean()
    reached = without + response.mean()
    lift = (response * gap).mean()
    expected = (without, reached, lift, reward * reached, 0.3 * lift - reward * reached)
    found = effect(np.log(4_000), sigma, 5_000, reward, 0.3, GIVEN)
    assert expected == pytest.approx([float(part) for part in found], rel=2e-3, abs=2e-3)


def test_a_threshold_is_a_round_step_above_what_is_spent_anyway() -> None:
    """It lies above the expected total by the least stretch and below the most."""
    found = best_tensions(np.log(4_000) - 0.15**2 / 2, 0.15, 500, 0.5, GIVEN)
    assert ([5_500], [300]) == (found.threshold_minor.tolist(), found.reward_minor.tolist())
    assert found.effect.margin_minor[0] > 0
    assert found.effect.reach_with[0] > found.effect.reach_without[0]


def test_where_no_reward_pays_there_is_no_threshold() -> None:
    """With a small margin and an uncertain total everybody who came anyway eats the reward up."""
    found = best_tensions(np.log(4_000), 0.8, 500, 0.2, GIVEN)
    assert (0, 0, 0.0) == (found.threshold_minor[0], found.reward_minor[0], found.effect.margin_minor[0])


def test_many_shoppers_get_what_each_would_get_alone() -> None:
    """The arrays are worked through shopper by shopper."""
    means, sigmas = np.log([2_000.0, 4_000.0, 12_345.0]), np.array([0.1, 0.8, 0.2])
    together = best_tensions(means, sigmas, 500, 0.45, GIVEN)
    alone = [best_tensions(mean, sigma, 500, 0.45, GIVEN) for mean, sigma in zip(means, sigmas, strict=True)]
    assert [int(one.threshold_minor[0]) for one in alone] == together.threshold_minor.tolist()
    assert [float(one.effect.margin_minor[0]) for one in alone] == together.effect.margin_minor.tolist()


anything = st.floats(allow_nan=False)


@given(
    st.lists(st.tuples(anything, anything), min_size=1, max_size=4),
    st.sampled_from([500, 5_000, 50_000]),
    st.floats(0, 1),
)
def test_any_prediction_gives_a_threshold_that_pays_or_none(
    spends: list[tuple[float, float]], step: int, margin: float
) -> None:
    """Whatever was predicted: multiples of the step, within bounds, never an expected loss."""
    means, sigmas = np.array(spends).T
    found = best_tensions(means, sigmas, step, margin, GIVEN)
    pays = found.threshold_minor > 0
    assert (found.threshold_minor % step == 0).all()
    assert (found.threshold_minor <= 10**12).all()
    assert ((found.reward_minor > 0) == pays).all()
    assert ((found.effect.margin_minor > 0) == pays).all()
    assert np.isfinite(np.array(found.effect)).all()
    assert (found.effect.reach_with >= found.effect.reach_without).all()


def test_strangers_have_the_stores_baskets() -> None:
    """Without a usable prediction mean and spread are the store's."""
    for predicted in (float("nan"), 0.0, -5.0, float("inf"), 1e13):
        mean, sigma = shopper_spend(predicted, 0.1, 50, STORE, GIVEN)
        assert (STORE.log_mean, STORE.sigma) == (mean[0], sigma[0])


def test_a_shoppers_spread_is_believed_the_more_orders_there_are() -> None:
    """With one order it is the usual spread, with many the shopper's own, and the expected total is the predicted."""
    mean, sigma = shopper_spend([4_000.0] * 3, [0.2, 0.2, 0.2], [1, 10, 10_000], STORE, GIVEN)
    assert [0.5, 0.2] == pytest.approx([sigma[0], sigma[2]], abs=1e-3)
    assert sigma[0] > sigma[1] > sigma[2]
    assert [4_000.0] * 3 == pytest.approx(np.exp(mean + sigma**2 / 2))
    unknown = shopper_spend(4_000.0, float("nan"), 30, STORE, GIVEN)[1]
    assert 0.5 == pytest.approx(unknown[0])


def test_the_store_is_described_by_its_orders() -> None:
    """Totals in logs, absurd ones left out; within a shopper they scatter less than across."""
    totals = [1_000, 1_100, 8_000, 8_800, 0, -5, 10**13]
    shoppers = ["a", "a", "b", "b", "c", "c", "c"]
    found = spend_of_totals(totals, shoppers, 500, GIVEN)
    logs = np.log(totals[:4])
    assert [logs.mean(), logs.std(ddof=1)] == pytest.approx([found.log_mean, found.sigma])
    assert np.log(1.1) / 2**0.5 == pytest.approx(found.within)
    assert "store" == found.source
    assert found.sigma == spend_of_totals(totals, None, 500, GIVEN).within


def test_a_store_without_orders_has_assumed_baskets() -> None:
    """The median is eight steps, and the source says that it is assumed."""
    found = spend_of_totals([], None, 500, GIVEN)
    assert 4_000 == pytest.approx(float(np.exp(found.log_mean)))
    assert "assumed" == found.source


@pytest.mark.parametrize(
    ("currency", "step"), [("EUR", 500), ("JPY", 500), ("KWD", 5_000), (None, 500), ("nonsense", 500)]
)
def test_a_step_is_round_money(currency: str | None, step: int) -> None:
    """Five of the currency's units, or 500 where it has no smaller ones."""
    assert step == round_step(currency)
