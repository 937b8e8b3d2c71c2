"""Ranks candidates by gradient-boosted trees that were taught by what was bought and what was not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xgboost

from batch.baskets.candidates import FEATURE_NAMES, Candidates
from batch.baskets.histories import Floats, Ints, Matrix
from batch.baskets.metrics import by_shopper
from batch.baskets.ranking import best

ROUNDS = (75, 150, 250, 400)
MEASURED_AT = 10


@dataclass(frozen=True)
class Trees:
    """Shape of the boosted trees.

    Attributes:
        depth: levels.
        rounds: trees.
        eta: step.
        leaf_weight: least weight of the examples in a leaf, as xgboost's min_child_weight.
        seeds: one ensemble member each.
        threads: of xgboost; 0 takes what OpenMP is given.
    """

    depth: int = 4
    rounds: int = 150
    eta: float = 0.05
    leaf_weight: float = 10.0
    seeds: tuple[int, ...] = (1, 2)
    threads: int = 0


@dataclass(frozen=True)
class Rows:
    """Candidates to learn from.

    Attributes:
        features: [rows, FEATURE_NAMES].
        bought: [rows] 1 where the next basket holds the item, else 0.
        weight: [rows].
        fold: [rows] the part of the shoppers that each belongs to; -1 where it is never held out.
    """

    features: Floats
    bought: Floats
    weight: Floats
    fold: Ints

    def without(self, fold: int) -> Rows:
        """The rows of all other parts."""
        keep = self.fold != fold
        return Rows(self.features[keep], self.bought[keep], self.weight[keep], self.fold[keep])


@dataclass(frozen=True)
class HeldOut:
    """All candidates of the shoppers of one part, and what they bought.

    Attributes:
        fold: number of the part.
        candidates: of its shoppers.
        targets: [shoppers, item_num].
    """

    fold: int
    candidates: Candidates
    targets: Matrix

    def value(self, scores: Floats) -> float:
        """Sum over shoppers of recall@10 and NDCG@10."""
        items, _ = best(self.candidates.shopper, self.candidates.item, scores, self.targets.shape[0], MEASURED_AT)
        measures = by_shopper(items, self.targets, self.targets, MEASURED_AT)
        return float(measures["recall"].sum() + measures["ndcg"].sum())


@dataclass(frozen=True)
class Ranker:
    """Boosted trees, averaged.

    Attributes:
        boosters: one a seed.
        offset: what undoes the sampling of negatives, added to every score.
    """

    boosters: tuple[xgboost.Booster, ...]
    offset: float

    def scores(self, features: Floats) -> Floats:
        """[rows] log-odds that the item is bought next."""
        data = xgboost.DMatrix(features, feature_names=list(FEATURE_NAMES))
        margins = np.mean([booster.predict(data, output_margin=True) for booster in self.boosters], axis=0)
        scores: Floats = (margins + self.offset).astype(np.float32)
        return scores


def weights(sizes: Ints) -> Floats:
    """What one item of a next basket of so many items is worth to recall@10 and NDCG@10, the mean of both.

    Source: a hit adds 1 / |target| to a shopper's recall and at most 1 / (sum of 1 / log2(1 + rank) over ranks
    1..min(10, |target|)) to NDCG; without weights, shoppers with large baskets would decide everything.
    """
    ideal = np.cumsum(1 / np.log2(np.arange(2, MEASURED_AT + 2)))
    worth: Floats = ((1 / sizes + 1 / ideal[np.minimum(sizes, MEASURED_AT) - 1]) / 2).astype(np.float32)
    return worth


def train(rows: Rows, trees: Trees, offset: float = 0.0) -> Ranker:
    """Learns log-odds of being bought; the same rows and settings give the same ranker."""
    data = _data(rows, trees)
    return Ranker(tuple(_boosted(data, trees, seed) for seed in trees.seeds), offset)


def chosen(
    rows: Rows, held_out: Sequence[HeldOut], depths: Sequence[int], trees: Trees, done: Callable[[], None]
) -> Trees:
    """The depth and number of trees that rank best what they were not taught; as given where nothing is held out.

    Args:
        rows: to learn from.
        held_out: parts; for each one, trees are taught by the rows of the others.
        depths: to choose from.
        trees: everything else.
        done: called after each boosting.
    """
    if not held_out:
        return trees
    values = np.zeros((len(depths), len(ROUNDS)))
    for part in held_out:
        data = _data(rows.without(part.fold), trees)
        unseen = xgboost.DMatrix(part.candidates.features, feature_names=list(FEATURE_NAMES))
        for row, depth in enumerate(depths):
            booster = _boosted(data, replace(trees, depth=depth, rounds=max(ROUNDS)), trees.seeds[0])
            for column, rounds in enumerate(ROUNDS):
                scores = booster.predict(unseen, output_margin=True, iteration_range=(0, rounds))
                values[row, column] += part.value(scores)
            done()
    row, column = divmod(int(np.argmax(values)), len(ROUNDS))
    return replace(trees, depth=depths[row], rounds=ROUNDS[column])


def _data(rows: Rows, trees: Trees) -> xgboost.QuantileDMatrix:
    return xgboost.QuantileDMatrix(
        rows.features,
        rows.bought,
        weight=rows.weight / max(float(rows.weight.mean()), 1e-9),
        feature_names=list(FEATURE_NAMES),
        max_bin=128,
        nthread=trees.threads,
    )


def _boosted(data: xgboost.QuantileDMatrix, trees: Trees, seed: int) -> xgboost.Booster:
    parameters = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_bin": 128,
        "max_depth": trees.depth,
        "eta": trees.eta,
        "min_child_weight": trees.leaf_weight,
        "subsample": 0.7,
        "colsample_bytree": 0.5,
        "reg_lambda": 15.0,
        "nthread": trees.threads,
        "seed": seed,
    }
    return xgboost.train(parameters, data, trees.rounds)
