"""The gate: what is no better than the best baseline is not promoted, and the sentence says by how much."""

from __future__ import annotations

import numpy as np
import pytest

from batch.baskets.evaluate import Evaluation
from batch.evaluate import gate


def found(recall: float, ndcg: float) -> Evaluation:
    """An evaluation of the predictor beside two baselines."""
    models = {
        "predictor": {"recall@10": recall, "ndcg@10": ndcg},
        "personal_top": {"recall@10": 0.30, "ndcg@10": 0.25},
        "up_cf": {"recall@10": 0.28, "ndcg@10": 0.27},
    }
    return Evaluation({name: np.zeros((5, 20), dtype=np.int64) for name in models}, models, {}, {})


@pytest.mark.parametrize(
    ("recall", "ndcg", "promoted", "said"),
    [
        (0.31, 0.28, True, "recall@10 0.3100 against 0.3000 of personal_top"),
        (0.30, 0.28, False, "recall@10 is 0.3000, and personal_top, the best baseline, reaches 0.3000"),
        (0.31, 0.26, False, "ndcg@10 is 0.2600, and up_cf, the best baseline, reaches 0.2700"),
    ],
)
def test_both_measures_must_be_better(recall: float, ndcg: float, promoted: bool, said: str) -> None:
    """Above every baseline in recall@10 and in NDCG@10; equal is not better."""
    verdict = gate(found(recall, ndcg))
    assert promoted == verdict.promoted
    assert said in verdict.why
    assert 5 == verdict.shoppers


def test_nothing_to_judge_by_is_no_promotion() -> None:
    """A shop without later baskets keeps its trees."""
    verdict = gate(None)
    assert not verdict.promoted
    assert "too few" in verdict.why
