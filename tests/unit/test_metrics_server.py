"""The metrics' port: it answers while clients are silent, slow or many, with a bounded number of threads."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from monitoring import server as server_module
from monitoring.server import CONNECTIONS_MAX, MetricsServer

WITHIN_S = 60


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    """A server with one counter."""
    registry = CollectorRegistry()
    Counter("served", "Served", registry=registry).inc(3)
    server = MetricsServer(registry, 0)
    yield server
    server.close()


def get(server: MetricsServer, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in small letters, and body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WITHIN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def connected(server: MetricsServer) -> socket.socket:
    """A client that has not said anything yet."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=WITHIN_S)


def until(condition: Callable[[], object]) -> None:
    """Waits for a condition, with a deadline."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_page_stands_on_the_root_beside_the_metrics(server: MetricsServer) -> None:
    """`/` is a page that may load nothing and run nothing; `/metrics` is what it was."""
    status, headers, body = get(server, "/")
    assert (200, "text/html; charset=utf-8", "no-store") == (status, headers["content-type"], headers["cache-control"])
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert b"<h1>hotbasket</h1>" in body
    assert b"process_" not in get(server, "/metrics")[2]
    assert b"served_total 3.0" in get(server, "/metrics")[2]
    assert (204, b"") == get(server, "/favicon.ico")[::2]


def test_silent_clients_hold_up_nobody(server: MetricsServer) -> None:
    """With more silent connections than there are places, a scrape and the page are answered, by no more threads."""
    before = threading.active_count()
    with ExitStack() as closing:
        silent = [closing.enter_context(connected(server)) for _ in range(3 * CONNECTIONS_MAX)]
        assert 200 == get(server, "/metrics")[0]
        assert 200 == get(server, "/")[0]
        assert threading.active_count() - before <= CONNECTIONS_MAX
        # The oldest made room.
        assert b"" == silent[0].recv(1)


def test_a_silent_client_is_cut_off(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects and says nothing is gone after a while."""
    monkeypatch.setattr(server_module._Handler, "timeout", 0.1)
    with connected(server) as silent:
        assert b"" == silent.recv(1)


def test_a_dripping_client_is_cut_off(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sends a byte now and then never counts as silent, and is cut off by the age of the connection."""
    monkeypatch.setattr(server_module, "CONNECTION_S", 0.5)
    before = threading.active_count()
    with connected(server) as dripping:

        def is_cut() -> bool:
            try:
                dripping.sendall(b"G")
            except OSError:
                return True
            return False

        until(is_cut)
        until(lambda: threading.active_count() <= before)


class Stuck(Collector):
    """A collector that can be made to hang."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        self.go_on = threading.Event()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Hangs the first time that it is told to."""
        if self.hangs.is_set():
            self.hangs.clear()
            assert self.go_on.wait(WITHIN_S)
        yield GaugeMetricFamily("stuck", "Stuck", 1.0)


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_an_answer_that_hangs_holds_up_no_other(path: str) -> None:
    """While one page or scrape hangs in a collector, others are answered."""
    registry, stuck = CollectorRegistry(), Stuck()
    registry.register(stuck)
    server = MetricsServer(registry, 0)
    stuck.hangs.set()
    with connected(server) as hanging:
        hanging.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        # Whoever comes first hangs: this answer, or a sample.
        until(lambda: not stuck.hangs.is_set())
        assert [200, 200] == [get(server, "/")[0], get(server, "/metrics")[0]]
        stuck.go_on.set()
        assert hanging.recv(1_024).startswith(b"HTTP/1.0 200")
    server.close()


class Broken(Collector):
    """A collector that fails once it is told to."""

    def __init__(self) -> None:
        self.fails = False

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Gives nothing, or fails."""
        if self.fails:
            raise RuntimeError("dictionary changed size during iteration")
        yield from ()


def test_a_collector_that_fails_costs_an_answer_and_no_more() -> None:
    """A gauge that can't be read is a page of status 500; the next is well again."""
    registry, broken = CollectorRegistry(), Broken()
    registry.register(broken)
    server = MetricsServer(registry, 0)
    broken.fails = True
    assert 500 == get(server, "/")[0]
    with pytest.raises(http.client.HTTPException):
        get(server, "/metrics")
    broken.fails = False
    assert [200, 200] == [get(server, "/")[0], get(server, "/metrics")[0]]
    server.close()


def test_closing_waits_for_nobody(server: MetricsServer) -> None:
    """A connected client does not hold the end, and is cut off."""
    other = MetricsServer(CollectorRegistry(), 0)
    with connected(other) as silent:
        # Who came later was answered, so the first is in.
        assert 200 == get(other, "/")[0]
        other.close()
        assert b"" == silent.recv(1)
    assert 200 == get(server, "/")[0]
