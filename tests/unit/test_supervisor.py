"""The supervisor of workers: who is started again, under which number, and when it gives up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

WITHIN_S = 30


def started(how: str, folder: Path) -> subprocess.Popen[str]:
    """Starts a supervisor of two children."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.unit.supervised", how, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def pids(folder: Path, number: int) -> list[int]:
    """The processes that were ever child `number`."""
    file = folder / f"{number}.starts"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for a condition, within the deadline."""
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_child_that_dies_is_started_again_under_its_number(tmp_path: Path) -> None:
    """Its neighbour is left alone; SIGTERM ends all, and the exit code is 0."""
    supervisor = started("works", tmp_path)
    eventually(lambda: len(pids(tmp_path, 0)) == len(pids(tmp_path, 1)) == 1)
    os.kill(pids(tmp_path, 1)[0], signal.SIGKILL)
    eventually(lambda: len(pids(tmp_path, 1)) == 2)
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=WITHIN_S)
    assert (0, 1) == (supervisor.returncode, len(pids(tmp_path, 0)))
    assert not any(is_there(pid) for number in (0, 1) for pid in pids(tmp_path, number))


def test_a_child_that_is_refused_before_it_ever_worked_ends_all(tmp_path: Path) -> None:
    """Nothing half-starts: the reason is told once a child, and the exit code is 1."""
    supervisor = started("refuses", tmp_path)
    _, said = supervisor.communicate(timeout=WITHIN_S)
    assert 1 == supervisor.returncode
    assert "nobody is there: start the server" in said
    assert "Traceback" not in said


def test_a_child_that_worked_before_is_tried_again(tmp_path: Path) -> None:
    """A server that is away while a worker restarts will come back: refused, it is started once more."""
    supervisor = started("learns", tmp_path)
    eventually(lambda: len(pids(tmp_path, 0)) == 1 == len(pids(tmp_path, 1)))
    os.kill(pids(tmp_path, 0)[0], signal.SIGKILL)
    eventually(lambda: len(pids(tmp_path, 0)) == 3)
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=WITHIN_S)
    assert 0 == supervisor.returncode


def test_a_dying_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    """Its successor will start the same names again: two of a name would put each other out."""
    supervisor = started("works", tmp_path)
    eventually(lambda: len(pids(tmp_path, 0)) == len(pids(tmp_path, 1)) == 1)
    supervisor.kill()
    supervisor.communicate(timeout=WITHIN_S)
    eventually(lambda: not any(is_there(pid) for number in (0, 1) for pid in pids(tmp_path, number)))
