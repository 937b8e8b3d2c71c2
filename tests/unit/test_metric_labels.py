"""What labels may say: every value that the code counts is among those that its counter was born with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from domain.events import OUTSIDE_TYPES
from gateway.streams import Reason
from monitoring import labels
from monitoring.metrics import Metrics

ROOMS = ("gateway", "actors", "batch", "adapters", "deploy")
OF_A_METRIC_MAX, OF_A_PROCESS_MAX = 30, 400
ALL = vars(Metrics()).keys()
NAMED = {"_count": "archive_errors", "_until_done": "worker_errors"}
"""Methods that count an error under their first argument."""


def trees(checkout: Path, *rooms: str) -> Iterator[ast.AST]:
    """The syntax trees of what runs."""
    for room in rooms:
        for path in sorted((checkout / room).rglob("*.py")):
            yield ast.parse(path.read_text(encoding="utf-8"))


def counted(checkout: Path) -> set[tuple[str, str]]:
    """The metrics' attributes, each with a text that stands in the code as the value of its only label."""
    found = set()
    for tree in trees(checkout, *ROOMS):
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Attribute(attr=metric), attr="labels"),
                    args=[ast.Constant(value=str(value))],
                ) if metric in ALL:
                    found.add((metric, value))
                case ast.Call(func=ast.Attribute(attr=method), args=[ast.Constant(value=str(value)), *_]) if (
                    method in NAMED
                ):
                    found.add((NAMED[method], value))
    return found


def born(metric: str) -> set[str]:
    """The values of a metric's only label in a process that has just begun."""
    (family,) = getattr(Metrics(), metric).collect()
    return {value for sample in family.samples for value in sample.labels.values()}


def test_what_the_code_counts_was_there_from_the_start(checkout: Path) -> None:
    """A series that begins with its first fault shows no growth, so that nobody would see that fault."""
    found = counted(checkout)
    assert {"gateway_errors", "worker_errors", "archive_errors", "passivations", "archived"} <= {
        one for one, _ in found
    }
    assert set() == {(metric, value) for metric, value in found if value not in born(metric)}


def test_each_fault_of_meaning_was_there_from_the_start(checkout: Path) -> None:
    """The fold's faults are those that the worker's counter knows."""
    said = set()
    for tree in trees(checkout, "domain"):
        for node in ast.walk(tree):
            match node:
                case ast.keyword(arg="faults", value=ast.Tuple(elts=[ast.Constant(value=str(fault))])):
                    said.add(fault)
    assert {"basket_full", "unknown_experience"} <= said <= set(labels.MEANING)


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("streams_dropped", get_args(Reason)),
        ("decided", ("personalised_promotion", "gamified_promotion", "recommendation", "basket_tension")),
        ("failed", ("undecodable", "snapshot_unreadable", "tree_unreadable", "not_processed")),
        ("redacted", ("email", "iban", "nir", "card", "phone")),
        ("erased_on_withdrawal", ("begun", "failed")),
    ],
)
def test_a_counter_begins_with_each_of_its_series_at_zero(metric: str, values: tuple[str, ...]) -> None:
    """They are there before anything was counted, and stand at 0."""
    (family,) = getattr(Metrics(), metric).collect()
    totals = {next(iter(one.labels.values())): one.value for one in family.samples if one.name.endswith("_total")}
    assert dict.fromkeys(values, 0.0) == totals


def test_every_counter_begins_with_its_series() -> None:
    """But for two whose labels others know: the gateway has its errors, and the hot store its statements."""
    empty = {family.name for family in Metrics().registry.collect() if family.type == "counter" and not family.samples}
    assert {"hotbasket_refused_requests", "hotbasket_store_errors"} == empty


def test_a_process_begins_with_few_series() -> None:
    """No metric has more than some, and all together are few; what may come later, a test of the gateway bounds."""
    families = list(Metrics().registry.collect())
    series = {one.name: sum(not sample.name.endswith("_created") for sample in one.samples) for one in families}
    assert {} == {name: number for name, number in series.items() if number > OF_A_METRIC_MAX}
    assert sum(series.values()) <= OF_A_PROCESS_MAX


def test_events_begin_with_each_type_and_outcome() -> None:
    """What a gateway can answer is counted from the start, and what a client calls an event is no type."""
    (family,) = Metrics().events.collect()
    found = {(sample.labels["type"], sample.labels["outcome"]): sample.value for sample in family.samples}
    answered = {(kind, outcome) for kind in (*OUTSIDE_TYPES, "ConsentWithdrawn") for outcome in ("stored", "retry")}
    assert dict.fromkeys(answered | {("unknown", "dropped"), ("unknown", "rejected")}, 0.0) == found
