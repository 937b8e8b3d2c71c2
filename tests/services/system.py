"""A whole production system as its operators start it: gateways, workers and archivers, each a process of its own."""

from __future__ import annotations

import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from adapters.settings import Settings, load_settings
from tests.cli.running import environment, hotbasket
from tests.services.given import Servers
from tests.services.processes import signal_all

READY_WITHIN_S = 90.0
STOPPED_WITHIN_S = 40.0
_LOOK_S = 0.05
_READY = {
    "gateway": "listening",
    "worker": "working",
    "archiver": "archiving",
    "privacy": "working on privacy requests",
}
_ARGUMENTS = {"gateway": ("--port", "0"), "privacy": ("worker",)}
_ONE_PROCESS = ("--processes", "1")


class Process:
    """One process of hotbasket, with its log in a file.

    Args:
        kind: gateway, worker, archiver or privacy.
        name: unique in the system.
        folder: of its log.
        arguments: of the command.
        variables: HOTBASKET_* of its environment.
    """

    def __init__(self, kind: str, name: str, folder: Path, arguments: Sequence[str], variables: dict[str, str]) -> None:
        self.kind = kind
        self.name = name
        self.log = folder / f"{name}.log"
        self._arguments = arguments
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; one that runs is left alone."""
        if self.is_running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", self.kind, *self._arguments],
                env=environment(**self._variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of who does the work: of a supervisor's first child, which is another after it was killed."""
        return int(self.readiness()[-1]["pid"])

    @property
    def url(self) -> str:
        """Of a gateway."""
        return str(self.readiness()[-1]["url"])

    @property
    def metrics_url(self) -> str:
        """Where Prometheus finds it."""
        return str(self.readiness()[-1]["metrics_url"])

    def lines(self) -> list[dict[str, Any]]:
        """Gives what it has logged, over all its starts."""
        whole = self.log.read_text(encoding="utf-8", errors="replace").rpartition("\n")[0]
        found = []
        for line in whole.splitlines():
            # Who is killed in the middle of a line leaves half of one.
            with suppress(json.JSONDecodeError):
                if line[:1] == "{":
                    found.append(json.loads(line))
        return found

    def readiness(self) -> list[dict[str, Any]]:
        """Gives the lines in which it said that it is ready, one a start."""
        if not self.log.exists():
            return []
        return [line for line in self.lines() if line["event"] == _READY[self.kind]]

    def wait_ready(self, times: int = 1) -> None:
        """Waits until it has been ready so many times."""
        deadline_s = time.monotonic() + READY_WITHIN_S
        while len(self.readiness()) < times:
            assert self.is_running, f"{self.name} ended: {self.log_tail()}"
            assert time.monotonic() < deadline_s, f"{self.name} is not ready: {self.log_tail()}"
            time.sleep(_LOOK_S)

    def kill(self) -> None:
        """Ends it and its children at once, as a crash would."""
        if self._process is not None:
            signal_all(self._process.pid, signal.SIGKILL)
            self._process.wait(STOPPED_WITHIN_S)

    def stop(self) -> int:
        """Asks it to end, and gives its exit code."""
        assert self._process is not None, f"{self.name} was not started"
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop: {self.log_tail()}") from None

    def log_tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


class System:
    """A production system on servers; a context manager that prepares, starts and stops it.

    Args:
        folder: of the processes' logs.
        servers: where its topics and tables are made.
        seen: where its processes find the servers, if they are not to go there directly.
        name: of its topics and keyspace.
        gateways, workers: how many; each worker is a supervisor with one process.
        settings: of every process, without the prefix HOTBASKET_.

    Attributes:
        processes: by name.
    """

    def __init__(
        self,
        folder: Path,
        servers: Servers,
        seen: Servers | None = None,
        *,
        name: str = "chaos",
        partitions: int = 8,
        gateways: int = 2,
        workers: int = 2,
        settings: dict[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._servers = servers
        self._seen = seen or servers
        self._partitions = partitions
        self._settings = {
            "KAFKA_TOPICS": name,
            "SCYLLA_KEYSPACE": name,
            "SUBSCRIPTION_SECRET": secrets.token_hex(32),
            "IDENTITY_SECRET": secrets.token_hex(32),
            **(settings or {}),
        }
        self.processes: dict[str, Process] = {}
        for number in range(gateways):
            self.add("gateway", f"gateway-{number}")
        for number in range(workers):
            self.add("worker", f"worker-{number}")
        self.add("archiver", "archiver-0")

    def __enter__(self) -> System:  # noqa: PYI034 - it is never subclassed
        """Makes topics and tables, and starts every process."""
        ran = self.command("migrate", "--partitions", str(self._partitions), "--replication", "1")
        assert ran.returncode == 0, ran.stderr
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends every process."""
        self.kill()

    @property
    def partitions(self) -> int:
        """Of each topic."""
        return self._partitions

    @property
    def urls(self) -> list[str]:
        """Of the gateways that run."""
        return [one.url for one in self.of("gateway") if one.is_running]

    def metrics_urls(self) -> dict[str, list[str]]:
        """Gives where Prometheus finds each kind of process."""
        return {kind: [one.metrics_url for one in self.of(kind)] for kind in ("gateway", "worker", "archiver")}

    def settings(self) -> Settings:
        """Gives the settings with which a test reaches what the system holds, not through what breaks."""
        values = {name.lower(): value for name, value in self._settings.items()}
        return load_settings(**values, **self._servers._asdict())

    def of(self, kind: str) -> list[Process]:
        """Gives the processes of one kind."""
        return [one for one in self.processes.values() if one.kind == kind]

    def add(self, kind: str, name: str) -> Process:
        """Gives one more process, not started yet."""
        arguments = _ARGUMENTS.get(kind, _ONE_PROCESS)
        variables = self._variables(self._seen) | {"HOTBASKET_WORKER_ID": name}
        self.processes[name] = Process(kind, name, self._folder, arguments, variables)
        return self.processes[name]

    def start(self) -> None:
        """Starts what does not run, and waits until all are ready."""
        starting = [one for one in self.processes.values() if not one.is_running]
        before = {one.name: len(one.readiness()) for one in starting}
        for one in starting:
            one.start()
        for one in starting:
            one.wait_ready(before[one.name] + 1)

    def command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a command of hotbasket on the same servers."""
        return hotbasket(*arguments, **self._variables(self._servers))

    def stop(self) -> dict[str, int]:
        """Stops all, and gives their exit codes by name."""
        running = [one for one in self.processes.values() if one.is_running]
        with ThreadPoolExecutor(max_workers=max(1, len(running))) as threads:
            return dict(zip((one.name for one in running), threads.map(Process.stop, running), strict=True))

    def kill(self) -> None:
        """Ends all at once."""
        for one in self.processes.values():
            one.kill()

    def _variables(self, servers: Servers) -> dict[str, str]:
        named = {name.upper(): value for name, value in servers._asdict().items()}
        return {f"HOTBASKET_{name}": value for name, value in (self._settings | named).items()}
