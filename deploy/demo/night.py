"""The demo's night: runs `hotbasket batch nightly` in a process of its own and tells, from its log, how far it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import structlog
from msgspec import Struct

from deploy.demo.night_needs import Need, missing

STEPS: Final = ("cool", "train", "evaluate", "grow", "push")
LINES_KEPT: Final = 20
LINE_CHARS_KEPT: Final = 500
LINE_BYTES_MAX: Final = 1 << 20
STOP_S: Final = 3.0
"""Seconds that a night has to end by itself when the demo stops."""
_POLL_S: Final = 0.05
_NOT_SAID: Final = frozenset({"event", "step", "seconds", "level", "timestamp", "retailer", "run"})
log = structlog.get_logger("hotbasket.demo")


class Step(Struct, kw_only=True):
    """One step of the night.

    Attributes:
        name: one of STEPS.
        state: `skipped` when an earlier night of this day had done it.
        seconds: how long it took; None before its end.
        said: what it did: its own counts and words by name.
    """

    name: str
    state: Literal["waiting", "running", "done", "failed", "skipped"] = "waiting"
    seconds: float | None = None
    said: dict[str, int | float | str] = msgspec.field(default_factory=dict)


class NightSeen(Struct, kw_only=True):
    """What pages are told of the night.

    Attributes:
        running: whether one runs now.
        step: the one at work; None before the first and after the last.
        done, of: how far that step is; 0 of 0 where it does not say.
        steps: all, in order; of the last night while none runs.
        generation: of the trees that the last night pushed; None without.
        error: why the last night failed; None without.
    """

    running: bool = False
    step: str | None = None
    done: int = 0
    of: int = 0
    steps: list[Step] = msgspec.field(default_factory=lambda: [Step(name=name) for name in STEPS])
    generation: int | None = None
    error: str | None = None


def nightly(data: Path, retailer: str) -> list[str]:
    """Gives the command of a night over an embedded system's data."""
    return [sys.executable, "-m", "deploy.cli", "batch", "nightly", "--data", str(data), "--retailer", retailer]


class Night:
    """At most one night at a time.

    Args:
        command: the nightly, with its arguments; it logs JSON lines on stderr.
        needs: tells what it lacks on this machine, None if nothing.
    """

    def __init__(self, command: Sequence[str], needs: Callable[[], Awaitable[Need | None]] = missing) -> None:
        self._command = command
        self._needs = needs
        self._task: asyncio.Task[None] | None = None
        self._seen = NightSeen()
        self._kept: deque[str] = deque(maxlen=LINES_KEPT)

    async def available(self) -> Need | None:
        """Tells what is missing on this machine before a night can run; None if nothing is."""
        return await self._needs()

    @property
    def seen(self) -> NightSeen:
        """How it goes; of the last night while none runs."""
        return self._seen

    def start(self) -> bool:
        """Starts a night, unless one runs already."""
        if self._seen.running:
            return False
        self._seen = NightSeen(running=True)
        self._kept.clear()
        self._task = asyncio.create_task(self._run(), name="night")
        return True

    async def close(self) -> None:
        """Ends a night that runs, with all its processes."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        code = None
        try:
            code = await self._work()
        except OSError as error:
            self._seen.error = f"the night could not be started: {error.strerror}"
        finally:
            self._end(code)

    async def _work(self) -> int:
        """Runs the command to its end and gives its exit code."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, limit=LINE_BYTES_MAX, start_new_session=True
        )
        try:
            assert process.stderr is not None
            while True:
                try:
                    line = await process.stderr.readline()
                except ValueError:
                    continue  # longer than any line of ours
                if not line:
                    return await process.wait()
                self._hear(line.decode(errors="replace").strip())
        finally:
            await _end_group(process)

    def _hear(self, line: str) -> None:
        try:
            said = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError:
            said = {}
        seen = self._seen
        step = next((step for step in seen.steps if step.name == said.get("step")), None)
        match said.get("event"):
            case "progress" if step is not None:
                self._reached(step)
                seen.done, seen.of = _count(said.get("done")), _count(said.get("of"))
            case "step done" if step is not None:
                self._reached(step)
                step.state = "done"
                step.seconds = float(said.get("seconds", 0))
                step.said = {
                    name: value
                    for name, value in said.items()
                    if name not in _NOT_SAID and isinstance(value, int | float | str)
                }
                generation = step.said.get("generation")
                seen.generation = generation if isinstance(generation, int) else seen.generation
                seen.step, seen.done, seen.of = None, 0, 0
            case "step failed" | "step refused" | "night failed":
                if step is not None:
                    self._reached(step)
                seen.error = str(said.get("detail") or said["event"])[:LINE_CHARS_KEPT]
                if step is not None and said["event"] == "step refused":
                    step.state = "done"
            case "progress" | "step done" | "night done":
                pass  # of a part of a step, or nothing that is not known by now
            case _:
                if line:
                    self._kept.append(str(said.get("detail") or said.get("event") or line)[:LINE_CHARS_KEPT])

    def _reached(self, step: Step) -> None:
        """Takes notice of the step at work; steps before it that said nothing were done before."""
        self._seen.step = step.name
        step.state = "running"
        _pass_over(self._seen.steps[: STEPS.index(step.name)])

    def _end(self, code: int | None) -> None:
        seen = self._seen
        seen.running = False
        if code == 0:
            # A model that was refused is a good end too: the reason stays to be read, and what comes behind it waits.
            if seen.error is None:
                _pass_over(seen.steps)
            log.info("night ended", generation=seen.generation, refused=seen.error)
            return
        if seen.error is None:
            seen.error = self._kept[-1] if self._kept and (code or 0) > 0 else _ended_by(code)
        for step in seen.steps:
            if step.state == "running":
                step.state = "failed"
        log.warning("night failed", code=code, detail=seen.error)


def _pass_over(steps: Sequence[Step]) -> None:
    """Takes notice that the night is past these steps."""
    for step in steps:
        if step.state in ("waiting", "running"):
            step.state = "skipped" if step.state == "waiting" else "done"


def _ended_by(code: int | None) -> str:
    if code is None:
        return "the night was stopped with the demo"
    if code < 0:
        return f"the night was ended by {signal.Signals(-code).name}"
    return f"the night ended with exit code {code}"


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


async def _end_group(process: Process) -> None:
    """Ends what is left of the process and all that it started: politely at first."""
    if _signal(process.pid, signal.SIGTERM):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while _signal(process.pid, 0):  # noqa: ASYNC110 - no event tells of a whole group's end
                    await asyncio.sleep(_POLL_S)
        _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _signal(group: int, number: int) -> bool:
    """Signals a process group; tells whether there is anybody in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True
