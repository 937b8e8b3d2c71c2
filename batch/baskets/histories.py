"""Purchase histories as flat arrays: shopper → baskets → items; from files or the warehouse, to every model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Matrix = Any  # scipy.sparse.csr_matrix: the library ships no types
NEVER = np.int64(-1)


@dataclass(frozen=True)
class Histories:
    """Baskets of n shoppers, oldest first, in compressed rows; no basket is empty and none holds an item twice.

    Attributes:
        item_num: items are 0..item_num-1.
        basket_ptr: [n + 1]; the baskets of shopper s are basket_ptr[s]..basket_ptr[s + 1].
        item_ptr: [baskets + 1]; the lines of basket b are item_ptr[b]..item_ptr[b + 1].
        items: [lines], ascending within a basket.
        ids: [n], what tells shoppers apart wherever two sets of histories meet; unique.
        days: [baskets], day of each basket, ascending within a shopper, NaN where unknown; None if none is known.
        as_of: [n], the day for which the next basket is wanted, NaN where unknown; None if none is known.
    """

    item_num: int
    basket_ptr: Ints
    item_ptr: Ints
    items: Ints
    ids: Ints
    days: Doubles | None = None
    as_of: Doubles | None = None

    def __len__(self) -> int:
        return len(self.basket_ptr) - 1

    @cached_property
    def baskets(self) -> Ints:
        """[n] number of baskets of each shopper."""
        return np.diff(self.basket_ptr)

    @cached_property
    def basket_shopper(self) -> Ints:
        """[baskets] row of the shopper of each basket."""
        return np.repeat(np.arange(len(self), dtype=np.int64), self.baskets)

    @cached_property
    def basket_rank(self) -> Ints:
        """[baskets] how many baskets of the same shopper are younger: 0 is the last basket."""
        return self.basket_ptr[1:][self.basket_shopper] - 1 - np.arange(len(self.basket_shopper), dtype=np.int64)

    @cached_property
    def line_basket(self) -> Ints:
        """[lines] basket of each line."""
        return np.repeat(np.arange(len(self.item_ptr) - 1, dtype=np.int64), np.diff(self.item_ptr))

    @cached_property
    def line_shopper(self) -> Ints:
        """[lines] shopper of each line."""
        return self.basket_shopper[self.line_basket]

    @cached_property
    def line_rank(self) -> Ints:
        """[lines] rank of each line's basket, 0 is the last."""
        return self.basket_rank[self.line_basket]

    def take(self, rows: Ints) -> Histories:
        """The histories of some shoppers, in the order of `rows` (row numbers, repetition allowed)."""
        return self.first_baskets(rows, self.baskets[rows])

    def without_last(self) -> tuple[Histories, Matrix, Ints]:
        """Every shopper with two baskets or more, one basket earlier.

        Returns:
            The histories without the last basket and as of its day; the last baskets as targets [n, item_num]; the
            rows of these shoppers here.
        """
        rows = np.flatnonzero(self.baskets >= 2)
        last = self.basket_ptr[1:][rows] - 1
        earlier = self.first_baskets(rows, self.baskets[rows] - 1)
        if self.days is not None:
            earlier = replace(earlier, as_of=self.days[last])
        lines = _ranges(self.item_ptr[last], np.diff(self.item_ptr)[last])
        ptr = _pointers(np.diff(self.item_ptr)[last])
        return earlier, csr(np.ones(len(lines)), self.items[lines], ptr, self.item_num), rows

    def first_baskets(self, rows: Ints, counts: Ints) -> Histories:
        """The first so many baskets of some shoppers."""
        return self._of_baskets(_ranges(self.basket_ptr[rows], counts), counts, rows)

    def bought(self, decay: float = 1.0, recent: int | None = None) -> Matrix:
        """[n, item_num] for each item the sum over its baskets of decay^rank.

        Args:
            decay: 1 counts, 0 looks at the last basket alone.
            recent: only the last so many baskets.
        """
        rank = self.line_rank
        if recent is not None:
            keep = rank < recent
            rank, rows, columns = rank[keep], self.line_shopper[keep], self.items[keep]
        else:
            rows, columns = self.line_shopper, self.items
        values = np.power(np.float64(decay), rank).astype(np.float32)
        return sparse.csr_matrix((values, (rows, columns)), shape=(len(self), self.item_num))

    def _of_baskets(self, baskets: Ints, counts: Ints, rows: Ints) -> Histories:
        sizes = np.diff(self.item_ptr)[baskets]
        return Histories(
            self.item_num,
            _pointers(counts),
            _pointers(sizes),
            self.items[_ranges(self.item_ptr[baskets], sizes)],
            self.ids[rows],
            None if self.days is None else self.days[baskets],
            None if self.as_of is None else self.as_of[rows],
        )


def from_lists(
    histories: Sequence[Sequence[Sequence[int]]],
    item_num: int,
    *,
    days: Sequence[Sequence[float]] | None = None,
    as_of: Sequence[float] | None = None,
    ids: Sequence[int] | None = None,
) -> Histories:
    """Makes histories of plain lists; repeated items of a basket count once, empty baskets are left out.

    Args:
        histories: by shopper, by basket (oldest first), items in 0..item_num-1.
        days: by shopper and basket.
        as_of: by shopper.
        ids: by shopper; without it the row number.
    """
    baskets = [[sorted(set(basket)) for basket in history if basket] for history in histories]
    flat = [basket for history in baskets for basket in history]
    lines = np.fromiter((item for basket in flat for item in basket), dtype=np.int64)
    known = None
    if days is not None:
        known = [d for h, ds in zip(histories, days, strict=True) for b, d in zip(h, ds, strict=True) if b]
    return Histories(
        item_num,
        _pointers(np.array([len(history) for history in baskets], dtype=np.int64)),
        _pointers(np.array([len(basket) for basket in flat], dtype=np.int64)),
        lines,
        np.arange(len(baskets), dtype=np.int64) if ids is None else np.asarray(ids, dtype=np.int64),
        None if known is None else np.asarray(known, dtype=np.float64),
        None if as_of is None else np.asarray(as_of, dtype=np.float64),
    )


def target_matrix(targets: Sequence[Sequence[int]], item_num: int) -> Matrix:
    """[n, item_num] of ones where shopper s bought item i in the basket that is to be predicted."""
    sets = [sorted(set(items)) for items in targets]
    columns = np.fromiter((item for items in sets for item in items), dtype=np.int64)
    pointers = _pointers(np.array([len(items) for items in sets], dtype=np.int64))
    return csr(np.ones(len(columns)), columns, pointers, item_num)


def csr(values: npt.ArrayLike, columns: Ints, pointers: Ints, width: int) -> Matrix:
    """A sparse matrix of float32 from its parts."""
    data = np.asarray(values, dtype=np.float32)
    return sparse.csr_matrix((data, columns, pointers), shape=(len(pointers) - 1, width))


def _pointers(counts: Ints) -> Ints:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """start..start+count of each pair, one after the other."""
    pointers = _pointers(counts)
    return np.arange(pointers[-1], dtype=np.int64) + np.repeat(starts - pointers[:-1], counts)
