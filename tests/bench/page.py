"""The page of figures: what was measured, on which machine, against which target, and where the time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.bench import page_campaigns, page_erasure, page_metrics, page_night, page_servers
from tests.bench.results import Sections
from tests.bench.tables import table

_HEAD = """\
# Benchmarks

Written by `make bench` from [benchmarks.json](benchmarks.json), section by section: in each, the yardstick was measured
in turns with what is measured. Compare the ratios, not the rates: machines differ, and this one is shared.
"""


def render(sections: Sections) -> str:
    """Gives the page as Markdown; what was not measured yet is left out."""
    figures = {name: section["figures"] for name, section in sections.items()}
    parts = [_HEAD, _machines(sections), _summary(figures)]
    parts += [show(figures[name]) for name, show in _EMBEDDED.items() if name in figures]
    parts += [page_campaigns.render(figures["campaigns"])] if "campaigns" in figures else []
    parts += [page_night.render(figures["night"])] if "night" in figures else []
    parts += [page_erasure.render(figures["erasure"])] if "erasure" in figures else []
    parts += [page_metrics.render(figures["metrics"])] if "metrics" in figures else []
    parts += page_servers.render(figures)
    return "\n".join(parts)


def _machines(sections: Sections) -> str:
    """Gives where and when each section was measured, sections of the same place and day together."""
    places: dict[tuple[str, ...], list[str]] = {}
    for name, section in sections.items():
        machine = section["machine"]
        what = f"{machine['processor']}, {machine['memory']}", machine["system"], machine["server"]
        places.setdefault((section["measured"], *what), []).append(name)
    rows = [(*place, ", ".join(f"`{name}`" for name in names)) for place, names in sorted(places.items(), reverse=True)]
    return table(("measured", "machine", "system", "server", "sections"), rows)


def _summary(figures: Mapping[str, Any]) -> str:
    rows = [row for name, give in _TARGETS.items() if name in figures for row in give(figures[name])]
    rows += page_servers.targets(figures)
    shown = [(what, target, reached, "yes" if met else "**no**") for what, target, reached, met in rows]
    return "## Targets\n\n" + table(("what", "target", "reached", "met"), shown)


Target = tuple[str, str, str, bool]


def _of_throughput(figures: dict[str, Any]) -> list[Target]:
    ratio = figures["ratio"]
    return [
        (
            "`POST /v1/events`, gateway alone, of the no-op",
            "≥ 60 %",
            f"{ratio['gateway']:.0%}",
            ratio["gateway"] >= 0.6,
        ),
        ("`POST /v1/events`, `run`, actors included", "≥ 50 %", f"{ratio['run']:.0%}", ratio["run"] >= 0.5),
    ]


def _of_actors(figures: dict[str, Any]) -> list[Target]:
    rate = figures["per_s"]
    return [("fold and decide in an actor, 40-node tree", "≥ 50,000/s", f"{rate:,.0f}/s", rate >= 5e4)]


def _of_live_path(runs: list[dict[str, Any]]) -> list[Target]:
    top = runs[-1]
    p95_ms, p99_ms = top["experience"]["p95_ms"], top["experience"]["p99_ms"]
    return [
        (
            f"event → experience on the stream, {top['offered_per_s']:,.0f}/s open loop",
            "p95 ≤ 50 ms, p99 ≤ 120 ms",
            f"p95 {p95_ms:.1f}, p99 {p99_ms:.1f} ms",
            p95_ms <= 50 and p99_ms <= 120,
        )
    ]


def _of_residents(figures: dict[str, Any]) -> list[Target]:
    return [
        (
            f"{figures['residents']:,.0f} residents, own trees of {figures['tree_bytes'] / 1024:.1f} KiB",
            "≤ 8 GiB for a million",
            f"{figures['gib']:.1f} GiB",
            figures["bytes_each"] * 1e6 <= 8 * 2**30,
        ),
        (
            "longest pause of the worker while they come",
            "≤ 20 ms",
            f"{figures['longest_pause_ms']:.0f} ms",
            figures["longest_pause_ms"] <= 20,
        ),
        ("memory after 10 × churn", "flat", f"{figures['churn_growth']:+.1%}", figures["churn_growth"] < 0.02),
    ]


def _of_starting(figures: dict[str, Any]) -> list[Target]:
    fresh_s, killed_s = figures["fresh_s"], figures["after_kill_s"]
    return [
        ("start to ready", "≤ 2 s", f"{fresh_s:.2f} s", fresh_s <= 2),
        ("killed and restarted to ready", "≤ 1 s", f"{killed_s:.2f} s", killed_s <= 1),
    ]


def _of_campaigns(figures: dict[str, Any]) -> list[Target]:
    decisions, what = figures["decision_us"], f"one decision over {figures['live']} campaigns"
    early_us = decisions["the tenth wins"]["p50"]
    slowest_us = max(one["p50"] for one in decisions.values())
    return [
        (f"{what}, one of the first ten wins", "≤ 100 µs", f"{early_us:.0f} µs", early_us <= 100),
        (f"{what}, the slowest of five situations", "≤ 100 µs", f"{slowest_us:.0f} µs", slowest_us <= 100),
    ]


_TARGETS: Mapping[str, Callable[[Any], list[Target]]] = {
    "campaigns": _of_campaigns,
    "throughput": _of_throughput,
    "actors": _of_actors,
    "live_path": _of_live_path,
    "residents": _of_residents,
    "starting": _of_starting,
    "metrics": page_metrics.targets,
}


def _throughput(figures: dict[str, Any]) -> str:
    rows = [
        (
            {"noop": "no-op ASGI application", "gateway": "gateway alone", "run": "`hotbasket run`"}[kind],
            f"{figures['per_s'][kind]:,.0f}",
            f"{figures['ratio'][kind]:.0%}",
            f"{latency['p50_ms']:.2f}",
            f"{latency['p99_ms']:.2f}",
        )
        for kind, latency in figures["latency"].items()
    ]
    return (
        "## Events a second on one core\n\nSingle events, each durable in the embedded log before its answer, 64"
        " connections; the server on one core, its load on\nanother. Median over the rounds; ratios are taken round by"
        " round.\n\n" + table(("server", "answers/s", "of the no-op", "p50 ms", "p99 ms"), rows)
    )


def _live_path(runs: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"{run['offered_per_s']:,.0f}",
            f"{run['experiences']:,} of {run['events']:,}",
            *(f"{run['experience'][name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")),
            f"{run['ack']['p95_ms']:.1f}",
        )
        for run in runs
    ]
    head = ("events/s offered", "experiences", "p50", "p95", "p99", "max", "p95 of the answer")
    return (
        "## Event to experience\n\nMilliseconds from the intended send time of an event to its experience on the"
        " shopper's stream: open loop, 200 streams,\nevery event brings one.\n\n" + table(head, rows)
    )


def _memory(figures: dict[str, float]) -> str:
    spread = ""
    if "bytes_each_64" in figures:
        spread = (
            f"\nA worker that owns 64 partitions keeps a resident in {figures['bytes_each_64']:,.0f} bytes, one that"
            f" owns a single one in {figures['bytes_each_1']:,.0f}: a partition's own tables weigh little.\n"
        )
    return (
        "## Residents\n\n"
        f"{figures['residents']:,.0f} shoppers in memory, each with a tree of its own of"
        f" {figures['tree_bytes']:,.0f} bytes and one event: {figures['bytes_each']:,.0f} bytes each, tree included."
        f"\nBringing 100 of them into memory takes {figures['median_pause_ms']:.1f} ms (median) and at most"
        f" {figures['longest_pause_ms']:.1f} ms of CPU time, garbage collections included.\n{spread}"
    )


def _profile(rows: list[tuple[str, float]]) -> str:
    return (
        "## Where the time goes\n\nThe gateway's own share of a single-event request on the embedded log (no server,"
        " no socket), under a profiler, by file\nor built-in function.\n\n"
        + table(("where", "share"), [(f"`{name}`", f"{share:.1%}") for name, share in rows])
    )


_EMBEDDED: Mapping[str, Callable[[Any], str]] = {
    "throughput": _throughput,
    "live_path": _live_path,
    "residents": _memory,
    "profile": _profile,
}
