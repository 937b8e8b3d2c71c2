"""`POST /v1/events` on Kafka: the gateway on one core, the broker and the load on the other."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measured import pinned
from tests.bench.production import Place
from tests.bench.servers import cores, load, serving

PARTITIONS = (8, 64)


def gateway_on_kafka(place: Place, rounds: int, seconds: float) -> dict[str, Any]:
    """No-op, gateway and bare producer in turns, so that a slow minute of the machine hits all of them."""
    production = place.production(64)
    topics = {partitions: production.more_topics(partitions) for partitions in PARTITIONS}
    bare = production.bare_topic(64)
    own, other = cores()
    rows: dict[str, list[dict[str, float]]] = {}

    def note(kind: str, figures: dict[str, Any]) -> None:
        place.console.print(f"    {kind}: {figures['per_s']:,.0f}/s, {figures['per_cpu_s']:,.0f} a CPU second")
        rows.setdefault(kind, []).append(figures)

    with pinned(place.pids, other):
        for number in range(rounds):
            place.console.print(f"  round {number + 1}/{rounds}")
            with tempfile.TemporaryDirectory() as data, serving("noop", Path(data)) as server:
                note("noop", _load(server.url, "none", server.process.pid, seconds))
            for partitions in PARTITIONS:
                with production.running(gateways=1, topics=topics[partitions]) as system:
                    (gateway,) = system.of("gateway")
                    with pinned({"gateway": gateway.pid}, own):
                        key = production.trees["write_key"]
                        note(f"gateway_{partitions}", _load(gateway.url, key, gateway.pid, seconds))
            for kind in ("send", "batch"):
                arguments = ("producer", bare, "64", kind, str(seconds))
                note(kind, load("tests.bench.bare", *arguments, core=own, variables=production.variables()))
    return {
        "rounds": rounds,
        "servers": sorted(place.pids),
        "rows": {kind: _summed(kind, rows) for kind in rows},
    }


def _load(url: str, key: str, pid: int, seconds: float) -> dict[str, Any]:
    return load("tests.bench.load", url, key, "--seconds", str(seconds), "--connections", "64", "--pid", str(pid))


def _summed(kind: str, rows: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Gives medians over the rounds; ratios, by CPU second, are taken round by round."""
    mine = rows[kind]
    summed: dict[str, Any] = {name: median(row[name] for row in mine) for name in mine[0]}
    summed["of"] = {
        yardstick: median(a["per_cpu_s"] / b["per_cpu_s"] for a, b in zip(mine, rows[yardstick], strict=True))
        for yardstick in ("noop", "send", "batch")
    }
    return summed
