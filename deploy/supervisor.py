"""The supervisor of a machine's workers: forks them from a warm process and starts again the one that dies.

It imports before it forks, so that a worker that was killed is back within the time that its imports would take; and it
starts it under the same member id, so that nobody else is rebalanced. It has no event loop and no threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable
from typing import NoReturn

import structlog

from domain.errors import HotbasketError

log = structlog.get_logger("hotbasket.supervisor")
REFUSED = 78
"""Exit code of a child that was refused by something that only a person can mend (EX_CONFIG of sysexits.h)."""
_CRASHED = 70
_PAUSE_S, _PAUSE_MAX_S = 0.2, 5.0
"""Before a child is started again that never got ready: the first time at once, then longer and longer."""
_LIVED_S = 10.0
"""A child that lived so long is started again at once."""
_STOP_S = 20.0
_PR_SET_PDEATHSIG = 1

Serve = Callable[[int, Callable[[], None]], int]
"""Runs child `number` until it is stopped, tells when it is ready, and gives its exit code."""


class _Child:
    """One place of the supervisor and the process that fills it.

    Attributes:
        pid: 0 while there is none.
        due_s: when to start the next one, monotonic.
        is_ready: whether some process of this place ever was.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.pid = 0
        self.due_s = 0.0
        self.started_s = 0.0
        self.pause_s = 0.0
        self.is_ready = False
        self.says: int | None = None


class Supervisor:
    """Keeps `count` children running until SIGTERM or SIGINT.

    Args:
        name: of what they are, for the log.
        count: how many.
        serve: what each does.
    """

    def __init__(self, name: str, count: int, serve: Serve) -> None:
        self._name = name
        self._serve = serve
        self._children = [_Child(number) for number in range(count)]
        self._selector = selectors.DefaultSelector()
        self._stop_s: float | None = None
        self._refused = False

    def run(self) -> int:
        """Supervises, and gives the exit code: 1 when a child was refused before it was ever ready."""
        wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(wake_read, selectors.EVENT_READ)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        # What a handler does is not needed: that it runs wakes the loop.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        gc.collect()
        gc.freeze()
        while True:
            self._reap()
            if self._stop_s is not None and not any(child.pid for child in self._children):
                return 1 if self._refused else 0
            self._start_due()
            for key, _ in self._selector.select(self._patience_s()):
                self._hear(key, wake_read)

    def _stop(self) -> None:
        """Asks every child to stop; a second time at once."""
        if self._stop_s is None:
            self._stop_s = time.monotonic() + _STOP_S
        for child in self._children:
            _signal(child.pid, signal.SIGTERM)

    def _reap(self) -> None:
        """Takes notice of children that ended; one that was only stopped (SIGSTOP) is none of them."""
        for child in self._children:
            if child.pid:
                pid, status = os.waitpid(child.pid, os.WNOHANG)
                if pid:
                    self._ended(child, os.waitstatus_to_exitcode(status))
        if self._stop_s is not None and time.monotonic() > self._stop_s:
            self._stop_s += _STOP_S
            for child in self._children:
                if child.pid:
                    log.warning("killed", name=self._name, number=child.number, pid=child.pid, after_s=_STOP_S)
                    _signal(child.pid, signal.SIGKILL)

    def _ended(self, child: _Child, code: int) -> None:
        """Decides when the next one starts, or that there is none."""
        now_s = time.monotonic()
        child.pid = 0
        if child.says is not None:
            self._selector.unregister(child.says)
            os.close(child.says)
            child.says = None
        if self._stop_s is not None:
            return
        log.warning("child ended", name=self._name, number=child.number, code=code, lived_s=now_s - child.started_s)
        if code == REFUSED and not child.is_ready:
            # It has said why: nothing half-starts. A child that worked before meets a server that will come back.
            self._refused = True
            self._stop()
            return
        if now_s - child.started_s > _LIVED_S:
            child.pause_s = 0.0
        child.due_s = now_s + child.pause_s
        child.pause_s = min(max(child.pause_s * 2, _PAUSE_S), _PAUSE_MAX_S)

    def _start_due(self) -> None:
        if self._stop_s is not None:
            return
        for child in self._children:
            if not child.pid and time.monotonic() >= child.due_s:
                self._start(child)

    def _start(self, child: _Child) -> None:
        read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        child.started_s = time.monotonic()
        pid = os.fork()
        if not pid:
            self._be_child(child.number, write)
        os.close(write)
        child.pid, child.says = pid, read
        self._selector.register(read, selectors.EVENT_READ, child)
        if self._stop_s is not None:
            # The signal came while it was being forked.
            _signal(pid, signal.SIGTERM)

    def _be_child(self, number: int, says: int) -> NoReturn:
        """Serves in the forked process; never comes back into the supervisor's code."""
        code = _CRASHED
        try:
            signal.set_wakeup_fd(-1)
            for name in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                signal.signal(name, signal.SIG_DFL)
            self._selector.close()
            _die_with_parent()
            code = self._serve(number, lambda: _say_ready(says))
        except HotbasketError as error:
            print(error, file=sys.stderr)  # noqa: T201 - one sentence for a person, as every command does
            code = REFUSED
        except BaseException:  # noqa: BLE001 - the process's edge
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _hear(self, key: selectors.SelectorKey, wake: int) -> None:
        """Empties a pipe that has something: a signal came, or a child is ready or gone."""
        said = os.read(key.fd, 4_096) if key.fd == wake else _read(key.fd)
        child = key.data
        if child is None:
            return
        if said:
            child.is_ready = True
            child.pause_s = 0.0
        else:
            self._selector.unregister(key.fd)
            os.close(key.fd)
            child.says = None

    def _patience_s(self) -> float | None:
        """Gives how long there is nothing to do but to listen."""
        due = [child.due_s for child in self._children if not child.pid and self._stop_s is None]
        if self._stop_s is not None:
            due.append(self._stop_s)
        return max(0.0, min(due) - time.monotonic()) if due else None


def _signal(pid: int, number: signal.Signals) -> None:
    """Signals a child, if there is one and it was not reaped this very moment."""
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4_096)
    except BlockingIOError:
        return b""


def _say_ready(says: int) -> None:
    os.write(says, b"r")


def _die_with_parent() -> None:
    """Has the kernel end this process when its supervisor dies: its successor starts the same member again."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
