"""A linear map from a shopper's history to the next basket, learned by ridge regression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batch.baskets.histories import Floats, Histories, Ints, Matrix
from batch.baskets.ranking import dense
from batch.baskets.similar import unit

ITEMS_MAX = 2_500
PENALTY = 1.0


@dataclass(frozen=True)
class Ridge:
    """Scores = taste × weights.

    Attributes:
        inverse: [item_num] weight of an item's rarity.
        inputs: items of the history that are looked at; None where the map goes through the pairs' own tastes.
        left: [inputs, outputs] weights, or [item_num, R] unit columns of the pairs' tastes.
        right: [R, item_num] what each pair's resemblance is worth, or None.
        outputs: items with a score.
    """

    inverse: Floats
    inputs: Ints | None
    left: Matrix
    right: Floats | None
    outputs: Ints

    def scores(self, histories: Histories) -> Floats:
        """[n, item_num]; 0 for items that no pair bought next."""
        taste = unit(histories, self.inverse)
        result = np.zeros((len(histories), len(self.inverse)), dtype=np.float32)
        if self.right is None:
            result[:, self.outputs] = dense(taste[:, self.inputs] @ self.left)
        else:
            result[:, self.outputs] = dense(taste @ self.left) @ self.right
        return result


def ridge(histories: Histories, targets: Matrix) -> Ridge:
    """Solves min |X W - T|² + penalty × |W|² for unit tastes X [R, item_num] and next baskets T.

    Source: ridge regression. W = (Xᵀ X + penalty I)⁻¹ Xᵀ T, which equals Xᵀ (X Xᵀ + penalty I)⁻¹ T: the second form is
    used while R is small; beyond, the first one over the 2,500 items that most shoppers have. Cost: a solution of at
    most 2,500 unknowns, whatever R is.
    """
    owners = np.asarray((histories.bought() > 0).sum(axis=0), dtype=np.float64).ravel()
    inverse = np.log1p(len(histories) / (owners + 1)).astype(np.float32)
    taste = unit(histories, inverse)
    bought = np.asarray(targets.sum(axis=0)).ravel()
    if len(histories) <= ITEMS_MAX:
        outputs = np.flatnonzero(bought)
        square = dense(taste @ taste.T).astype(np.float64)
        square[np.diag_indices_from(square)] += PENALTY
        worth = np.linalg.solve(square, dense(targets[:, outputs]).astype(np.float64))
        return Ridge(inverse, None, taste.T.tocsr(), worth.astype(np.float32), outputs)
    outputs = np.flatnonzero(bought > 1)
    inputs = np.sort(np.lexsort((np.arange(len(owners)), -owners))[:ITEMS_MAX])
    chosen = taste[:, inputs]
    square = dense(chosen.T.tocsr() @ chosen).astype(np.float64)
    square[np.diag_indices_from(square)] += PENALTY
    weights = np.linalg.solve(square, dense(chosen.T.tocsr() @ targets[:, outputs]).astype(np.float64))
    return Ridge(inverse, inputs, weights.astype(np.float32), None, outputs)
