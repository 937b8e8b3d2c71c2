"""Event to experience on the SSE socket, open loop: a process of its own, latency from the intended send time.

Every event posted is an addition to a basket whose tension is open, so every event puts an experience on its shopper's
stream; the trigger's id in it says which event it answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import uvloop

from tests.bench.events import Events
from tests.bench.load import percentiles_ms
from tests.bench.measured import Usage

_TRIGGER = re.compile(rb'"trigger_event_id":\s*"([0-9a-f-]{36})"')
_SETTLE_S = 5.0
_LANES = 128
"""Connections that post: so many that a shopper rarely waits for the answer to somebody else."""
_OPENED_AT_ONCE = 16
_ATTEMPTS = 2
Lane = asyncio.Queue[tuple[float, bytes]]


class Streams:
    """Shoppers who listen to their streams and take turns at sending.

    Args:
        url: of the gateway.
        secret: the retailer's secret key.
        shoppers: how many.

    Attributes:
        experience_s: latencies of the experiences since the last `forget`.
        ack_s: of the answers.
        arrivals: monotonic time and shopper of each experience, in order.
        refused: answers other than 200.
    """

    def __init__(self, url: str, secret: str, shoppers: int) -> None:
        self._parts = urlsplit(url)
        self._url = url
        self._secret = secret
        self._names = [f"open-{number}" for number in range(shoppers)]
        self._events = Events(self._parts.netloc, secret)
        self._intended: dict[bytes, float] = {}
        self._lanes: list[Lane] = [asyncio.Queue() for _ in range(_LANES)]
        self._tasks: list[asyncio.Task[None]] = []
        self.arrived = asyncio.Event()
        self.experience_s: list[float] = []
        self.ack_s: list[float] = []
        self.arrivals: list[tuple[float, int]] = []
        self.refused = 0

    async def open(self) -> None:
        """Opens a stream for every shopper."""
        for number, token in enumerate(await self._tokens()):
            self._tasks.append(asyncio.create_task(self._listen(number, token)))
        self._tasks += [asyncio.create_task(self._post(lane)) for lane in self._lanes]
        await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Closes every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Begins anew with what is counted; events under way count for nothing any more."""
        self._intended.clear()
        self.experience_s, self.ack_s, self.arrivals, self.refused = [], [], [], 0

    def send(self, number: int, intended_s: float) -> None:
        """Has a shopper send an event now; latency is counted from the intended time."""
        shopper = number % len(self._names)
        event_id, body = self._events.next_body(self._names[shopper])
        self._intended[event_id.encode()] = intended_s
        self._lanes[shopper % _LANES].put_nowait((intended_s, self._events.request(body)))

    async def measure(self, rate: float, seconds: float) -> dict[str, Any]:
        """Offers events at a fixed rate, whatever becomes of those before, and gives both latencies."""
        self.forget()
        count = int(rate * seconds)
        start_s = time.perf_counter() + 0.05
        for number in range(count):
            intended_s = start_s + number / rate
            wait_s = intended_s - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self.send(number, intended_s)
        deadline_s = time.perf_counter() + _SETTLE_S
        while len(self.experience_s) < count and time.perf_counter() < deadline_s:
            self.arrived.clear()
            try:
                await asyncio.wait_for(self.arrived.wait(), deadline_s - time.perf_counter())
            except TimeoutError:
                break
        return {
            "offered_per_s": rate,
            "events": count,
            "experiences": len(self.experience_s),
            "refused": self.refused,
            "experience": percentiles_ms(self.experience_s),
            "ack": percentiles_ms(self.ack_s),
        }

    async def _tokens(self) -> list[str]:
        """Gives a subscription for every shopper, each with one event so that the tension is open."""
        turns = asyncio.Semaphore(_OPENED_AT_ONCE)

        async def token(client: httpx.AsyncClient, name: str) -> str:
            async with turns:
                answer = await client.post(
                    "/v1/events",
                    content=self._events.next_body(name)[1],
                    headers={"content-type": "application/json", "prefer": "wait=2"},
                )
                answer.raise_for_status()
                answer = await client.post("/v1/subscriptions", json={"shopper_id": name})
                answer.raise_for_status()
                return str(answer.json()["subscription"])

        async with httpx.AsyncClient(base_url=self._url, auth=(self._secret, ""), timeout=30) as client:
            return list(await asyncio.gather(*(token(client, name) for name in self._names)))

    async def _listen(self, shopper: int, token: str) -> None:
        """Reads one stream and takes the time of every experience."""
        host, port = self._parts.hostname or "", self._parts.port or 80
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        writer.write(f"GET /v1/experiences?subscription={token} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                found = _TRIGGER.search(line)
                intended_s = self._intended.pop(found.group(1), None) if found else None
                if intended_s is not None:
                    now_s = time.perf_counter()
                    self.experience_s.append(now_s - intended_s)
                    self.arrivals.append((now_s, shopper))
                    self.arrived.set()
        finally:
            writer.close()

    async def _post(self, lane: Lane) -> None:
        """Posts one lane's events in order over one connection."""
        reader, writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        try:
            while True:
                intended_s, request = await lane.get()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                self.ack_s.append(time.perf_counter() - intended_s)
                self.refused += not head.startswith(b"HTTP/1.1 200")
        finally:
            writer.close()


async def _measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    streams = Streams(options.url, options.secret, options.shoppers)
    await streams.open()
    runs = []
    pids = {name: int(pid) for name, pid in (one.split("=") for one in options.pid)}
    if options.warm_s:
        _ = await streams.measure(options.rate[0], options.warm_s)
    for rate in options.rate:
        run, is_kept = await _at(streams, rate, options, pids)
        runs.append(run)
        if not is_kept:
            break
    await streams.close()
    return runs


async def _at(
    streams: Streams, rate: float, options: argparse.Namespace, pids: dict[str, int]
) -> tuple[dict[str, Any], bool]:
    """Gives a run, and whether the rate was kept up with: a shared machine has bad moments, so it may try twice."""
    run: dict[str, Any] = {}
    for _ in range(_ATTEMPTS):
        with Usage(pids) as used:
            run = await streams.measure(rate, options.seconds)
        run["cores"] = used.cores
        if options.p95_max_ms is None or is_met(run, options.p95_max_ms):
            return run, True
    return run, False


def is_met(run: dict[str, Any], p95_max_ms: float) -> bool:
    """Tells whether every event brought its experience, and 95 of 100 in time."""
    whole = run["experiences"] == run["events"] and not run["refused"]
    return bool(whole and run["experience"]["p95_ms"] < p95_max_ms)


def main() -> None:
    """Runs one open loop after the other and prints their figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("secret")
    parser.add_argument("--shoppers", type=int, default=200)
    parser.add_argument("--rate", type=float, nargs="+", default=[1_000])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--warm-s", type=float, default=0, help="seconds at the first rate that don't count")
    parser.add_argument("--p95-max-ms", type=float, help="stop behind the first rate at which it takes longer")
    parser.add_argument("--pid", nargs="*", default=[], metavar="NAME=PID", help="whose CPU time to note")
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps({"runs": runner.run(_measured(options))}))


if __name__ == "__main__":
    main()
