"""The best k of many scores, always the same ones; and shoppers in blocks, so that dense scores stay small."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from batch.baskets.histories import Floats, Ints
from batch.baskets.metrics import NOTHING

Scorer = Callable[[Ints], Floats]
BLOCK_CELLS_MAX = 8_000_000


def top(scores: Floats, k: int) -> Ints:
    """The k best columns of each row, best first; ties go to the smaller column.

    Args:
        scores: [n, columns]; what is not above 0 is never chosen.
        k: at least 1.

    Returns:
        [n, k], -1 where there are fewer than k.
    """
    n, width = scores.shape
    kept = min(k, width)
    border = np.partition(scores, width - kept, axis=1)[:, width - kept, None]
    above = scores > border
    equal = scores == border
    wanted = kept - above.sum(axis=1, keepdims=True)
    tied = equal.sum(axis=1) > wanted[:, 0]
    if tied.any():
        equal[tied] &= np.cumsum(equal[tied], axis=1) <= wanted[tied]
    columns = np.nonzero(above | equal)[1].reshape(n, kept)
    values = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best = np.where(np.take_along_axis(values, order, axis=1) > 0, np.take_along_axis(columns, order, axis=1), NOTHING)
    result = np.full((n, k), NOTHING, dtype=np.int64)
    result[:, :kept] = best
    return result


def ranked(scorer: Scorer, rows: Ints, item_num: int, k: int) -> Ints:
    """[len(rows), k] the best items of these shoppers, scored block by block."""
    parts = [top(scorer(block), k) for block in blocks(rows, item_num)]
    return np.concatenate(parts) if parts else np.empty((0, k), dtype=np.int64)


def best(shopper: Ints, item: Ints, scores: Floats, n: int, k: int) -> tuple[Ints, Floats]:
    """The k best candidates of each of n shoppers, best first; ties go to the smaller item.

    Args:
        shopper: [rows] 0..n-1.
        item: [rows].
        scores: [rows] any numbers.

    Returns:
        Items [n, k], -1 where there are fewer, and their scores, NaN there.
    """
    order = np.lexsort((item, -scores, shopper))
    starts = np.searchsorted(shopper[order], np.arange(n))
    place = np.arange(len(order)) - starts[shopper[order]]
    order, place = order[place < k], place[place < k]
    items = np.full((n, k), NOTHING, dtype=np.int64)
    values = np.full((n, k), np.nan, dtype=np.float32)
    items[shopper[order], place] = item[order]
    values[shopper[order], place] = scores[order]
    return items, values


def blocks(rows: Ints, width: int, most: int = 1_024) -> Iterator[Ints]:
    """Cuts rows into parts whose dense scores over `width` columns stay below 32 MB."""
    size = max(1, min(most, BLOCK_CELLS_MAX // max(width, 1)))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def dense(matrix: npt.ArrayLike) -> Floats:
    """A sparse or dense product as a plain array."""
    result: Floats = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix, dtype=np.float32)
    return result
