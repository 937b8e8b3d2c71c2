"""UP-CF@r, a baseline: the recent habits of all shoppers, each weighted by how much it resembles this one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batch.baskets.histories import Floats, Histories, Ints
from batch.baskets.ranking import Scorer, dense


@dataclass(frozen=True)
class UpCfSettings:
    """What the paper tunes.

    Attributes:
        recency: r, how many last baskets make the habit.
        locality: q, power of the similarity: the larger, the fewer shoppers count.
        asymmetry: alpha of the cosine.
    """

    recency: int = 25
    locality: int = 10
    asymmetry: float = 0.25


GRID: dict[str, tuple[float, ...]] = {
    "locality": (1, 2, 5, 10, 25, 50, 100, 1_000),
    "asymmetry": (0.0, 0.25, 0.5, 0.75, 1.0),
    "recency": (1, 3, 5, 10, 25, 100),
}


def up_cf(histories: Histories, settings: UpCfSettings) -> Scorer:
    """Scores sum over all shoppers v, the shopper included, of similarity(u, v)^q × popularity@r(v, i); exact.

    Source: Faggioli, Polato, Aiolli, "Recency Aware Collaborative Filtering for Next Basket Recommendation", UMAP 2020.
    popularity@r(v, i) = how many of v's last min(r, baskets) baskets hold i, divided by that number.
    similarity(u, v) = |I_u ∩ I_v| / (|I_u|^alpha × |I_v|^(1 - alpha)), I being all items a shopper ever bought; 1 for
    the shopper.

    Cost: a block of b shoppers is compared with all n by one sparse product.
    """
    ever = histories.bought()
    ever.data[:] = 1
    turned = ever.T.tocsr()
    size = np.diff(ever.indptr).astype(np.float32)
    theirs = np.power(size, np.float32(settings.asymmetry - 1))
    recent = np.minimum(histories.baskets, settings.recency)
    habits = histories.bought(recent=settings.recency).multiply(1 / recent[:, None]).T.tocsr().astype(np.float32)

    def scores(rows: Ints) -> Floats:
        mine = np.power(size[rows], np.float32(-settings.asymmetry))
        similarity = dense(ever[rows] @ turned) * mine[:, None] * theirs
        similarity[np.arange(len(rows)), rows] = 1
        return dense(habits @ np.power(similarity, settings.locality).T).T

    return scores
