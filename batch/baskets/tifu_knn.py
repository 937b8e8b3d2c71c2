"""TIFU-kNN, a baseline: a shopper's decayed item frequencies mixed with those of the nearest shoppers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from batch.baskets.histories import Floats, Histories, Ints, Matrix
from batch.baskets.ranking import Scorer, dense


@dataclass(frozen=True)
class TifuSettings:
    """What the paper tunes.

    Attributes:
        within_decay: r_b, per basket.
        group_decay: r_g, per group of baskets.
        groups: m, how many groups a history is cut into.
        neighbours: k.
        own_share: alpha, weight of the shopper's own vector.
    """

    within_decay: float = 0.9
    group_decay: float = 0.7
    groups: int = 7
    neighbours: int = 300
    own_share: float = 0.7


GRID: dict[str, tuple[float, ...]] = {
    "own_share": (0.1, 0.3, 0.5, 0.7, 0.9),
    "neighbours": (100, 300, 900),
    "group_decay": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "groups": (3, 7, 15, 23),
    "within_decay": (0.6, 0.8, 0.9, 1.0),
}


def vectors(histories: Histories, settings: TifuSettings) -> Matrix:
    """[n, item_num] the shoppers' decayed item frequencies.

    Source: Hu, He, Gao, Zhang, "Modeling Personalized Item Frequency Information for Next-basket Recommendation",
    SIGIR 2020. A history of h baskets is cut into m' = min(m, h) groups of nearly equal size, the larger ones last.
    Within a group of g baskets, basket j of 1..g weighs r_b^(g - j), and the group's vector is the mean of its weighted
    baskets; group i of 1..m' weighs r_g^(m' - i), and the shopper's vector is the mean of the weighted groups.
    """
    counts = histories.baskets
    groups = np.minimum(counts, settings.groups)
    shopper = histories.basket_shopper
    place = counts[shopper] - 1 - histories.basket_rank
    smaller = counts // np.maximum(groups, 1)
    small_groups = groups - counts % np.maximum(groups, 1)
    in_small = small_groups[shopper] * smaller[shopper]
    late = place >= in_small
    size = smaller[shopper] + late
    offset = np.where(late, place - in_small, place)
    group = np.where(late, small_groups[shopper], 0) + offset // size
    within = np.power(settings.within_decay, size - 1 - offset % size)
    between = np.power(settings.group_decay, groups[shopper] - 1 - group)
    weight = (within * between / size / groups[shopper]).astype(np.float32)
    shape = (len(histories), histories.item_num)
    return sparse.csr_matrix((weight[histories.line_basket], (histories.line_shopper, histories.items)), shape=shape)


def tifu_knn(histories: Histories, settings: TifuSettings) -> Scorer:
    """Scores alpha × own vector + (1 - alpha) × mean vector of the k nearest of all others (Euclidean, exact).

    Cost: a block of b shoppers is compared with all n by one sparse product.
    """
    own = vectors(histories, settings)
    squares = np.asarray(own.multiply(own).sum(axis=1), dtype=np.float32).ravel()
    turned = own.T.tocsr()
    k = max(1, min(settings.neighbours, len(histories) - 1))

    def scores(rows: Ints) -> Floats:
        mine = own[rows]
        distance = squares - 2 * dense(mine @ turned)
        distance[np.arange(len(rows)), rows] = np.inf
        nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
        pointers = np.arange(0, (len(rows) + 1) * k, k)
        mean = sparse.csr_matrix(
            (np.full(nearest.size, 1 / k, dtype=np.float32), nearest.ravel(), pointers), shape=distance.shape
        )
        return dense(mine * settings.own_share + (mean @ own) * (1 - settings.own_share))

    return scores
