"""A worker is killed: how long until its shoppers see experiences again, from the kill to the stream's socket."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from statistics import median
from typing import Any

from tests.bench.production import Place
from tests.bench.stream import Streams
from tests.services.system import Process

PARTITIONS = (8, 64)
_SHOPPERS = 64
_RATE = 200.0
_QUIET_S, _PROBED_S = 2.0, 30.0
"""Before a kill, and how long after it is looked."""


def takeover(place: Place, times: int) -> list[dict[str, Any]]:
    """One worker with all partitions, killed again and again under load: the first experience, and everybody's."""
    found = []
    for partitions in PARTITIONS:
        production = place.production(partitions)
        with production.running(gateways=1, workers=1) as system:
            (gateway,), (worker,) = system.of("gateway"), system.of("worker")
            secret = production.tension["secret_key"]
            kills = asyncio.run(_kills(gateway.url, secret, worker, times))
        for first_s, all_s in kills:
            place.console.print(f"    {partitions} partitions: first after {first_s:.2f} s, all after {all_s:.2f} s")
        firsts, alls = zip(*kills, strict=True)
        found.append(
            {
                "partitions": partitions,
                "kills": times,
                "first_s": {"median": median(firsts), "max": max(firsts)},
                "all_s": {"median": median(alls), "max": max(alls)},
            }
        )
    return found


async def _kills(url: str, secret: str, worker: Process, times: int) -> list[tuple[float, float]]:
    streams = Streams(url, secret, _SHOPPERS)
    await streams.open()
    sending = asyncio.create_task(_send(streams))
    try:
        return [await _kill(streams, worker) for _ in range(times)]
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await streams.close()


async def _send(streams: Streams) -> None:
    """Offers events at a fixed rate, for ever."""
    start_s, number = time.perf_counter(), 0
    while True:
        while start_s + number / _RATE <= time.perf_counter():
            streams.send(number, start_s + number / _RATE)
            number += 1
        await asyncio.sleep(0.002)


async def _kill(streams: Streams, worker: Process) -> tuple[float, float]:
    """Gives seconds from the kill to the first experience of an event sent after it, and to every shopper's."""
    await asyncio.sleep(_QUIET_S)
    streams.forget()
    starts = len(worker.readiness())
    killed_s = time.perf_counter()
    os.kill(worker.pid, signal.SIGKILL)
    seen: dict[int, float] = {}
    while len(seen) < _SHOPPERS and time.perf_counter() < killed_s + _PROBED_S:
        await asyncio.sleep(0.002)
        for at_s, shopper in streams.arrivals:
            seen.setdefault(shopper, at_s - killed_s)
        streams.arrivals.clear()
    await asyncio.to_thread(worker.wait_ready, starts + 1)
    if len(seen) < _SHOPPERS:
        raise SystemExit(f"{len(seen)} of {_SHOPPERS} shoppers saw something within {_PROBED_S:g} s of the kill")
    return min(seen.values()), max(seen.values())
