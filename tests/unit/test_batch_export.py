"""What a job of the night leaves behind: a file for the textfile collector, and a push under an instance of its own."""

from __future__ import annotations

import threading
from base64 import b64encode
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
    of = {"retailer_id": "r/1", "retailer": "Fresh & Co"}
    export("cool", metrics, **of, textfiles=str(tmp_path), push_gateway=f"127.0.0.1:{pushgateway.server_port}")
    ((method, path, body),) = pushgateway.taken
    named = b64encode(b"Fresh & Co").decode()
    assert ("PUT", f"/metrics/job/hotbasket_cool/instance/night/retailer@base64/{named}") == (method, path)
    assert b'hotbasket_job_seconds{retailer="Fresh & Co",step="cool"} 7.0' in body
    assert body == (tmp_path / "hotbasket_cool_r_1.prom").read_bytes()


def test_retailers_do_not_take_each_others_place(tmp_path: Path) -> None:
    """What failed for one is read beside what went well for the other."""
    for retailer_id, failed in (("r-1", 1), ("r-2", 0)):
        metrics = BatchMetrics()
        metrics.job_failed.labels("train").set(failed)
        metrics.tree_generation.labels(retailer_id.upper()).set(3)
        export(
            "train",
            metrics,
            retailer_id=retailer_id,
            retailer=retailer_id.upper(),
            textfiles=str(tmp_path),
            push_gateway="",
        )
    read = "".join(path.read_text() for path in tmp_path.iterdir())
    assert 'hotbasket_job_failed{retailer="R-1",step="train"} 1.0' in read
    assert 'hotbasket_job_failed{retailer="R-2",step="train"} 0.0' in read
    assert 'hotbasket_tree_generation{retailer="R-2"} 3.0' in read
