"""Is a process well? What its numbers of the last minute say, in words, for the operator's page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from enum import IntEnum
from typing import Literal, NamedTuple, TypeAlias

from monitoring.metrics import LATENCY_S
from monitoring.samples import Window

_DAY_S = 86_400

Part: TypeAlias = Literal["gateway", "worker", "archiver", "privacy", "control"]
"""What a process may have; `control` is a control plane on a server, of which it keeps a copy."""


class Verdict(IntEnum):
    """What a number deserves; the larger, the worse."""

    FINE = 0
    LOOK = 1
    BAD = 2


class Bounds(NamedTuple):
    """From where a process turns away what comes; 0 = it has no such bound."""

    queue_events: int = 0
    streams: int = 0
    residents: int = 0


class Subject(NamedTuple):
    """What process it is.

    Attributes:
        name: as an operator calls it.
        parts: of which it tells.
        bounds: of its settings.
        job_files: folder in which the night's jobs leave their metrics; empty = none.
    """

    name: str
    parts: frozenset[Part] = frozenset()
    bounds: Bounds = Bounds()
    job_files: str = ""


class Fact(NamedTuple):
    """One line of the page.

    Attributes:
        words: what it is.
        metric: its name at `/metrics`.
        shown: the value, with its unit.
        verdict: None where no value is better than another.
        trouble: what is wrong, as a part of a sentence; said when it is not fine.
    """

    words: str
    metric: str
    shown: str
    verdict: Verdict | None = None
    trouble: str = ""


class Section(NamedTuple):
    """Facts under one heading, and what its table is, in a few words."""

    title: str
    caption: str
    facts: tuple[Fact, ...]


def sections(subject: Subject, window: Window, now_s: float) -> list[Section]:
    """Gives what the page tells of a process, most urgent first, without what the process does not have.

    Args:
        subject: the process.
        window: its last minute.
        now_s: since the epoch, to tell how long ago a job ran.
    """
    minute = f"over the last {window.seconds:.0f} s"
    rows: list[tuple[str, str, Iterator[Fact]]] = []
    if "gateway" in subject.parts:
        rows.append(("Gateway", f"Events in, experiences out, {minute}", _gateway(subject.bounds, window)))
    if "worker" in subject.parts:
        rows.append(("Worker", f"What decides, {minute}", _worker(subject.bounds, window)))
        rows.append(("Failed events", "Since the start, by reason", _failed(window)))
    if "archiver" in subject.parts:
        rows.append(("Archiver", f"From the log to the event store, {minute}", _archiver(window)))
    if "privacy" in subject.parts:
        rows.append(("Privacy requests", "What shoppers asked for and is not done", _privacy(window)))
    rows.append(("Jobs of the night", "The last run of each", _jobs(window, now_s)))
    if "control" in subject.parts:
        rows.append(("Control data", "Keys, catalogues, trees, campaigns", _control(window)))
    rows.append(("What it costs", f"This process, {minute}", _costs(window)))
    told = (Section(title, caption, tuple(facts)) for title, caption, facts in rows)
    return [section for section in told if section.facts]


def _gateway(bounds: Bounds, window: Window) -> Iterator[Fact]:
    ready = bool(window.now("hotbasket_gateway_ready"))
    trouble = "the gateway is not ready: it starts, stops or waits for a log"
    yield Fact(
        "Ready", "hotbasket_gateway_ready", "yes" if ready else "no", Verdict.FINE if ready else Verdict.BAD, trouble
    )
    yield Fact("Events answered", "hotbasket_events_total", _rate(window, "hotbasket_events_total"))
    for words, share, verdict in (("p50", 0.5, False), ("p95", 0.95, True)):
        yield _quantile(window, f"Acknowledged, {words}", "hotbasket_ack_seconds", share, is_judged=verdict)
    yield Fact(
        "Experiences delivered",
        "hotbasket_delivered_experiences_total",
        _rate(window, "hotbasket_delivered_experiences_total"),
    )
    yield _quantile(window, "Event to experience, p95", "hotbasket_experience_seconds", 0.95, is_judged=True)
    yield _turned_away(window)
    yield _errors(window, "Errors", "hotbasket_gateway_errors_total", "the gateway met errors")
    yield _filled(window, "Events waiting for the log", "hotbasket_log_queue_events", bounds.queue_events, warn=0.25)
    yield _filled(window, "Open streams", "hotbasket_streams_open", bounds.streams, warn=0.9)


def _turned_away(window: Window) -> Fact:
    """Requests that were refused for our sake; a client's own faults are not among them."""
    name = "hotbasket_refused_requests_total"
    refused = sum(number for status, number in window.grown_by(name, "status").items() if status.startswith("5"))
    share = refused / (refused + window.grown("hotbasket_ack_seconds_count")) if refused else 0.0
    verdict = Verdict.BAD if share > 0.01 else Verdict.LOOK if refused else Verdict.FINE
    return Fact("Requests turned away (5xx)", name, _count(refused), verdict, f"{_count(refused)} requests got a 5xx")


