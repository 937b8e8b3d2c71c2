"""The load generator: a process of its own, so that it takes no time from the server that it measures.

Two kinds of load. `saturate`: n connections, each sends its next request when the answer is there: how many can the
server answer. `offer`: an open loop at a fixed rate, latency counted from the intended send time, so that a server
that stalls can't slow its own judge down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import uvloop

from tests.bench.events import Events
from tests.bench.measured import Usage


@dataclass
class Counts:
    """What the connections of one run saw."""

    answers: int = 0
    refused: int = 0
    latencies_s: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One keep-alive connection that sends the next request when the answer to the last one is complete."""

    def __init__(self, events: Events, counts: Counts) -> None:
        self._events = events
        self._counts = counts
        self._buffer = b""
        self._sent_s = 0.0
        self._transport: asyncio.Transport | None = None
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts at once."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends this connection's part of the run."""
        if not self.closed.done():
            self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Counts a complete answer and sends the next request."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._buffer = b""
        self._counts.answers += 1
        if not head.startswith(b"HTTP/1.1 200"):
            self._counts.refused += 1
        self._counts.latencies_s.append(time.perf_counter() - self._sent_s)
        self._send()

    def close(self) -> None:
        """Stops sending."""
        if self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._sent_s = time.perf_counter()
            self._transport.write(self._events.next_request())


def _content_length(head: bytes) -> int:
    """Gives the length of the body that the head announces."""
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at < 0:
        return 0
    end = lower.find(b"\r\n", at)
    return int(lower[at + 15 : end if end > 0 else len(lower)])


async def saturate(url: str, key: str, connections: int, seconds: float, pid: int | None = None) -> dict[str, float]:
    """Gives answers a second and latency percentiles of a closed loop over `connections`.

    Args:
        pid: of the server; with it, `per_cpu_s` says how many answers it gave in each of its CPU seconds.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    loop = asyncio.get_running_loop()
    events = Events(parts.netloc, key)
    counts = Counts()
    made = [
        (await loop.create_connection(lambda: Connection(events, counts), host, port))[1] for _ in range(connections)
    ]
    await asyncio.sleep(seconds / 5)
    before = counts.answers
    counts.latencies_s.clear()
    with Usage({"server": pid} if pid else {}) as used:
        await asyncio.sleep(seconds)
    answered = counts.answers - before
    for connection in made:
        connection.close()
    await asyncio.wait([connection.closed for connection in made], timeout=5)
    if counts.refused:
        raise SystemExit(f"{counts.refused} requests were not answered 200")
    per_cpu_s = {"per_cpu_s": answered / used.cpu_s["server"]} if pid else {}
    return {"per_s": answered / used.wall_s, **per_cpu_s, **percentiles_ms(counts.latencies_s)}


def percentiles_ms(latencies_s: list[float]) -> dict[str, float]:
    """Gives p50, p95, p99 and max in milliseconds."""
    ordered = sorted(latencies_s)
    if not ordered:
        return {}
    last = len(ordered) - 1
    named = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: ordered[round(last * share)] * 1_000 for name, share in named.items()}


def main() -> None:
    """Runs one load and prints its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("key")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--pid", type=int, help="of the server, to count by its CPU seconds too")
    options = parser.parse_args()
    run = saturate(options.url, options.key, options.connections, options.seconds, options.pid)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run)))


if __name__ == "__main__":
    main()
