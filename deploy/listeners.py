"""Sockets that are bound before anything else is started, so that a port in use is one sentence and harms nothing."""

from __future__ import annotations

import errno
import socket

from domain.errors import Refused


def listen(host: str, port: int, cure: str, backlog: int = 2_048) -> socket.socket:
    """Gives a listening socket.

    Args:
        host: name or address to listen on.
        port: 0 = any free one.
        cure: what to change when the port is in use.
        backlog: connections that may wait to be taken.

    Raises:
        Refused: nobody can listen there.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise Refused(f"can't listen on {host}: {error.strerror}; choose another --host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Refused(f"port {port} of {host} is in use: {cure}") from None
        raise Refused(f"can't listen on port {port} of {host}: {error.strerror}; {cure}") from None
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """Gives `host:port` as it stands in an address that a browser on this machine can open."""
    host, port = listener.getsockname()[:2]
    match host:
        case "0.0.0.0" | "::":  # noqa: S104 - read, not bound
            host = "localhost"
        case _ if ":" in host:
            host = f"[{host}]"
    return f"{host}:{port}"
