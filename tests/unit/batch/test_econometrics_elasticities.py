"""Elasticities: shrinkage between its limits, every fall-back, and the table that tells them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.econometrics.assumptions import Assumptions
from batch.econometrics.elasticities import Elasticities, Member, department_of, elasticities, frame
from batch.econometrics.panel import empty_panel, panel_of
from batch.econometrics.shrinkage import Normal, between_variance, combine, mean_of, shrink
from tests.unit.batch.econometrics_shop import Truth, simulated

DEPARTMENTS = dict.fromkeys(("sauce", "pasta", "tea", "rice"), "food") | {"soap": "home", "bulbs": "garden"}


def shop(**elasticity: float) -> Elasticities:
    """A shop of four food categories, a big one for the home and one in the garden that sold next to nothing."""
    truths = [
        Truth(category="pasta", elasticity=-1.5),
        Truth(category="sauce", elasticity=-3.0),
        Truth(category="tea", elasticity=-2.0),
        Truth(category="rice", elasticity=-2.5, products=2),
        Truth(category="soap", elasticity=elasticity.get("soap", -1.0)),
        Truth(category="bulbs", products=1, weeks=4),
    ]
    sold = pd.concat([simulated(truth, seed) for seed, truth in enumerate(truths)])
    return elasticities(panel_of(sold), DEPARTMENTS)


def member(found: Elasticities, name: str) -> Member:
    """The category of that name."""
    return next(one for one in found.categories if one.name == name)


def test_each_category_says_what_it_rests_on() -> None:
    """Estimated categories stand on themselves; a thin one on its department, one in a thin department on the store."""
    found = shop()
    levels = {one.name: one.elasticity.level for one in found.categories}
    expected = {
        "bulbs": "store",
        "pasta": "category",
        "rice": "department",
        "sauce": "category",
        "soap": "category",
        "tea": "category",
    }
    assert expected == levels
    assert ["food", "garden", "home"] == [one.name for one in found.departments]
    assert ("2 products whose price varied, 5 needed", None) == (
        member(found, "rice").elasticity.reason,
        member(found, "rice").elasticity.raw,
    )


def test_a_well_measured_category_keeps_its_own_estimate_and_the_truth() -> None:
    """With much data the weight of the own estimate is near 1, and the truth within three standard errors."""
    found = shop()
    for name, truth in {"pasta": -1.5, "sauce": -3.0, "tea": -2.0, "soap": -1.0}.items():
        one = member(found, name).elasticity
        assert abs(one.value - truth) < 3 * one.error
        assert one.weight > 0.7


def test_a_thin_category_has_its_departments_mean_and_a_wider_error() -> None:
    """Without an own estimate it is the department's value; the spread between categories comes to the error."""
    found = shop()
    food = found.departments[0].elasticity
    rice = member(found, "rice").elasticity
    assert (food.value, 0.0) == (rice.value, rice.weight)
    assert rice.error > food.error


def test_a_category_that_was_never_sold_has_a_row() -> None:
    """A category of the catalogue without sales falls back, saying so."""
    found = elasticities(panel_of(simulated(Truth(), 1)), None, also=["drinks/tea"])
    one = found.categories[0]
    assert ("drinks/tea", "drinks", "store") == (one.name, one.department, one.elasticity.level)
    assert "never sold at a price that can be read" == one.elasticity.reason


def test_no_orders_give_the_assumed_defaults() -> None:
    """An empty panel has no categories, and a store that says its numbers are assumed."""
    found = elasticities(empty_panel())
    given = Assumptions()
    assert ((), ()) == (found.categories, found.departments)
    store = found.store.elasticity
    assert ("assumed", given.elasticity_default, given.elasticity_default_sd, 0.0) == (
        store.level,
        store.value,
        store.error,
        store.weight,
    )


def test_an_estimate_that_weighs_nothing_is_no_ground_to_stand_on() -> None:
    """Where categories differ by noise alone, each rests on its department and says so, its own estimate kept."""
    sold = pd.concat([simulated(Truth(category=f"a/{seed}", products=6, weeks=12), seed) for seed in range(9)])
    found = elasticities(panel_of(sold))
    weightless = [one.elasticity for one in found.categories if one.elasticity.weight < 0.05]
    assert 9 == len(weightless)
    assert {"department"} == {one.level for one in weightless}
    assert {"own estimate too noisy to count beside the department's"} == {one.reason for one in weightless}
    assert None not in {one.raw for one in weightless}


