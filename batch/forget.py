"""Forgets in the warehouse the days that are over; from files too, not only from tables.

What is deleted from a Delta table stays in files that older versions of it need, until they are vacuumed. Shoppers who
asked to be forgotten are `batch.shopper_data`'s.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct

from batch.jobs import Report
from batch.table_forms import BY_DAY
from batch.warehouse import Warehouse, named


class Forgotten(Struct, frozen=True, kw_only=True):
    """What was removed.

    Attributes:
        rows: by table, where there were any.
        left: rows that a second look found; 0 = nothing of them is there any more.
    """

    rows: dict[str, int]
    left: int


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


def _some(rows: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in rows.items() if count}
