"""The HTTP server around a gateway: which settings it has, and how it is told to stop; used by every entry point."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.settings import Settings

BACKLOG = 2_048
KEEP_ALIVE_S = 75
"""Longer than browsers and load balancers keep an unused connection, so that they close it, not we under a request."""
GRACE_S = 1
"""Seconds for connections to close; by then the gateway has drained, which is what waits for requests."""

_STOPPING = b'{"error":"stopping","detail":"the server stops; nothing of this request was acknowledged, send it again"}'
_STOPPING_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(_STOPPING)),
    (b"retry-after", b"1"),
]


class HttpServer(uvicorn.Server):
    """uvicorn, with the signals left to the entry point, which has more to stop than the server."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                _answering_when_cancelled(app),
                http="httptools",
                ws="none",
                loop="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes no signal."""
        yield

    async def serve_on(self, listener: socket.socket) -> None:
        """Serves a listening socket until `stop`."""
        await self.serve(sockets=[listener])

    async def wait_until_started(self) -> None:
        """Returns when requests are taken."""
        while not self.started:  # noqa: ASYNC110 - uvicorn tells it by this flag alone
            await asyncio.sleep(0.005)

    def stop(self) -> None:
        """Takes no new connection, finishes requests in hand, then lets `serve_on` return."""
        self.should_exit = True


def _answering_when_cancelled(app: ASGIApp) -> ASGIApp:
    """Gives an application whose requests answer 503 when the server stops before they are done, and retry then."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            # An answer that has begun can't be mended: it ends with the connection.
            with suppress(RuntimeError):
                await send({"type": "http.response.start", "status": 503, "headers": _STOPPING_HEADERS})
                await send({"type": "http.response.body", "body": _STOPPING})

    return answering
