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
from urllib.parse import urlsplit

import httpx
import uvloop

from tests.bench.events import Events
from tests.bench.load import percentiles_ms

_TRIGGER = re.compile(rb'"trigger_event_id":\s*"([0-9a-f-]{36})"')
_SETTLE_S = 5.0


class Run:
    """One open-loop run.

    Args:
        url: of the gateway.
        secret: the retailer's secret key.
        shoppers: how many have a stream and take turns.
        rate: events a second.
        seconds: how long.
    """

    def __init__(self, url: str, secret: str, shoppers: int, rate: float, seconds: float) -> None:
        self._parts = urlsplit(url)
        self._url = url
        self._secret = secret
        self._names = [f"open-{number}" for number in range(shoppers)]
        self._rate = rate
        self._count = int(rate * seconds)
        self._events = Events(self._parts.netloc, secret)
        self._intended: dict[bytes, float] = {}
        self._experience_s: list[float] = []
        self._ack_s: list[float] = []
        self._refused = 0
        self._arrived = asyncio.Event()

    async def run(self) -> dict[str, object]:
        """Opens the streams, offers the events, and gives both latencies."""
        readers = [asyncio.create_task(self._listen(token)) for token in await self._tokens()]
        lanes: list[asyncio.Queue[tuple[float, bytes]]] = [asyncio.Queue() for _ in range(32)]
        posters = [asyncio.create_task(self._post(lane)) for lane in lanes]
        await asyncio.sleep(0.5)
        await self._offer(lanes)
        deadline = time.perf_counter() + _SETTLE_S
        while len(self._experience_s) < self._count and time.perf_counter() < deadline:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), deadline - time.perf_counter())
            except TimeoutError:
                break
        for task in (*readers, *posters):
            task.cancel()
        await asyncio.gather(*readers, *posters, return_exceptions=True)
        return {
            "offered_per_s": self._rate,
            "events": self._count,
            "experiences": len(self._experience_s),
            "refused": self._refused,
            "experience": percentiles_ms(self._experience_s),
            "ack": percentiles_ms(self._ack_s),
        }

    async def _offer(self, lanes: list[asyncio.Queue[tuple[float, bytes]]]) -> None:
        """Puts each event into its shopper's lane when its time has come, whatever became of those before it."""
        start_s = time.perf_counter() + 0.05
        for number in range(self._count):
            intended_s = start_s + number / self._rate
            wait_s = intended_s - time.perf_counter()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            event_id, body = self._events.next_body(self._names[number % len(self._names)])
            self._intended[event_id.encode()] = intended_s
            lanes[number % len(lanes)].put_nowait((intended_s, self._events.request(body)))

    async def _tokens(self) -> list[str]:
        """Gives a subscription for every shopper, each with one event so that the tension is open."""
        tokens = []
        async with httpx.AsyncClient(base_url=self._url, auth=(self._secret, ""), timeout=30) as client:
            for name in self._names:
                answer = await client.post(
                    "/v1/events",
                    content=self._events.next_body(name)[1],
                    headers={"content-type": "application/json", "prefer": "wait=2"},
                )
                answer.raise_for_status()
                answer = await client.post("/v1/subscriptions", json={"shopper_id": name})
                answer.raise_for_status()
                tokens.append(answer.json()["subscription"])
        return tokens

    async def _listen(self, token: str) -> None:
        """Reads one stream and takes the time of every experience."""
        host, port = self._parts.hostname or "", self._parts.port or 80
        reader, writer = await asyncio.open_connection(host, port, limit=2**20)
        writer.write(f"GET /v1/experiences?subscription={token} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                found = _TRIGGER.search(line)
                intended_s = self._intended.pop(found.group(1), None) if found else None
                if intended_s is not None:
                    self._experience_s.append(time.perf_counter() - intended_s)
                    self._arrived.set()
        finally:
            writer.close()

    async def _post(self, lane: asyncio.Queue[tuple[float, bytes]]) -> None:
        """Posts one lane's events in order over one connection."""
        reader, writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        try:
            while True:
                intended_s, request = await lane.get()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                self._ack_s.append(time.perf_counter() - intended_s)
                self._refused += not head.startswith(b"HTTP/1.1 200")
        finally:
            writer.close()


def main() -> None:
    """Runs one open loop and prints its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("secret")
    parser.add_argument("--shoppers", type=int, default=200)
    parser.add_argument("--rate", type=float, default=1_000)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()

    async def measured() -> dict[str, object]:
        run = Run(options.url, options.secret, options.shoppers, options.rate, options.seconds)
        return await run.run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measured())))


if __name__ == "__main__":
    main()
