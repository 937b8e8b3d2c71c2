"""The page's part on the night: what each step costs, and how it grows."""

from __future__ import annotations

from typing import Any

from tests.bench.tables import table

_NOTE = """\
## The night

Spark in one process on two cores, the embedded event store, a warehouse in a folder; thirty days of simulated shoppers.
CPU seconds are those of Java, the driver and Spark's Python workers together. A step that costs the same at ten times
the size is bounded, or is all overhead: nights of this size are mostly Spark's own commits and plans.
"""


def render(figures: dict[str, Any]) -> str:
    """Gives the section."""
    small, large = figures["sizes"][0], figures["sizes"][-1]
    rows = []
    for step, before in small["steps"].items():
        after = large["steps"][step]
        growth = after["cpu_s"] / max(before["cpu_s"], 1e-9)
        cells = [f"{one['wall_s']:.1f} s ({one['cpu_s']:.1f} s CPU)" for one in (before, after)]
        rows.append((step, *cells, f"× {growth:.1f}", _rate(step, after, large)))
    more = large["events"] / small["events"]
    head = (
        "step",
        f"{small['events']:,} events, {small['shoppers']:,} shoppers",
        f"{large['events']:,} events, {large['shoppers']:,} shoppers",
        f"CPU, events × {more:.1f}",
        "by CPU second, larger size",
    )
    return f"{_NOTE}\n{table(head, rows)}"


def _rate(step: str, one: dict[str, Any], size: dict[str, Any]) -> str:
    if step == "cool":
        return f"{size['events'] / one['cpu_s']:,.0f} events"
    trees = one["said"].get("trees")
    return f"{trees / one['cpu_s']:,.0f} trees" if trees else ""
