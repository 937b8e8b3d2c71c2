"""The next category: point-in-time examples, models that trees evaluate alike, and how good they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch.journeys.calibration import auc, calibration_error, log_loss, quality
from batch.journeys.next_category import FEATURES, Row, base_rates, fit, predict, rows_of
from batch.journeys.odds import habit, own_rate, personal_bias
from domain.conditions import Facts
from domain.features import features
from domain.fold import apply
from domain.ids import Position
from domain.records import Record
from domain.shopper import Shopper
from domain.state_conditions import Score
from tests.story import RETAILER, SHOPPER, record

CATEGORIES = ("pasta", "sauces", "tea")
HOUR_S = 3_600


def added(category: str, at_s: float, number: int) -> Record:
    """One product of a category is added."""
    return record("AddedToBasket", at_s, number, product={"product_id": f"{category}-1", "category_id": category})


def viewed(at_s: float, number: int) -> Record:
    """The home page is viewed."""
    return record("PageViewed", at_s, number, page={"kind": "home"})


def paid(at_s: float, number: int) -> Record:
    """An order is paid."""
    return record("OrderPaid", at_s, number, order_id=f"o-{number}", lines=[], total_minor=0, currency="EUR")


def test_a_row_is_the_actor_s_state_after_the_event_and_what_came_later() -> None:
    """Features are those of the folded state; the label is what was added after the event in the same session."""
    told = [viewed(0, 0), added("pasta", 10, 1), added("sauces", 20, 2), paid(30, 3), added("tea", 40, 4)]
    rows = rows_of(told)
    state = Shopper(retailer_id=RETAILER, shopper=SHOPPER)
    expected = []
    for number, one in enumerate(told):
        state = apply(state, one, Position(1, number)).state
        if number != 3:
            expected.append(tuple(features(state).values()))
    assert expected == [row.x for row in rows]
    assert [{"pasta", "sauces"}, {"sauces"}, set(), set()] == [set(row.later) for row in rows]
    assert [set(), {"pasta"}, {"pasta", "sauces"}, {"tea"}] == [set(row.present) for row in rows]


def test_a_row_knows_the_sessions_before_its_own() -> None:
    """The shopper's own habit never counts the session in which it is used."""
    rows = rows_of(
        [added("pasta", 0, 0), added("tea", 10, 1), paid(20, 2), viewed(HOUR_S, 3), added("tea", HOUR_S + 9, 4)]
    )
    assert [(0, {}), (0, {}), (1, {"pasta": 1, "tea": 1}), (1, {"pasta": 1, "tea": 1})] == [
        (row.sessions, dict(row.own)) for row in rows
    ]


def test_a_repeated_event_is_no_second_example() -> None:
    """What the fold takes as a retry teaches nothing."""
    assert rows_of([viewed(0, 0), added("tea", 5, 1)]) == rows_of(
        [viewed(0, 0), added("tea", 5, 1), added("tea", 5, 1)]
    )


steps = st.lists(
    st.tuples(st.sampled_from(["view", "pay", *CATEGORIES]), st.sampled_from([5, 60, 2 * HOUR_S])),
    min_size=1,
    max_size=20,
)


def told(done: list[tuple[str, int]]) -> list[Record]:
    """The records of what was done, each so many seconds after the one before."""
    made = []
    at_s = 0
    for number, (act, wait_s) in enumerate(done):
        at_s += wait_s
        match act:
            case "view":
                made.append(viewed(at_s, number))
            case "pay":
                made.append(paid(at_s, number))
            case _:
                made.append(added(act, at_s, number))
    return made


@given(steps, steps)
def test_a_feature_never_sees_the_future(past: list[tuple[str, int]], future: list[tuple[str, int]]) -> None:
    """Whatever follows, the rows of the past keep all they know; their labels alone may grow."""
    alone = rows_of(told(past))
    together = rows_of(told(past + future))[: len(alone)]
    assert [row._replace(later=frozenset()) for row in alone] == [row._replace(later=frozenset()) for row in together]
    assert all(one.later <= other.later for one, other in zip(alone, together, strict=True))


def drawn(number: int, seed: int = 1) -> list[Row]:
    """Rows whose label is drawn from a known model: it hangs on habit, on `session_added` and on nothing else."""
    lots = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        x: dict[str, float] = {name: float(lots.integers(0, 9)) for name in FEATURES}
        x["basket_total_minor"] *= 700
        own = int(lots.integers(0, 11))
        odds = -2.0 + 0.3 * x["session_added"] + 0.8 * habit(own_rate(own, 10, 0.3), 0.3)
        later = frozenset({"tea"}) if lots.random() < 1 / (1 + np.exp(-odds)) else frozenset()
        rows.append(Row(1, 0, tuple(x.values()), frozenset(), 10, {"tea": own}, later))
    return rows


