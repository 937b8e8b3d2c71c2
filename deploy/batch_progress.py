"""How a job of the cold half tells how far it is: one bar a step on a terminal, a JSON line a second off it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

log = structlog.get_logger("hotbasket.batch")
LINE_EVERY_S = 1.0


@contextmanager
def reporting() -> Iterator[Callable[[str, int, int], None]]:
    """Gives what a job calls with its step, how much is done, and of how much."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Lines().report
        return
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description:<9}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield Bars(bars).report


class Bars:
    """One bar for each step that has begun."""

    def __init__(self, bars: Progress) -> None:
        """Takes the display."""
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def report(self, step: str, done: int, of: int) -> None:
        """Moves a step's bar."""
        if step not in self._tasks:
            self._tasks[step] = self._bars.add_task(step, total=of)
        self._bars.update(self._tasks[step], completed=done, total=of)


class Lines:
    """A line when a step begins and ends, and at most one a second in between."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes a clock, seconds."""
        self._clock = clock
        self._step = ""
        self._last_s = 0.0

    def report(self, step: str, done: int, of: int) -> None:
        """Writes a line, unless the last one is too young."""
        now_s = self._clock()
        if step != self._step or done >= of or now_s - self._last_s >= LINE_EVERY_S:
            self._step, self._last_s = step, now_s
            log.info("progress", step=step, done=done, of=of)
