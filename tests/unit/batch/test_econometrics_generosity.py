"""Generosity: the best of all allowed discounts, never below cost, never out of noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.econometrics.assumptions import Assumptions, margin_share
from batch.econometrics.generosity import best_generosity, best_percents, cautious, expected_margin, optimum, steps

GIVEN = Assumptions()


def test_the_closed_form_is_where_the_margin_is_largest() -> None:
    """For several costs and elasticities, a fine grid has its maximum where Lerner's rule puts it."""
    grid = np.linspace(0, 0.9, 90_001)
    for cost, elasticity in ((300.0, -3.0), (500.0, -4.0), (200.0, -1.8), (700.0, -6.0)):
        brute = grid[np.argmax(expected_margin(1_000.0, cost, grid, elasticity))]
        assert brute == pytest.approx(float(optimum(1_000.0, cost, elasticity)), abs=2e-5)


def test_no_discount_pays_below_lerners_margin() -> None:
    """With |elasticity| of 2.5 a margin share of 39 % is too small for a discount and 60 % is not."""
    few, much = best_percents(1_000, [610, 400], -2.5, 0.0, GIVEN)
    assert (0, 30) == (few, much)


@given(
    st.integers(1, 10**12),
    st.floats(0, 1.2),
    st.floats(-25, 5),
    st.floats(0, 2),
    st.integers(0, 60),
    st.integers(0, 99),
)
def test_the_best_allowed_step_is_chosen(
    price: int, cost_share: float, elasticity: float, lift: float, floor: int, cap: int
) -> None:
    """Compared one by one, no allowed discount earns more; the chosen one is within floor and cap, not below cost."""
    given_here = Assumptions(generosity_floor_percent=floor, generosity_cap_percent=cap)
    cost = price * cost_share
    percent = int(best_percents(price, cost, elasticity, lift, given_here)[0])
    if cost >= price:
        assert 0 == percent
        return
    e = min(max(elasticity, -20.0), 0.0)
    margins = {
        g: np.exp(lift if g else 0.0) * (1 - g / 100) ** e * (price * (1 - g / 100) - cost)
        for g in [0, *(g for g in range(5, 96, 5) if floor <= g <= cap)]
    }
    assert percent in margins
    assert price * (100 - percent) >= 100 * cost
    assert margins[percent] >= max(margins.values()) * (1 - 1e-8)


def test_noise_gives_nothing_away() -> None:
    """The same estimate pays with a small error and gives no discount with a large one."""
    sure = best_generosity(1_000, 400, 0.0, (-3.0, 0.1), GIVEN)
    unsure = best_generosity(1_000, 400, 0.0, (-3.0, 1.5), GIVEN)
    assert (30, 0) == (sure.percent, unsure.percent)
    assert sure.margin_minor > sure.base_margin_minor == 600
    assert "no discount pays" in unsure.reason


def test_the_catalogues_cost_goes_before_the_assumed_margin() -> None:
    """With a cost the margin share is not looked at; without one it makes the cost."""
    assert best_generosity(1_000, 400, 0.1, (-3.0, 0.0), GIVEN) == best_generosity(1_000, None, 0.6, (-3.0, 0.0), GIVEN)


@pytest.mark.parametrize("price", [None, 0, -100, float("nan"), float("inf")])
def test_without_a_price_there_is_no_promotion(price: float | None) -> None:
    """An absent or absurd price gives 0 and says why."""
    assert (0, "no price") == best_generosity(price, 100, 0.3, (-5.0, 0.1), GIVEN)[::4]


@pytest.mark.parametrize("cost", [1_000, 2_000, -1])
def test_what_is_not_sold_above_cost_is_not_discounted(cost: float) -> None:
    """At or above the price, or a negative cost: no promotion."""
    assert (0, "not sold above cost") == best_generosity(1_000, cost, 0.3, (-5.0, 0.1), GIVEN)[::4]


def test_the_cap_is_told() -> None:
    """Where more would pay, the reason names the cap and the best."""
    assert "the cap; the best would be 40.0 %" == best_generosity(1_000, 400, 0.0, (-3.0, 0.0), GIVEN).reason


def test_the_promotions_own_effect_counts_only_on_request() -> None:
    """The lift of past promotions is left out unless the retailer says that personal ones have it too."""
    asked = Assumptions(lift_counts=True)
    here = (1_000, 700, 0.3, (-1.5, 0.0))
    lift = (1.0, 0.1)
    assert (0, 5) == (best_generosity(*here, GIVEN, lift).percent, best_generosity(*here, asked, lift).percent)


@given(st.floats(), st.floats())
def test_caution_never_believes_more_than_the_estimate(elasticity: float, error: float) -> None:
    """The believed elasticity is between the estimate and 0, or 0 for nonsense."""
    believed = cautious(elasticity, error, GIVEN)
    assert -20 <= believed <= 0
    if np.isfinite(elasticity) and np.isfinite(error) and elasticity > -20:
        assert believed >= min(elasticity, 0.0)


def test_steps_are_between_floor_and_cap() -> None:
    """Multiples of the step only; an impossible range leaves no discount."""
    assert [0, 10, 15, 20] == steps(Assumptions(generosity_floor_percent=7, generosity_cap_percent=22)).tolist()
    assert [0] == steps(Assumptions(generosity_floor_percent=50, generosity_cap_percent=20)).tolist()


def test_an_assumed_margin_is_the_categorys_the_departments_or_the_default() -> None:
    """The nearest known name decides, whatever its case."""
    shares = [
        margin_share("Produce", "grocery", GIVEN),
        margin_share("apples", "PRODUCE ", GIVEN),
        margin_share("x", "y", GIVEN),
    ]
    assert [0.35, 0.35, GIVEN.margin_share_default] == shares
