"""Virtual time and simulated processes: where every other part of the simulation runs.

Time stands still while anything can run, and jumps to the next timer when nothing can. A process is a set of tasks
that share a context: it can be paused between any two of its steps, and killed there without a last word.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import Any, Literal

_CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)
_STEPS_MAX = 2_000_000
"""Steps of one run; far beyond any run that ends."""


class Stuck(AssertionError):
    """Nothing can run any more, or something runs for ever."""


class Process:
    """One simulated operating-system process.

    Attributes:
        name: unique in the run.
        born_s: virtual time of its start; its monotonic clock counts from somewhere else.
    """

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name = name
        self.born_s = loop.time()
        self.tasks: list[asyncio.Task[Any]] = []
        self.on_death: list[Callable[[], None]] = []
        self.state: Literal["running", "paused", "dead"] = "running"
        self._loop = loop
        self._parked: list[asyncio.Handle] = []
        self._context = Context()
        self._context.run(_CURRENT.set, self)
        self._steps_left = -1
        self._then: Callable[[], None] | None = None

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Runs a coroutine as a task of this process."""
        return self._loop.create_task(coroutine, context=self._context.copy())

    def after_steps(self, steps: int, then: Callable[[], None]) -> None:
        """Does something between two steps of this process, so many steps from now: at any of its awaits."""
        self._steps_left, self._then = steps, then

    def pause(self) -> None:
        """Stops being scheduled; timers that fire meanwhile wait."""
        if self.state == "running":
            self.state = "paused"

    def resume(self) -> None:
        """Goes on where it stopped."""
        if self.state == "paused":
            self.state = "running"
            self._unpark()

    def bury(self) -> list[asyncio.Task[Any]]:
        """Is dead for good, and gives the tasks that were left; what they wait for will cancel them."""
        self.on_death.clear()
        self.kill()
        self._unpark()
        left = [task for task in self.tasks if not task.done()]
        for task in left:
            task.cancel()
        return left

    def _unpark(self) -> None:
        parked, self._parked = self._parked, []
        self._loop.put_back(parked)

    def kill(self) -> None:
        """Never runs again: no `finally`, no last write."""
        if self.state == "dead":
            return
        self.state = "dead"
        callbacks, self.on_death = self.on_death, []
        for callback in callbacks:
            callback()

    def admit(self, handle: asyncio.Handle) -> bool:
        """Tells whether a step may run now; a paused process keeps it for later."""
        if self.state != "running":
            if not self._loop.burying:
                self._parked.append(handle)
            return self._loop.burying
        if self._steps_left >= 0:
            self._steps_left -= 1
            if self._steps_left < 0 and self._then is not None:
                then, self._then = self._then, None
                then()
                return self.admit(handle)
        return True


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without sockets, threads or real time.

    The steps of one process run in the order in which they were scheduled; those of different processes that are due
    at the same moment run in an order drawn from the seed.
    """

    def __init__(self, draw: random.Random) -> None:
        super().__init__()
        self._now_s = 1_000.0
        self._draw = draw
        self._ready: Any
        self._scheduled: Any
        self.burying = False
        self.steps = 0
        self.failures: list[str] = []
        self.set_task_factory(_make_task)
        self.set_exception_handler(self._note_failure)

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_s

    def leap(self, seconds: float) -> None:
        """Lets time pass in which nothing runs, as when every machine sleeps; whatever is due by then comes at once."""
        self._now_s += seconds

    def outside(self, delay_s: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Calls something later on behalf of no process, whoever lives or dies meanwhile."""
        return self.call_later(delay_s, callback, *args, context=Context())

    def put_back(self, handles: list[asyncio.Handle]) -> None:
        """Makes parked steps ready again."""
        self._ready.extend(handles)

    def run_in_executor(  # type: ignore[override]  # typeshed's form has type variables that nothing here needs
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Runs the function at once, in place of a thread: its caller still waits for a later step."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (whatever it is, it is the caller's)
            done.set_exception(error)
        return done

    def bury(self, processes: list[Process]) -> None:
        """Ends what the dead left unfinished, so that Python finds no forgotten coroutine."""
        self.burying = True
        tasks = [task for process in processes for task in process.bury()]
        self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())

    def _run_once(self) -> None:
        """One round: what is due becomes ready, what is ready runs."""
        ready, scheduled = self._ready, self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        if not ready:
            if not scheduled:
                raise Stuck(f"nothing can run any more at {self._now_s:.3f} s")
            self._now_s = max(self._now_s, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._now_s:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        steps = [(handle, handle._context.get(_CURRENT)) for handle in ready]
        ready.clear()
        self.steps += len(steps)
        if self.steps > _STEPS_MAX:
            raise Stuck(f"more than {_STEPS_MAX:,} steps")
        if len(steps) > 1:
            steps = self._interleaved(steps)
        for handle, process in steps:
            if not handle._cancelled and (process is None or process.admit(handle)):
                handle._run()

    def _interleaved(
        self, steps: list[tuple[asyncio.Handle, Process | None]]
    ) -> list[tuple[asyncio.Handle, Process | None]]:
        """Puts the processes in a drawn order; a stable sort keeps each one's own."""
        names = dict.fromkeys(process.name if process is not None else "" for _, process in steps)
        if len(names) < 2:
            return steps
        rank = {name: self._draw.random() for name in names}
        return sorted(steps, key=lambda step: rank[step[1].name if step[1] is not None else ""])

    def _note_failure(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keeps what nobody handled; what a burial stirs up is nobody's fault."""
        if not self.burying:
            self.failures.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _process_events(self, event_list: Any) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There is nobody to wake: only this thread schedules."""


def current_process() -> Process | None:
    """Gives the process whose step this is."""
    return _CURRENT.get()


def _make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """Makes a task and notes whose it is: an unreferenced task could be collected in the middle of its life."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    process = task.get_context().get(_CURRENT) if hasattr(task, "get_context") else _context_of(options)
    if process is not None:
        process.tasks.append(task)
    return task


def _context_of(options: dict[str, Any]) -> Process | None:
    """Gives the process of a task made with these options (Python 3.11 has no `Task.get_context`)."""
    context = options.get("context")
    return context.get(_CURRENT) if context is not None else _CURRENT.get()
