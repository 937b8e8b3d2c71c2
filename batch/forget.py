"""Forgets in the warehouse: shoppers who asked for it, and days that are over; from files too, not only from tables.

What is deleted from a Delta table stays in files that older versions of it need, until they are vacuumed. Its log names
no shopper: statistics leave out every column that could, and rows are found by joining, not by naming.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from msgspec import Struct
from pyspark.sql import functions as sf

from batch.jobs import Report
from batch.table_forms import FORMS
from batch.warehouse import Warehouse, named

_SHOPPER: Final = "shopper_id"
BY_SHOPPER: Final = tuple(name for name, form in FORMS.items() if f"{_SHOPPER} string" in form.columns)
"""Tables whose rows say whose they are."""
BY_DAY: Final = tuple(name for name, form in FORMS.items() if "day" in form.partitioned_by)
MODELS: Final = "models"
"""Learned from everybody's history: after an erasure none of the retailer's is kept, and the next night trains anew."""


class Forgotten(Struct, frozen=True, kw_only=True):
    """What was removed.

    Attributes:
        rows: by table, where there were any.
        left: rows that a second look found; 0 = nothing of them is there any more.
    """

    rows: dict[str, int]
    left: int


def forget_shoppers(warehouse: Warehouse, retailer_id: str, shoppers: Sequence[str], report: Report) -> Forgotten:
    """Removes everything about some shoppers of a retailer, the retailer's models too, and looks again.

    Args:
        warehouse: locked by the caller.
        retailer_id: whose shoppers.
        shoppers: their hashes.
        report: told of progress.

    Raises:
        PortError: some tables may have forgotten them; run it again.
    """
    rows: dict[str, int] = {}
    tables = [name for name in (*BY_SHOPPER, MODELS) if warehouse.exists(name)]
    for number, name in enumerate(tables):
        report("erase", number, len(tables))
        if name == MODELS:
            rows[name] = _remove(warehouse, name, f"retailer_id = '{named(retailer_id)}'") if any(rows.values()) else 0
        else:
            rows[name] = warehouse.delete_matching(name, retailer_id, _SHOPPER, shoppers)
        warehouse.vacuum(name)
    gone = set(shoppers)
    left = sum(_count_of(warehouse, name, retailer_id, gone) for name in tables if name != MODELS)
    return Forgotten(rows=_some(rows), left=left)


def forget_days(warehouse: Warehouse, retailer_id: str, before: date, report: Report) -> Forgotten:
    """Removes a retailer's days before one.

    Args:
        warehouse: locked by the caller.
        retailer_id: whose.
        before: the first day that stays.
        report: told of progress.

    Raises:
        PortError: some tables may have forgotten them; run it again.
    """
    where = f"retailer_id = '{named(retailer_id)}' AND day < DATE'{before.isoformat()}'"
    rows: dict[str, int] = {}
    tables = [name for name in BY_DAY if warehouse.exists(name)]
    for number, name in enumerate(tables):
        report("expire", number, len(tables))
        rows[name] = _remove(warehouse, name, where)
        # Also where there was nothing: a run that was killed may have left the files.
        warehouse.vacuum(name)
    left = sum(warehouse.table(name).where(where).count() for name in tables)
    return Forgotten(rows=_some(rows), left=left)


def _remove(warehouse: Warehouse, name: str, where: str) -> int:
    count = warehouse.table(name).where(where).count()
    if count:
        warehouse.delete(name, where)
    return count


def _count_of(warehouse: Warehouse, name: str, retailer_id: str, shoppers: Iterable[str]) -> int:
    gone = warehouse.spark.createDataFrame([(one,) for one in shoppers], f"{_SHOPPER} string")
    of_retailer = warehouse.table(name).where(sf.col("retailer_id") == retailer_id)
    return of_retailer.join(gone, on=_SHOPPER, how="left_semi").count()


def _some(rows: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in rows.items() if count}
