"""Each baseline on a few shoppers, by scores worked out by hand."""

import numpy as np
import pytest

from batch.baskets.frequency import combined_top, global_top, personal_top
from batch.baskets.histories import from_lists, target_matrix
from batch.baskets.ranking import ranked, top
from batch.baskets.tifu_knn import TifuSettings, tifu_knn, vectors
from batch.baskets.tune import tuned
from batch.baskets.up_cf import UpCfSettings, up_cf

# Item 3 is in most baskets; shopper 0 bought 1 twice and 0 once.
HISTORIES = from_lists([[[0, 1], [1]], [[3], [3, 2]], [[3, 1]]], 5)
ROWS = np.array([0, 1, 2])


def test_everybody_gets_the_most_popular() -> None:
    """Items go by the number of baskets that hold them, ties to the smaller one."""
    assert [[1, 3, 0, 2, -1]] * 3 == ranked(global_top(HISTORIES), ROWS, 5, 5).tolist()


def test_a_shopper_gets_their_own_most_frequent() -> None:
    """Only own items, by baskets, ties to the more popular."""
    assert [[1, 0, -1], [3, 2, -1], [1, 3, -1]] == ranked(personal_top(HISTORIES), ROWS, 5, 3).tolist()


def test_own_items_are_filled_up_by_popular_ones() -> None:
    """Own items first, then everybody's."""
    assert [[1, 0, 3, 2], [3, 2, 1, 0], [1, 3, 0, 2]] == ranked(combined_top(HISTORIES), ROWS, 5, 4).tolist()


def test_tifu_decays_within_and_between_groups() -> None:
    """Three baskets in two groups make one of one basket, then one of two; weights decay inside and across."""
    found = vectors(from_lists([[[0], [1], [2]]], 3), TifuSettings(within_decay=0.5, group_decay=0.25, groups=2))
    first = 0.25 / 2
    second = [0.5 / 2 / 2, 1 / 2 / 2]
    assert pytest.approx([first, *second]) == found.toarray()[0].tolist()


def test_tifu_has_no_more_groups_than_baskets() -> None:
    """A short history has one group a basket, and the newest weighs one."""
    found = vectors(from_lists([[[0], [1]]], 2), TifuSettings(within_decay=0.5, group_decay=0.5, groups=7))
    assert pytest.approx([0.25, 0.5]) == found.toarray()[0].tolist()


def test_tifu_mixes_own_and_nearest() -> None:
    """Scores are alpha of the own vector and the rest of the nearest other shopper's."""
    histories = from_lists([[[0]], [[0, 1]], [[2, 3, 4]]], 5)
    scorer = tifu_knn(histories, TifuSettings(neighbours=1, own_share=0.75))
    assert pytest.approx([1.0, 0.25, 0, 0, 0]) == scorer(np.array([0]))[0].tolist()


def test_up_cf_weighs_habits_by_likeness() -> None:
    """A shopper's own habit counts fully, another's by the power of the asymmetric cosine of all they ever bought."""
    settings = UpCfSettings(recency=1, locality=2, asymmetry=0.25)
    found = up_cf(HISTORIES, settings)(np.array([0]))[0]
    like_2 = (1 / (2**0.25 * 2**0.75)) ** 2
    assert pytest.approx([0, 1 + like_2, 0, like_2, 0]) == found.tolist()


def test_up_cf_divides_by_the_baskets_there_are() -> None:
    """A shopper with fewer baskets than r is judged by those there are."""
    found = up_cf(HISTORIES, UpCfSettings(recency=10, locality=1_000, asymmetry=0.5))(np.array([0]))[0]
    assert pytest.approx([0.5, 1.0, 0, 0, 0]) == found.tolist()


def test_tuning_reads_validation_targets_only() -> None:
    """Targets of other shoppers change nothing; the setting that serves the validation shoppers wins."""
    histories = from_lists([[[0], [1], [1]]] * 3 + [[[2], [3], [3]]] * 3, 4)
    targets = target_matrix([[1]] * 3 + [[3]] * 3, 4)
    lies = target_matrix([[1]] * 3 + [[2]] * 3, 4)
    grid = {"recency": (1, 3)}
    start = UpCfSettings(recency=3, locality=1_000)
    rows = np.array([0, 1])
    assert tuned(up_cf, start, grid, histories, lies, rows) == tuned(up_cf, start, grid, histories, targets, rows)
    assert start == tuned(up_cf, start, grid, histories, targets, rows[:0])


@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_best_break_ties_by_column(k: int) -> None:
    """Equal scores go by column at every depth, also at the border; what is not above 0 is never chosen."""
    scores = np.array([[1, 2, 2, 2, 0], [0, 0, 0, 0, 0.5]], dtype=np.float32)
    expected = np.array([[1, 2, 3, 0, -1, -1], [4, -1, -1, -1, -1, -1]])
    assert expected[:, :k].tolist() == top(scores, k).tolist()
