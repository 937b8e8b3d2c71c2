"""The proxy of the chaos tests, in front of an echo: what each of its moods does to a connection."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.services.proxy import Proxy

WITHIN_S = 10.0
DELAY_MS = 60


class Echo(socketserver.StreamRequestHandler):
    """Answers each line with itself."""

    def handle(self) -> None:
        """Until the client leaves."""
        with suppress(ConnectionError):
            for line in self.rfile:
                self.wfile.write(line)


class Echoes(socketserver.ThreadingTCPServer):
    """Echoes on a free port."""

    daemon_threads = True
    block_on_close = False


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy in front of an echo."""
    with Echoes(("127.0.0.1", 0), Echo) as echoes:
        serving = threading.Thread(target=echoes.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        try:
            with Proxy(f"127.0.0.1:{echoes.server_address[1]}") as started:
                yield started
        finally:
            echoes.shutdown()
            serving.join(WITHIN_S)


def connected(proxy: Proxy) -> socket.socket:
    """A client's connection through the proxy."""
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=WITHIN_S)


def answer(client: socket.socket, line: bytes = b"hello\n") -> bytes:
    """What comes back for a line; nothing if the connection is closed."""
    try:
        client.sendall(line)
        return received(client, len(line))
    except ConnectionError:
        return b""


def received(client: socket.socket, length: int) -> bytes:
    """The next bytes, fewer if the connection ends."""
    whole = b""
    while len(whole) < length and (part := client.recv(length - len(whole))):
        whole += part
    return whole


def test_it_forwards_both_ways(proxy: Proxy) -> None:
    """What is sent arrives and what is answered comes back, however much it is."""
    line = b"x" * 1_000_000 + b"\n"
    with connected(proxy) as client:
        sending = threading.Thread(target=client.sendall, args=(line,))
        sending.start()
        assert line == received(client, len(line))
        sending.join(WITHIN_S)


def test_it_delays_each_way(proxy: Proxy) -> None:
    """An answer takes twice the delay, and less once the delay is gone; the connection lives through both."""
    with connected(proxy) as client:
        proxy.forward(delay_ms=DELAY_MS)
        started_s = time.monotonic()
        assert b"hello\n" == answer(client)
        assert time.monotonic() - started_s >= 2 * DELAY_MS / 1_000
        proxy.forward()
        assert b"hello\n" == answer(client)


def test_it_swallows(proxy: Proxy) -> None:
    """Old connections stay open and new ones are accepted, but nobody is answered; forwarding again closes both."""
    with connected(proxy) as old:
        assert b"hello\n" == answer(old)
        proxy.swallow()
        with connected(proxy) as new:
            for client in (old, new):
                client.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    answer(client)
            proxy.forward()
            for client in (old, new):
                client.settimeout(WITHIN_S)
                assert b"" == answer(client)
    with connected(proxy) as client:
        assert b"hello\n" == answer(client)


def test_it_cuts(proxy: Proxy) -> None:
    """Connections end, new ones are refused; afterwards the same port forwards again."""
    with connected(proxy) as client:
        assert b"hello\n" == answer(client)
        proxy.cut()
        assert b"" == answer(client)
        with pytest.raises(ConnectionRefusedError):
            connected(proxy)
    assert 0 == proxy.connections
    proxy.forward()
    with connected(proxy) as client:
        assert b"hello\n" == answer(client)


def test_it_passes_on_that_a_side_has_closed(proxy: Proxy) -> None:
    """A client that has said everything gets the rest of its answers and then the end."""
    with connected(proxy) as client:
        client.sendall(b"hello\n")
        client.shutdown(socket.SHUT_WR)
        assert b"hello\n" == received(client, 6)
        assert b"" == received(client, 1)
