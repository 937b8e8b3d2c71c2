"""Where the time of `POST /v1/events` goes: the gateway under a profiler, without a socket, by part of the system."""

from __future__ import annotations

import asyncio
import base64
import cProfile
import gc
import json
import pstats
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, MutableMapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import uvloop

from adapters.clock import SystemClock
from adapters.settings import Settings, load_settings
from adapters.wiring import Ports, embedded, production
from gateway.app import Gateway
from gateway.stores import Keys, Stores
from monitoring.metrics import Metrics
from tests.bench.events import Events
from tests.bench.servers import CHECKOUT, with_forty_nodes

EVENTS = 30_000
CONNECTIONS = 64
Message = MutableMapping[str, Any]


async def on_files(data: Path) -> pstats.Stats:
    """Gives the gateway's profile on the embedded log."""
    write_key, _ = with_forty_nodes(data)
    settings, metrics, clock = load_settings(rate_events_per_s=10**6), Metrics(), SystemClock()
    return await _profiled(embedded(data, settings, metrics, clock), write_key, settings, metrics)


async def on_servers(write_key: str) -> pstats.Stats:
    """Gives the gateway's profile on Kafka, what its producer does on the same event loop included."""
    settings, metrics, clock = load_settings(), Metrics(), SystemClock()
    return await _profiled(await production(settings, metrics, clock, role="gateway"), write_key, settings, metrics)


async def _profiled(ports: Ports, write_key: str, settings: Settings, metrics: Metrics) -> pstats.Stats:
    """Gives the profile of `driven`."""
    profiler = cProfile.Profile()
    await driven(ports, write_key, settings, metrics, profiler)
    await ports.close()
    return pstats.Stats(profiler)


async def driven(
    ports: Ports, write_key: str, settings: Settings, metrics: Metrics, profiler: cProfile.Profile | None = None
) -> None:
    """Sends a gateway many single-event requests, 64 at a time, each durable before its answer.

    Args:
        ports: of its stores.
        write_key: of the retailer.
        settings: its own.
        metrics: that it feeds.
        profiler: watches the requests.
    """
    clock = SystemClock()
    stores = Stores(ports.events, ports.experiences, ports.snapshots, ports.trees, ports.retailers, clock, metrics)
    gateway = Gateway(stores, Keys(ports.secrets.subscription, ports.identity.shopper_key), settings)
    await gateway.start()
    events = Events("bench", write_key)
    basic = b"Basic " + base64.b64encode(f"{write_key}:".encode())
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/events",
        "query_string": b"",
        "headers": [(b"authorization", basic), (b"content-type", b"application/json")],
    }
    bodies = iter([events.next_body()[1].encode() for _ in range(EVENTS)])
    refused: list[int] = []

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:
            refused.append(message["status"])

    async def connection(waiting: Iterator[bytes]) -> None:
        for body in waiting:
            message = {"type": "http.request", "body": body, "more_body": False}

            async def receive(message: Message = message) -> Message:
                return message

            await asyncio.get_running_loop().create_task(gateway(dict(scope), receive, send))

    gc.collect()
    gc.freeze()
    with profiler or nullcontext():
        await asyncio.gather(*(connection(bodies) for _ in range(CONNECTIONS)))
    await gateway.stop()
    if refused:
        raise SystemExit(f"{len(refused)} requests were refused, the first with {refused[0]}")


def shares(stats: pstats.Stats) -> dict[str, float]:
    """Gives each file's share of the time spent in itself; what a library or the interpreter did stands by its name."""
    times: defaultdict[str, float] = defaultdict(float)
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = stats.stats  # type: ignore[attr-defined]
    for (file, _, function), (_, _, own_s, _, _) in entries.items():
        times[_name(file, function)] += own_s
    total = sum(times.values())
    return {name: own_s / total for name, own_s in sorted(times.items(), key=lambda one: -one[1])[:16]}


def _name(file: str, function: str) -> str:
    if file == "~":
        return function.replace("built-in method ", "").strip("<>{}")
    path = Path(file)
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    if path.is_relative_to(CHECKOUT):
        return str(path.relative_to(CHECKOUT))
    return path.name if path.parent.name == "python3" else f"{path.parent.name}/{path.name}"


def main() -> None:
    """Prints the shares as JSON: of the embedded gateway, or with a write key, of one on the settings' servers."""
    if len(sys.argv) > 1:
        print(json.dumps(shares(uvloop.run(on_servers(sys.argv[1])))))
        return
    with tempfile.TemporaryDirectory() as data:
        print(json.dumps(shares(uvloop.run(on_files(Path(data))))))


if __name__ == "__main__":
    main()
