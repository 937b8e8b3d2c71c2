"""What thousands of erasures at once cost, and what other shoppers notice of them: `hotbasket run`, open loop.

Its own load generator, so that it takes no time from the server: fills the system with shoppers, measures a quiet
phase, has the shoppers erased by two requests, and measures until both are done.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import uvloop

from tests.bench.events import Events
from tests.bench.load import percentiles_ms
from tests.bench.measured import Usage
from tests.bench.servers import load, serving, with_tension
from tests.bench.stream import Streams

RATE_PER_S = 200.0
SHOPPERS, QUIET_S = 10_000, 30.0
EVENTS_EACH = 5
_OTHERS = 200
_FILLED_AT_ONCE = 100
_LOOK_S = 0.25
_SETTLE_S = 60.0
_WITHIN_S = 1_800.0
_JSON = {"content-type": "application/json"}
_REQUESTS = "/v1/privacy/requests"


def erasure(shoppers: int, rate: float = RATE_PER_S, quiet_s: float = QUIET_S) -> dict[str, Any]:
    """Gives the seconds until all are erased, answers to others before and meanwhile, CPU time and bytes on disk."""
    with tempfile.TemporaryDirectory() as data, serving("run", Path(data), with_tension) as server:
        arguments = (server.url, server.secret_key, data, "--pid", str(server.process.pid))
        asked = ("--shoppers", str(shoppers), "--rate", str(rate), "--quiet-s", str(quiet_s))
        return load("tests.bench.erasure", *arguments, *asked)


async def _measured(options: argparse.Namespace) -> dict[str, Any]:
    streams, names = Streams(options.url, options.secret, _OTHERS), [f"gone-{one}" for one in range(options.shoppers)]
    async with httpx.AsyncClient(base_url=options.url, auth=(options.secret, ""), timeout=60) as client:
        await _fill(client, Events(httpx.URL(options.url).host, options.secret), names)
        await streams.open()
        try:
            end_s = time.perf_counter() + options.quiet_s
            quiet = await _phase(streams, options, lambda: time.perf_counter() >= end_s)
            before = _bytes_in(options.data)
            erasing = asyncio.create_task(_erase(client, names))
            meanwhile = await _phase(streams, options, erasing.done)
            receipts, took_s = await erasing
        finally:
            await streams.close()
    return {
        "shoppers": options.shoppers,
        "events_each": EVENTS_EACH,
        "offered_per_s": options.rate,
        "seconds": took_s,
        "quiet": quiet,
        "meanwhile": meanwhile,
        "more_cpu_s": meanwhile["cpu_s"] - quiet["cpu_s"] / quiet["wall_s"] * meanwhile["wall_s"],
        "bytes_before": before,
        "bytes_after": _bytes_in(options.data),
        "removed": receipts,
    }


async def _fill(client: httpx.AsyncClient, events: Events, names: list[str]) -> None:
    """Has every shopper put something into the basket a few times."""
    for _ in range(EVENTS_EACH):
        for start in range(0, len(names), _FILLED_AT_ONCE):
            bodies = [events.next_body(name)[1] for name in names[start : start + _FILLED_AT_ONCE]]
            content = f'{{"events":[{",".join(bodies)}]}}'
            while (answer := await client.post("/v1/events", content=content, headers=_JSON)).status_code == 503:
                await asyncio.sleep(_LOOK_S)
            answer.raise_for_status()


async def _phase(streams: Streams, options: argparse.Namespace, is_over: Callable[[], bool]) -> dict[str, Any]:
    """Offers events at a fixed rate, whatever becomes of those before, until the phase is over."""
    streams.forget()
    sent = 0
    with Usage({"server": options.pid}) as used:
        start_s = time.perf_counter()
        while not is_over():
            due_s = start_s + sent / options.rate
            await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
            streams.send(sent, due_s)
            sent += 1
    deadline_s = time.perf_counter() + _SETTLE_S
    while len(streams.ack_s) < sent and time.perf_counter() < deadline_s:
        await asyncio.sleep(_LOOK_S / 10)
    if len(streams.ack_s) < sent:
        raise SystemExit(f"{sent - len(streams.ack_s)} of {sent} events of other shoppers were not answered")
    return {
        "events": sent,
        "refused": streams.refused,
        "wall_s": used.wall_s,
        "cpu_s": used.cpu_s["server"],
        "ack": percentiles_ms(streams.ack_s),
    }


async def _erase(client: httpx.AsyncClient, names: list[str]) -> tuple[dict[str, int], float]:
    """Asks twice for half of the shoppers; gives what each store removed, and the seconds until both were done."""
    start_s = time.perf_counter()
    half = (len(names) + 1) // 2
    paths = []
    for some in (names[:half], names[half:]):
        answer = await client.post(_REQUESTS, json={"kind": "erase", "shopper_ids": some})
        answer.raise_for_status()
        paths.append(answer.headers["location"])
    removed: dict[str, int] = {}
    for path in paths:
        while (told := (await client.get(path)).raise_for_status().json())["state"] != "done":
            if time.perf_counter() - start_s > _WITHIN_S:
                raise SystemExit(f"not erased within {_WITHIN_S:.0f} s: {told}")
            await asyncio.sleep(_LOOK_S)
        for receipt in told["receipts"]:
            removed[receipt["store"]] = removed.get(receipt["store"], 0) + receipt["removed"]
    return removed, time.perf_counter() - start_s


def _bytes_in(data: Path) -> int:
    """Gives the size of everything in the data directory; a file may go while it is looked at."""
    total = 0
    for path in data.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def main() -> None:
    """Runs both phases and prints the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("secret")
    parser.add_argument("data", type=Path)
    parser.add_argument("--pid", type=int, required=True, help="of the server")
    parser.add_argument("--shoppers", type=int, default=SHOPPERS)
    parser.add_argument("--rate", type=float, default=RATE_PER_S, help="events a second of the others")
    parser.add_argument("--quiet-s", type=float, default=QUIET_S)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_measured(options))))


if __name__ == "__main__":
    main()
