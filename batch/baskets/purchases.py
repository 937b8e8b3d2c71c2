"""What each shopper bought, item by item: how often, how lately, in which rhythm; one row per shopper and item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batch.baskets.histories import Doubles, Floats, Histories, Ints
from batch.baskets.tifu_knn import TifuSettings, vectors

DECAYS = (0.95, 0.8, 0.6, 0.3)
RECENT = (1, 2, 3, 5)
DAY_DECAYS = (7.0, 28.0)
TASTE_DECAY = 0.85
OWN_NAMES = (
    "count",
    "frequency",
    "frequency_since_first",
    *(f"decayed_{decay}" for decay in DECAYS),
    *(f"in_last_{recent}" for recent in RECENT),
    "baskets_since",
    "baskets_since_first",
    "gap_mean",
    "gap_deviation",
    "since_over_gap",
    "place_by_count",
    "place_by_decay",
    "share_of_decay",
    "tifu",
    "days_since",
    "days_gap",
    "days_over_gap",
    *(f"decayed_{int(days)}_days" for days in DAY_DECAYS),
)
SHOPPER_NAMES = (
    "baskets",
    "basket_size",
    "basket_size_deviation",
    "last_size",
    "items",
    "repeat_share",
    "last_repeat_share",
    "days_since_last",
    "days_between",
)


@dataclass(frozen=True)
class Purchases:
    """Rows (shopper, item), ascending by shopper, then item.

    Attributes:
        item_num: width of an item's number.
        keys: [rows] shopper × item_num + item.
        ptr: [n + 1] rows of each shopper.
        own: [rows, OWN_NAMES] features of shopper and item; NaN where unknown.
        shoppers: [n, SHOPPER_NAMES] features of the shopper.
        taste: [rows] recency-weighted count, for choosing among many.
        first, last: [rows] rank of the first and the last basket with the item, 0 is the shopper's last basket.
        count: [rows] baskets with the item.
    """

    item_num: int
    keys: Ints
    ptr: Ints
    own: Floats
    shoppers: Floats
    taste: Floats
    first: Ints
    last: Ints
    count: Ints

    @property
    def items(self) -> Ints:
        """[rows] the item of each row."""
        return self.keys % self.item_num

    def find(self, shopper: Ints, item: Ints) -> Ints:
        """The row of each pair, -1 where the shopper never bought the item."""
        wanted = shopper * self.item_num + item
        at = np.searchsorted(self.keys, wanted)
        found = np.zeros(len(wanted), dtype=bool)
        inside = at < len(self.keys)
        found[inside] = self.keys[at[inside]] == wanted[inside]
        return np.where(found, at, -1)


def purchases(histories: Histories) -> Purchases:
    """Folds histories into one row per shopper and item, with all features of the shopper's own past."""
    rank, keys = histories.line_rank, histories.line_shopper * histories.item_num + histories.items
    order = np.argsort(keys, kind="stable")
    keys, rank = keys[order], rank[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    pairs = keys[starts]
    shopper = pairs // histories.item_num
    ptr = np.searchsorted(shopper, np.arange(len(histories) + 1))
    count = np.diff(np.append(starts, len(keys)))
    first, last = rank[starts], rank[starts + count - 1]
    gap, deviation = _gaps(rank, starts, first, last, count)
    taste = _summed(np.power(TASTE_DECAY, rank), starts)
    tifu = vectors(histories, TifuSettings())
    tifu.sort_indices()
    columns = [
        count,
        count / histories.baskets[shopper],
        count / (first + 1),
        *(_summed(np.power(decay, rank), starts) for decay in DECAYS),
        *(_summed(rank < recent, starts) / recent for recent in RECENT),
        last,
        first,
        gap,
        deviation,
        (last + 1) / gap,
        _place(count + taste / (1 + taste.max(initial=0)), shopper, ptr),
        _place(taste, shopper, ptr),
        taste / np.bincount(shopper, weights=taste, minlength=len(histories))[shopper],
        tifu.data,
        *_days(histories, order, starts, count),
    ]
    own = np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)
    again = np.bincount(shopper, weights=(last == 0) & (count > 1), minlength=len(histories)).astype(np.float64)
    shoppers = _shoppers(histories, np.diff(ptr), again)
    return Purchases(histories.item_num, pairs, ptr, own, shoppers, taste.astype(np.float32), first, last, count)


def _summed(values: npt.ArrayLike, starts: Ints) -> Doubles:
    """The sums of the parts that begin at `starts`."""
    sums: Doubles = np.add.reduceat(np.asarray(values, dtype=np.float64), starts) if len(starts) else np.empty(0)
    return sums


def _gaps(rank: Ints, starts: Ints, first: Ints, last: Ints, count: Ints) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of the gaps between purchases of an item, in baskets; NaN below 2, 3 purchases."""
    steps = np.append(rank[:-1] - rank[1:], 0).astype(np.float64)
    steps[starts + count - 1] = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (first - last) / (count - 1)
        variance = _summed(steps**2, starts) / (count - 1) - mean**2
    return np.where(count > 1, mean, np.nan), np.where(count > 2, np.sqrt(np.maximum(variance, 0)), np.nan)


def _place(values: Doubles, shopper: Ints, ptr: Ints) -> Ints:
    """The place of each row among its shopper's rows by falling value, 0 the best; ties to the smaller item."""
    order = np.lexsort((np.arange(len(values)), -values, shopper))
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.arange(len(values)) - ptr[shopper[order]]
    return place


def _days(histories: Histories, order: Ints, starts: Ints, count: Ints) -> list[Doubles]:
    """The features that need days: since the last purchase, between purchases, their ratio, decayed counts."""
    if histories.days is None or histories.as_of is None:
        return [np.full(len(starts), np.nan)] * (3 + len(DAY_DECAYS))
    ago = (histories.as_of[histories.line_shopper] - histories.days[histories.line_basket])[order]
    since, oldest = ago[starts + count - 1], ago[starts]
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(count > 1, (oldest - since) / (count - 1), np.nan)
        ratio = np.where(gap > 0, since / gap, np.nan)
    return [since, gap, ratio, *(_summed(np.exp(-ago / days), starts) for days in DAY_DECAYS)]


def _shoppers(histories: Histories, items: Ints, again: Doubles) -> Floats:
    """[n, SHOPPER_NAMES]."""
    n, sizes = len(histories), np.diff(histories.item_ptr)
    baskets = histories.baskets
    lines = np.bincount(histories.basket_shopper, weights=sizes, minlength=n)
    squares = np.bincount(histories.basket_shopper, weights=sizes.astype(np.float64) ** 2, minlength=n)
    mean = lines / baskets
    last = sizes[histories.basket_ptr[1:] - 1]
    since, between = np.full(n, np.nan), np.full(n, np.nan)
    if histories.days is not None and histories.as_of is not None:
        youngest, oldest = histories.days[histories.basket_ptr[1:] - 1], histories.days[histories.basket_ptr[:-1]]
        since = histories.as_of - youngest
        between = np.where(baskets > 1, (youngest - oldest) / np.maximum(baskets - 1, 1), np.nan)
    columns = (
        baskets,
        mean,
        np.sqrt(np.maximum(squares / baskets - mean**2, 0)),
        last,
        items,
        1 - items / lines,
        again / last,
        since,
        between,
    )
    return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)
