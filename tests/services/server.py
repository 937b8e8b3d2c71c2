"""One server on loopback: started, waited for, killed, paused, and started again on the same data and port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from tests.services.processes import end, free_port, signal_all, started_ticks

READY_WITHIN_S = 120.0
ENDED_WITHIN_S = 60.0
HOST = "127.0.0.1"
_LOOK_S = 0.02
_TAIL_LINES, _TAIL_LINE_MAX = 40, 400


class ServerError(Exception):
    """A server did not start; the message ends with the end of its log."""


class Credentials(NamedTuple):
    """Who may log in."""

    user: str
    password: str


class Account(NamedTuple):
    """The operating system's user under whom a server runs."""

    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> Account:
        """Gives a user of this machine."""
        entry = pwd.getpwnam(name)
        return cls(entry.pw_uid, entry.pw_gid)


class Server(ABC):
    """A server process with a folder and a port of its own, in a session of its own, without our descriptors.

    It outlives whoever started it; a `with` block starts it and discards it at the end.

    Attributes:
        folder: where its configuration, its data and its log are.
        port: where clients find it.
        log: what it has printed, over all its starts.
        start_s: seconds that the last start took until it was ready.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, port: int | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder.resolve()
        self.port = port or free_port()
        self.log = self.folder / f"{self.name}.log"
        self.start_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._ticks = 0

    def __enter__(self) -> Self:
        """Starts it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it and forgets its data outside its folder."""
        self.discard()

    @property
    def address(self) -> str:
        """host:port for clients."""
        return f"{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running process; 0 while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else 0

    @property
    def started_ticks(self) -> int:
        """When the running process was started: with the pid, it is never somebody else."""
        return self._ticks

    @property
    def outside(self) -> list[Path]:
        """Folders that it needed outside its own."""
        return []

    def start(self) -> None:
        """Starts it and waits until it serves; one that runs is left as it is.

        Raises:
            ServerError: it ended, or was not ready within two minutes.
        """
        if self.pid:
            return
        started_s = time.monotonic()
        command, account = self._prepare()
        with self.log.open("ab") as sink:
            printed = sink.tell()
            self._process = subprocess.Popen(
                command,
                cwd=self._home(),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                close_fds=True,
                user=account and account.uid,
                group=account and account.gid,
                extra_groups=[account.gid] if account else None,
            )
        try:
            self._ticks = started_ticks(self._process.pid) or 0
            self._wait_ready(self._process, printed)
        except BaseException:
            self.kill()
            raise
        self.start_s = time.monotonic() - started_s

    def stop(self) -> None:
        """Asks it to end, as an operator would, and waits until it has."""
        if self.pid:
            self.resume()
            end(self.pid, self._ticks, self.stop_signal, ENDED_WITHIN_S)
        self._bury()

    def kill(self) -> None:
        """Ends it at once with all its processes, as a crash would; its data stays."""
        if self.pid:
            signal_all(self.pid, signal.SIGKILL)
        self._bury()

    def pause(self) -> None:
        """Lets it stand still: connections stay open, nothing is answered."""
        assert self.pid, f"{self.name} does not run"
        signal_all(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on after `pause`."""
        assert self.pid, f"{self.name} does not run"
        signal_all(self.pid, signal.SIGCONT)

    def restart(self) -> None:
        """Stops it if it runs and starts it on the same data and port."""
        self.stop()
        self.start()

    def discard(self) -> None:
        """Kills it and removes its folders outside its own: nobody wants its data any more."""
        self.kill()
        for folder in self.outside:
            shutil.rmtree(folder, ignore_errors=True)

    def log_tail(self) -> str:
        """The end of its log."""
        with suppress(FileNotFoundError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
            return "\n".join(line[:_TAIL_LINE_MAX] for line in lines)
        return ""

    @abstractmethod
    def _prepare(self) -> tuple[list[str], Account | None]:
        """Writes what it needs and gives its command, and the user to run it as if not this one."""

    @abstractmethod
    def _ready_lines(self) -> tuple[bytes, ...]:
        """What its log holds once it serves."""

    def _home(self) -> Path:
        """Gives its working directory."""
        return self.folder

    def _wait_ready(self, process: subprocess.Popen[bytes], printed: int) -> None:
        lines = self._ready_lines()
        deadline_s = time.monotonic() + READY_WITHIN_S
        while True:
            ended = process.poll() is not None
            with self.log.open("rb") as log:
                log.seek(printed)
                said = log.read()
            # Some say so a moment before their port listens.
            if not ended and all(line in said for line in lines) and self._listens():
                return
            if ended:
                raise ServerError(f"{self.name} ended with {process.returncode}; {self.log} ends:\n{self.log_tail()}")
            if time.monotonic() > deadline_s:
                raise ServerError(
                    f"{self.name} was not ready within {READY_WITHIN_S:.0f} s; {self.log} ends:\n{self.log_tail()}"
                )
            time.sleep(_LOOK_S)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _bury(self) -> None:
        if self._process is not None:
            self._process.wait(ENDED_WITHIN_S)
            self._process = None


def run_to_end(command: list[str], account: Account | None = None, **environment: str) -> None:
    """Runs a server's tool.

    Raises:
        ServerError: it failed; with what it said.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        check=False,
        timeout=READY_WITHIN_S,
        user=account and account.uid,
        group=account and account.gid,
        extra_groups=[account.gid] if account else None,
        cwd="/",
    )
    if done.returncode != 0:
        raise ServerError(f"{command[0]} ended with {done.returncode}:\n{done.stdout.decode(errors='replace')}")
