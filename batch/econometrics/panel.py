"""The panel: sold products added up by product, week and half of the orders, from the warehouse to the estimators.

It is bounded by the catalogue times the weeks, never by shoppers, so that one machine holds what many have added up.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
import pandas as pd

COLUMNS: Final = {
    "category_id": "object",
    "product_id": "object",
    "store_id": "object",
    "week": "int64",
    "half": "int64",
    "lines": "float64",
    "quantity": "float64",
    "amount_minor": "float64",
    "regular_minor": "float64",
    "regular_lines": "float64",
    "promotion_lines": "float64",
    "baskets": "float64",
}
"""The panel's columns and their types. Sums are floats, since a sum of absurd amounts leaves 64 bits."""

KEY: Final = ["category_id", "product_id", "store_id", "week", "half"]
AMOUNT_MINOR_MAX: Final = 10**12
"""Largest amount of a line that is believed, as at the gateway's door."""
PROMOTED_BELOW: Final = 0.99
"""A line counts as promoted when it cost less than this share of its regular price; less than 1 % off is rounding."""
_MONDAY: Final = pd.Timestamp("1970-01-05")


def panel_of(sold: pd.DataFrame) -> pd.DataFrame:
    """Adds up sold products of one retailer.

    A line is left out if it has no product, no order, no quantity above 0, or no paid amount in (0, 10^12] (gifts,
    refunds and absurd prices say nothing about what a price does). Of each line that stays:

        store_id  = the sale's, '' where the retailer has no stores
        week      = floor(days from Monday 1970-01-05 to `day` / 7)
        half      = crc32(order_id as UTF-8) mod 2; both halves are independent samples of the same demand
        known     = regular_price_minor is in (0, 10^12]
        regular   = max(quantity x regular_price_minor if known, else 0; amount_minor)
        promoted  = amount_minor < 0.99 x regular

    and by (category_id, product_id, store_id, week, half): `lines` = count, `quantity` = sum (units; grams or
    thousandths of fuel are fine), `amount_minor` = sum, `regular_minor` = sum of regular, `regular_lines` = number of
    known, `promotion_lines` = number of promoted. `baskets` = distinct orders by (store_id, week, half), whatever they
    hold, repeated on every row of that week.

    Args:
        sold: the warehouse's `sold_products`: order_id, day (date or timestamp), product_id, category_id, quantity,
            regular_price_minor, amount_minor; store_id if there is one. In any order; a category may be missing ('').

    Returns:
        The panel: `COLUMNS`, sorted by its key; empty for no sales.
    """
    if sold.empty:
        return empty_panel()
    lines = _believable(sold)
    if lines.empty:
        return empty_panel()
    baskets = lines.groupby(["store_id", "week", "half"])["order_id"].nunique().rename("baskets").reset_index()
    summed = (
        lines.groupby(KEY, sort=True)
        .agg(
            lines=("quantity", "size"),
            quantity=("quantity", "sum"),
            amount_minor=("amount_minor", "sum"),
            regular_minor=("regular_minor", "sum"),
            regular_lines=("known", "sum"),
            promotion_lines=("promoted", "sum"),
        )
        .reset_index()
    )
    joined = summed.merge(baskets, how="left", on=["store_id", "week", "half"])
    return joined[list(COLUMNS)].astype(COLUMNS).sort_values(KEY, kind="stable", ignore_index=True)


def empty_panel() -> pd.DataFrame:
    """Gives the panel of a retailer without orders."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})


def half_of(order_id: str) -> int:
    """Tells which half of the orders an order belongs to: 0 or 1, the same for ever and in Spark (`crc32(id) % 2`)."""
    return zlib.crc32(order_id.encode()) % 2


def _believable(sold: pd.DataFrame) -> pd.DataFrame:
    """Gives the lines that count, with store, week, half, regular amount and whether they were promoted."""
    quantity = pd.to_numeric(sold["quantity"], errors="coerce").astype("float64")
    amount = pd.to_numeric(sold["amount_minor"], errors="coerce").astype("float64")
    good = (quantity > 0) & np.isfinite(quantity) & (amount > 0) & (amount <= AMOUNT_MINOR_MAX)
    good &= sold["product_id"].notna() & sold["order_id"].notna() & sold["day"].notna()
    lines = sold[good]
    regular_unit = pd.to_numeric(lines["regular_price_minor"], errors="coerce").astype("float64")
    known = (regular_unit > 0) & (regular_unit <= AMOUNT_MINOR_MAX)
    regular = np.maximum((quantity[good] * regular_unit).where(known, 0.0), amount[good])
    stores = lines["store_id"] if "store_id" in lines.columns else pd.Series("", index=lines.index)
    order_ids = lines["order_id"].astype(str)
    halves = {order: half_of(order) for order in order_ids.unique()}
    days = (pd.to_datetime(lines["day"]).dt.normalize() - _MONDAY).dt.days
    return pd.DataFrame(
        {
            "category_id": lines["category_id"].fillna("").astype(str),
            "product_id": lines["product_id"].astype(str),
            "store_id": stores.fillna("").astype(str),
            "week": days // 7,
            "half": order_ids.map(halves),
            "order_id": order_ids,
            "quantity": quantity[good],
            "amount_minor": amount[good],
            "regular_minor": regular,
            "known": known.astype("int64"),
            "promoted": (amount[good] < PROMOTED_BELOW * regular).astype("int64"),
        }
    )
