"""Histories with the basket that followed, to learn from: a split's, everybody's last basket, or cut at a day."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from batch.baskets.histories import Floats, Histories, Ints, Matrix, csr
from batch.baskets.item_tables import partial


@dataclass(frozen=True)
class Examples:
    """Pairs of history and next basket, as they were known at one time.

    Attributes:
        histories: of R shoppers.
        targets: [R, item_num], no row empty.
        items: [item_num, ITEM_NAMES] what was known of the items at that time, from these shoppers or more.
        weight: of each example, against those of other times.
    """

    histories: Histories
    targets: Matrix
    items: Floats
    weight: float = 1.0

    def __len__(self) -> int:
        return len(self.histories)

    def take(self, rows: Ints) -> Examples:
        """Some of the pairs."""
        return replace(self, histories=self.histories.take(rows), targets=self.targets[rows])

    def at_most(self, number: int, seed: int) -> Examples:
        """A fixed random choice of so many pairs, in their order."""
        if len(self) <= number:
            return self
        return self.take(np.sort(np.random.default_rng(seed).permutation(len(self))[:number]))


def last_baskets(histories: Histories, weight: float = 1.0) -> Examples:
    """Each shopper's history without the last basket, and that basket as the target.

    Days, where known, are counted up to that basket: what is learned answers "if the shopper shops on that day".
    """
    earlier, targets, _ = histories.without_last()
    return Examples(earlier, targets, partial(earlier).finish(), weight)


def cut(histories: Histories, cutoff: float, horizon: float, weight: float = 1.0) -> Examples:
    """What was known before a day, and what came next: a feature can't see its target's future.

    Args:
        histories: with days.
        cutoff: histories end strictly before this day and are as of it.
        horizon: days; the target is the first basket in cutoff ≤ day < cutoff + horizon. Shoppers without one, or
            without a basket before the cutoff, give no example, but count in what is known of the items.

    Raises:
        ValueError: the histories have no days.
    """
    known, rows = before(histories, cutoff)
    if histories.days is None:
        raise ValueError("examples cut at a day need histories with days")
    n = len(histories)
    ahead = histories.days >= cutoff
    passed = np.bincount(histories.basket_shopper, weights=~ahead, minlength=n).astype(np.int64)
    first = np.minimum(histories.basket_ptr[:-1] + passed, max(len(ahead) - 1, 0))
    exists = (passed < histories.baskets) & (histories.days[first] < cutoff + horizon)
    usable = exists[rows]
    baskets = first[rows[usable]]
    lines = [histories.items[histories.item_ptr[b] : histories.item_ptr[b + 1]] for b in baskets]
    pointers = np.concatenate([[0], np.cumsum([len(items) for items in lines], dtype=np.int64)])
    columns = np.concatenate([np.empty(0, dtype=np.int64), *lines])
    targets = csr(np.ones(len(columns)), columns, pointers, histories.item_num)
    return Examples(known.take(np.flatnonzero(usable)), targets, partial(known).finish(), weight)


def before(histories: Histories, cutoff: float) -> tuple[Histories, Ints]:
    """The histories as they were before a day, as of that day, and the rows of the shoppers who had one.

    Raises:
        ValueError: the histories have no days.
    """
    if histories.days is None:
        raise ValueError("histories without days can't be cut at a day")
    past = np.bincount(histories.basket_shopper, weights=histories.days < cutoff, minlength=len(histories))
    rows = np.flatnonzero(past)
    known = histories.first_baskets(rows, past[rows].astype(np.int64))
    return replace(known, as_of=np.full(len(rows), cutoff, dtype=np.float64)), rows
