"""The newest records of a log in memory: bounded, consecutive, and never wrong about what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adapters.sqlite.recent import Recent
from tests.contract.consumer import WITHIN_S

ITEMS_MAX = 10


@given(st.lists(st.integers(1, 6), max_size=12), st.integers(0, 60), st.integers(1, 8), st.integers(0, 60))
def test_what_memory_gives_is_what_the_log_holds(sizes: list[int], offset: int, items_max: int, forgotten: int) -> None:
    """For every offset: the records from there on, nothing at the end, or None where memory has let go of it."""
    recent: Recent[int] = Recent(0, ITEMS_MAX)
    for size in sizes:
        recent.extend(recent.next_offset, range(recent.next_offset, recent.next_offset + size))
    recent.forget(forgotten)
    end = sum(sizes)
    assert end == recent.next_offset
    found: Sequence[int] | None = recent.since(offset, items_max)
    if offset >= end:
        assert found is not None
        assert [] == list(found)
    elif found is not None:
        assert list(range(offset, min(end, offset + items_max))) == list(found)
    else:
        assert offset < max(end - ITEMS_MAX + max(sizes), forgotten)


@given(st.lists(st.integers(1, 6), max_size=6), st.sets(st.integers(0, 40), max_size=9))
def test_what_is_replaced_is_another(sizes: list[int], offsets: set[int]) -> None:
    """Where memory holds it, and there alone; what a reader was given before stays as it is."""
    recent: Recent[int] = Recent(0, ITEMS_MAX)
    for size in sizes:
        recent.extend(recent.next_offset, range(recent.next_offset, recent.next_offset + size))
    first = next((offset for offset in range(40) if recent.since(offset, 40) is not None), 40)
    given = recent.since(first, 40)
    before = list(given or ())
    recent.replace({offset: -offset for offset in offsets})
    after = recent.since(first, 40)
    assert before == list(given or ())
    assert [-one if one in offsets else one for one in before] == list(after or ())
    assert sum(sizes) == recent.next_offset


def test_a_gap_empties_memory() -> None:
    """Records that are in the file and never came by are read from the file."""
    recent: Recent[str] = Recent(0, ITEMS_MAX)
    recent.extend(0, ["a", "b"])
    recent.extend(5, ["f"])
    assert (None, ["f"]) == (recent.since(1, 9), recent.since(5, 9))


def test_a_chunk_beyond_the_bound_is_not_held() -> None:
    """The bound holds, whatever comes at once."""
    recent: Recent[int] = Recent(0, ITEMS_MAX)
    recent.extend(0, range(ITEMS_MAX + 1))
    assert (None, ITEMS_MAX + 1) == (recent.since(0, 1), recent.next_offset)


async def test_everybody_who_waits_is_woken() -> None:
    """One commit wakes all readers; who gave up is no trouble."""
    recent: Recent[int] = Recent(0, ITEMS_MAX)
    waiting = [asyncio.create_task(recent.news(None)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    recent.extend(0, [1])
    async with asyncio.timeout(WITHIN_S):
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [asyncio.CancelledError, type(None), type(None)] == [type(outcome) for outcome in outcomes]


async def test_a_wait_ends() -> None:
    """Without news the wait is over after its time."""
    recent: Recent[int] = Recent(0, ITEMS_MAX)
    async with asyncio.timeout(WITHIN_S):
        await recent.news(0.001)
    assert 0 == recent.next_offset
