"""The next basket's total: point-in-time features, shrinkage, intervals that hold what they promise."""

from __future__ import annotations

from math import exp

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.journeys.basket_total import (
    FEATURES,
    Example,
    Order,
    errors,
    examples_of,
    features,
    fit,
    from_bytes,
    to_bytes,
)

DAY_MS = 86_400_000


def shoppers(number: int, seed: int = 3) -> list[Example]:
    """Orders of shoppers who each have a usual total of their own, log-normal around it."""
    lots = np.random.default_rng(seed)
    made: list[Example] = []
    for shopper in range(number):
        usual = lots.normal(8.0, 0.6)
        orders = [Order(day * 7 * DAY_MS, int(exp(lots.normal(usual, 0.4)))) for day in range(lots.integers(1, 12))]
        made += examples_of(f"{seed:02x}{shopper:062x}", orders)
    return made


def test_an_example_knows_the_orders_before_it_alone() -> None:
    """Orders come in any order and are told in the order of time; the label is not among what was known."""
    first, second, third = Order(1, 500), Order(2, 700), Order(3, 900)
    found = examples_of("s", [third, first, second])
    assert [((), 500), ((first,), 700), ((first, second), 900)] == [(one.before, one.total_minor) for one in found]


@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)), max_size=12), st.integers(0, 10**12))
def test_an_example_never_changes_by_what_comes_after(told: list[tuple[int, int]], later_minor: int) -> None:
    """A later order adds an example and leaves the others as they were."""
    orders = sorted(Order(*one) for one in told)
    later = Order(10**13, later_minor)
    assert examples_of("s", orders) == examples_of("s", [*orders, later])[:-1]


@given(st.lists(st.tuples(st.integers(0, 10**13), st.integers(0, 10**12)), max_size=12))
def test_every_history_gives_finite_features(told: list[tuple[int, int]]) -> None:
    """Free orders, orders of one moment and no order at all are histories too."""
    x = features(sorted(Order(*one) for one in told), 8.0, 7.0)
    assert len(FEATURES) == len(x)
    assert np.isfinite(x).all()


def test_a_newcomer_is_the_shop_s_shopper() -> None:
    """Without an order, the prediction is near the shop's median; with many, near the shopper's own."""
    model = fit(shoppers(400))
    assert exp(8.0) == pytest.approx(model.predict([]).median_minor, rel=0.15)
    loyal = [Order(day * 7 * DAY_MS, 20_000) for day in range(10)]
    assert 20_000 == pytest.approx(model.predict(loyal).median_minor, rel=0.25)
    once = model.predict(loyal[:1]).median_minor
    assert model.predict([]).median_minor < once < model.predict(loyal).median_minor


def test_the_interval_holds_four_of_five_and_the_model_beats_the_own_mean() -> None:
    """On shoppers not seen: the coverage is what was promised, the error below that of the shopper's mean."""
    found = errors(fit(shoppers(600)), shoppers(400, seed=4))
    assert 0.8 == pytest.approx(found["model"].coverage, abs=0.03)
    assert found["model"].mae_minor < found["own mean"].mae_minor
    assert found["model"].mape < found["own mean"].mape
    assert np.isnan(found["own mean"].coverage)


def test_newcomers_are_less_certain() -> None:
    """What shoppers differ by comes on top of what a shopper's totals vary by."""
    model = fit(shoppers(600))
    assert model.sigmas[0] > model.sigmas[4] + 0.1
    low, high = model.predict([]).interval()
    assert low < model.predict([]).median_minor < high


def test_a_model_survives_its_bytes() -> None:
    """What is read predicts what was written; anything else is refused."""
    model = fit(shoppers(50))
    assert model == from_bytes(to_bytes(model))
    with pytest.raises(msgspec.MsgspecError):
        from_bytes(b'{"bias": 1}')


@pytest.mark.parametrize("orders", [[Order(0, 0)], [Order(0, 1_000)], [Order(5, 10**12)] * 3])
def test_a_shop_with_hardly_an_order_has_a_model(orders: list[Order]) -> None:
    """One shopper, one order, or equal ones: the prediction is a finite amount."""
    model = fit(examples_of("s", orders))
    told = model.predict(orders)
    assert 1 <= told.median_minor <= 2 * 10**12
    assert np.isfinite(told.interval()).all()


def test_the_same_orders_fit_the_same_model() -> None:
    """Folds hang on the shoppers' hashes, nothing is drawn."""
    assert to_bytes(fit(shoppers(80))) == to_bytes(fit(shoppers(80)))
