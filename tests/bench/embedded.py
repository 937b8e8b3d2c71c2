"""The sections that need no servers: `hotbasket run` and its gateway, over files."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from tests.bench.servers import command as start
from tests.bench.servers import free_port, load, serving, stop, wait_ready, with_tension


def throughput(console: Console, rounds: int, seconds: float) -> dict[str, Any]:
    """Yardstick, gateway and the whole system in turns, so that a slow minute of the machine hits all three."""
    rates: dict[str, list[float]] = {"noop": [], "gateway": [], "run": []}
    latencies: dict[str, dict[str, float]] = {}
    for number in range(rounds):
        for kind, measured in rates.items():
            console.print(f"  round {number + 1}/{rounds}: {kind}")
            with tempfile.TemporaryDirectory() as data, serving(kind, Path(data)) as server:
                arguments = [server.url, server.write_key or "none", "--seconds", str(seconds)]
                figures = load("tests.bench.load", *arguments, "--connections", "64")
                measured.append(figures.pop("per_s"))
                latencies[kind] = figures
    ratios = {
        kind: median(rate / noop for rate, noop in zip(measured, rates["noop"], strict=True))
        for kind, measured in rates.items()
    }
    return {"per_s": {kind: median(one) for kind, one in rates.items()}, "ratio": ratios, "latency": latencies}


def live_path(rates: tuple[float, ...], seconds: float) -> list[dict[str, Any]]:
    """Event to experience on the stream's socket, open loop, at one rate after the other."""
    with tempfile.TemporaryDirectory() as data, serving("run", Path(data), with_tension) as server:
        offered = [str(rate) for rate in rates]
        arguments = (server.url, server.secret_key, "--seconds", str(seconds), "--rate", *offered)
        runs: list[dict[str, Any]] = load("tests.bench.stream", *arguments)["runs"]
        return runs


def starting(times: int) -> dict[str, float]:
    """Start to ready with nothing in the directory, and after a kill to ready, as a supervisor restarts it."""
    fresh, killed = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as data:
            with_tension(Path(data))
            port = str(free_port())
            arguments = ("deploy.cli", "run", "--data", data, "--port", port)
            url = f"http://127.0.0.1:{port}"
            process = start(*arguments, HOTBASKET_METRICS_PORT="0")
            fresh.append(wait_ready(url, process))
            process.kill()
            process.wait()
            process = start(*arguments, HOTBASKET_METRICS_PORT="0")
            killed.append(wait_ready(url, process))
            stop(process)
    return {"fresh_s": median(fresh), "after_kill_s": median(killed)}


def actors() -> dict[str, Any]:
    """Fold and decide inside actors."""
    return load("tests.bench.inside", "fold")


def residents(count: int) -> dict[str, Any]:
    """Memory and pauses of many residents, and what a resident weighs in a worker with 1 and with 64 partitions."""
    figures = load("tests.bench.inside", "residents", str(count))
    few = str(min(count, 100_000))
    for partitions in (1, 64):
        spread = load("tests.bench.inside", "spread", few, "--partitions", str(partitions))
        figures[f"bytes_each_{partitions}"] = spread["bytes_each"]
    return figures


def profile() -> list[tuple[str, float]]:
    """Where the embedded gateway's time goes."""
    return list(load("tests.bench.hot_path").items())
