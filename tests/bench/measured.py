"""What the kernel knows of a process: the CPU time that it took, its memory, and on which core it may run."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_LISTENS = "0A"


class Usage:
    """What processes used between the two ends of a `with` block.

    Attributes:
        wall_s: between the ends.
        cpu_s: by name of the process.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before: dict[str, float] = {}
        self._started_s = 0.0
        self.wall_s = 0.0
        self.cpu_s: dict[str, float] = {}

    def __enter__(self) -> Usage:  # noqa: PYI034 - it is never subclassed
        """Begins."""
        self._before = {name: cpu_s(pid) for name, pid in self._pids.items()}
        self._started_s = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends."""
        self.wall_s = time.perf_counter() - self._started_s
        self.cpu_s = {name: cpu_s(pid) - self._before[name] for name, pid in self._pids.items()}

    @property
    def cores(self) -> dict[str, float]:
        """How many cores each took on average."""
        return {name: used_s / self.wall_s for name, used_s in self.cpu_s.items()}


def cpu_s(pid: int) -> float:
    """Gives the CPU seconds of all threads of a process so far."""
    fields = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def resident_bytes(pid: int | str = "self") -> int:
    """Gives a process's resident memory."""
    return int((_PROC / str(pid) / "statm").read_text().split()[1]) * resource.getpagesize()


@contextlib.contextmanager
def pinned(pids: Mapping[str, int], core: int) -> Iterator[None]:
    """Keeps processes, every thread of them, on one core until the block ends; those of other users stay free."""
    before = os.sched_getaffinity(0)
    for pid in pids.values():
        _allow(pid, {core})
    try:
        yield
    finally:
        for pid in pids.values():
            _allow(pid, before)


def _allow(pid: int, cores: set[int]) -> None:
    with contextlib.suppress(FileNotFoundError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.sched_setaffinity(int(task.name), cores)


def listening_pid(port: int) -> int | None:
    """Gives which process of this machine listens on a port; None if it can't be seen from here."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if any(str(one.readlink()) in sockets for one in (entry / "fd").iterdir()):
                    return int(entry.name)
    return None


def _inodes(port: int) -> set[str]:
    found = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in (_PROC / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found
