"""Crossing the halves: what something cost is read from one half of the orders, how much was bought from the other.

A price is seen only where something was sold. Whoever counts and prices the same lines either never sees a week
without sales, or must guess what it would have cost then; both bend the estimate, and a guess of the regular price
bends it towards what one hopes to find, since discounts are then seen only in weeks that sold. Orders fall into two
halves by their id. Given a product's demand in a week, what one half bought says nothing about what the other bought:
among the weeks that the first half priced, the second half's count is a count like any other, zeros included.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

RELATIVE_RANGE: Final = (0.2, 5.0)
"""Relative prices outside are taken as its ends: four fifths off is a fault of the data or a gift."""
QUANTITY_LINES_MAX: Final = 10.0
"""A line counts at most so many times the product's usual quantity: one caterer is no demand curve."""
REFERENCE_QUANTILE: Final = 0.9
"""Of a product's prices, where nobody knows its regular price."""

COLUMNS: Final = {
    "category_id": "object",
    "product_id": "object",
    "group": "int64",
    "week": "int64",
    "bought": "float64",
    "log_relative": "float64",
    "promotion": "float64",
    "log_baskets": "float64",
}
"""What `crossed` gives."""

_CELL: Final = ["category_id", "product_id", "store_id", "week"]


def crossed(panel: pd.DataFrame) -> pd.DataFrame:
    """Pairs each cell's price in one half of the orders with its quantity in the other.

    Of a row of the panel (product i, store s, week t, half h):

        log_relative = ln(amount_minor / regular_minor) in half h, within ln of `RELATIVE_RANGE`
        promotion    = promotion_lines / lines in half h, 0..1
        bought       = quantity in half 1 - h, 0 if it bought none, in the product's usual quantity per line
                       (so that fuel and weighed goods count like pieces), at most 10 of them a line
        log_baskets  = ln(baskets of half 1 - h in that store and week): the exposure

    A product without any known regular price is compared with the 0.9 quantile of its own prices instead, and has no
    promotion. Rows whose counting half had no basket in that week are left out.

    Source: sample splitting as in Angrist & Krueger (1995), "Split-sample instrumental variables estimates of the
    return to schooling", JBES 13(2); that both halves of a Poisson count are independent: Kingman (1993), "Poisson
    processes", the colouring theorem.

    Args:
        panel: `batch.econometrics.panel.COLUMNS`, of any number of categories.

    Returns:
        One row per priced cell: `COLUMNS`; `group` numbers product and store from 0. Sorted by group, week and half.
    """
    if panel.empty:
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COLUMNS.items()})
    rows = panel.sort_values(["category_id", "product_id", "store_id", "week", "half"], ignore_index=True)
    counted = pd.DataFrame(
        {**{name: rows[name] for name in _CELL}, "half": 1 - rows["half"], "bought": _bought(rows)},
    )
    exposure = rows.groupby(["store_id", "week", "half"], as_index=False)["baskets"].max()
    exposure["half"] = 1 - exposure["half"]
    priced = rows.drop(columns="baskets").assign(log_relative=_log_relative(rows), promotion=_promotion(rows))
    paired = priced.merge(counted, how="left", on=[*_CELL, "half"])
    paired = paired.merge(exposure, how="left", on=["store_id", "week", "half"])
    paired = paired[paired["baskets"].fillna(0) > 0]
    paired["bought"] = paired["bought"].fillna(0.0)
    paired["log_baskets"] = np.log(paired["baskets"])
    paired["group"] = paired.groupby(["category_id", "product_id", "store_id"], sort=True).ngroup()
    return paired[list(COLUMNS)].astype(COLUMNS).reset_index(drop=True)


def _bought(rows: pd.DataFrame) -> pd.Series:
    """The quantity of each row in the product's usual quantities per line."""
    usual = (rows["quantity"] / rows["lines"]).groupby(rows["product_id"]).transform("median")
    return np.minimum(rows["quantity"] / usual, QUANTITY_LINES_MAX * rows["lines"])


def _log_relative(rows: pd.DataFrame) -> pd.Series:
    """The log of paid over regular price of each row."""
    unit = rows["amount_minor"] / rows["quantity"]
    of_product = rows["product_id"]
    reference = unit.groupby(of_product).transform("quantile", REFERENCE_QUANTILE)
    relative = (rows["amount_minor"] / rows["regular_minor"]).where(_regular_known(rows), unit / reference)
    return np.log(relative.clip(*RELATIVE_RANGE))


def _promotion(rows: pd.DataFrame) -> pd.Series:
    return (rows["promotion_lines"] / rows["lines"]).where(_regular_known(rows), 0.0).clip(0.0, 1.0)


def _regular_known(rows: pd.DataFrame) -> pd.Series:
    return rows["regular_lines"].groupby(rows["product_id"]).transform("sum") > 0
