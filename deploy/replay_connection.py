"""One HTTP/1.1 connection to a gateway for the load that `hotbasket replay` makes: one request at a time, kept alive.

A general client costs half a millisecond a request, which would be measured as the gateway's latency.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import httptools

from domain.errors import PortError, Refused


class Address(NamedTuple):
    """Where a gateway listens.

    Attributes:
        host, port: of the server.
        tls: whether it speaks https.
        path: in front of `/v1/...`, without a closing slash; usually empty.
    """

    host: str
    port: int
    tls: bool
    path: str

    @classmethod
    def of(cls, url: str) -> Address:
        """Reads `http://host[:port][/path]`.

        Raises:
            Refused: it is no such address.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Refused(f"{url!r} is no address of a gateway: give one like http://127.0.0.1:8080")
        tls = parts.scheme == "https"
        return cls(parts.hostname, port or (443 if tls else 80), tls, parts.path.rstrip("/"))


class Answer(NamedTuple):
    """A response, read to its end; `retry_after_s` is 0 where it names none."""

    status: int
    body: bytes
    retry_after_s: float


class Connection:
    """Posts JSON bodies to one path with one key, opening the connection when it has none."""

    def __init__(self, address: Address, path: str, key: str) -> None:
        self._address = address
        self._tls = ssl.create_default_context() if address.tls else None
        host = f"[{address.host}]" if ":" in address.host else address.host
        self._head = (
            f"POST {address.path}{path} HTTP/1.1\r\n"
            f"host: {host}:{address.port}\r\n"
            f"authorization: Basic {b64encode(f'{key}:'.encode()).decode()}\r\n"
            "content-type: application/json\r\n"
            "content-length: "
        ).encode()
        self._exchange: _Exchange | None = None

    async def post(self, body: bytes, timeout_s: float) -> Answer:
        """Sends a body and gives the answer.

        Raises:
            PortError: retriable; nobody answered in time, so what was sent may or may not have been taken.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if self._exchange is None or self._exchange.closed:
                    loop = asyncio.get_running_loop()
                    _, self._exchange = await loop.create_connection(
                        _Exchange, self._address.host, self._address.port, ssl=self._tls
                    )
                return await self._exchange.send(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        except TimeoutError:
            self.close()
            raise PortError(f"no answer within {timeout_s:g} s", retriable=True) from None
        except (OSError, httptools.HttpParserError) as error:
            self.close()
            raise PortError(str(error) or type(error).__name__, retriable=True) from None

    def close(self) -> None:
        """Ends the connection; the next request opens another."""
        if self._exchange is not None:
            self._exchange.close()
            self._exchange = None


class _Exchange(asyncio.Protocol):
    """The bytes of one connection: a request goes out, the parser collects the answer."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._retry_after_s = 0.0
        self._last = False

    async def send(self, request: bytes) -> Answer:
        """Writes a request and waits for its answer."""
        if self._transport is None or self.closed:
            raise ConnectionResetError("the gateway closed the connection")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        """Ends the connection at once."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        # uvloop's transports are no subclass of asyncio's, whose methods they have.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("the gateway closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_exception(error)
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        match name.lower():
            case b"retry-after" if value.isdigit():
                self._retry_after_s = float(value)
            case b"connection":
                self._last = value.lower() == b"close"

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        answer = Answer(self._parser.get_status_code(), b"".join(self._body), self._retry_after_s)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)
        if self._last:
            self.close()
        else:
            self._begin()
