"""Demand: known elasticities are found again, intervals hold what they promise, noise is no answer."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch.econometrics.crossing import crossed
from batch.econometrics.demand import Fit, Sales, fit
from batch.econometrics.elasticities import sales_of
from batch.econometrics.panel import panel_of
from tests.unit.batch.econometrics_shop import Truth, simulated


def found(truth: Truth, seed: int) -> Fit:
    """Simulates, adds up, crosses and estimates."""
    return fit(sales_of(crossed(panel_of(simulated(truth, seed)))))


@pytest.mark.parametrize(
    "truth",
    [
        Truth(),
        Truth(elasticity=-0.5, lift=0.0),
        Truth(elasticity=-3.5, lift=0.6),
        Truth(rate=0.3, products=80),
        Truth(shocks=0.3, products=40),
        Truth(season=1.5),
    ],
    ids=["usual", "inelastic", "elastic", "sparse", "shocks", "seasons"],
)
def test_a_known_elasticity_is_found_again(truth: Truth) -> None:
    """Both coefficients are within three standard errors of the truth, whose errors say something."""
    one = found(truth, seed=11)
    assert ("", True) == (one.fault, bool((one.errors < 1.0).all()))
    assert (np.abs(one.coefficients - [truth.elasticity, truth.lift]) < 3 * one.errors).all()


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Of 80 shops 90 to 100 % of the 95 % intervals hold the truth, and estimates scatter as their errors say."""
    truth = Truth(products=12, weeks=26)
    fits = [found(truth, seed) for seed in range(80)]
    ratios = np.array([(one.coefficients - [truth.elasticity, truth.lift]) / one.errors for one in fits])
    covered = (np.abs(ratios) < 1.96).mean(axis=0)
    assert [True, True] == (covered >= 0.9).tolist()
    assert [True, True] == ((ratios.std(axis=0) > 0.75) & (ratios.std(axis=0) < 1.2)).tolist()
    assert [True, True] == (np.abs(ratios.mean(axis=0)) < 0.35).tolist()


def test_sparse_sales_are_not_mistaken_for_elastic_ones() -> None:
    """Where prices do nothing and most weeks sell nothing, nothing is found."""
    truth = Truth(elasticity=0.0, lift=0.0, rate=0.15, products=150)
    one = found(truth, seed=5)
    assert abs(one.coefficients[0]) < 3 * one.errors[0]


def test_buying_by_the_dozen_gives_no_certainty() -> None:
    """If every purchase were twelve pieces, there would be no more to learn: the errors don't shrink with the count."""
    sales = sales_of(crossed(panel_of(simulated(Truth(), seed=6))))
    pieces, dozens = fit(sales), fit(sales._replace(bought=12 * sales.bought))
    assert dozens.coefficients == pytest.approx(pieces.coefficients, abs=1e-2)
    assert (dozens.errors > 0.6 * pieces.errors).all()


def test_many_products_give_the_same_kind_of_errors() -> None:
    """Above the bound of the jackknife the plain clustered errors take over, and are close to it."""
    few, many = (found(Truth(products=count, weeks=20), seed=3) for count in (195, 205))
    assert few.errors == pytest.approx(many.errors, rel=0.25)


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (Truth(products=3), "3 products whose price varied, 5 needed"),
        (Truth(products=6, weeks=3, rate=0.2), "comparable purchases, 20 needed"),
    ],
)
def test_too_little_is_said_to_be_too_little(truth: Truth, said: str) -> None:
    """What can't be estimated has no number and a reason in words."""
    one = found(truth, seed=2)
    assert said in one.fault
    assert np.isnan([*one.coefficients, *one.errors]).all()


def test_prices_that_never_change_tell_nothing() -> None:
    """Without price variation the reason is that no product's price varied."""
    sold = simulated(Truth(), seed=1)
    sold["amount_minor"] = sold["regular_price_minor"]
    one = fit(sales_of(crossed(panel_of(sold))))
    assert "0 products whose price varied, 5 needed" == one.fault


def test_promotions_with_one_depth_leave_the_price_alone() -> None:
    """Where every promotion has the same depth, price and promotion are one thing: the price's answer is given."""
    sold = simulated(Truth(), seed=1)
    promoted = sold["amount_minor"] < sold["regular_price_minor"]
    sold["amount_minor"] = np.where(promoted, sold["regular_price_minor"] * 8 // 10, sold["regular_price_minor"])
    one = fit(sales_of(crossed(panel_of(sold))))
    assert ("", True, False) == (one.fault, bool(np.isfinite(one.coefficients[0])), bool(np.isfinite(one.errors[1])))


def test_the_order_of_sales_does_not_matter() -> None:
    """The same sales in another order give the same estimate."""
    sold = simulated(Truth(products=8, weeks=15), seed=4)
    mixed = sold.sample(frac=1, random_state=9)
    one, other = (fit(sales_of(crossed(panel_of(part)))) for part in (sold, mixed))
    assert one.coefficients == pytest.approx(other.coefficients, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 9), st.floats(0, 1e6), st.floats(-1.6, 1.6), st.floats(0, 1)),
        max_size=60,
    )
)
@settings(max_examples=80)
def test_any_rows_give_numbers_or_a_reason(rows: list[tuple[int, int, float, float, float]]) -> None:
    """Whatever the rows, there is a finite elasticity with a positive error, or a reason why not."""
    table = pd.DataFrame(rows, columns=["group", "week", "bought", "price", "promotion"])
    one = fit(
        Sales(
            bought=table["bought"].to_numpy(np.float64),
            group=table["group"].to_numpy(np.int64),
            cluster=table["group"].to_numpy(np.int64),
            week=table["week"].to_numpy(np.int64),
            log_baskets=np.zeros(len(table)),
            regressors=table[["price", "promotion"]].to_numpy(np.float64),
        ),
        purchases_min=1,
        products_min=2,
    )
    estimated = bool(np.isfinite(one.coefficients[0]) and one.errors[0] > 0)
    assert estimated == (one.fault == "")
