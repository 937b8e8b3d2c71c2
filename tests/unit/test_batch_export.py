"""What a job of the night leaves behind: a file for the textfile collector, and a push under an instance of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from monitoring.batch_export import export
from monitoring.metrics import BatchMetrics


class Pushgateway(HTTPServer):
    """Takes what is pushed.

    Attributes:
        taken: method, path and body of each push.
    """

    taken: list[tuple[str, str, bytes]]


class Taking(BaseHTTPRequestHandler):
    """Takes one push."""

    server: Pushgateway

    def do_PUT(self) -> None:
        """Keeps it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.command, self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def pushgateway() -> Iterator[Pushgateway]:
    """A Pushgateway on loopback."""
    server = Pushgateway(("127.0.0.1", 0), Taking)
    server.taken = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_night_takes_the_place_of_the_one_before(
    pushgateway: Pushgateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On whatever machine it ran, a job has one group with an instance to select; its file says the same."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    metrics = BatchMetrics()
    metrics.job_s.labels("cool").set(7)
    export("cool", metrics, textfiles=str(tmp_path), push_gateway=f"127.0.0.1:{pushgateway.server_port}")
    ((method, path, body),) = pushgateway.taken
    assert ("PUT", "/metrics/job/hotbasket_cool/instance/night") == (method, path)
    assert b'hotbasket_job_seconds{step="cool"} 7.0' in body
    assert body == (tmp_path / "hotbasket_cool.prom").read_bytes()
