"""The page of figures: what was measured, on which machine, against which target, and where the time goes."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any


def machine() -> dict[str, str]:
    """Gives what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "memory": f"{memory_kib / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "server": f"uvicorn {version('uvicorn')}, uvloop {version('uvloop')}, httptools {version('httptools')}",
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def render(figures: dict[str, Any]) -> str:
    """Gives the page as Markdown."""
    parts = [
        "# Benchmarks\n\nWritten by `make bench`: every figure below comes from one run on one machine, the yardstick"
        " in turns with what is\nmeasured. Compare the ratios, not the rates: machines differ, and this one is shared."
        "\n\n" + _table(("machine", ""), [(name, value) for name, value in figures["machine"].items()]),
        _summary(figures),
        _throughput(figures["throughput"]),
        _live_path(figures["live_path"]),
        _memory(figures["residents"]),
        _profile(figures["profile"]),
    ]
    return "\n".join(parts)


def _summary(figures: dict[str, Any]) -> str:
    ratio, actors, residents = figures["throughput"]["ratio"], figures["actors"], figures["residents"]
    top = figures["live_path"][-1]
    starting = figures["starting"]
    rows = [
        (
            "`POST /v1/events`, gateway alone, of the no-op",
            "≥ 60 %",
            f"{ratio['gateway']:.0%}",
            ratio["gateway"] >= 0.6,
        ),
        ("`POST /v1/events`, `run`, actors included", "≥ 50 %", f"{ratio['run']:.0%}", ratio["run"] >= 0.5),
        (
            "fold and decide in an actor, 40-node tree",
            "≥ 50,000/s",
            f"{actors['per_s']:,.0f}/s",
            actors["per_s"] >= 5e4,
        ),
        (
            f"event → experience on the stream, {top['offered_per_s']:,.0f}/s open loop",
            "p95 ≤ 50 ms, p99 ≤ 120 ms",
            f"p95 {top['experience']['p95_ms']:.1f}, p99 {top['experience']['p99_ms']:.1f} ms",
            top["experience"]["p95_ms"] <= 50 and top["experience"]["p99_ms"] <= 120,
        ),
        (
            f"{residents['residents']:,.0f} residents, own trees of {residents['tree_bytes'] / 1024:.1f} KiB",
            "≤ 8 GiB for a million",
            f"{residents['gib']:.1f} GiB",
            residents["bytes_each"] * 1e6 <= 8 * 2**30,
        ),
        (
            "longest pause of the worker while they come",
            "≤ 20 ms",
            f"{residents['longest_pause_ms']:.0f} ms",
            residents["longest_pause_ms"] <= 20,
        ),
        (
            "memory after 10 × churn",
            "flat",
            f"{residents['churn_growth']:+.1%}",
            residents["churn_growth"] < 0.02,
        ),
        ("start to ready", "≤ 2 s", f"{starting['fresh_s']:.2f} s", starting["fresh_s"] <= 2),
        ("killed and restarted to ready", "≤ 1 s", f"{starting['after_kill_s']:.2f} s", starting["after_kill_s"] <= 1),
    ]
    shown = [(what, target, reached, "yes" if met else "**no**") for what, target, reached, met in rows]
    return "## Targets\n\n" + _table(("what", "target", "reached", "met"), shown)


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
        " round.\n\n" + _table(("server", "answers/s", "of the no-op", "p50 ms", "p99 ms"), rows)
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
        " shopper's stream: open loop, 200 streams,\nevery event brings one.\n\n" + _table(head, rows)
    )


def _memory(figures: dict[str, float]) -> str:
    return (
        "## Residents\n\n"
        f"{figures['residents']:,.0f} shoppers in memory, each with a tree of its own of"
        f" {figures['tree_bytes']:,.0f} bytes and one event: {figures['bytes_each']:,.0f} bytes each, tree included."
        f"\nBringing 100 of them into memory takes {figures['median_pause_ms']:.1f} ms (median) and at most"
        f" {figures['longest_pause_ms']:.1f} ms of CPU time, garbage collections included.\n"
    )


def _profile(rows: list[tuple[str, float]]) -> str:
    return (
        "## Where the time goes\n\nThe gateway's own share of a single-event request (no server, no socket), under a"
        " profiler, by file or built-in function.\n\n"
        + _table(("where", "share"), [(f"`{name}`", f"{share:.1%}") for name, share in rows])
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
