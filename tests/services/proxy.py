"""A TCP proxy that misbehaves on demand: it delays, swallows, or cuts what goes through it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from enum import Enum
from typing import Any, Self, TypeVar

from tests.services.processes import free_port
from tests.services.server import HOST

_TURNS = 3
"""Of the loop, from a connection's acceptance to its task."""
_CHUNK_BYTES = 64 * 1_024
_CHUNKS_MAX = 64
_DONE_WITHIN_S = 10.0
_Result = TypeVar("_Result")


class _Mode(Enum):
    PASS = "pass"
    SWALLOW = "swallow"
    CUT = "cut"


class Proxy:
    """Forwards connections to a target, from a thread of its own; a context manager that ends it.

    Every method returns when its effect is complete.

    Args:
        target: host:port to forward to.
        port: to listen on.
    """

    def __init__(self, target: str, port: int | None = None) -> None:
        host, _, number = target.rpartition(":")
        self._target = (host, int(number))
        self.port = port or free_port()
        self._mode = _Mode.PASS
        self._delay_s = 0.0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)

    def __enter__(self) -> Self:
        """Listens."""
        self._thread.start()
        self._do(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        """Closes every connection and the port."""
        self._do(self._close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_DONE_WITHIN_S)
        self._loop.close()

    @property
    def address(self) -> str:
        """host:port to connect to."""
        return f"{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def forward(self, delay_ms: float = 0.0) -> None:
        """Forwards again, each way later by the delay; connections that were swallowed in the meantime are closed."""
        self._do(lambda: self._change(_Mode.PASS, delay_ms / 1_000))

    def swallow(self) -> None:
        """Keeps and accepts connections; what comes, from either side, goes nowhere."""
        self._do(lambda: self._change(_Mode.SWALLOW, 0.0))

    def cut(self) -> None:
        """Closes every connection and refuses new ones."""
        self._do(lambda: self._change(_Mode.CUT, 0.0))

    def _do(self, step: Callable[[], Coroutine[Any, Any, _Result]]) -> _Result:  # Any: what asyncio sends and throws
        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(_DONE_WITHIN_S)

    async def _change(self, mode: _Mode, delay_s: float) -> None:
        before, self._mode, self._delay_s = self._mode, mode, delay_s
        if mode is _Mode.CUT:
            await self._close()
            return
        if before is _Mode.SWALLOW and mode is _Mode.PASS:
            # Their streams have holes.
            await self._drop_connections()
        if self._server is None:
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self.port, backlog=512)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            # Whoever was accepted a moment ago is heard of a turn later, and is dropped like the others.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        await self._drop_connections()

    async def _drop_connections(self) -> None:
        dropped = tuple(self._connections)
        for connection in dropped:
            connection.cancel()
        await asyncio.gather(*dropped, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        # Cancelling is how a connection is dropped, and no failure of its task.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            try:
                if self._mode is _Mode.SWALLOW:
                    await self._sink(reader)
                else:
                    await self._join(reader, writer)
            finally:
                self._connections.discard(connection)
                writer.transport.abort()

    async def _sink(self, reader: asyncio.StreamReader) -> None:
        while await reader.read(_CHUNK_BYTES):
            pass

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pumps both ways until both sides have said everything, or one is gone."""
        target_reader, target_writer = await asyncio.open_connection(*self._target)
        pumps = [
            asyncio.create_task(pump)
            for source, sink in ((reader, target_writer), (target_reader, writer))
            for pump in self._pumps(source, sink)
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            target_writer.transport.abort()

    def _pumps(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> list[Coroutine[Any, Any, None]]:
        """Gives the two halves of one direction: one reads and notes when it is due, the other waits and writes."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_MAX)

        async def read() -> None:
            while True:
                data = await source.read(_CHUNK_BYTES)
                if self._mode is _Mode.PASS:
                    await queue.put((self._loop.time() + self._delay_s, data))
                if not data:
                    return

        async def write() -> None:
            while True:
                due_s, data = await queue.get()
                await asyncio.sleep(max(0.0, due_s - self._loop.time()))
                if not data:
                    if sink.can_write_eof():
                        sink.write_eof()
                    return
                if self._mode is _Mode.PASS:
                    sink.write(data)
                    await sink.drain()

        return [read(), write()]
