"""The predictor: what it may know, that it repeats, that it finds what is bought now."""

from collections import Counter
from dataclasses import replace
from functools import partial as partial_call

import numpy as np
import pytest

from batch.baskets.candidates import candidates
from batch.baskets.examples import Examples, before, cut, last_baskets
from batch.baskets.histories import Histories, from_lists, target_matrix
from batch.baskets.item_tables import partial
from batch.baskets.predictor import Predictor, Settings, fit, learn, steps
from batch.baskets.ranker import Trees, weights
from batch.baskets.reference import reference

ITEM_NUM = 30
SETTINGS = Settings(trees=Trees(rounds=30, leaf_weight=1.0, seeds=(1,), threads=1), choose=False, folds=3)
CUTOFF, HORIZON = 50.0, 20.0


def shopping(shoppers: int = 60, seed: int = 5) -> Histories:
    """Shoppers of three tastes, ten items each, with a basket about every ten days over 80 days."""
    lots = np.random.default_rng(seed)
    baskets, days = [], []
    for shopper in range(shoppers):
        dates = np.sort(lots.choice(80, size=8, replace=False))
        days.append(dates.tolist())
        taste = shopper % 3 * 10
        baskets.append([(taste + lots.choice(10, size=3, replace=False)).tolist() for _ in dates])
    return from_lists(baskets, ITEM_NUM, days=days, as_of=[80.0] * shoppers)


def rebuilt(histories: Histories, shift: float = 0.0, after: float = np.inf, item: int | None = None) -> Histories:
    """The same histories at other days; baskets from `after` on hold only `item`, or are gone where it is None."""
    assert histories.days is not None
    baskets: list[list[list[int]]] = []
    days: list[list[float]] = []
    for start, end in zip(histories.basket_ptr[:-1], histories.basket_ptr[1:], strict=True):
        baskets.append([])
        days.append([])
        for basket in range(start, end):
            late = histories.days[basket] >= after
            if late and item is None:
                continue
            lines = histories.items[histories.item_ptr[basket] : histories.item_ptr[basket + 1]].tolist()
            baskets[-1].append([item] if late and item is not None else lines)
            days[-1].append(float(histories.days[basket]) + shift)
    return from_lists(baskets, histories.item_num, days=days, as_of=[80.0 + shift] * len(histories))


def seen(histories: Histories, cutoff: float = CUTOFF) -> tuple[list[list[float]], list[float]]:
    """Everything that a model sees of shoppers at a cutoff: candidates with their features, and item tables."""
    known, _ = before(histories, cutoff)
    earlier = cut(histories, cutoff - HORIZON, HORIZON)
    items = partial(known).finish()
    found = candidates(known, reference(earlier.histories, earlier.targets), items)
    rows = np.concatenate([found.shopper[:, None], found.item[:, None], np.nan_to_num(found.features, nan=-7)], axis=1)
    return rows.tolist(), np.nan_to_num(items, nan=-7).ravel().tolist()


def test_a_feature_never_sees_what_came_after_the_cutoff() -> None:
    """Baskets from the cutoff on may change or vanish: candidates, features and item tables stay the same."""
    histories = shopping()
    expected = seen(histories)
    assert expected == seen(rebuilt(histories, after=CUTOFF, item=29))
    assert expected == seen(rebuilt(histories, after=CUTOFF))
    assert expected != seen(rebuilt(histories, after=CUTOFF - 1, item=29))


def test_targets_do_come_from_after_the_cutoff() -> None:
    """The target is the first basket from the cutoff on, within the horizon."""
    found = cut(rebuilt(shopping(), after=CUTOFF, item=29), CUTOFF, HORIZON)
    assert {29} == set(found.targets.indices.tolist())
    assert np.all(np.asarray(found.histories.days) < CUTOFF)
    nothing = cut(shopping(), CUTOFF, 0.0)
    assert 0 == len(nothing)


def test_only_distances_in_time_matter() -> None:
    """All times shifted by the same number of days give the same features."""
    histories = shopping()
    assert seen(histories) == seen(rebuilt(histories, shift=1_000.0), CUTOFF + 1_000.0)


