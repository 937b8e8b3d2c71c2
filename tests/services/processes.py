"""Server processes, told apart from others that got the same number later; ended, killed, paused by pid."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_PORTS_FROM = 10_000
_EPHEMERAL_FROM = 32_768
_LOOK_S = 0.02


def free_port() -> int:
    """Gives a port that was free a moment ago, below those that the system gives to clients.

    A client that keeps trying a port among those would, now and then, be connected to itself and hold the port of the
    server that wants to come back.
    """
    while True:
        port = random.SystemRandom().randrange(_PORTS_FROM, _ephemeral_from())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def started_ticks(pid: int) -> int | None:
    """Gives when a process was started, in clock ticks since boot; None if it is no more, or only waits for burial."""
    fields = _fields(pid)
    return None if fields is None or fields[0] in {"Z", "X"} else int(fields[19])


def descendants(pid: int) -> list[int]:
    """Gives the processes that a process and its children have started, parents first."""
    parents: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _fields(int(entry.name))) is not None:
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = list(parents.get(pid, ()))
    for child in found:
        found += parents.get(child, ())
    return found


def signal_all(pid: int, number: signal.Signals) -> None:
    """Sends a signal to a process and then to its descendants: after the first, it makes no new ones."""
    with suppress(ProcessLookupError):
        # Once it is dead its children are somebody else's, so they are counted before that as well.
        before = descendants(pid)
        os.kill(pid, number)
        for child in dict.fromkeys((*before, *descendants(pid))):
            with suppress(ProcessLookupError):
                os.kill(child, number)


def wait_gone(pid: int, ticks: int, within_s: float) -> bool:
    """Waits until a process has ended, and tells whether it has."""
    deadline_s = time.monotonic() + within_s
    while started_ticks(pid) == ticks:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_LOOK_S)
    return True


def end(pid: int, ticks: int, number: signal.Signals, within_s: float) -> None:
    """Asks a process to end and waits; beyond the time it is killed. One that has ended already is left alone."""
    if started_ticks(pid) != ticks:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    if not wait_gone(pid, ticks, within_s):
        signal_all(pid, signal.SIGKILL)
        wait_gone(pid, ticks, within_s)


def _fields(pid: int) -> list[str] | None:
    """Gives what the kernel says of a process, from its state on; its name, which may hold anything, is left out."""
    try:
        return (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _ephemeral_from() -> int:
    try:
        return int((_PROC / "sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return _EPHEMERAL_FROM
