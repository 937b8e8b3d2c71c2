"""Chooses for each shopper the items worth ranking, and describes each by its features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batch.baskets.histories import Floats, Histories, Ints
from batch.baskets.item_tables import ITEM_NAMES
from batch.baskets.metrics import NOTHING
from batch.baskets.purchases import OWN_NAMES, SHOPPER_NAMES, Purchases, purchases
from batch.baskets.ranking import blocks, top
from batch.baskets.reference import RATE_NAMES, SCORE_NAMES, Reference

OWN_MAX = 150
CHOSEN_BY = ("after_taste", "after_taste_lift", "after_last", "like_next", "like_next_wide", "like_habit", "ridge")
BY_SCORE = 40
BY_NOW = 60
FEATURE_NAMES = (
    *OWN_NAMES,
    *SHOPPER_NAMES,
    *ITEM_NAMES,
    *RATE_NAMES,
    *SCORE_NAMES,
    *(f"{name}_share" for name in SCORE_NAMES),
)


@dataclass(frozen=True)
class Candidates:
    """Rows (shopper, item), ascending by shopper.

    Attributes:
        shopper: [rows] row of the shopper.
        item: [rows].
        features: [rows, FEATURE_NAMES], NaN where unknown.
    """

    shopper: Ints
    item: Ints
    features: Floats


def candidates(histories: Histories, known: Reference, items: Floats) -> Candidates:
    """Candidates of all shoppers with their features.

    Args:
        histories: of the shoppers to predict for.
        known: lessons of other shoppers' next baskets.
        items: [item_num, ITEM_NAMES].
    """
    parts = [
        _block(histories.take(rows), known, items, rows[0])
        for rows in blocks(np.arange(len(histories), dtype=np.int64), histories.item_num)
    ]
    return Candidates(
        np.concatenate([part.shopper for part in parts]),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.features for part in parts]),
    )


def _block(histories: Histories, known: Reference, items: Floats, offset: np.int64) -> Candidates:
    own = purchases(histories)
    scores = known.scores(histories)
    shopper, item = np.nonzero(_chosen(histories, own, known, scores))
    at = own.find(shopper, item)
    features = np.empty((len(shopper), len(FEATURE_NAMES)), dtype=np.float32)
    width = len(OWN_NAMES)
    features[:, :width] = np.where((at >= 0)[:, None], own.own[at], np.nan)
    columns = [own.shoppers[shopper], items[item], known.rates[item]]
    picked = scores[:, shopper, item].T
    best = scores.max(axis=2).T[shopper]
    columns += [picked, picked / np.maximum(best, np.float32(1e-9))]
    np.concatenate(columns, axis=1, out=features[:, width:])
    return Candidates(shopper + offset, item, features)


def _chosen(histories: Histories, own: Purchases, known: Reference, scores: Floats) -> Floats:
    """[n, item_num] whether to rank the item: own ones by taste, what others suggest, what everybody buys now."""
    chosen = np.zeros((len(histories), histories.item_num), dtype=bool)
    place = own.own[:, OWN_NAMES.index("place_by_decay")]
    kept = place < OWN_MAX
    chosen.ravel()[own.keys[kept]] = True
    rows = np.arange(len(histories))[:, None]
    for name in CHOSEN_BY:
        best = top(scores[SCORE_NAMES.index(name)], BY_SCORE)
        chosen[np.broadcast_to(rows, best.shape)[best != NOTHING], best[best != NOTHING]] = True
    now = top(known.rates[None, :, 0], BY_NOW)[0]
    chosen[:, now[now != NOTHING]] = True
    return chosen
