"""`GET /v1/experiences`: server-sent events for one shopper's page, resumed where the page left off."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from adapters.settings import Settings
from domain.errors import PortError
from domain.ids import BEGINNING, bucket
from domain.ports.event_log import Place as LogPlace
from domain.shopper import Shopper, decode
from gateway.access import Doorkeeper
from gateway.answers import Headers, Refusal
from gateway.body import RequestHeaders
from gateway.recent import Recent, catch_up
from gateway.stores import Stores
from gateway.streams import Reason, Stream, Streams
from gateway.subscriptions import Subscriptions
from gateway.waits import Waits
from gateway.wire import Place, read_place

_log = logging.getLogger("hotbasket.gateway")
_HEADERS: Final[Headers] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Proxies that collect an answer before they pass it on would hold experiences back.
    (b"x-accel-buffering", b"no"),
)
_COMMENT: Final = b":\n\n"
_SNAPSHOT_WITHIN_S: Final = 2.0
_LAST_WORDS_S: Final = 1.0
_BEHIND_S: Final = 2.0
"""How long a gateway that is behind another one may take to catch up with what a page was told there."""
_NOTHING: Final[Place] = (BEGINNING, 0)
_ALL_NUMBERS: Final = sys.maxsize
_RETRY_MS: Final = {"drained": 1_000, "superseded": 30_000}
"""When a page may connect again. One that made room for another has to wait, or the two would chase each other."""


class Deliver:
    """Serves streams.

    Args:
        stores: the snapshots for resumes, and the clock.
        doorkeeper: checks origins.
        subscriptions: reads tokens.
        streams: the register of open streams.
        recent: what pages were told lately.
        waits: knows how far the log is processed.
        is_current: tells whether this gateway has followed all that a partition of the log holds.
        settings: the period of comments.
    """

    def __init__(
        self,
        stores: Stores,
        doorkeeper: Doorkeeper,
        subscriptions: Subscriptions,
        streams: Streams,
        recent: Recent,
        waits: Waits,
        is_current: Callable[[int], Awaitable[bool]],
        settings: Settings,
    ) -> None:
        self._stores = stores
        self._doorkeeper = doorkeeper
        self._subscriptions = subscriptions
        self._streams = streams
        self._recent = recent
        self._waits = waits
        self._is_current = is_current
        self._comment_s = settings.stream_comment_s

    async def get(self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """Opens a stream and serves it to its end.

        Raises:
            Refusal: 401, 403, 429 or 503, before anything was answered.
        """
        query = _query(scope)
        subscription = self._subscriptions.read(query.get("subscription", ""))
        self._doorkeeper.check_origin(subscription.key.retailer_id, headers)
        last = headers.get(b"last-event-id", b"").decode("latin-1") or query.get("after", "")
        stream = self._streams.open(subscription.key, subscription.until_ms)
        watcher = asyncio.get_running_loop().create_task(_watch(receive, stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *cors]})
            # An empty part makes servers send the head at once: the page knows that it is connected.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await self._serve(stream, await self._position(stream, last), send)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if stream.reason is None or task is None or task.uncancel():
                raise
            _abort(send)
        except Exception:  # noqa: BLE001 - the stream's edge: its head is out, so that no other answer can follow
            self._stores.metrics.gateway_errors.labels("stream").inc()
            _log.exception("a stream failed")
            _abort(send)
        finally:
            watcher.cancel()
            self._streams.forget(stream)

    async def _serve(self, stream: Stream, after: Place | None, send: Send) -> None:
        clock = self._stores.clock
        state = await self._snapshot(stream)
        page = self._recent.page(stream.key)
        # What came while the snapshot was read waits in the stream; from here to the first write nothing is awaited.
        due = catch_up(state, page, stream.take(), after, clock.now_ms())
        frames = self._streams.written(due)
        # The snapshot, or another gateway that told the page, may be ahead of what this one has followed.
        known = max(after or _NOTHING, (state.position, _ALL_NUMBERS) if state is not None else _NOTHING)
        loop = asyncio.get_running_loop()
        comment_s = loop.time() + self._comment_s
        while stream.reason is None:
            if frames:
                await _write(send, stream, frames)
                comment_s = loop.time() + self._comment_s
            left_s = (stream.until_ms - clock.now_ms()) / 1_000
            if left_s <= 0:
                self._streams.expire(stream)
                break
            await stream.wait(min(comment_s - loop.time(), left_s))
            frames = self._streams.written([delivery for delivery in stream.take() if delivery.place > known])
            if not frames and loop.time() >= comment_s:
                frames = _COMMENT
        await _end(send, stream.reason)

    async def _snapshot(self, stream: Stream) -> Shopper | None:
        """Gives the shopper's state; without it the stream has what this gateway remembers."""
        try:
            async with asyncio.timeout(_SNAPSHOT_WITHIN_S):
                found = await self._stores.snapshots.load([stream.key])
            payload = found.get(stream.key)
            return None if payload is None else decode(payload)
        except (PortError, TimeoutError, msgspec.MsgspecError) as error:
            self._stores.metrics.gateway_errors.labels("snapshot").inc()
            _log.warning("a stream resumes without its snapshot: %s", error)
            return None

    async def _position(self, stream: Stream, last: str) -> Place | None:
        """Reads where the page left off.

        A position behind the end of the log is of another log, like one that was deleted: the page knows nothing. But
        another gateway may have told the page what this one is only about to read, so it waits a moment first; and
        while the log can't be read to its end nobody knows better than the page.
        """
        place = read_place(last)
        if place is None:
            return None
        partition = bucket(stream.key.shopper) % self._stores.events.partitions
        if place[0] > self._waits.through(partition):
            await self._waits.until_processed([LogPlace(partition, place[0])], _BEHIND_S)
        if place[0] <= self._waits.through(partition) or not await self._is_current(partition):
            return place
        return place if place[0] <= self._waits.through(partition) else None


def _query(scope: Scope) -> dict[str, str]:
    try:
        fields = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=16)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


async def _watch(receive: Receive, stream: Stream) -> None:
    """Closes the stream when the page is gone."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            stream.close("disconnected")
            return


async def _write(send: Send, stream: Stream, frames: bytes) -> None:
    stream.is_writing = True
    await send({"type": "http.response.body", "body": frames, "more_body": True})
    stream.is_writing = False


async def _end(send: Send, reason: Reason | None) -> None:
    """Says why it ends, and ends."""
    match reason:
        case "disconnected":
            return
        case "token_expired":
            last = b"event: expired\ndata: {}\n\n"
        case "drained" | "superseded":
            last = b"retry: %d\n\n" % _RETRY_MS[reason]
        case _:
            raise Refusal("internal", f"a stream ended because of {reason}")
    try:
        async with asyncio.timeout(_LAST_WORDS_S):
            await send({"type": "http.response.body", "body": last, "more_body": False})
    except TimeoutError:
        _abort(send)


def _abort(send: Send) -> None:
    """Cuts a connection: closing that of a reader who does not read would wait for that reader, for ever.

    ASGI has no word for it, so this asks the server's own object; a server without one closes in its own way.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()