def test_shoppers_do_not_learn_of_themselves() -> None:
    """A shopper who stands among the pairs isn't their own neighbour: other ids, other features."""
    earlier, targets, _ = shopping().without_last()
    like = reference(earlier, targets).like
    for one in like.scores(earlier.take(np.array([0]))):
        assert not np.isnan(one).any()
    strangers = Histories(
        ITEM_NUM, earlier.basket_ptr, earlier.item_ptr, earlier.items, earlier.ids + 1_000, earlier.days, earlier.as_of
    )
    mine, theirs = (next(iter(like.scores(h.take(np.array([0]))))) for h in (earlier, strangers))
    assert mine.tolist() != theirs.tolist()


def test_two_runs_give_the_same_bytes() -> None:
    """Learning and predicting twice gives the same archive, items and scores."""
    runs = []
    for _ in range(2):
        predictor = learn(shopping(), SETTINGS)
        items, scores = predictor.predict(shopping(), 5)
        runs.append((predictor.to_bytes(), items.tobytes(), scores.tobytes()))
    assert runs[0] == runs[1]


def test_a_written_predictor_predicts_the_same() -> None:
    """What is read back ranks the same items with the same scores, for one shopper or many."""
    predictor = learn(shopping(), SETTINGS)
    items, scores = predictor.predict(shopping(), 5)
    again = Predictor.from_bytes(predictor.to_bytes())
    assert (items.tobytes(), scores.tobytes()) == tuple(part.tobytes() for part in again.predict(shopping(), 5))
    alone, _ = again.predict(shopping().take(np.array([7])), 5)
    assert items[7].tolist() == alone[0].tolist()


def test_scores_are_probabilities_in_falling_order() -> None:
    """Scores lie between 0 and 1 and fall; what isn't there is -1 with NaN."""
    items, scores = learn(shopping(), SETTINGS).predict(shopping(6), ITEM_NUM + 5)
    assert np.all(items[:, -5:] == -1)
    assert np.all(np.isnan(scores[items == -1]))
    for row in scores:
        there = row[~np.isnan(row)]
        assert np.all((there > 0) & (there < 1))
        assert np.all(np.diff(there) <= 0)


def test_nobody_to_predict_for_is_no_fault() -> None:
    """An empty group of shoppers gives empty results."""
    items, scores = learn(shopping(), SETTINGS).predict(shopping().take(np.array([], dtype=np.int64)), 5)
    assert ((0, 5), (0, 5)) == (items.shape, scores.shape)


def test_what_is_bought_now_is_learned_from_others() -> None:
    """An item that no history holds, and that the known shoppers buy next, is predicted for strangers."""
    histories = shopping(90)
    known = np.arange(60)
    targets = target_matrix([[29, 28]] * 60, ITEM_NUM)
    h = from_lists([[[0, 1], [1, 2]]] * 90, ITEM_NUM)
    items = partial(h).finish()
    predictor = fit([Examples(h.take(known), targets, items)], items, SETTINGS)
    found, _ = predictor.predict(h.take(np.arange(60, 90)), 2)
    assert {28, 29} == set(found.ravel().tolist())
    assert 90 == len(histories)


def test_every_step_is_told() -> None:
    """As many steps are reported as were announced, with and without choosing."""
    histories = shopping()
    examples = [last_baskets(histories), last_baskets(histories, 0.5)]
    for settings in (SETTINGS, replace(SETTINGS, choose=True)):
        told = Counter[str]()
        fit(examples, partial(histories).finish(), settings, partial_call(told.update, ["step"]))
        assert steps(examples, settings) == told["step"]


def test_a_hit_in_a_small_basket_is_worth_more() -> None:
    """A basket of one item weighs one; one of two the mean of a half and the inverse of its ideal gain."""
    found = weights(np.array([1, 2, 1_000]))
    assert pytest.approx([1.0, (0.5 + 1 / (1 + 1 / np.log2(3))) / 2]) == found[:2].tolist()
    assert found[2] < found[1]


def test_too_few_examples_are_refused() -> None:
    """One pair teaches nothing, and the message says so."""
    h = from_lists([[[0]]], 3)
    with pytest.raises(ValueError, match="1 examples are too few"):
        fit([Examples(h, target_matrix([[1]], 3), partial(h).finish())], partial(h).finish(), SETTINGS)