def test_an_implausible_value_is_capped_for_the_rules_and_marked() -> None:
    """Demand that rises with the price is reported as found, but rules use 0."""
    one = member(shop(soap=2.0), "soap").elasticity
    assert one.value > 0
    assert (0.0, True) == (one.used, one.capped)


def test_the_table_has_a_row_for_every_member() -> None:
    """Store, departments and categories, each with what was estimated and why it fell back."""
    found = shop()
    table = frame(found)
    assert ["store"] + ["department"] * 3 + ["category"] * 6 == table["kind"].tolist()
    assert np.isfinite(table[["elasticity_value", "elasticity_error", "lift_value", "lift_error"]].to_numpy()).all()
    assert table["elasticity_raw"].isna().sum() == (table["elasticity_weight"] == 0).sum()


@pytest.mark.parametrize(
    ("category_id", "mapping", "department"),
    [
        ("drinks/tea", None, "drinks"),
        ("Drinks > Tea > Green", None, "Drinks"),
        ("tea", None, ""),
        ("drinks/tea", {"drinks/tea": "food"}, "food"),
        ("drinks/tea", {}, ""),
    ],
)
def test_a_department_is_given_or_read_from_the_id(
    category_id: str, mapping: dict[str, str] | None, department: str
) -> None:
    """A mapping decides alone; without one it is the id's first part."""
    assert department == department_of(category_id, mapping)


def test_shrinkage_has_the_right_limits() -> None:
    """No noise keeps the estimate, all noise gives the kind's mean with its members' spread."""
    kind = Normal(-2.0, 0.1)
    exact, whole = shrink(-4.0, 1e-9, kind, 0.25)
    lost, none = shrink(-4.0, 1e9, kind, 0.25)
    assert [-4.0, 1.0] == pytest.approx([exact.mean, whole])
    assert [-2.0, 0.0] == pytest.approx([lost.mean, none])
    assert (0.25 + 0.01) ** 0.5 == pytest.approx(lost.sd)
    assert lost == pytest.approx(shrink(float("nan"), float("nan"), kind, 0.25)[0])


def test_equal_members_have_no_variance_between_them() -> None:
    """Estimates that differ less than their noise leave no variance; those that differ more leave the rest."""
    errors = np.full(4, 0.5)
    assert 0.0 == between_variance(np.array([-2.0, -2.1, -1.9, -2.0]), errors)
    spread = np.array([-4.0, -3.0, -1.0, 0.0])
    assert np.var(spread, ddof=1) - 0.25 == pytest.approx(between_variance(spread, errors))
    assert Normal(-2.0, 0.25) == pytest.approx(mean_of(np.full(4, -2.0), errors, 0.0))


finite = st.floats(-100, 100)
errors = st.floats(1e-3, 1e3)


@given(finite, errors, finite, errors, st.floats(0, 100))
def test_a_shrunk_value_lies_between(estimate: float, error: float, mean: float, sd: float, variance: float) -> None:
    """It is never outside of estimate and mean, nor is its error above what either would leave."""
    value, weight = shrink(estimate, error, Normal(mean, sd), variance)
    assert min(estimate, mean) - 1e-6 <= value.mean <= max(estimate, mean) + 1e-6
    assert 0 <= weight <= 1
    assert value.sd <= max(error, float(np.hypot(sd, variance**0.5))) * (1 + 1e-9)


@given(finite, errors, finite, errors)
def test_two_beliefs_are_surer_than_one(first: float, sd: float, second: float, other: float) -> None:
    """Combined, the error is below both, whichever comes first."""
    value, weight = combine(Normal(first, sd), Normal(second, other))
    assert value.sd <= min(sd, other)
    swapped, rest = combine(Normal(second, other), Normal(first, sd))
    assert [value.mean, weight] == pytest.approx([swapped.mean, 1 - rest], abs=1e-9)


def test_other_orders_of_the_same_sales_give_the_same_table() -> None:
    """Nothing depends on the order of rows."""
    sold = pd.concat([simulated(Truth(category=name), seed) for seed, name in enumerate(("a/b", "a/c", "d"))])
    one, other = (frame(elasticities(panel_of(part))) for part in (sold, sold.sample(frac=1, random_state=3)))
    pd.testing.assert_frame_equal(one, other)
