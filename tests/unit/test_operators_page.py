"""The operator's page: what it says of a process, what it leaves out, and that it can be trusted with any label."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from adapters.settings import Settings
from deploy.operators_page import one_process, whole_system
from monitoring.batch_export import export
from monitoring.job_files import FILE_BYTES_MAX, JobFiles
from monitoring.metrics import BatchMetrics, Metrics
from monitoring.page import Page
from monitoring.samples import STEP_S, WINDOW_S, Samples
from monitoring.wellness import Bounds, Part, Subject, span

NOW_S = 1_800_000_000.0
LIVE: frozenset[Part] = frozenset({"gateway", "worker", "privacy"})


class Clock:
    """Moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


class Watched:
    """A process's metrics and its page."""

    def __init__(self, parts: frozenset[Part] = LIVE, more: JobFiles | None = None) -> None:
        self.metrics = Metrics()
        self.clock = Clock()
        collectors = [self.metrics.registry, *([more] if more else [])]
        self.samples = Samples(collectors, self.clock)
        self.page = Page(Subject("the process", parts, Bounds(100, 10, 1_000)), self.samples, lambda: NOW_S)
        self.metrics.gateway_ready.set(1)
        self.metrics.partitions_owned.set(1)
        self.samples.keep()

    def rows(self) -> dict[str, tuple[str, str]]:
        """Value and verdict by the words of each row."""
        found = re.findall(r'<th scope="row"[^>]*>(.*?)</th><td>(.*?)</td><td class="[a-z]*">(.*?)</td>', self.text())
        return {words: (shown, verdict) for words, shown, verdict in found}

    def sentence(self) -> str:
        """What it says first."""
        found = re.search(r'<p class="verdict [a-z]+">(.*?)</p>', self.text())
        assert found is not None
        return found[1]

    def text(self) -> str:
        """The page."""
        return self.page.html("").decode()


def test_a_process_in_order_is_well() -> None:
    """Without a trouble the page says so in its first sentence and in its title."""
    watched = Watched()
    assert "Well: nothing needs you." == watched.sentence()
    assert "<title>well: the process</title>" in watched.text()


def test_rates_are_of_the_last_minute() -> None:
    """What was counted before the window is no part of a rate, and what was not counted before began at nothing."""
    watched = Watched()
    watched.metrics.events.labels("OrderPaid", "stored").inc(1_000)
    for _ in range(int(WINDOW_S / STEP_S) + 3):
        watched.clock.now_s += STEP_S
        watched.samples.keep()
    assert "0.0 a second" == watched.rows()["Events answered"][0]
    watched.metrics.events.labels("ProductViewed", "stored").inc(120)
    watched.clock.now_s += STEP_S
    window = watched.samples.window()
    assert (120, 120 / window.seconds) == (
        window.grown("hotbasket_events_total"),
        window.rate("hotbasket_events_total"),
    )
    assert WINDOW_S <= window.seconds <= WINDOW_S + STEP_S


@pytest.mark.parametrize(
    ("observed", "share", "expected"),
    [
        ([], 0.95, None),
        ([0.03] * 10, 0.5, 0.0375),
        ([0.03] * 10, 1.0, 0.05),
        ([0.0005] * 50 + [0.2] * 50, 0.5, 0.001),
        ([0.0005] * 50 + [0.2] * 50, 0.95, 0.235),
        ([9.0], 0.5, float("inf")),
    ],
)
def test_quantiles_are_what_prometheus_gives(observed: list[float], share: float, expected: float | None) -> None:
    """Between a bucket's bounds a quantile is interpolated; beyond the last bound it is only known to be beyond."""
    watched = Watched()
    for value in observed:
        watched.metrics.ack_s.observe(value)
    found = watched.samples.window().quantile("hotbasket_ack_seconds", share)
    assert expected == (found if found is None else pytest.approx(found))


def _not_ready(metrics: Metrics) -> None:
    metrics.gateway_ready.set(0)


def _slow(metrics: Metrics) -> None:
    metrics.experience_s.observe(3.0)


def _turned_away(metrics: Metrics) -> None:
    metrics.refused_requests.labels("503", "log_full").inc(2)


def _lagging(metrics: Metrics) -> None:
    metrics.lag_s.set(0.5)


def _late(metrics: Metrics) -> None:
    metrics.checkpoint_age_s.set(31)


def _failed(metrics: Metrics) -> None:
    metrics.failed.labels("undecodable").inc(3)


def _overdue(metrics: Metrics) -> None:
    metrics.privacy_overdue.set(1)


def _too_old(metrics: Metrics) -> None:
    metrics.privacy_too_old_s.labels("warehouse").set(2 * 86_400)


def _full(metrics: Metrics) -> None:
    metrics.log_queue_events.set(100)


@pytest.mark.parametrize(
    ("happens", "row", "expected", "sentence"),
    [
        (
            _too_old,
            "Days too old in warehouse",
            ("2", "look"),
            "Worth a look: warehouse holds what is 2 days too old.",
        ),
        (_not_ready, "Ready", ("no", "bad"), "Bad: the gateway is not ready: it starts, stops or waits for a log."),
        (
            _slow,
            "Event to experience, p95",
            ("over 2.5 s", "bad"),
            "Bad: Event to experience, p95 is over 2.5 s.",
        ),
        (_turned_away, "Requests turned away (5xx)", ("2", "bad"), "Bad: 2 requests got a 5xx."),
        (_lagging, "Lag", ("500 ms", "look"), "Worth a look: the worker lags (500 ms)."),
        (_late, "Since the last checkpoint", ("31 s", "bad"), "Bad: checkpoints are late (31 s)."),
        (
            _failed,
            "undecodable",
            ("3", "look"),
            "Worth a look: events failed (undecodable): see hotbasket failed list.",
        ),
        (
            _overdue,
            "Past their deadline",
            ("1", "bad"),
            "Bad: privacy requests are overdue: see hotbasket privacy status.",
        ),
        (
            _full,
            "Events waiting for the log",
            ("100 of 100", "bad"),
            "Bad: events waiting for the log: near the bound.",
        ),
    ],
)
def test_each_trouble_is_named(happens: object, row: str, expected: tuple[str, str], sentence: str) -> None:
    """A trouble has a word in its row and stands in the first sentence."""
    watched = Watched()
    assert callable(happens)
    happens(watched.metrics)
    assert (expected, sentence) == (watched.rows()[row], watched.sentence())


