"""The live path on servers: latency at a fixed rate, and the highest rate that partitions and workers keep up with."""

from __future__ import annotations

from typing import Any

from tests.bench.production import Place
from tests.bench.servers import load
from tests.bench.stream import is_met
from tests.services.system import System

RATES = (500, 1_000, 1_500, 2_000, 3_000)
P95_MAX_MS = 250.0
_PARTITIONS = 64


def live_on_kafka(place: Place, seconds: float) -> list[dict[str, Any]]:
    """Gateway, Kafka, worker, stream: 64 partitions, one worker, every process where the system puts it."""
    production = place.production(_PARTITIONS)
    with production.running(gateways=1, workers=1) as system:
        return _stream(place, system, production.tension["secret_key"], (200, 1_000), seconds)


def matrix(place: Place, seconds: float) -> list[dict[str, Any]]:
    """Partitions by workers: the rates offered until one is not kept up with."""
    found = []
    for partitions in (8, 64):
        production = place.production(partitions)
        for workers in (1, 2):
            place.console.print(f"  {partitions} partitions, {workers} workers")
            with production.running(gateways=1, workers=workers) as system:
                secret = production.tension["secret_key"]
                runs = _stream(place, system, secret, RATES, seconds, "--p95-max-ms", str(P95_MAX_MS))
            kept = [run["offered_per_s"] for run in runs if is_met(run, P95_MAX_MS)]
            found.append({"partitions": partitions, "workers": workers, "highest": max(kept, default=0), "runs": runs})
    return found


def _stream(
    place: Place, system: System, secret: str, rates: tuple[int, ...], seconds: float, *more: str
) -> list[dict[str, Any]]:
    (gateway,) = system.of("gateway")
    pids = {one.name: one.pid for kind in ("gateway", "worker") for one in system.of(kind)} | place.pids
    named = [f"{name}={pid}" for name, pid in pids.items()]
    offered = [str(rate) for rate in rates]
    arguments = (
        gateway.url,
        secret,
        "--seconds",
        str(seconds),
        "--warm-s",
        "2",
        *more,
        "--rate",
        *offered,
        "--pid",
        *named,
    )
    document = load("tests.bench.stream", *arguments)
    runs: list[dict[str, Any]] = document["runs"]
    for run in runs:
        p95_ms = run["experience"].get("p95_ms", float("inf"))
        place.console.print(
            f"    {run['offered_per_s']:,.0f}/s: p95 {p95_ms:.1f} ms, {run['experiences']} of {run['events']}"
        )
    return runs
