"""The page's part on metrics: what they add to an event's CPU time."""

from __future__ import annotations

from typing import Any, Final

from tests.bench.tables import table

SHARE_MAX: Final = 0.03
_SAID: Final = {"gateway": "gateway, an event a request", "worker": "worker, 40-node tree"}


def targets(figures: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Gives the page's rows of targets."""
    return [
        (f"metrics, of an event's CPU time: {_SAID[name]}", f"≤ {SHARE_MAX:.0%}", f"{share:+.1%}", share <= SHARE_MAX)
        for name, share in ((name, one["ratio"] - 1) for name, one in figures.items())
    ]


def render(figures: dict[str, Any]) -> str:
    """Gives the section."""
    rows = [
        (
            _SAID[name],
            f"{one['without_us']:.1f}",
            f"{one['ratio'] - 1:+.1%}",
            "to".join(f" {x - 1:+.1%} " for x in one["ratios"]),
        )
        for name, one in figures.items()
    ]
    return f"""\
## Metrics

CPU time of an event on the embedded log in one process, with metrics and with objects in their place that count
nothing, in turns.

{table(("part", "without, µs", "metrics add, median", "over the rounds"), rows)}"""
