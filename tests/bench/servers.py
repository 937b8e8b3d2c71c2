"""The servers under measurement, each a process of its own on one core, all with the same server settings."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bench.actors import forty_nodes_json

CHECKOUT = Path(__file__).resolve().parents[2]
READY_S = 60.0
Retailer = Callable[[Path], tuple[str, str]]


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: where it listens.
        write_key, secret_key: of its one retailer; empty for the yardstick.
        process: to stop it, or to kill it.
    """

    url: str
    write_key: str
    secret_key: str
    process: subprocess.Popen[bytes]


def cores() -> tuple[int, int]:
    """Gives the core for the server and the core for its load, the same where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


def free_port() -> int:
    """Gives a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(
    *arguments: str,
    core: int | None = None,
    quiet: bool = True,
    variables: Mapping[str, str] | None = None,
    **environment: str,
) -> subprocess.Popen[bytes]:
    """Starts a Python module of this checkout, on one core if asked; a quiet one's stderr is thrown away."""

    def pin() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL if quiet else None,
        env={**os.environ, **(variables or {}), **environment},
        preexec_fn=pin,  # noqa: PLW1509 - no thread runs yet in a benchmark's parent
    )


def hotbasket(*arguments: str) -> dict[str, Any]:
    """Runs a command of hotbasket with `--json` and gives its document."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments, "--json"], cwd=CHECKOUT, capture_output=True, check=True
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def with_forty_nodes(data: Path) -> tuple[str, str]:
    """Makes a retailer with a default tree of 40 nodes, and gives its two keys."""
    return _retailer(data, forty_nodes_json())


def with_tension(data: Path) -> tuple[str, str]:
    """Makes a retailer with the default tree of `tension_json`."""
    return _retailer(data, tension_json())


def tension_json() -> dict[str, Any]:
    """Gives a tree that opens a basket tension at once: every addition brings an experience."""
    content = {"threshold_minor": 10**12, "reward": {"type": "amount", "value_minor": 500}}
    shown = {"slot": "banner", "kind": "basket_tension", "ttl_s": 86_400, "content": content}
    added = {"kind": "basket_lines", "at_least": 1}
    nodes = {"start": {"edges": [{"to": "open", "when": added}]}, "open": {"experiences": [shown]}}
    return {"schema_version": 1, "shopper": "default", "root": "start", "nodes": nodes}


def _retailer(data: Path, tree: dict[str, Any]) -> tuple[str, str]:
    keys = hotbasket("retailer", "add", "bench", "--data", str(data))
    file = data / "tree.json"
    file.write_text(json.dumps(tree))
    hotbasket("tree", "push", "--data", str(data), "--retailer", "bench", str(file))
    return keys["write_key"], keys["secret_key"]


@contextlib.contextmanager
def serving(kind: str, data: Path, retailer: Retailer = with_forty_nodes) -> Iterator[Server]:
    """Runs `noop` (the yardstick), `gateway` (no worker) or `run` (everything) until the block ends."""
    port, core = free_port(), cores()[0]
    arguments: tuple[str, ...]
    write_key = secret_key = ""
    if kind == "run":
        write_key, secret_key = retailer(data)
        arguments = ("deploy.cli", "run", "--data", str(data), "--port", str(port))
    else:
        if kind == "gateway":
            write_key, secret_key = retailer(data)
        arguments = ("tests.bench.serve", kind, str(port), str(data))
    process = command(*arguments, core=core, HOTBASKET_METRICS_PORT="0", HOTBASKET_RATE_EVENTS_PER_S="1000000")
    try:
        url = f"http://127.0.0.1:{port}"
        wait_ready(url, process)
        yield Server(url, write_key, secret_key, process)
    finally:
        stop(process)


def wait_ready(url: str, process: subprocess.Popen[bytes]) -> float:
    """Waits until the server says that it is ready, and gives the seconds that it took."""
    started_s = time.perf_counter()
    while time.perf_counter() - started_s < READY_S:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/health/ready").status_code == 200:
                return time.perf_counter() - started_s
        time.sleep(0.01)
    raise SystemExit("the server was not ready in time")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a server that this benchmark started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def load(
    module: str, *arguments: str, core: int | None = None, variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Runs a load generator on its own core, or the one named, and gives its figures."""
    generator = command(module, *arguments, core=cores()[1] if core is None else core, quiet=False, variables=variables)
    output, _ = generator.communicate()
    if generator.returncode != 0:
        raise SystemExit(f"{module} ended with {generator.returncode}: {output.decode()[:500]}")
    figures: dict[str, Any] = json.loads(output)
    return figures
