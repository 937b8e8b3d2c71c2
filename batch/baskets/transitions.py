"""Which items follow which: co-purchase of what a shopper has with what the next basket holds, as additive counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from batch.baskets.histories import Doubles, Floats, Ints, Matrix
from batch.baskets.ranking import dense

FOLLOWERS_MAX = 400
DAMPING = 5.0


@dataclass(frozen=True)
class Transitions:
    """Rates from item i to another item j.

    Attributes:
        rates: [item_num, item_num] damped P(next basket holds j | has i), the diagonal empty.
        lifts: the same entries, each divided by the root of how many next baskets hold j.
    """

    rates: Matrix
    lifts: Matrix

    def rate(self, weights: Matrix) -> Floats:
        """[n, item_num] weighted mean of the rates from what a shopper has."""
        return dense(_shares(weights) @ self.rates)

    def lift(self, weights: Matrix) -> Floats:
        """[n, item_num] likewise of the lifts, which favour the particular over the popular."""
        return dense(_shares(weights) @ self.lifts)


def pair_counts(has: Matrix, follows: Matrix) -> tuple[Ints, Ints, Doubles]:
    """How many shoppers have i and then buy j ≠ i; additive over shoppers.

    Args:
        has: [n, item_num] of ones.
        follows: [n, item_num] of ones.

    Returns:
        i, j and the count of each pair that occurs.
    """
    pairs = (has.T.tocsr() @ follows).tocoo()
    other = pairs.row != pairs.col
    return pairs.row[other].astype(np.int64), pairs.col[other].astype(np.int64), pairs.data[other].astype(np.float64)


def transitions(has: Matrix, follows: Matrix) -> Transitions:
    """Turns shoppers' items and next baskets into rates; of each item the 400 most frequent followers stay."""
    i, j, count = pair_counts(has, follows)
    order = np.lexsort((j, -count, i))
    i, j, count = i[order], j[order], count[order]
    ptr = np.searchsorted(i, np.arange(has.shape[1] + 1))
    keep = np.arange(len(i)) - ptr[i] < FOLLOWERS_MAX
    i, j, count = i[keep], j[keep], count[keep]
    owners = np.asarray(has.sum(axis=0), dtype=np.float64).ravel()
    bought = np.asarray(follows.sum(axis=0), dtype=np.float64).ravel()
    rate = count / (owners[i] + DAMPING)
    shape = (has.shape[1], has.shape[1])
    return Transitions(
        sparse.csr_matrix((rate.astype(np.float32), (i, j)), shape=shape),
        sparse.csr_matrix(((rate / np.sqrt(bought[j] + DAMPING)).astype(np.float32), (i, j)), shape=shape),
    )


def _shares(weights: Matrix) -> Matrix:
    """Rows scaled to add up to 1."""
    total = np.asarray(weights.sum(axis=1), dtype=np.float32)
    return weights.multiply(1 / np.maximum(total, np.float32(1e-9))).tocsr().astype(np.float32)
