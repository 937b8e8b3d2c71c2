"""The network between devices and gateways: ASGI without sockets, with lost answers, broken and stalled connections."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from gateway.app import Gateway
from tests.simulation.loop import Process
from tests.simulation.wire import Sky

_ANSWER_S = 4.0
_APART_S = 1e-6
_BUFFERED_MAX = 3
"""Parts of a stream that fit between a gateway and a page that does not read."""


class Reply(NamedTuple):
    """An answer: HTTP status and document."""

    status: int
    document: dict[str, Any]


class Running(NamedTuple):
    """A gateway and the process that it runs in."""

    process: Process
    gateway: Gateway


class Network:
    """Carries requests to gateways, and answers back.

    Args:
        sky: its weather.
        gateways: gives those that take requests now.
    """

    def __init__(self, sky: Sky, gateways: Callable[[], list[Running]]) -> None:
        self._sky = sky
        self._gateways = gateways
        self.trace = sky.trace

    async def post(self, path: str, document: dict[str, Any], headers: dict[str, str], query: str = "") -> Reply | None:
        """Sends one request; None where the answer is lost, comes too late, or nobody listens."""
        sky = self._sky
        await asyncio.sleep(sky.delay_s())
        gateways = self._gateways()
        if not gateways:
            return None
        body = msgspec.json.encode(document)
        answers = [self._call(sky.draw.choice(gateways), path, query, headers, body)]
        if sky.strikes(sky.weather.repeated):
            answers.append(self._call(sky.draw.choice(gateways), path, query, headers, body))
        try:
            async with asyncio.timeout(_ANSWER_S):
                reply = await answers[0]
        except TimeoutError:
            return None
        await asyncio.sleep(sky.delay_s())
        return None if sky.strikes(sky.weather.lost) else reply

    def connect(self, query: str, headers: dict[str, str]) -> Connection | None:
        """Opens a stream; None where nobody listens."""
        gateways = self._gateways()
        if not gateways:
            return None
        running = self._sky.draw.choice(gateways)
        connection = Connection(self._sky, running.process)
        scope = _scope("GET", "/v1/experiences", query, headers)

        async def serve() -> None:
            await running.gateway(scope, connection.receive, connection.send)
            connection.end()

        _ = running.process.start(serve())
        running.process.on_death.append(connection.end)
        return connection

    def _call(
        self, running: Running, path: str, query: str, headers: dict[str, str], body: bytes
    ) -> asyncio.Future[Reply | None]:
        answer: asyncio.Future[Reply | None] = self._sky.loop.create_future()
        parts: list[bytes] = []
        status = 0

        def give(reply: Reply | None) -> None:
            if not answer.done():
                answer.set_result(reply)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                parts.append(message.get("body", b""))

        async def serve() -> None:
            await running.gateway(_scope("POST", path, query, headers), receive, send)
            give(Reply(status, msgspec.json.decode(b"".join(parts))))

        _ = running.process.start(serve())
        running.process.on_death.append(lambda: give(None))
        return answer


class Connection:
    """A stream from a gateway to a page; both ends may vanish without a word.

    Attributes:
        status: HTTP status, 0 until it came.
        is_ended: whether nothing more will come.
    """

    def __init__(self, sky: Sky, process: Process) -> None:
        self._sky = sky
        self._process = process
        self._arrived: deque[bytes] = deque()
        self._arrives_s = 0.0
        self._on_way = 0
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = sky.loop.create_future()
        self.status = 0
        self.is_ended = False
        self.is_stalled = False

    async def receive(self) -> dict[str, Any]:
        """For the gateway: tells when the page is gone."""
        await asyncio.shield(self._gone)
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """For the gateway: takes a part; waits while the page does not read."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        while self.is_stalled and self._on_way + len(self._arrived) >= _BUFFERED_MAX and not self._gone.done():
            self._room = self._sky.loop.create_future()
            await self._room
        # Parts of one connection arrive in order, each after a while.
        self._arrives_s = max(self._arrives_s + _APART_S, self._sky.loop.time() + self._sky.delay_s())
        self._on_way += 1
        self._sky.loop.outside(self._arrives_s - self._sky.loop.time(), self._arrive, message.get("body", b""))
        if not message.get("more_body", False):
            self._arrives_s += _APART_S
            self._sky.loop.outside(self._arrives_s - self._sky.loop.time(), self.end)

    async def read(self, limit_s: float) -> bytes:
        """For the page: gives what has arrived, b"" where nothing came within the limit or nothing more comes."""
        if not self._arrived and not self.is_ended:
            self._news = self._sky.loop.create_future()
            timer = self._sky.loop.call_later(limit_s, self._wake)
            try:
                await self._news
            finally:
                timer.cancel()
        parts = b"".join(self._arrived)
        self._arrived.clear()
        self.flow()
        return parts

    def flow(self) -> None:
        """Lets the gateway write again."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def drop(self) -> None:
        """For the page: goes away; what is under way is lost."""
        self._arrived.clear()
        self.is_ended = True
        self._sky.loop.outside(self._sky.delay_s(), self._leave)

    def end(self) -> None:
        """Nothing more will come."""
        self.is_ended = True
        self._wake()

    def _arrive(self, part: bytes) -> None:
        self._on_way -= 1
        if not self.is_ended and part:
            self._arrived.append(part)
            self._wake()

    def _leave(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self.flow()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


def _scope(method: str, path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("192.0.2.1", 1),
        "server": ("192.0.2.2", 80),
    }
