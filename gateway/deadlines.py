"""How long a request may wait: one timer for all of them, since a timer for each would cost as much as decoding."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_PERIOD_S: Final = 0.1
_PERIODS_OF_LIMIT: Final = 4

Task = asyncio.Task[Any]  # whatever a server's task gives


class Deadlines:
    """Cancels the tasks whose wait is overdue; at most two periods late and never early.

    Use: `arm`, await, `disarm` in a `finally`; on `CancelledError` ask `is_due`, which tells this class's
    cancellations from everybody else's.

    Args:
        limits_s: every limit that will be set, in seconds; the timer's period follows from the shortest.
    """

    def __init__(self, *limits_s: float) -> None:
        self._period_s = min(_PERIOD_S, min(limits_s) / _PERIODS_OF_LIMIT)
        self._due_s: dict[Task, float] = {}
        self._overdue: set[Task] = set()
        self._now_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def now_s(self) -> float:
        """A recent time of the event loop; exact enough for limits, while something is armed."""
        return self._now_s

    @property
    def is_running(self) -> bool:
        """Whether the timer is wound."""
        return self._timer is not None

    def task(self) -> Task:
        """Gives the task that calls; knowing its loop, which this remembers, makes that cheap."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(self._loop)
        assert task is not None, "a server runs each request in a task"
        return task

    def arm(self, task: Task, limit_s: float) -> None:
        """Sets, or sets anew, when a task's wait is overdue."""
        if self._timer is None:
            self._wind(asyncio.get_running_loop())
        # The time is up to one period old, and a deadline may not come early.
        self._due_s[task] = self._now_s + limit_s + self._period_s

    def disarm(self, task: Task) -> None:
        """Lets the task wait as long as it likes."""
        self._due_s.pop(task, None)

    def is_due(self, task: Task) -> bool:
        """Tells whether the `CancelledError` that the task just got means its deadline; if so, takes it back."""
        if task not in self._overdue:
            return False
        self._overdue.discard(task)
        return task.uncancel() == 0

    def stop(self) -> None:
        """Forgets every deadline."""
        self._due_s.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self, loop: asyncio.AbstractEventLoop) -> None:
        self._now_s = loop.time()
        self._timer = loop.call_later(self._period_s, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for task in [task for task, due_s in self._due_s.items() if due_s < now_s]:
            del self._due_s[task]
            self._overdue.add(task)
            task.cancel()
        # A gateway without requests has no timer: nothing wakes it.
        self._timer = None
        if self._due_s:
            self._wind(loop)
