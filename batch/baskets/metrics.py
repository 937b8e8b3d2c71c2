"""How good ranked items are: recall, NDCG, hits, their repeat and explore parts, and what of a difference is noise."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from batch.baskets.histories import Ints, Matrix

Scores = npt.NDArray[np.float64]
MEASURES = ("recall", "ndcg", "phr", "recall_repeat", "recall_explore")
NOTHING = -1


def by_shopper(items: Ints, targets: Matrix, bought: Matrix, k: int) -> dict[str, Scores]:
    """Each measure of each shopper at a depth.

    Source: recall@k = |top k ∩ target| / |target|. NDCG@k = sum over hits of 1 / log2(1 + rank), divided by the same
    sum over ranks 1..min(k, |target|). phr@k = 1 if there is a hit. Recall's repeat part counts only the hits that the
    shopper had bought before, its explore part the others; both divide by the whole target, so they add up to recall.

    Args:
        items: [n, ≥ k] best first, no item twice in a row, -1 where there was nothing to say.
        targets: [n, item_num], no row empty.
        bought: [n, item_num], above 0 where the shopper had bought the item before.
        k: depth, at least 1.

    Returns:
        By measure, [n].
    """
    top = items[:, :k]
    hit = _at(targets, top) & (top != NOTHING)
    repeat = hit & _at(bought, top)
    size = np.diff(targets.indptr)
    gain = 1.0 / np.log2(np.arange(2, k + 2, dtype=np.float64))
    ideal = np.cumsum(gain)[np.minimum(size, k) - 1]
    return {
        "recall": hit.sum(axis=1) / size,
        "ndcg": (hit * gain[: top.shape[1]]).sum(axis=1) / ideal,
        "phr": hit.any(axis=1).astype(np.float64),
        "recall_repeat": repeat.sum(axis=1) / size,
        "recall_explore": (hit & ~repeat).sum(axis=1) / size,
    }


def measured(items: Ints, targets: Matrix, bought: Matrix, depths: list[int]) -> dict[str, float]:
    """The means over shoppers, as `measure@k`, and `coverage@k`: the share of all items that anybody was shown."""
    result: dict[str, float] = {}
    for k in depths:
        for name, values in by_shopper(items, targets, bought, k).items():
            result[f"{name}@{k}"] = float(values.mean())
        shown = np.unique(items[:, :k])
        result[f"coverage@{k}"] = float((shown != NOTHING).sum() / targets.shape[1])
    return result


def paired(ours: Scores, theirs: Scores, *, resamples: int = 2_000, seed: int = 7) -> Mapping[str, float]:
    """Mean difference of two models on the same shoppers with its 95 % interval.

    Source: percentile bootstrap; shoppers are drawn with replacement, the 2.5 % and 97.5 % points of the mean
    difference are the interval. Seeded, so that a repetition gives the same numbers.

    Args:
        ours: [n] a measure by shopper.
        theirs: [n] the same measure of the other model, in the same order.
    """
    difference = ours - theirs
    lots = np.random.default_rng(seed)
    means = np.array(
        [difference[lots.integers(len(difference), size=len(difference))].mean() for _ in range(resamples)]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return {"difference": float(difference.mean()), "low": float(low), "high": float(high)}


def holds(matrix: Matrix, rows: Ints, columns: Ints) -> npt.NDArray[np.bool_]:
    """Whether the matrix has an entry at each (row, column)."""
    width = matrix.shape[1]
    present = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr)) * width + matrix.indices
    found: npt.NDArray[np.bool_] = np.isin(rows * width + columns, present)
    return found


def _at(matrix: Matrix, items: Ints) -> npt.NDArray[np.bool_]:
    """[n, k] whether row s of the matrix holds items[s, j]."""
    rows = np.repeat(np.arange(len(items), dtype=np.int64), items.shape[1])
    found: npt.NDArray[np.bool_] = holds(matrix, rows, items.ravel()).reshape(items.shape) & (items != NOTHING)
    return found
