"""The page's second half: what was measured on real servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.bench.live_on_kafka import P95_MAX_MS
from tests.bench.stream import is_met
from tests.bench.tables import table

_NOTE = """\
# On servers

Kafka, Cassandra (which speaks ScyllaDB's protocol) and Postgres ran on the same machine, one small JVM each, one copy
of everything. With two cores, whoever is measured has one of them where it says so, and the servers and the load share
the other. So rates are lower than on machines of one's own; rates *by CPU second* are what a core of the measured
process does, whoever else was busy. Stored records have about 370 bytes.
"""
_KINDS = {
    "noop": "no-op ASGI application",
    "send": "bare producer, `send_and_wait`, 64 at once",
    "batch": "bare producer, batches of 200, 64 at once",
    "gateway_8": "gateway, 8 partitions",
    "gateway_64": "gateway, 64 partitions",
}


def render(figures: Mapping[str, Any]) -> list[str]:
    """Gives the sections that were measured."""
    shown = [show(figures[name]) for name, show in _SECTIONS.items() if name in figures]
    return [_NOTE, *shown] if shown else []


def targets(figures: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Gives what was reached, with its target and whether it is met."""
    rows = []
    if "kafka_live_path" in figures:
        top = figures["kafka_live_path"][-1]
        p95_ms, p99_ms = (top["experience"].get(name, float("inf")) for name in ("p95_ms", "p99_ms"))
        rows.append(
            (
                f"event → experience on Kafka, {top['offered_per_s']:,.0f}/s open loop",
                "p95 ≤ 50 ms, p99 ≤ 120 ms",
                f"p95 {p95_ms:.1f}, p99 {p99_ms:.1f} ms",
                p95_ms <= 50 and p99_ms <= 120,
            )
        )
    for one in figures.get("takeover", ()):
        first = one["first_s"]
        what = f"worker killed to first experience, {one['partitions']} partitions"
        reached = f"{first['median']:.2f} s, at most {first['max']:.2f} s"
        rows.append((what, "≤ 1 s", reached, first["max"] <= 1))
    return rows


def _gateway(figures: dict[str, Any]) -> str:
    rows = figures["rows"]
    shown = []
    for kind, name in _KINDS.items():
        row, of = rows[kind], rows[kind]["of"]
        p99 = f"{row['p99_ms']:.1f}" if "p99_ms" in row else ""
        ratios = [f"{of[yardstick]:.0%}" for yardstick in ("noop", "send", "batch")]
        shown.append((name, f"{row['per_s']:,.0f}", f"{row['per_cpu_s']:,.0f}", *ratios, p99))
    head = ("what", "events/s", "by CPU second", "of no-op", "of `send`", "of batches", "p99 ms")
    return (
        "## Events a second into Kafka on one core\n\nSingle events, each acknowledged by Kafka before its answer,"
        f" 64 connections; median of {figures['rounds']} rounds. Ratios are by CPU\nsecond, round by round.\n\n"
        + table(head, shown)
    )


def _profile(rows: list[tuple[str, float]]) -> str:
    return (
        "## Where the gateway's time goes on Kafka\n\nOf a single-event request (no server, no socket), the producer"
        " on the same event loop included, under a profiler.\n\n"
        + table(("where", "share"), [(f"`{name}`", f"{share:.1%}") for name, share in rows])
    )


def _archive(figures: dict[str, Any]) -> str:
    driver, archiver = figures["driver"], figures["archiver"]
    rows = [
        ("bare driver, unlogged batches", f"{driver['per_s']:,.0f}", f"{driver['per_cpu_s']:,.0f}", "100%"),
        ("archiver", f"{archiver['per_s']:,.0f}", f"{archiver['per_cpu_s']:,.0f}", f"{figures['of_driver']:.0%}"),
    ]
    return (
        f"## Archiving\n\n{figures['events']:,} records of {figures['record_bytes']} bytes wait in 64 partitions; the"
        " archiver reads, decodes, encodes and stores\nthem. The bare driver stores the same rows from memory."
        f" {_server_cost(archiver)}\n\n" + table(("what", "events/s", "by CPU second", "of the driver"), rows)
    )


def _worker(figures: dict[str, Any]) -> str:
    names = {"trees": "tree of 40 nodes", "tension": "an experience for every event"}
    rows = [
        (
            name,
            f"{one['per_s']:,.0f}",
            f"{one['per_cpu_s']:,.0f}",
            f"{one['decided']:,.0f}",
            f"{one['gateway_us']:.0f}",
            *(f"{one[server]:.0f}" if server in one else "" for server in ("kafka_us", "scylla_us")),
            f"{one['bytes_each']:,.0f}",
            f"{one['resident_mib']:,.0f}",
        )
        for kind, name in names.items()
        for one in (figures[kind],)
    ]
    head = (
        "shoppers with",
        "events/s",
        "by CPU second",
        "experiences",
        "a gateway's µs an event",
        "Kafka's",
        "Cassandra's",
        "bytes a resident",
        "MiB in all",
    )
    return (
        f"## A worker on Kafka\n\n{figures['events']:,} events of {figures['shoppers']:,} shoppers wait in 64"
        " partitions: half of them bring a shopper into\nmemory, from an empty snapshot and the default tree."
        " Checkpoints are included. Every gateway follows all that workers decide: what that\ncosts it stands beside"
        " it, no stream open.\n\n" + table(head, rows)
    )


def _server_cost(figures: dict[str, float]) -> str:
    names = {"kafka_us": "Kafka", "scylla_us": "Cassandra"}
    costs = [f"{name} {figures[key]:.0f} µs" for key, name in names.items() if key in figures]
    return f"An event costs the servers' CPUs: {', '.join(costs)}." if costs else ""


def _live_path(runs: list[dict[str, Any]]) -> str:
    head = ("events/s offered", "experiences", "p50", "p95", "p99", "max", "p95 of the answer", "cores used")
    return (
        "## Event to experience on Kafka\n\nMilliseconds from the intended send time to the experience on the shopper's"
        " stream: gateway, Kafka, worker, 64 partitions,\n200 streams, no archiver.\n\n"
        + table(head, [_run_row(run) for run in runs])
    )


def _run_row(run: dict[str, Any]) -> tuple[str, ...]:
    latencies = [f"{run['experience'].get(name, 0):.1f}" for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
    used = ", ".join(f"{name} {share:.2f}" for name, share in run["cores"].items())
    kept = f"{run['experiences']:,} of {run['events']:,}"
    return (f"{run['offered_per_s']:,.0f}", kept, *latencies, f"{run['ack'].get('p95_ms', 0):.1f}", used)


def _checkpoints(figures: dict[str, Any]) -> str:
    return (
        f"## Checkpoints\n\nA worker with 64 partitions at {figures['rate']:,} events/s of {figures['shoppers']:,}"
        f" shoppers in turns, a checkpoint every {figures['every_s']} s\nthat saves all of them: it takes"
        f" {figures['duration_s']:.2f} s beside the events, and {figures['share']:.1%} of a core"
        f" ({figures['us_with']:.0f} µs of CPU time an\nevent with checkpoints, {figures['us_without']:.0f} without).\n"
    )


def _takeover(found: list[dict[str, Any]]) -> str:
    rows = [
        (
            str(one["partitions"]),
            str(one["kills"]),
            *(f"{one[what][how]:.2f}" for what in ("first_s", "all_s") for how in ("median", "max")),
        )
        for one in found
    ]
    head = ("partitions", "kills", "first: median s", "max s", "every shopper's: median s", "max s")
    return (
        "## Takeover\n\n`kill -9` of the one worker under load, which its supervisor starts again: until the first"
        " experience of an event sent after\nthe kill, and until each of 64 shoppers has seen one.\n\n"
        + table(head, rows)
    )


def _matrix(found: list[dict[str, Any]]) -> str:
    rows = []
    for one in found:
        steps = [
            f"{run['offered_per_s']:,.0f}: {run['experience'].get('p95_ms', float('inf')):.0f} ms"
            + ("" if is_met(run, P95_MAX_MS) else " (fails)")
            for run in one["runs"]
        ]
        last = one["runs"][-1]["cores"]
        used = ", ".join(f"{name} {share:.2f}" for name, share in last.items())
        highest = f"{one['highest']:,.0f}" if one["highest"] else f"below {one['runs'][0]['offered_per_s']:,.0f}"
        rows.append((str(one["partitions"]), str(one["workers"]), highest, "; ".join(steps), used))
    head = ("partitions", "workers", "highest events/s", "p95 at each rate", "cores used at the last")
    first = found[0]["runs"][0]
    return (
        "## Partitions by workers\n\nHighest rate, open loop,"
        f" {first['events'] / first['offered_per_s']:.0f} s each, at which every event brings its experience and p95"
        f" stays below {P95_MAX_MS:.0f}\nms; the first rate that fails twice ends the search. Load, gateway, workers"
        " and servers share two cores: what ends it\nis the machine.\n\n" + table(head, rows)
    )


_SECTIONS: Mapping[str, Callable[[Any], str]] = {
    "kafka_gateway": _gateway,
    "kafka_profile": _profile,
    "archive": _archive,
    "worker": _worker,
    "kafka_live_path": _live_path,
    "checkpoints": _checkpoints,
    "takeover": _takeover,
    "matrix": _matrix,
}
