"""`make bench`: runs every benchmark, prints a table and writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from tests.bench import page
from tests.bench.servers import CHECKOUT, cores, free_port, load, serving, stop, wait_ready, with_tension
from tests.bench.servers import command as start

console = Console(stderr=True)


def throughput(rounds: int, seconds: float) -> dict[str, Any]:
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


def live_path(rate: float, seconds: float) -> dict[str, Any]:
    """Event to experience on the stream's socket, open loop, on every core: the server's threads need theirs."""
    with tempfile.TemporaryDirectory() as data, serving("run", Path(data), with_tension) as server:
        return load("tests.bench.stream", server.url, server.secret_key, "--rate", str(rate), "--seconds", str(seconds))


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


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--residents", type=int, default=1_000_000)
    parser.add_argument("--no-page", action="store_true", help="print only")
    options = parser.parse_args()
    started_s = time.monotonic()
    figures: dict[str, Any] = {"machine": page.machine(), "cores": cores()}
    console.print("[bold]POST /v1/events[/bold], 64 connections, one core")
    figures["throughput"] = throughput(options.rounds, options.seconds)
    console.print("[bold]Event to experience[/bold], open loop")
    figures["live_path"] = [live_path(rate, options.seconds * 3) for rate in (200.0, 1_000.0)]
    console.print("[bold]Start to ready[/bold]")
    figures["starting"] = starting(options.rounds)
    console.print("[bold]Fold and decide in actors[/bold]")
    figures["actors"] = load("tests.bench.inside", "fold")
    console.print(f"[bold]Residents[/bold]: {options.residents:,}")
    figures["residents"] = load("tests.bench.inside", "residents", str(options.residents))
    console.print("[bold]Where the time goes[/bold]")
    figures["profile"] = list(load("tests.bench.hot_path").items())
    text = page.render(figures)
    sys.stdout.write(text)
    if not options.no_page:
        (CHECKOUT / "docs" / "benchmarks.md").write_text(text)
    console.print(f"done in {time.monotonic() - started_s:.0f} s")


if __name__ == "__main__":
    main()
