"""Measures of ranked items, by values worked out by hand."""

import numpy as np
import pytest

from batch.baskets.histories import target_matrix
from batch.baskets.metrics import by_shopper, measured, paired

ITEMS = np.array([[4, 0, 1], [2, 3, -1]])
TARGETS = target_matrix([[0, 1, 2, 3], [3]], 5)
BOUGHT = target_matrix([[0, 4], []], 5)


def test_recall_is_the_share_of_the_target_among_the_best() -> None:
    """Two of four targets within the best three give a half; one of one gives one."""
    assert [0.5, 1.0] == by_shopper(ITEMS, TARGETS, BOUGHT, 3)["recall"].tolist()


def test_recall_splits_into_repeat_and_explore() -> None:
    """A hit counts as repeat if the shopper had bought it before, else as explore; they add up to recall."""
    measures = by_shopper(ITEMS, TARGETS, BOUGHT, 3)
    assert [0.25, 0.0] == measures["recall_repeat"].tolist()
    assert [0.25, 1.0] == measures["recall_explore"].tolist()


def test_ndcg_has_an_ideal_capped_at_k() -> None:
    """With k = 2 and four targets the ideal has two hits, so that a perfect top two would give one."""
    second = 1 / np.log2(3)
    found = by_shopper(ITEMS, TARGETS, BOUGHT, 2)["ndcg"]
    assert pytest.approx([second / (1 + second), second]) == found.tolist()
    perfect = by_shopper(np.array([[0, 1], [3, 2]]), TARGETS, BOUGHT, 2)["ndcg"]
    assert [1.0, 1.0] == perfect.tolist()


def test_a_hit_is_one_however_many() -> None:
    """Phr is 1 where anything was hit and 0 elsewhere."""
    assert [0.0, 0.0] == by_shopper(ITEMS, TARGETS, BOUGHT, 1)["phr"].tolist()
    assert [1.0, 1.0] == by_shopper(ITEMS, TARGETS, BOUGHT, 3)["phr"].tolist()


def test_means_and_coverage_carry_their_depth() -> None:
    """Means go over shoppers; coverage is the share of items that anybody was shown; nothing shown counts nothing."""
    found = measured(ITEMS, TARGETS, BOUGHT, [1, 3])
    assert 0.75 == found["recall@3"]
    assert 0.0 == found["recall@1"]
    assert 2 / 5 == found["coverage@1"]
    assert 1.0 == found["coverage@3"]


def test_a_paired_interval_holds_its_difference_and_repeats() -> None:
    """The interval lies round the mean difference, is a point where all differences are equal, and is seeded."""
    lots = np.random.default_rng(3)
    ours, theirs = lots.random(200), lots.random(200)
    found = paired(ours, theirs)
    assert found["low"] < found["difference"] < found["high"]
    assert found == paired(ours, theirs)
    assert pytest.approx({"difference": 0.5, "low": 0.5, "high": 0.5}) == paired(theirs + 0.5, theirs)
