"""Shoppers alike: who of a bounded sample resembles this one, what those have, and what they bought next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from batch.baskets.histories import Floats, Histories, Ints, Matrix
from batch.baskets.ranking import dense

TASTE_DECAY = 0.9
NEAR = 40
WIDE = 250


@dataclass(frozen=True)
class Likeness:
    """Nearest shoppers by the cosine of tf-idf weighted taste.

    The search is exact over the R pairs it was made of, and R is bounded by who makes it (Settings.pairs_max): n
    shoppers cost n × R, linear in n, and a shopper's result doesn't depend on who else is asked about.

    Attributes:
        ids: [R] never matched with a shopper of the same id.
        inverse: [item_num] weight of an item's rarity.
        turned: [item_num, R] unit columns of the pairs' tastes.
        habits: [R, item_num] share of taste by item.
        targets: [R, item_num] next baskets.
    """

    ids: Ints
    inverse: Floats
    turned: Matrix
    habits: Matrix
    targets: Matrix

    def scores(self, histories: Histories) -> Iterator[Floats]:
        """Gives four times [n, item_num]: next baskets of the 40, of the 250 nearest, then habits of the same two."""
        similarity = dense(unit(histories, self.inverse) @ self.turned)
        similarity[histories.ids[:, None] == self.ids[None, :]] = 0
        weights = [_nearest(similarity, k) for k in (NEAR, WIDE)]
        for matrix in (self.targets, self.habits):
            for weight in weights:
                yield dense(weight @ matrix)


def likeness(histories: Histories, targets: Matrix) -> Likeness:
    """Prepares the search among pairs of history and next basket."""
    owners = np.asarray((histories.bought() > 0).sum(axis=0), dtype=np.float64).ravel()
    inverse = np.log1p(len(histories) / (owners + 1)).astype(np.float32)
    habits = histories.bought(TASTE_DECAY)
    total = np.asarray(histories.bought(TASTE_DECAY).sum(axis=1), dtype=np.float32)
    shares = habits.multiply(np.sqrt(histories.baskets)[:, None] / total).tocsr().astype(np.float32)
    return Likeness(histories.ids, inverse, unit(histories, inverse).T.tocsr(), shares, targets)


def unit(histories: Histories, inverse: Floats) -> Matrix:
    """[n, item_num] rows of length 1: root of the decayed count times rarity."""
    weights = histories.bought(TASTE_DECAY)
    weights.data = np.sqrt(weights.data)
    weighted = weights.multiply(inverse[None, :]).tocsr()
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1), dtype=np.float32))
    return weighted.multiply(1 / np.maximum(length, np.float32(1e-9))).tocsr().astype(np.float32)


def _nearest(similarity: Floats, k: int) -> Matrix:
    """[n, R] similarities of the k nearest, as shares that add up to 1; the rest is 0."""
    k = min(k, similarity.shape[1])
    at = np.argpartition(similarity, similarity.shape[1] - k, axis=1)[:, similarity.shape[1] - k :]
    values = np.take_along_axis(similarity, at, axis=1)
    values = values / np.maximum(values.sum(axis=1, keepdims=True), np.float32(1e-9))
    pointers = np.arange(0, at.size + 1, k)
    return sparse.csr_matrix((values.ravel(), at.ravel(), pointers), shape=similarity.shape)
