"""`/metrics` and the operator's page on a port of their own, which no public route and no public load can reach.

Started by entry points. Whoever connects gets a thread, of a few: who is silent, slow or one too many is cut off.
"""

from __future__ import annotations

import errno
import socket
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, MetricsHandler, ProcessCollector
from prometheus_client.registry import Collector

from domain.errors import Refused
from monitoring.job_files import JobFiles
from monitoring.page import HEADERS, Page
from monitoring.samples import STEP_S, Samples
from monitoring.wellness import Subject

CONNECTIONS_MAX = 8
"""Open at once, a thread each; one more takes the place of the oldest."""
SILENT_S = 5.0
"""Without a byte from a client, or without one that it takes."""
CONNECTION_S = 10.0
"""For a whole connection, however slowly it is fed."""
_ROOM_S = 1.0
log = structlog.get_logger("hotbasket.metrics")


class MetricsServer:
    """Serves a registry over HTTP from threads of its own, until `close`.

    Args:
        registry: of one process.
        port: 0 = any free one.
        host: address to listen on.
        subject: what the process is, as far as its page tells.

    Attributes:
        port: on which it listens.
        url: of the operator's page.

    Raises:
        Refused: the port is in use, or may not be used.
    """

    def __init__(
        self, registry: CollectorRegistry, port: int, host: str = "127.0.0.1", subject: Subject | None = None
    ) -> None:
        subject = subject or Subject("hotbasket")
        collectors: list[Collector] = [registry, ProcessCollector(registry=None)]
        if subject.job_files:
            collectors.append(JobFiles(Path(subject.job_files)))
        samples = Samples(collectors, time.monotonic)
        handler = type("Handler", (_Handler,), {"registry": registry, "page": Page(subject, samples, time.time)})
        try:
            self._server = _Server(host, port, handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Refused(f"port {port} is in use: set HOTBASKET_METRICS_PORT to another") from None
            cure = "set HOTBASKET_METRICS_PORT to another"
            raise Refused(f"can't serve metrics on {host}:{port}: {error.strerror}; {cure}") from None
        self.port: int = self._server.server_address[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        self._stopped = threading.Event()
        # A thread of their own: a gauge that hangs may hold up samples, never an answer.
        sampling = threading.Thread(target=self._sample, args=(samples,), name="samples", daemon=True)
        serving = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._threads = (sampling, serving)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stops listening, cuts off whoever is connected, and ends the threads; one that hangs is left alone."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.cut_off(older_than_s=0.0)
        for thread in self._threads:
            thread.join(_ROOM_S)

    def _sample(self, samples: Samples) -> None:
        while True:
            try:
                samples.keep()
            except Exception:
                # What a gauge reads belongs to another thread: one that fails costs a sample.
                log.exception("sample failed")
            if self._stopped.wait(STEP_S):
                return


class _Handler(MetricsHandler):
    """Answers one request: the page on `/`, the registry elsewhere."""

    timeout = SILENT_S
    page: Page

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        path, _, query = self.path.partition("?")
        if path == "/favicon.ico":
            self._answer(HTTPStatus.NO_CONTENT, b"")
        elif path == "/":
            try:
                self._answer(HTTPStatus.OK, self.page.html(query))
            except OSError:
                raise
            except Exception:
                # What a gauge reads belongs to another thread, and may be changed under its hands.
                log.exception("page failed")
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, b"The page could not be made; the log says why.\n")
        else:
            super().do_GET()

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingMixIn, TCPServer):
    """A thread a connection, of a bounded number, each for a bounded time."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 2 * CONNECTIONS_MAX

    def __init__(self, host: str, port: int, handler: type[_Handler]) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, _, _, _, address = found[0]
        self._places = threading.Semaphore(CONNECTIONS_MAX)
        self._opened_s: dict[Any, float] = {}
        self._lock = threading.Lock()
        super().__init__(address, handler)  # type: ignore[arg-type]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._places.acquire(blocking=False):
            with self._lock:
                oldest = next(iter(self._opened_s), None)
                if oldest is not None:
                    _cut(oldest)
            if not self._places.acquire(timeout=_ROOM_S):
                self.shutdown_request(request)
                return
        with self._lock:
            self._opened_s[request] = time.monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        # Out of the list first: what is closed may be somebody else's number a moment later.
        with self._lock:
            has_place = self._opened_s.pop(request, None) is not None
        super().shutdown_request(request)
        if has_place:
            self._places.release()

    def service_actions(self) -> None:
        self.cut_off(older_than_s=CONNECTION_S)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if isinstance(error, OSError):
            log.debug("client went away")
        else:
            log.error("scrape failed", exc_info=error)

    def cut_off(self, *, older_than_s: float) -> None:
        """Ends connections that are older than that."""
        now_s = time.monotonic()
        with self._lock:
            for request, opened_s in self._opened_s.items():
                if now_s - opened_s >= older_than_s:
                    _cut(request)


def _cut(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("was cut off already")