def test_a_known_model_is_found_again() -> None:
    """From twenty thousand drawn rows come the weights that drew them, in raw units, and little else."""
    model = fit(drawn(20_000), {"tea": 0.3}, ["tea"])["tea"]
    assert -2.0 == pytest.approx(model.bias, abs=0.15)
    assert 0.3 == pytest.approx(model.weights["session_added"], abs=0.02)
    assert 0.8 == pytest.approx(model.personal, abs=0.06)
    others = {name: weight for name, weight in model.weights.items() if name != "session_added"}
    assert len(others) <= 3
    assert all(abs(weight) < 0.03 for weight in others.values())


def test_a_tree_evaluates_the_model_as_training_does() -> None:
    """The score condition with the shopper's bias gives the probability that was trained, to the last digits."""
    model = fit(drawn(2_000), {"tea": 0.3}, ["tea"])["tea"]
    records = [viewed(0, 0), added("pasta", 50, 1), added("pasta", 80, 2), viewed(95, 3)]
    rows = rows_of(records)
    state = Shopper(retailer_id=RETAILER, shopper=SHOPPER)
    for number, (one, row) in enumerate(zip(records, rows, strict=True)):
        state = apply(state, one, Position(1, number)).state
        rate = own_rate(row.own.get("tea", 0), row.sessions, model.base)
        score = Score(bias=personal_bias(model, rate), weights=model.weights, at_least=0.5)
        expected = predict(model, "tea", [row])[0]
        assert expected == pytest.approx(score.observe(Facts(state, one)), rel=1e-12)


def test_the_same_rows_fit_the_same_model() -> None:
    """Nothing is drawn while fitting."""
    assert fit(drawn(500), {"tea": 0.3}, ["tea"]) == fit(drawn(500), {"tea": 0.3}, ["tea"])


def test_a_category_without_examples_has_no_model() -> None:
    """Too few rows that were followed say nothing; nor does a shop without rows."""
    assert {} == fit(drawn(100), {"tea": 0.3, "socks": 0.1}, ["socks"])
    assert {} == fit([], {"tea": 0.3}, ["tea"])


def test_a_feature_that_never_changes_weighs_nothing() -> None:
    """A column of one value neither divides by zero nor enters a tree."""
    rows = [row._replace(x=(7.0, *row.x[1:])) for row in drawn(2_000)]
    model = fit(rows, {"tea": 0.3}, ["tea"])["tea"]
    assert FEATURES[0] not in model.weights
    assert np.isfinite([model.bias, model.personal, *model.weights.values()]).all()


def test_base_rates_count_sessions_with_an_addition() -> None:
    """A session that only looked around is not one without pasta."""
    rows = rows_of(told([("view", 5), ("pasta", 5), ("view", 2 * HOUR_S), ("view", 2 * HOUR_S), ("tea", 60)]))
    assert {"pasta": 0.5, "tea": 0.5} == base_rates(rows)


def test_on_rows_not_seen_the_model_beats_the_base_rate() -> None:
    """Better parted, less surprised, and right about how often."""
    (found,) = quality(fit(drawn(4_000), {"tea": 0.3}, ["tea"]), drawn(4_000), drawn(4_000, seed=2))
    assert found.auc > max(0.7, found.habit_auc)
    assert found.log_loss < found.base_log_loss
    assert found.calibration_error < 0.03


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_is_the_share_of_pairs_in_the_right_order(drawn_pairs: list[tuple[int, bool]]) -> None:
    """Counted pair by pair, ties half."""
    scores = np.array([score for score, _ in drawn_pairs], dtype=np.float64)
    follows = np.array([followed for _, followed in drawn_pairs], dtype=np.float64)
    if 0 < follows.sum() < len(follows):
        pairs: Any = np.subtract.outer(scores[follows > 0], scores[follows == 0])
        assert ((pairs > 0) + 0.5 * (pairs == 0)).mean() == pytest.approx(auc(scores, follows))


def test_log_loss_and_calibration_are_what_they_say() -> None:
    """A coin called fairly costs ln 2 and is calibrated; called at 90 % it is 40 points off."""
    follows = np.array([0.0, 1.0] * 50)
    assert np.log(2) == pytest.approx(log_loss(np.full(100, 0.5), follows))
    assert 0.0 == pytest.approx(calibration_error(np.full(100, 0.5), follows))
    assert 0.4 == pytest.approx(calibration_error(np.full(100, 0.9), follows))
