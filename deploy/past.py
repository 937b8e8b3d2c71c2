"""What the warehouse holds of shoppers, read for some of them at a time: one search of its tables serves many."""

from __future__ import annotations

import asyncio
from collections import deque
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
READS_MAX: Final = 3
"""Searches of which something is kept: as many requests may take turns."""
_IT: Final = "the history that the night learns from, in the warehouse: events, orders and what follows, by this hash"


class Past(NamedTuple):
    """What is told of a shopper's past.

    Attributes:
        at_ms: as of when, Unix milliseconds: it may have been read for several shoppers.
        tables: rows by table.
        absent: the sentence that says why they are not there; empty where they are.
    """

    at_ms: int
    tables: Mapping[str, Sequence[dict[str, Any]]]
    absent: str = ""


class _Read(NamedTuple):
    """What one search brought and nobody has asked for yet; from then on it is old."""

    old_s: float
    pasts: dict[ShopperKey, Past]


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
        self._reads: deque[_Read] = deque(maxlen=READS_MAX)
        self._searching: asyncio.Future[None] | None = None

    async def of(self, key: ShopperKey, behind: Iterable[ShopperKey] = ()) -> Past:
        """Gives a shopper's past.

        Args:
            key: whose.
            behind: the retailer's shoppers who will be asked for next; what is theirs is read with it.

        Raises:
            PortError: the warehouse can't be read now.
        """
        if self._warehouse is None:
            return Past(self._clock.now_ms(), {}, f"{_IT}: HOTBASKET_WAREHOUSE does not say where it is")
        while (past := self._taken(key)) is None:
            if self._searching is None or self._searching.done():
                keys = [key, *islice(behind, AT_ONCE - 1)]
                self._searching = asyncio.ensure_future(self._search(self._warehouse, keys))
                self._searching.add_done_callback(_heard)
            # Whoever gives up leaves it behind, and finds at the next try what it brought.
            await asyncio.shield(self._searching)
        return past

    def _taken(self, key: ShopperKey) -> Past | None:
        now_s = self._clock.monotonic_s()
        while self._reads and now_s >= self._reads[0].old_s:
            self._reads.popleft()
        return next((read.pasts.pop(key) for read in self._reads if key in read.pasts), None)

    async def _search(self, warehouse: WarehouseData, keys: Sequence[ShopperKey]) -> None:
        """Reads the first of them, and as many of the others as there is room for."""
        at_ms = self._clock.now_ms()
        try:
            pasts = await self._found(warehouse, keys, at_ms)
        except LibraryMissing as error:
            pasts = {keys[0]: Past(at_ms, {}, f"{_IT}: {error}")}
        self._reads.append(_Read(self._clock.monotonic_s() + GATHERED_S, pasts))

    async def _found(self, warehouse: WarehouseData, keys: Sequence[ShopperKey], at_ms: int) -> dict[ShopperKey, Past]:
        retailer_id = keys[0].retailer_id
        counts = await warehouse.count(retailer_id, [key.shopper for key in keys])
        found: dict[ShopperKey, Past] = {}
        rows = 0
        for key in keys:
            here = counts.get(key.shopper, 0)
            if self._rows_max is not None and here > self._rows_max:
                why = f"{_IT}: {here:,} rows, too many for a kept document; hotbasket privacy export"
                found[key] = Past(at_ms, {}, why)
                continue
            if found and rows + here > ROWS_AT_ONCE:
                break
            found[key] = Past(at_ms, {})
            rows += here
        held = [key.shopper for key, past in found.items() if not past.absent and counts.get(key.shopper)]
        tables = await warehouse.rows(retailer_id, held) if held else {}
        return found | {ShopperKey(retailer_id, shopper): Past(at_ms, some) for shopper, some in tables.items()}


def _heard(searched: asyncio.Future[None]) -> None:
    """Takes note of how a search ended for which nobody waits any more."""
    if not searched.cancelled():
        searched.exception()
