"""Deadlines: one timer that ends waits which are overdue, and no others."""

from __future__ import annotations

import asyncio

import pytest

from gateway.deadlines import Deadlines


async def wait(deadlines: Deadlines, limit_s: float, ends: asyncio.Event) -> str:
    """Waits under a deadline, as routes do."""
    task = deadlines.task()
    deadlines.arm(task, limit_s)
    try:
        await ends.wait()
        return "in time"
    except asyncio.CancelledError:
        if deadlines.is_due(task):
            return "overdue"
        raise
    finally:
        deadlines.disarm(task)


async def test_a_wait_that_is_overdue_ends() -> None:
    """The deadline ends its own task's wait; the task lives on."""
    deadlines = Deadlines(0.02)
    ended = await asyncio.gather(wait(deadlines, 0.02, asyncio.Event()), wait(deadlines, 60, _set()))
    assert ["overdue", "in time"] == list(ended)
    assert "overdue" == await asyncio.create_task(wait(deadlines, 0.02, asyncio.Event()))
    deadlines.stop()


async def test_somebody_elses_cancellation_passes() -> None:
    """A task that is cancelled by others is cancelled."""
    deadlines = Deadlines(60)
    task = asyncio.create_task(wait(deadlines, 60, asyncio.Event()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    deadlines.stop()


async def test_a_deadline_may_be_put_off() -> None:
    """Arming again sets the deadline anew; after `disarm` there is none."""
    deadlines = Deadlines(0.02)
    task = deadlines.task()
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + 0.2
    while loop.time() < ends_s:
        deadlines.arm(task, 0.1)
        await asyncio.sleep(0.005)
    deadlines.disarm(task)
    await asyncio.sleep(0.15)
    assert not deadlines.is_due(task)


async def test_without_waits_there_is_no_timer() -> None:
    """An idle gateway is not woken."""
    deadlines = Deadlines(0.02)
    assert "in time" == await wait(deadlines, 0.02, _set())
    while deadlines.is_running:
        await asyncio.sleep(0.005)


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
