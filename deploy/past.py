"""What the warehouse holds of shoppers, read for some of them at a time: one search of its tables serves many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from batch.shopper_data import WarehouseData
from batch.shopper_table import LibraryMissing
from domain.ids import ShopperKey
from domain.ports.clock import Clock

AT_ONCE: Final = 200
"""Shoppers of one search."""
ROWS_AT_ONCE: Final = 50_000
"""Rows of one search, or one shopper's if that is more."""
GATHERED_S: Final = 60.0
"""For so long what was read for many documents serves the next ones."""
_IT: Final = "the history that the night learns from, in the warehouse: events, orders and what follows, by this hash"


class Past(NamedTuple):
    """What is told of a shopper's past.

    Attributes:
        tables: rows by table.
        absent: the sentence that says why they are not there; empty where they are.
    """

    tables: Mapping[str, Sequence[dict[str, Any]]]
    absent: str = ""


class PastReader:
    """Reads the past of one shopper after another.

    Args:
        warehouse: where it is; None = nothing says where.
        clock: says when what was read is too old.
        rows_max: of one shopper: what is more is not read. None = there is no bound.
    """

    def __init__(self, warehouse: WarehouseData | None, clock: Clock, rows_max: int | None = None) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._rows_max = rows_max
        self._read: dict[ShopperKey, Past] = {}
        self._read_s = 0.0

    async def of(self, key: ShopperKey, behind: Iterable[ShopperKey] = ()) -> Past:
        """Gives a shopper's past.

        Args:
            key: whose.
            behind: the retailer's shoppers who will be asked for next; what is theirs is read with it.

        Raises:
            PortError: the warehouse can't be read now.
        """
        if self._warehouse is None:
            return Past({}, f"{_IT}: HOTBASKET_WAREHOUSE does not say where it is")
        now_s = self._clock.monotonic_s()
        if key not in self._read or now_s >= self._read_s + GATHERED_S:
            self._read, self._read_s = {}, now_s
            try:
                self._read = await self._search(self._warehouse, [key, *islice(behind, AT_ONCE - 1)])
            except LibraryMissing as error:
                return Past({}, f"{_IT}: {error}")
        return self._read.pop(key)

    async def _search(self, warehouse: WarehouseData, keys: Sequence[ShopperKey]) -> dict[ShopperKey, Past]:
        """Reads the first of them, and as many of the others as there is room for."""
        retailer_id = keys[0].retailer_id
        counts = await warehouse.count(retailer_id, [key.shopper for key in keys])
        found: dict[ShopperKey, Past] = {}
        rows = 0
        for key in keys:
            here = counts.get(key.shopper, 0)
            if self._rows_max is not None and here > self._rows_max:
                found[key] = Past({}, f"{_IT}: {here:,} rows, too many for a kept document; hotbasket privacy export")
                continue
            if found and rows + here > ROWS_AT_ONCE:
                break
            found[key] = Past({})
            rows += here
        held = [key.shopper for key, past in found.items() if not past.absent and counts.get(key.shopper)]
        tables = await warehouse.rows(retailer_id, held) if held else {}
        return found | {ShopperKey(retailer_id, shopper): Past(some) for shopper, some in tables.items()}
