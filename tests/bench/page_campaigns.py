"""The page's part on campaigns: what asking them costs."""

from __future__ import annotations

from typing import Any

from tests.bench.tables import table


def render(figures: dict[str, Any]) -> str:
    """Gives the section."""
    rows = [
        (situation, f"{one['p50']:.0f} µs", f"{one['p95']:.0f} µs") for situation, one in figures["decision_us"].items()
    ]
    ratio = figures["with_per_s"] / figures["without_per_s"]
    note = f"""\
## Campaigns

One decision of a node that proposes any campaign, {figures["live"]} of them live, each with an audience, a cap,
a group and a share held out, on one core.
"""
    events = f"""
Events through actors with a 40-node tree whose sauces ask {figures["live"]} campaigns, against the same tree that
asks none, in turns: {figures["with_per_s"]:,.0f} and {figures["without_per_s"]:,.0f} events/s of CPU time, {ratio:.0%}.
"""
    return f"{note}\n{table(('who wins', 'p50', 'p95'), rows)}\n{events}"
