"""The page's part on erasures: how long thousands take, and what other shoppers notice meanwhile."""

from __future__ import annotations

from typing import Any

from tests.bench.tables import table

_MIB = 2**20
_NAMED = ("p50_ms", "p95_ms", "max_ms")


def render(figures: dict[str, Any]) -> str:
    """Gives the section."""
    quiet, meanwhile = figures["quiet"], figures["meanwhile"]
    rows = [
        (said, f"{one['events']:,}", f"{one['refused']:,}", *(f"{one['ack'][name]:.1f}" for name in _NAMED))
        for said, one in (("quiet", quiet), ("while shoppers are erased", meanwhile))
    ]
    rows.append(("ratio", "", "", *(f"× {meanwhile['ack'][name] / quiet['ack'][name]:.1f}" for name in _NAMED)))
    removed = ", ".join(f"{count:,} from the {store}" for store, count in sorted(figures["removed"].items()) if count)
    shoppers, each, rate = figures["shoppers"], figures["events_each"], figures["offered_per_s"]
    seconds, cpu_s, more_s = figures["seconds"], meanwhile["cpu_s"], figures["more_cpu_s"]
    before, after = (figures[name] / _MIB for name in ("bytes_before", "bytes_after"))
    return f"""\
## Erasures

{shoppers:,} shoppers of {each} events each are erased from `hotbasket run` by two requests, while others send
{rate:,.0f} events/s in an open loop. Done after {seconds:.1f} s, in which the process took {cpu_s:.1f} s of CPU time,
{more_s:.1f} s more than in as long a quiet time. Removed: {removed}.
The data directory had {before:.1f} MiB before and {after:.1f} MiB after, with what came meanwhile.

Milliseconds from the intended send time of the others' events to their answers:

{table(("", "events", "refused", "p50", "p95", "max"), rows)}"""
