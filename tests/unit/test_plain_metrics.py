"""Plain metrics: what a scrape sees of them is what the library's own would show."""

from __future__ import annotations

import urllib.request

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from domain.errors import Refused
from monitoring.plain import SHOWN_MAX, PlainCounter, PlainGauge, PlainHistogram
from monitoring.server import MetricsServer


def scraped(registry: CollectorRegistry) -> list[str]:
    """The samples of a scrape, without moments of creation."""
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)


def test_they_look_like_the_librarys() -> None:
    """Same names, types, labels and numbers."""
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counter, histogram = PlainCounter("events", "Events", ("type",)), PlainHistogram("ack_seconds", "Ack", (0.1, 1.0))
    ours.register(counter)
    ours.register(histogram)
    own_counter = Counter("events", "Events", ["type"], registry=theirs)
    own_histogram = Histogram("ack_seconds", "Ack", buckets=(0.1, 1.0), registry=theirs)
    for kind, times in (("a", 2), ("b", 1)):
        for _ in range(times):
            counter.labels(kind).inc()
            own_counter.labels(kind).inc()
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
        own_histogram.observe(value)
    assert scraped(theirs) == scraped(ours)


def test_metrics_have_a_port_of_their_own() -> None:
    """The registry is served where asked; a port in use is one sentence."""
    registry = CollectorRegistry()
    Counter("served", "Served", registry=registry).inc(3)
    server = MetricsServer(registry, 0)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        assert b"served_total 3.0" in answer.read()
    with pytest.raises(Refused, match=f"port {server.port} is in use"):
        MetricsServer(registry, server.port)
    server.close()
    MetricsServer(registry, server.port).close()


def test_a_table_shows_the_newest_alone() -> None:
    """A series that is not in the newest table is gone, and no more than some are shown, the first by name."""
    gauge = PlainGauge("table", "what", ("retailer",))
    gauge.show({("old",): 1.0})
    gauge.show({(f"r-{number:04}",): number for number in range(SHOWN_MAX + 1)})
    (family,) = gauge.collect()
    assert [f"r-{number:04}" for number in range(SHOWN_MAX)] == [sample.labels["retailer"] for sample in family.samples]
    assert [float(number) for number in range(SHOWN_MAX)] == [sample.value for sample in family.samples]
