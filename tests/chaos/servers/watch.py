"""What processes take while something else is tried: their memory, second by second, and the lines that they log."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from statistics import linear_regression
from typing import NamedTuple

from tests.chaos.servers.place import Place

_EVERY_S = 1.0
_WARM = 1 / 3
"""Of a process's time is left out: caches fill, and so do what its libraries pool."""
_MIB = 1 << 20
_MIN_S = 60.0


class Memory(NamedTuple):
    """What one process took from when it was first seen to when it was last seen.

    Attributes:
        name: of the process.
        seconds: for how long it was seen.
        first_bytes, last_bytes: resident; the first behind the time in which it gets warm.
        slope_bytes_per_s: of the line through what lies behind that time.
    """

    name: str
    seconds: float
    first_bytes: float
    last_bytes: float
    slope_bytes_per_s: float

    @property
    def growth(self) -> float:
        """By how much of its size it grew along the line, behind the time in which it gets warm."""
        return self.slope_bytes_per_s * self.seconds * (1 - _WARM) / self.first_bytes

    def __str__(self) -> str:
        """One line of the report."""
        sizes = f"{self.first_bytes / _MIB:.1f} to {self.last_bytes / _MIB:.1f} MiB"
        slope = self.slope_bytes_per_s * _MIN_S / 1_024
        return f"{self.name}: {self.seconds:.0f} s, {sizes}, {slope:+.0f} KiB a minute, {self.growth:+.1%} in all"


class Watch:
    """Looks at every process of a system.

    Args:
        place: whose.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._seen: dict[tuple[str, int], list[tuple[float, int]]] = {}
        self._began_s = time.monotonic()
        self._lines_before = {name: _lines(process.log) for name, process in place.system.processes.items()}

    async def live(self) -> None:
        """Looks, until it is cancelled."""
        while True:
            for process in list(self._place.system.processes.values()):
                # Who has just been killed, or is about to start, has no memory to look at.
                with suppress(IndexError, FileNotFoundError, ProcessLookupError):
                    pid = process.pid
                    self._seen.setdefault((process.name, pid), []).append((time.monotonic(), _resident(pid)))
            await asyncio.sleep(_EVERY_S)

    def memory(self) -> list[Memory]:
        """Gives what each process took that was never started again, and of the others the last one."""
        last = {name: series for (name, _), series in self._seen.items()}
        return [_memory(name, series) for name, series in sorted(last.items())]

    def lines_a_minute(self) -> dict[str, float]:
        """Gives how many lines each process logged, by name."""
        minutes = (time.monotonic() - self._began_s) / _MIN_S
        return {
            name: (_lines(process.log) - self._lines_before.get(name, 0)) / minutes
            for name, process in self._place.system.processes.items()
        }


def _memory(name: str, series: list[tuple[float, int]]) -> Memory:
    warm = series[int(len(series) * _WARM) :]
    times_s, sizes = [at_s for at_s, _ in warm], [float(size) for _, size in warm]
    slope = linear_regression(times_s, sizes).slope if len(warm) > 1 else 0.0
    return Memory(name, series[-1][0] - series[0][0], sizes[0], sizes[-1], slope)


def _resident(pid: int) -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1_024 for line in text.splitlines() if line.startswith("Rss:"))


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n") if log.exists() else 0