def test_the_worst_comes_first() -> None:
    """With several troubles the page is as bad as the worst, which it names first."""
    watched = Watched()
    _lagging(watched.metrics)
    _overdue(watched.metrics)
    said = "Bad: privacy requests are overdue: see hotbasket privacy status; the worker lags (500 ms)."
    assert said == watched.sentence()


def test_old_failures_are_shown_and_no_longer_a_trouble() -> None:
    """Events that failed before the last minute are counted by reason, and don't wake anybody."""
    watched = Watched()
    _failed(watched.metrics)
    for _ in range(int(WINDOW_S / STEP_S) + 2):
        watched.clock.now_s += STEP_S
        watched.samples.keep()
    assert (("3", "well"), "Well: nothing needs you.") == (watched.rows()["undecodable"], watched.sentence())


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"gateway", "control"}, ["Gateway", "Control data"]),
        ({"worker", "control"}, ["Worker", "Failed events", "Control data"]),
        ({"archiver"}, ["Archiver"]),
        ({"privacy", "control"}, ["Privacy requests", "Control data"]),
        (set(), []),
    ],
)
def test_what_a_process_does_not_have_is_left_out(parts: set[Part], expected: list[str]) -> None:
    """Each kind of process has its own headings and no others."""
    assert expected == re.findall(r"<h2 [^>]*>(.*?)</h2>", Watched(frozenset(parts)).text())


def test_every_row_names_a_metric_that_is_there() -> None:
    """The title of each row is the name of a declared metric, and no row repeats another of its section."""
    metrics, batch = Metrics(), BatchMetrics()
    declared = {
        f"{family.name}{ending}"
        for registry in (metrics.registry, batch.registry)
        for family in registry.collect()
        for ending in ("", "_total", "_count")
    }
    everything: frozenset[Part] = frozenset({"gateway", "worker", "archiver", "privacy", "control"})
    named = re.findall(r'<th scope="row" title="(.*?)">', Watched(everything).text())
    assert len(named) > 25
    assert set() == set(named) - declared


def test_jobs_of_the_night_are_read_from_their_files(tmp_path: Path) -> None:
    """A job that failed is named; a file that is damaged or too large is passed over."""
    metrics = BatchMetrics()
    metrics.job_failed.labels("cool").set(1)
    metrics.job_s.labels("cool").set(90)
    metrics.job_succeeded_at_s.labels("cool").set(NOW_S - 7_200)
    export("cool", metrics, retailer_id="r-1", retailer="shop", textfiles=str(tmp_path), push_gateway="")
    (tmp_path / "hotbasket_bad.prom").write_text("no { metric")
    (tmp_path / "hotbasket_large.prom").write_text("#" * (FILE_BYTES_MAX + 1))
    watched = Watched(more=JobFiles(tmp_path))
    assert ("failed, took 1 min 30 s, last success 2 h 0 min ago", "look") == watched.rows()["cool of shop"]
    assert "Worth a look: the job cool of shop failed." == watched.sentence()
    assert "cool of shop" not in Watched(more=JobFiles(tmp_path / "nowhere")).rows()


def test_a_label_is_text() -> None:
    """What looks like markup in a label stays text."""
    watched = Watched()
    watched.metrics.failed.labels("<script>").inc()
    assert ("<script>" in watched.text(), "&lt;script&gt;" in watched.rows()) == (False, True)


def test_it_can_be_told_to_stand_still() -> None:
    """The page asks to be loaded again every five seconds, unless its reader has said otherwise."""
    page = Watched().page
    refresh = b'http-equiv="refresh"'
    assert (True, False) == (refresh in page.html(""), refresh in page.html("still"))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (59.96, "60 s"),
        (61, "1 min 1 s"),
        (3_660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_read_well(seconds: float, expected: str) -> None:
    """A duration has at most two units."""
    assert expected == span(seconds)


def test_a_sample_takes_every_registry() -> None:
    """Numbers of several registries stand beside each other, without moments of creation."""
    first, second = CollectorRegistry(), CollectorRegistry()
    Counter("one", "One", registry=first).inc(2)
    Gauge("two", "Two", registry=second).set(3)
    last = Samples([first, second], Clock()).window().last
    assert {"one_total": {(): 2.0}, "two": {(): 3.0}} == last.numbers


def test_a_process_is_called_by_its_kind_and_name() -> None:
    """Each kind of process tells of its own part, under the name by which its group knows it, with its own bounds."""
    settings = Settings(log_queue_events_max=7, streams_max=8, residents_max=9, batch_textfiles="/jobs")
    worker = one_process(settings, "worker", "shop-worker-3")
    expected = Subject("hotbasket worker, shop-worker-3", frozenset({"worker", "control"}), Bounds(7, 8, 9), "/jobs")
    assert expected == worker
    assert {"archiver"} == one_process(settings, "archiver", "shop-archiver-0").parts
    assert f"hotbasket gateway, {socket.gethostname()}" == one_process(settings, "gateway", None).name
    assert whole_system(settings) == Subject("hotbasket run", LIVE, Bounds(7, 8, 9), "/jobs")
