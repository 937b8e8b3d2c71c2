"""Shoppers' pasts: one search serves many documents, none takes more memory than is allowed, none is old."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from batch.shopper_table import LibraryMissing
from deploy import past
from deploy.past import GATHERED_S, Past, PastReader
from domain.errors import PortError
from domain.ids import ShopperHash, ShopperKey
from tests.contract.conftest import StoppedClock
from tests.story import NOON_MS

KEYS = [ShopperKey("r-1", ShopperHash(f"{number:064x}")) for number in range(4)]


class Warehouse:
    """A warehouse that says how often it was searched for whom."""

    def __init__(self, *counts: int) -> None:
        self.counts = {key.shopper: count for key, count in zip(KEYS, counts, strict=False) if count}
        self.searches: list[list[str]] = []
        self.fault: PortError | None = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def count(self, retailer_id: str, shoppers: Sequence[str]) -> dict[str, int]:
        """Gives what it was told."""
        assert "r-1" == retailer_id
        if self.fault is not None:
            raise self.fault
        return {one: self.counts[one] for one in shoppers if one in self.counts}

    async def rows(self, retailer_id: str, shoppers: Sequence[str]) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """Gives one row for all of somebody's."""
        assert "r-1" == retailer_id
        self.searches.append([one[-1] for one in shoppers])
        await self.may_answer.wait()
        return {one: {"orders": [{"order_id": one[-1]}]} for one in shoppers}


def reader(warehouse: Any, rows_max: int | None = None, clock: StoppedClock | None = None) -> PastReader:
    """A reader of it."""
    return PastReader(warehouse, clock or StoppedClock(), rows_max)


async def told(reading: PastReader, number: int) -> Past:
    """Asks for one of the four, the others behind."""
    return await reading.of(KEYS[number], KEYS[number + 1 :])


def ordered(number: int) -> Past:
    """What the warehouse holds of one."""
    return Past(NOON_MS, {"orders": [{"order_id": str(number)}]})


async def test_one_search_serves_those_who_come_behind() -> None:
    """Each gets what is theirs; of whom nothing is held, nothing is looked for."""
    warehouse = Warehouse(1, 0, 1, 1)
    reading = reader(warehouse)
    assert [ordered(0), Past(NOON_MS, {}), ordered(2), ordered(3)] == [
        await told(reading, number) for number in range(4)
    ]
    assert [["0", "2", "3"]] == warehouse.searches


async def test_as_many_at_once_as_there_is_room_for() -> None:
    """Who has more alone is read alone; from a bound on, not at all, and the document says why."""
    most = past.ROWS_AT_ONCE
    warehouse = Warehouse(most - 1, 2, most + 5, most + 6)
    reading = reader(warehouse, rows_max=most + 5)
    assert [ordered(0), ordered(1), ordered(2)] == [await told(reading, number) for number in range(3)]
    assert [["0"], ["1"], ["2"]] == warehouse.searches
    assert f"{most + 6:,} rows, too many for a kept document" in (await told(reading, 3)).absent
    assert 3 == len(warehouse.searches)
    assert ordered(3) == await reader(warehouse).of(KEYS[3])


async def test_requests_that_take_turns_leave_each_other_what_was_read() -> None:
    """Of two retailers, say: each is searched once."""
    warehouse = Warehouse(1, 1, 1, 1)
    reading = reader(warehouse)
    ones, others = [KEYS[0], KEYS[1]], [KEYS[2], KEYS[3]]
    assert ordered(0) == await reading.of(ones[0], ones[1:])
    assert ordered(2) == await reading.of(others[0], others[1:])
    assert [ordered(1), ordered(3)] == [await reading.of(ones[1]), await reading.of(others[1])]
    assert [["0", "1"], ["2", "3"]] == warehouse.searches


async def test_a_search_outlives_who_gave_up() -> None:
    """A large one would never end otherwise; what it brings late is not old at once, and says as of when it is."""
    warehouse, clock = Warehouse(1, 1, 1, 1), StoppedClock()
    reading = reader(warehouse, clock=clock)
    warehouse.may_answer.clear()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await told(reading, 0)
    clock.ms += int(2 * GATHERED_S * 1_000)
    warehouse.may_answer.set()
    assert [ordered(0), ordered(1)] == [await told(reading, 0), await told(reading, 1)]
    assert [["0", "1", "2", "3"]] == warehouse.searches


async def test_what_was_read_is_soon_too_old() -> None:
    """A document says when it was made, and what it tells is of then."""
    warehouse, clock = Warehouse(1, 1, 1, 1), StoppedClock()
    reading = reader(warehouse, clock=clock)
    await told(reading, 0)
    clock.ms += int(GATHERED_S * 1_000) - 1
    await told(reading, 1)
    clock.ms += 1
    await told(reading, 2)
    assert [["0", "1", "2", "3"], ["2", "3"]] == warehouse.searches


async def test_a_warehouse_that_is_not_there_is_told_of() -> None:
    """Nowhere, without its library, and, as an error, for the moment."""
    assert "HOTBASKET_WAREHOUSE does not say where it is" in (await told(reader(None), 0)).absent
    warehouse = Warehouse(1)
    warehouse.fault = LibraryMissing("/warehouse")
    assert "pip install" in (await told(reader(warehouse), 0)).absent
    warehouse.fault = PortError("a night works", retriable=True)
    reading = reader(warehouse)
    with pytest.raises(PortError, match="a night works"):
        await told(reading, 0)
    warehouse.fault = None
    assert ordered(0) == await told(reading, 0)
