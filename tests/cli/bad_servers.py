"""Servers that are there and no use: one that takes connections and says nothing, one whose certificate has expired."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.services.certificates import Authority
from tests.services.server import HOST

Meet = Callable[[socket.socket], None]
_ASK_FOR_TLS_BYTES = 8
_LOOK_S = 0.1


@contextmanager
def silent() -> Iterator[str]:
    """A server that takes every connection and never says a word; gives its address."""
    with _listening(lambda _: None) as address:
        yield address


@contextmanager
def expired(folder: Path, *, asks_first: bool) -> Iterator[tuple[str, Path]]:
    """A server whose certificate ended a day ago; gives its address and the file of the authority that signed it.

    Args:
        folder: of certificates.
        asks_first: whether clients ask for TLS in the open, as those of Postgres do.
    """
    authority = Authority(folder)
    certificate = authority.issue("expired", datetime.now(UTC) - timedelta(days=1))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.key_and_chain)

    def meet(client: socket.socket) -> None:
        if asks_first:
            client.recv(_ASK_FOR_TLS_BYTES)
            client.sendall(b"S")
        with suppress(OSError):
            context.wrap_socket(client, server_side=True).close()

    with _listening(meet) as address:
        yield address, authority.file


@contextmanager
def _listening(meet: Meet) -> Iterator[str]:
    """A server on a free port, with a thread that meets one client after the other."""
    stopping = threading.Event()
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(_LOOK_S)
        clients: list[socket.socket] = []

        def serve() -> None:
            while not stopping.is_set():
                with suppress(TimeoutError):
                    client, _ = listener.accept()
                    client.settimeout(None)
                    clients.append(client)
                    with suppress(OSError):
                        meet(client)

        serving = threading.Thread(target=serve, name="bad-server", daemon=True)
        serving.start()
        try:
            yield f"{HOST}:{listener.getsockname()[1]}"
        finally:
            stopping.set()
            for client in clients:
                client.close()
            serving.join()
