"""What shoppers whose next basket is known teach about others: what is bought now, after what, and by whose like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from batch.baskets.histories import Doubles, Floats, Histories, Matrix
from batch.baskets.item_tables import drawn
from batch.baskets.ridge import Ridge, ridge
from batch.baskets.similar import Likeness, likeness
from batch.baskets.transitions import Transitions, transitions

TASTE_DECAY = 0.85
RATE_NAMES = (
    "now",
    "now_by_owners",
    "now_by_others",
    "now_by_last_owners",
    "now_over_before",
    "now_over_last",
    "now_owners_kept",
)
SCORE_NAMES = (
    "after_taste",
    "after_taste_lift",
    "after_last",
    "like_next",
    "like_next_wide",
    "like_habit",
    "like_habit_wide",
    "ridge",
)


@dataclass(frozen=True)
class Reference:
    """The lessons of R pairs (history, next basket).

    Attributes:
        pairs: R.
        rates: [item_num, RATE_NAMES].
        after, after_last: what follows an item of the history, of the last basket.
        like: nearest shoppers among the pairs.
        learned: the linear map from history to next basket.
    """

    pairs: int
    rates: Floats
    after: Transitions
    after_last: Transitions
    like: Likeness
    learned: Ridge

    def scores(self, histories: Histories) -> Floats:
        """[SCORE_NAMES, n, item_num] for a block of shoppers; a shopper of the same id is never their own neighbour."""
        taste = histories.bought(TASTE_DECAY)
        last = histories.bought(recent=1)
        parts = [
            self.after.rate(taste),
            self.after.lift(taste),
            self.after_last.rate(last),
            *self.like.scores(histories),
            self.learned.scores(histories),
        ]
        return np.stack(parts)


def reference(histories: Histories, targets: Matrix) -> Reference:
    """Learns from pairs.

    Args:
        histories: of R shoppers, before their next basket.
        targets: [R, item_num] their next baskets.
    """
    ever = histories.bought()
    ever.data[:] = 1
    last = histories.bought(recent=1)
    return Reference(
        len(histories),
        _rates(histories, ever, last, targets),
        transitions(ever, targets),
        transitions(last, targets),
        likeness(histories, targets),
        ridge(histories, targets),
    )


def _rates(histories: Histories, ever: Matrix, last: Matrix, targets: Matrix) -> Floats:
    """[item_num, RATE_NAMES] how often the next basket holds an item, for whom; rare items are drawn to the average."""
    n = len(histories)
    now, owners, last_owners = _sums(targets), _sums(ever), _sums(last)
    kept, last_kept = _sums(ever.multiply(targets)), _sums(last.multiply(targets))
    before = np.bincount(histories.items, minlength=histories.item_num) / max(len(histories.basket_shopper), 1)
    columns = (
        now / n,
        drawn(kept, owners),
        (now - kept) / np.maximum(n - owners, 1),
        drawn(last_kept, last_owners),
        (now + 1) / (before * n + 1),
        (now + 1) / (last_owners + 1),
        kept / n,
    )
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def _sums(matrix: Matrix) -> Doubles:
    sums: Doubles = np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
    return sums
