"""What all shoppers together say about each item, as sums that can be made part by part and added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from batch.baskets.histories import Doubles, Floats, Histories, Ints
from batch.baskets.purchases import Purchases, purchases

RECENT_DAYS = 14.0
ITEM_NAMES = (
    "item_shoppers",
    "item_lines",
    "item_last",
    "item_last_3",
    "item_trend",
    "item_recent_days",
    "item_repeat_share",
    "item_rebuy_rate",
    "item_kept_share",
    "item_gap",
)
# Worth of the average item that a rare one starts with, in observations.
PRIOR = 5.0


@dataclass(frozen=True)
class ItemTables:
    """Additive sums: those of two sets of shoppers, none in both, add up to those of their union.

    Attributes:
        totals: [4] shoppers, baskets, shoppers with two baskets or more, baskets of the last 14 days before as_of.
        shoppers: [item_num] shoppers who bought the item; likewise all below.
        lines: baskets that hold it.
        last: last baskets that hold it.
        last_3: of the last three baskets.
        recent: of the baskets of the last 14 days; 0 where days are unknown.
        repeaters: shoppers who bought it twice or more.
        chances: baskets after a shopper's first one with it.
        owned: shoppers who had bought it before their last basket.
        kept: of these, those whose last basket holds it.
        gaps: sum over repeaters of their mean gap in baskets.
    """

    totals: Doubles
    shoppers: Doubles
    lines: Doubles
    last: Doubles
    last_3: Doubles
    recent: Doubles
    repeaters: Doubles
    chances: Doubles
    owned: Doubles
    kept: Doubles
    gaps: Doubles

    def finish(self) -> Floats:
        """[item_num, ITEM_NAMES] rates; those of rare items are drawn towards the rate of all."""
        shoppers, baskets, _, recent = np.maximum(self.totals, 1)
        last, lines = self.last / shoppers, self.lines / baskets
        columns = (
            self.shoppers / shoppers,
            lines,
            last,
            self.last_3 / shoppers,
            (self.last + 1) / (shoppers * lines + 1),
            (self.recent + 1) / (recent * lines + 1) if self.totals[3] else np.full(len(lines), np.nan),
            drawn(self.repeaters, self.shoppers),
            drawn(self.lines - self.shoppers, self.chances),
            drawn(self.kept, self.owned),
            np.where(self.repeaters > 0, self.gaps / np.maximum(self.repeaters, 1), np.nan),
        )
        return np.stack([np.asarray(column, dtype=np.float32) for column in columns], axis=1)


def partial(histories: Histories, known: Purchases | None = None) -> ItemTables:
    """The sums over some shoppers.

    Args:
        histories: of these shoppers.
        known: their purchases, if somebody has them already.
    """
    own = purchases(histories) if known is None else known
    items, width = own.items, histories.item_num

    def summed(weights: npt.ArrayLike, of: Ints = items) -> Doubles:
        return np.bincount(of, weights=np.asarray(weights), minlength=width).astype(np.float64)

    baskets, fresh = histories.baskets, np.zeros(len(histories.basket_shopper), dtype=bool)
    if histories.days is not None and histories.as_of is not None:
        fresh = histories.as_of[histories.basket_shopper] - histories.days <= RECENT_DAYS
    several = own.count > 1
    owned = own.first > 0
    gap = np.where(several, (own.first - own.last) / np.maximum(own.count - 1, 1), 0)
    totals = np.array([len(histories), baskets.sum(), (baskets > 1).sum(), fresh.sum()], dtype=np.float64)
    return ItemTables(
        totals,
        summed(np.ones(len(items))),
        summed(own.count),
        summed(own.last == 0),
        summed(histories.line_rank < 3, histories.items),
        summed(fresh[histories.line_basket], histories.items),
        summed(several),
        summed(own.first),
        summed(owned),
        summed(owned & (own.last == 0)),
        summed(gap),
    )


def drawn(hits: Doubles, chances: Doubles) -> Doubles:
    """Gives hits / chances, drawn towards the rate of all items where chances are few."""
    overall = hits.sum() / max(chances.sum(), 1)
    rates: Doubles = (hits + PRIOR * overall) / (chances + PRIOR)
    return rates
