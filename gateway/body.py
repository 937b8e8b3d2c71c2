"""The body of a request: read within its bounds of size and time, and inflated."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any, Final

from starlette.types import Receive

from adapters.settings import Settings
from gateway.answers import Refusal
from gateway.deadlines import Deadlines
from gateway.load import Load

DROPPED_BYTES_MAX: Final = 1_024 * 1_024
"""Of a body that is too large so much is read and dropped, so that the client gets to read the answer."""
_GZIP: Final = zlib.MAX_WBITS | 16
_JSON_TYPES: Final = frozenset({"application/json", "text/plain"})
_TYPES_REMEMBERED: Final = 256

RequestHeaders = Mapping[bytes, bytes]


class Gone(Exception):
    """The client went away in the middle of its request; there is nobody to answer."""


class Bodies:
    """Reads the bodies of requests.

    Args:
        settings: the bounds.
        deadlines: cancels reads that take too long.
        load: says whether one more body may be held in memory.
        bytes_max: bound of the size where it is not that of events.
    """

    def __init__(self, settings: Settings, deadlines: Deadlines, load: Load, *, bytes_max: int | None = None) -> None:
        self._bytes_max = bytes_max or settings.body_bytes_max
        self._cure = "" if bytes_max else ": send fewer events at a time"
        self._digits = len(str(self._bytes_max))
        self._idle_s = settings.body_idle_s
        self._total_s = settings.body_total_s
        self._first_s = min(self._idle_s, self._total_s)
        self._deadlines = deadlines
        self._load = load
        self._types: dict[bytes, bool] = {}

    def check_type(self, headers: RequestHeaders) -> None:
        """Checks that the body is JSON text in an encoding that can be read.

        Raises:
            Refusal: 415.
        """
        content_type = headers.get(b"content-type", b"")
        is_known = self._types.get(content_type)
        if is_known is None:
            is_known = _is_json(content_type.decode("latin-1"))
            if len(self._types) < _TYPES_REMEMBERED:
                self._types[content_type] = is_known
        if not is_known:
            raise Refusal("unsupported_content_type", "send application/json or text/plain, in UTF-8")
        if b"content-encoding" in headers:
            _is_gzip(headers)

    async def read(self, receive: Receive, headers: RequestHeaders) -> bytes:
        """Gives the whole body, inflated.

        Raises:
            Refusal: 413, 408, 400 for a broken gzip, or 503 before anything was read.
            Gone: the client closed the connection first.
        """
        self._load.check()
        deadlines = self._deadlines
        task = deadlines.task()
        announced = headers.get(b"content-length", b"")
        # A number of fewer digits is smaller: most requests are told from large ones without reading it.
        if len(announced) >= self._digits and announced.isdigit() and int(announced) > self._bytes_max:
            raise await self._too_large(receive, headers, 0, task)
        deadlines.arm(task, self._first_s)
        try:
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            body: bytes = message.get("body", b"")
            if message.get("more_body", False):
                body = await self._rest(receive, headers, body, task)
        except asyncio.CancelledError:
            if deadlines.is_due(task):
                raise self._timeout() from None
            raise
        finally:
            deadlines.disarm(task)
        if len(body) > self._bytes_max:
            raise self._refused_size()
        if b"content-encoding" in headers and _is_gzip(headers):
            return self._inflated(body)
        return body

    async def _rest(self, receive: Receive, headers: RequestHeaders, first: bytes, task: asyncio.Task[Any]) -> bytes:
        """Reads the parts behind the first."""
        parts, size = [first], len(first)
        ends_s = self._deadlines.now_s + self._total_s
        while True:
            left_s = max(0.0, ends_s - self._deadlines.now_s)
            self._deadlines.arm(task, min(self._idle_s, left_s))
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
            is_last = not message.get("more_body", False)
            if size > self._bytes_max and not is_last:
                raise await self._too_large(receive, headers, size, task)
            if is_last:
                return b"".join(parts)

    async def _too_large(
        self, receive: Receive, headers: RequestHeaders, dropped: int, task: asyncio.Task[Any]
    ) -> Refusal:
        """Reads and drops what is still coming, up to its bound, and gives the refusal."""
        if headers.get(b"expect", b"").lower() == b"100-continue" and dropped == 0:
            # The client asks before it sends: the answer is no, and the body never comes.
            return self._refused_size(closes=True)
        self._deadlines.arm(task, self._first_s)
        ends_s = self._deadlines.now_s + self._total_s
        try:
            while dropped < DROPPED_BYTES_MAX:
                message = await receive()
                if message["type"] != "http.request":
                    raise Gone
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return self._refused_size()
                self._deadlines.arm(task, min(self._idle_s, max(0.0, ends_s - self._deadlines.now_s)))
        except asyncio.CancelledError:
            if not self._deadlines.is_due(task):
                raise
        finally:
            self._deadlines.disarm(task)
        return self._refused_size(closes=True)

    def _inflated(self, body: bytes) -> bytes:
        """Gives what a gzip holds; a bomb is stopped at the bound, whatever it would grow to."""
        inflated = bytearray()
        rest = body
        while rest:
            member = zlib.decompressobj(_GZIP)
            try:
                inflated += member.decompress(rest, self._bytes_max - len(inflated) + 1)
            except zlib.error:
                raise Refusal("broken_gzip", "the body is announced as gzip and is none, or is damaged") from None
            if len(inflated) > self._bytes_max:
                raise self._refused_size()
            if not member.eof:
                raise Refusal("broken_gzip", "the gzip ends too early")
            rest = member.unused_data
        return bytes(inflated)

    def _refused_size(self, *, closes: bool = False) -> Refusal:
        detail = f"a request has at most {self._bytes_max} bytes after inflating{self._cure}"
        return Refusal("body_too_large", detail, closes=closes)

    def _timeout(self) -> Refusal:
        detail = f"no byte of the body for {self._idle_s:g} s, or not the whole of it within {self._total_s:g} s"
        return Refusal("body_timeout", detail, closes=True)


def _is_json(content_type: str) -> bool:
    """Tells whether a content type is one that is read, in UTF-8."""
    name, *parameters = content_type.split(";")
    if name.strip().lower() not in _JSON_TYPES:
        return False
    for parameter in parameters:
        attribute, _, value = parameter.partition("=")
        if attribute.strip().lower() == "charset":
            return value.strip().strip('"').lower() in {"utf-8", "utf8", "us-ascii"}
    return True


def _is_gzip(headers: RequestHeaders) -> bool:
    match headers[b"content-encoding"].strip().lower():
        case b"gzip":
            return True
        case b"identity" | b"":
            return False
        case _:
            raise Refusal("unsupported_content_encoding", "send the body as it is, or with gzip")