def _worker(bounds: Bounds, window: Window) -> Iterator[Fact]:
    owned = window.now("hotbasket_partitions_owned") or 0.0
    verdict = Verdict.FINE if owned else Verdict.LOOK
    yield Fact("Partitions owned", "hotbasket_partitions_owned", _count(owned), verdict, "the worker owns no partition")
    yield Fact(
        "Events processed", "hotbasket_processed_events_total", _rate(window, "hotbasket_processed_events_total")
    )
    yield Fact(
        "Experiences decided",
        "hotbasket_decided_experiences_total",
        _rate(window, "hotbasket_decided_experiences_total"),
    )
    yield _aged(window, "Lag", "hotbasket_worker_lag_seconds", (0.25, 1.0), "the worker lags")
    if owned:
        yield _aged(
            window,
            "Since the last checkpoint",
            "hotbasket_checkpoint_age_seconds",
            (10.0, 30.0),
            "checkpoints are late",
        )
    yield _errors(window, "Checkpoints that failed", "hotbasket_checkpoint_failures_total", "checkpoints failed")
    yield Fact("Batches", "hotbasket_batch_seconds_count", _count(window.grown("hotbasket_batch_seconds_count")))
    yield _quantile(window, "A batch, p95", "hotbasket_batch_seconds", 0.95, is_judged=False)
    yield _errors(window, "Errors", "hotbasket_worker_errors_total", "the worker met errors")
    yield _filled(window, "Shoppers in memory", "hotbasket_residents", bounds.residents, warn=None)


def _failed(window: Window) -> Iterator[Fact]:
    name = "hotbasket_failed_events_total"
    grown = window.grown_by(name, "reason")
    counted = sorted((reason, number) for reason, number in window.by(name, "reason").items() if number)
    for reason, number in counted:
        verdict = Verdict.LOOK if grown[reason] else Verdict.FINE
        yield Fact(reason, name, _count(number), verdict, f"events failed ({reason}): see hotbasket failed list")
    if not counted:
        yield Fact("None", name, "0", Verdict.FINE)


def _archiver(window: Window) -> Iterator[Fact]:
    yield Fact(
        "Records archived", "hotbasket_archived_records_total", _rate(window, "hotbasket_archived_records_total")
    )
    yield _aged(window, "Lag", "hotbasket_archive_lag_seconds", (60.0, 900.0), "the archiver lags")
    yield _quantile(window, "A batch, p95", "hotbasket_archive_batch_seconds", 0.95, is_judged=False)
    yield _errors(window, "Errors", "hotbasket_archive_errors_total", "the archiver met errors")


def _privacy(window: Window) -> Iterator[Fact]:
    name = "hotbasket_privacy_requests_open"
    by_kind = sorted((kind, number) for kind, number in window.by(name, "kind").items() if number)
    kinds = "".join(f", {kind} {_count(number)}" for kind, number in by_kind)
    yield Fact("Open", name, f"{_count(window.now(name) or 0.0)}{kinds}")
    # Not judged by its age: an erasure that waits for the log to forget is in order for days. Its deadline judges it.
    oldest = "hotbasket_privacy_oldest_request_seconds"
    yield Fact("Age of the oldest", oldest, span(window.now(oldest) or 0.0))
    overdue = window.now("hotbasket_privacy_requests_overdue") or 0.0
    yield Fact(
        "Past their deadline",
        "hotbasket_privacy_requests_overdue",
        _count(overdue),
        Verdict.BAD if overdue else Verdict.FINE,
        "privacy requests are overdue: see hotbasket privacy status",
    )
    for store, too_old_s in sorted(window.by("hotbasket_privacy_too_old_seconds", "store").items()):
        days = too_old_s / _DAY_S
        trouble = f"{store} holds what is {days:.3g} days too old"
        verdict = Verdict.LOOK if days else Verdict.FINE
        yield Fact(f"Days too old in {store}", "hotbasket_privacy_too_old_seconds", f"{days:.3g}", verdict, trouble)
    yield _errors(window, "Attempts that failed", "hotbasket_privacy_errors_total", "work on privacy requests failed")


