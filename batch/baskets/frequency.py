"""Three baselines that count: what everybody buys, what this shopper buys, and the second filled up by the first."""

from __future__ import annotations

import numpy as np

from batch.baskets.histories import Floats, Histories, Ints
from batch.baskets.ranking import Scorer, dense


def popularity(histories: Histories) -> Floats:
    """[item_num] share of all baskets that hold the item."""
    counts = np.bincount(histories.items, minlength=histories.item_num)
    return (counts / max(len(histories.basket_shopper), 1)).astype(np.float32)


def global_top(histories: Histories) -> Scorer:
    """Everybody gets what most baskets hold (G-TopFreq)."""
    share = popularity(histories)
    return lambda rows: np.broadcast_to(share, (len(rows), len(share)))


def personal_top(histories: Histories) -> Scorer:
    """The shopper's own items by number of baskets (P-TopFreq); ties go to the more popular one, then the smaller."""
    counts, share = histories.bought(), popularity(histories) / 2

    def scores(rows: Ints) -> Floats:
        own = dense(counts[rows])
        return np.where(own > 0, own + share, np.float32(0))

    return scores


def combined_top(histories: Histories) -> Scorer:
    """The shopper's own items by number of baskets, then everybody's (GP-TopFreq)."""
    counts, share = histories.bought(), popularity(histories) / 2
    return lambda rows: (dense(counts[rows]) + share).astype(np.float32)
