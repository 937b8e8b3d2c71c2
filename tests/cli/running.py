"""`hotbasket` as its users meet it: commands in processes of their own, and a running system with its addresses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

from tests.commands import run_command

READY_WITHIN_S = 60
STOPPED_WITHIN_S = 30
COMMAND_WITHIN_S = 280
STARTED_ANEW = ("batch", "run")
"""Commands with an interpreter of their own from the start: they start processes, or stay."""
CHECKOUT = Path(__file__).resolve().parents[2]
_POLL_S = 0.02
# Without the environment's proxies: what is asked is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: this checkout's packages, none of the developer's settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HOTBASKET_")}
    return kept | {"PYTHONPATH": str(CHECKOUT), "HOTBASKET_METRICS_PORT": "0", "COLUMNS": "200"} | more


def hotbasket(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    if arguments and arguments[0] in STARTED_ANEW:
        return subprocess.run(
            [sys.executable, "-m", "deploy.cli", *arguments],
            env=environment(**more),
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_WITHIN_S,
        )
    return run_command(arguments, environment(**more), within_s=COMMAND_WITHIN_S)


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    """Starts a command and leaves it running."""
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hotbasket_json(*arguments: str | Path, **more: str) -> Any:
    """Runs a command that must succeed, and gives the one JSON document on its stdout."""
    ran = hotbasket(*arguments, "--json", **more)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def status(url: str) -> int:
    """The status of a GET."""
    with _OPENER.open(url, timeout=30) as answer:
        code: int = answer.status
        return code


class Running:
    """`hotbasket run` in a process of its own, on free ports; a context manager that ends it.

    Attributes:
        url: of the public port.
        metrics_url: of the metrics.
        page_url: of the operator's page.
    """

    def __init__(self, data: Path, *arguments: str, **more: str) -> None:
        self.data = data
        there = next(folder for folder in data.parents if folder.is_dir())
        self.output = there / f"output-{time.monotonic_ns()}.txt"
        with self.output.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.cli", "run", "--data", str(data), "--port", "0", *arguments],
                env=environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        try:
            listening = self._wait_for_line("listening")
        except BaseException:
            self.kill()
            raise
        self.url: str = listening["url"]
        self.metrics_url: str = listening["metrics_url"]
        self.page_url: str = listening["page_url"]

    def __enter__(self) -> Running:  # noqa: PYI034 - it is never subclassed
        """The running system."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the process, whatever happened."""
        self.kill()

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        whole = self.output.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines() if line[:1] == "{"]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and gives the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=STOPPED_WITHIN_S)

    def kill(self) -> None:
        """Ends the process at once, as a crash would."""
        self.process.kill()
        self.process.wait(timeout=STOPPED_WITHIN_S)

    def post(self, path: str, key: str, body: Any, **headers: str) -> tuple[int, Any]:
        """Posts JSON with a key and gives status and answer."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), _headers(key) | headers)
        try:
            with _OPENER.open(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.loads(refusal.read())

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        samples = [
            line.rsplit(" ", 1)
            for line in self.metrics_page().splitlines()
            if line.startswith((name + "{", name + " "))
        ]
        return sum(float(value) for _, value in samples)

    def metrics_page(self) -> str:
        """All metrics, as they are scraped."""
        with _OPENER.open(self.metrics_url, timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    def wait_until_processed(self, events: int, within_s: float = 120) -> None:
        """Waits until the worker has processed so many events since it started, repeats included."""
        deadline = time.monotonic() + within_s
        processed = 0.0
        while processed < events:
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, f"{processed:.0f} of {events} processed\n{self.output.read_text()}"
            time.sleep(_POLL_S)
            processed = self.metric("hotbasket_processed_events_total") + self.metric("hotbasket_repeated_events_total")

    def _wait_for_line(self, event: str) -> dict[str, Any]:
        deadline = time.monotonic() + READY_WITHIN_S
        while True:
            found = next((line for line in self.lines() if line["event"] == event), None)
            if found is not None:
                return found
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(_POLL_S)


def _headers(key: str) -> dict[str, str]:
    return {
        "authorization": f"Basic {b64encode(f'{key}:'.encode()).decode()}",
        "content-type": "application/json",
    }
