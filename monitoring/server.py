"""`/metrics` on a port of its own, which no public route and no public load can reach; started by entry points."""

from __future__ import annotations

import errno

from prometheus_client import CollectorRegistry, start_http_server

from domain.errors import Refused


class MetricsServer:
    """Serves a registry over HTTP from a thread of its own, until `close`.

    Args:
        registry: of one process.
        port: 0 = any free one.
        host: address to listen on.

    Attributes:
        port: on which it listens.

    Raises:
        Refused: the port is in use, or may not be used.
    """

    def __init__(self, registry: CollectorRegistry, port: int, host: str = "127.0.0.1") -> None:
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Refused(f"port {port} is in use: set HOTBASKET_METRICS_PORT to another") from None
            cure = "set HOTBASKET_METRICS_PORT to another"
            raise Refused(f"can't serve metrics on {host}:{port}: {error.strerror}; {cure}") from None
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stops listening and ends the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