def _jobs(window: Window, now_s: float) -> Iterator[Fact]:
    by = ("retailer", "step")
    failed = window.by_both("hotbasket_job_failed", by)
    succeeded = window.by_both("hotbasket_job_last_success_timestamp_seconds", by)
    took = window.by_both("hotbasket_job_seconds", by)
    for job in sorted(failed.keys() | succeeded.keys()):
        name = f"{job[1]} of {job[0]}"
        is_bad = bool(failed.get(job))
        parts = ["failed" if is_bad else "well"]
        if job in took:
            parts.append(f"took {span(took[job])}")
        if job in succeeded:
            parts.append(f"last success {span(max(0.0, now_s - succeeded[job]))} ago")
        verdict = Verdict.LOOK if is_bad else Verdict.FINE
        yield Fact(name, "hotbasket_job_failed", ", ".join(parts), verdict, f"the job {name} failed")


def _control(window: Window) -> Iterator[Fact]:
    yield _aged(window, "Age", "hotbasket_control_age_seconds", (2.0, 30.0), "control data is old: see Postgres")
    yield _errors(window, "Looks that failed", "hotbasket_control_errors_total", "control data could not be read")


def _costs(window: Window) -> Iterator[Fact]:
    cpu = window.rate("process_cpu_seconds_total")
    if window.now("process_cpu_seconds_total") is not None and cpu is not None:
        yield Fact("Processor", "process_cpu_seconds_total", f"{cpu:.2f} cores")
    memory = window.now("process_resident_memory_bytes")
    if memory is not None:
        yield Fact("Memory", "process_resident_memory_bytes", f"{memory / 2**20:,.0f} MiB")
    files = window.now("process_open_fds")
    if files is not None:
        yield _filled(window, "Open files", "process_open_fds", int(window.now("process_max_fds") or 0), warn=0.8)


def _aged(window: Window, words: str, metric: str, limits: tuple[float, float], trouble: str) -> Fact:
    seconds = window.now(metric) or 0.0
    return Fact(words, metric, span(seconds), _judged(seconds, *limits), f"{trouble} ({span(seconds)})")


def _quantile(window: Window, words: str, metric: str, share: float, *, is_judged: bool) -> Fact:
    seconds = window.quantile(metric, share)
    if seconds is None:
        return Fact(words, metric, "none")
    verdict = _judged(seconds, 0.1, 0.25) if is_judged else None
    return Fact(words, metric, span(seconds), verdict, f"{words} is {span(seconds)}")


def _errors(window: Window, words: str, metric: str, trouble: str) -> Fact:
    number = window.grown(metric)
    return Fact(words, metric, _count(number), Verdict.LOOK if number else Verdict.FINE, trouble)


def _filled(window: Window, words: str, metric: str, bound: int, *, warn: float | None) -> Fact:
    """How much of a bound is used; `warn` is the share from which it is worth a look, None where full is in order."""
    number = window.now(metric) or 0.0
    if not bound:
        return Fact(words, metric, _count(number))
    verdict = None if warn is None else _judged(number, warn * bound, bound)
    return Fact(words, metric, f"{_count(number)} of {_count(bound)}", verdict, f"{words.lower()}: near the bound")


def _judged(number: float, warn: float, bad: float) -> Verdict:
    return Verdict.BAD if number >= bad else Verdict.LOOK if number >= warn else Verdict.FINE


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _rate(window: Window, metric: str) -> str:
    rate = window.rate(metric)
    return "just started" if rate is None else f"{rate:,.1f} a second"


def span(seconds: float) -> str:
    """Gives a duration in the two units that say most of it."""
    if math.isinf(seconds):
        return f"over {span(LATENCY_S[-1])}"
    if seconds < 1:
        return f"{seconds * 1_000:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = int(seconds)
    for large, small, words in ((86_400, 3_600, ("d", "h")), (3_600, 60, ("h", "min")), (60, 1, ("min", "s"))):
        if whole >= large:
            return f"{whole // large} {words[0]} {whole % large // small} {words[1]}"
    raise AssertionError("a minute is the smallest of them")
