"""A scripted gateway and a small shop under a strict CSP, on two origins: what the tracker's tests drive.

The collector answers as the protocol says unless a test scripts otherwise, and remembers every request.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.scripts import FILES, whole

PAGES = Path(__file__).resolve().parent / "tracker_pages"
DEADLINE_S = 30.0

type_of = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


@dataclass(kw_only=True)
class Posted:
    """One `POST /v1/events` as it came."""

    body: bytes
    headers: dict[str, str]
    query: dict[str, str]
    at: float

    @property
    def beacon(self) -> bool:
        """Whether `sendBeacon` made it: a page's fetch asks in mode cors."""
        return self.headers.get("sec-fetch-mode") == "no-cors"

    @property
    def envelope(self) -> dict[str, Any]:
        """The request's JSON."""
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the request, in order."""
        events: list[dict[str, Any]] = self.envelope["events"]
        return events

    @property
    def ids(self) -> list[str]:
        """The event ids of the request, in order."""
        return [event["event_id"] for event in self.events]


@dataclass(kw_only=True)
class Answer:
    """What the collector says next: a status, or one result status an event."""

    status: int = 200
    statuses: list[str] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None


@dataclass(kw_only=True, eq=False)
class Stream:
    """One open `GET /v1/experiences`."""

    query: dict[str, str]
    last_event_id: str | None
    queue: asyncio.Queue[str | None]
    open: bool = True

    @property
    def position(self) -> str | None:
        """Where the browser wants to resume."""
        return self.last_event_id or self.query.get("after")


class Running:
    """An ASGI app on a free port of 127.0.0.1, in a thread with a loop of its own."""

    def __init__(self, app: ASGIApp) -> None:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        """Ends the server and its thread."""
        self._server.should_exit = True
        self._thread.join(timeout=DEADLINE_S)


class Collector:
    """The scripted gateway."""

    def __init__(self) -> None:
        self._app = Starlette(
            routes=[
                Route("/v1/events", self._events, methods=["POST"]),
                Route("/v1/experiences", self._experiences),
                Route("/v1/rewards/claims", self._claims, methods=["POST"]),
                Route("/{path:path}", self._preflight, methods=["OPTIONS"]),
            ]
        )
        self._running = Running(self._app)
        self.url = self._running.url
        self.reset()

    def reset(self) -> None:
        """Forgets everything between tests; what is still open closes."""
        self.posted: list[Posted] = []
        self.streams: list[Stream] = []
        self.refused_streams: list[str] = []
        self.preflights = 0
        self.in_flight = 0
        self.in_flight_max = 0
        self.answers: deque[Answer] = deque()
        self.otherwise = Answer()
        self.stall_s = 0.0
        self.claims: list[Posted] = []
        self.claim_answers: deque[Answer] = deque()
        self.bad_tokens: set[str] = set()
        self.opening: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Ends the server."""
        self.end_streams()
        self._running.stop()

    @property
    def answered(self) -> list[dict[str, Any]]:
        """Every event of every request, in order of arrival."""
        return [event for posted in self.posted for event in posted.events]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The distinct events of one type, in order of first arrival."""
        return list({event["event_id"]: event for event in self.answered if event["type"] == kind}.values())

    @property
    def open_streams(self) -> list[Stream]:
        """Streams whose browser is still there."""
        return [stream for stream in self.streams if stream.open]

    def push(self, *messages: str) -> None:
        """Writes messages to every open stream."""
        for stream in self.open_streams:
            for message in messages:
                self._put(stream, message)

    def end_streams(self) -> None:
        """Closes every open stream from this side."""
        for stream in self.open_streams:
            self._put(stream, None)

    def _put(self, stream: Stream, message: str | None) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(stream.queue.put_nowait, message)

    async def _preflight(self, request: Request) -> Response:
        self.preflights += 1
        return Response(status_code=204, headers=self._cors(request))

    async def _events(self, request: Request) -> Response:
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        try:
            body = await request.body()
            posted = Posted(
                body=body, headers=dict(request.headers), query=dict(request.query_params), at=time.monotonic()
            )
            self.posted.append(posted)
            answer = self.answers.popleft() if self.answers else self.otherwise
            if self.stall_s:
                await asyncio.sleep(self.stall_s)
            return self._answer(request, posted, answer)
        finally:
            self.in_flight -= 1

    def _answer(self, request: Request, posted: Posted, answer: Answer) -> Response:
        headers = self._cors(request) | answer.headers
        if answer.body is not None or answer.status != 200:
            text = answer.body if answer.body is not None else json.dumps({"error": "scripted", "detail": "scripted"})
            return Response(text, answer.status, headers, "application/json")
        statuses = answer.statuses or ["stored"] * len(posted.ids)
        results = [{"event_id": id_, "status": status} for id_, status in zip(posted.ids, statuses, strict=True)]
        return Response(json.dumps({"results": results}), 200, headers, "application/json")

    async def _claims(self, request: Request) -> Response:
        body = await request.body()
        self.claims.append(
            Posted(body=body, headers=dict(request.headers), query=dict(request.query_params), at=time.monotonic())
        )
        answer = self.claim_answers.popleft() if self.claim_answers else Answer(body='{"status":"stored"}')
        return Response(answer.body, answer.status, self._cors(request) | answer.headers, "application/json")

    async def _experiences(self, request: Request) -> Response:
        self._loop = asyncio.get_running_loop()
        token = request.query_params.get("subscription", "")
        if token in self.bad_tokens:
            self.refused_streams.append(token)
            return Response('{"error": "unauthorized"}', 401, self._cors(request), "application/json")
        stream = Stream(
            query=dict(request.query_params),
            last_event_id=request.headers.get("last-event-id"),
            queue=asyncio.Queue(),
        )
        for message in self.opening:
            stream.queue.put_nowait(message)
        self.streams.append(stream)
        return StreamingResponse(self._messages(stream), 200, self._cors(request), "text/event-stream")

    @staticmethod
    async def _messages(stream: Stream) -> AsyncIterator[str]:
        try:
            yield ": open\n\n"
            while (message := await stream.queue.get()) is not None:
                yield message
        finally:
            stream.open = False

    @staticmethod
    def _cors(request: Request) -> dict[str, str]:
        return {
            "Access-Control-Allow-Origin": request.headers.get("origin", "null"),
            "Access-Control-Expose-Headers": "Retry-After",
            "Vary": "Origin",
        }


class Shop:
    """The retailer's site: pages under a strict CSP, and the server side that hands out subscriptions.

    Args:
        subscribe: makes a token for a shopper id; without it tokens are numbered.
    """

    def __init__(self, subscribe: Callable[[str], str] | None = None) -> None:
        self._subscribe = subscribe
        self.collector_url = ""
        self.write_key = "wk_test"
        self._running = Running(
            Starlette(routes=[Route("/token", self._token), Route("/{name}", self._file), Route("/", self._file)])
        )
        self.url = self._running.url
        self.reset()

    def reset(self) -> None:
        """Forgets everything between tests."""
        self.tokens_given: list[str] = []

    def stop(self) -> None:
        """Ends the server."""
        self._running.stop()

    async def _token(self, request: Request) -> Response:
        shopper = request.query_params["shopper"]
        numbered = f"{shopper}-token-{len(self.tokens_given) + 1}"
        token = numbered if self._subscribe is None else await asyncio.to_thread(self._subscribe, shopper)
        self.tokens_given.append(token)
        return PlainTextResponse(token)

    async def _file(self, request: Request) -> Response:
        name = request.path_params.get("name", "shop.html")
        path = PAGES / name
        if name in FILES:
            text = whole(name).decode()
        elif re.fullmatch(r"[a-z_]+\.(js|css|html)", name) and path.is_file():
            text = path.read_text(encoding="utf-8")
        else:
            return Response(status_code=404)
        text = text.replace("{{collector}}", self.collector_url).replace("{{write_key}}", self.write_key)
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
            f"connect-src 'self' {self.collector_url}; base-uri 'none'; form-action 'none'; "
            f"require-trusted-types-for 'script'"
        )
        return Response(text, media_type=type_of[path.suffix], headers={"Content-Security-Policy": policy})


def message(kind: str, data: dict[str, Any], position: str | None = None) -> str:
    """One server-sent event as the protocol writes it."""
    lines = [f"event: {kind}", f"data: {json.dumps(data)}"]
    return "\n".join([*([f"id: {position}"] if position else []), *lines, "", ""])


def wait_for(condition: Callable[[], object], *, step: Callable[[], object] = lambda: time.sleep(0.01)) -> None:
    """Returns when the condition holds; fails after the deadline.

    Args:
        condition: what must become true.
        step: what passes the time between two looks; a browser test gives the browser's own loop a turn here.
    """
    ends = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < ends, f"not within {DEADLINE_S:g} s"
        step()


def distinct(events: Iterable[dict[str, Any]]) -> list[str]:
    """Event ids in order of first arrival."""
    return list(dict.fromkeys(event["event_id"] for event in events))
