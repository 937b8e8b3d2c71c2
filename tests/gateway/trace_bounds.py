"""The bound of what sampled traces may write into the log; a row of the table of all bounds."""

from __future__ import annotations

import logging
from pathlib import Path

from tests.gateway.bound import Bound
from tests.gateway.standing import Standing, added

HEADER = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


async def sampled_events(standing: Standing, _: Path) -> int:
    """Five sampled events in one second: how many lines they leave."""
    lines: list[logging.LogRecord] = []
    log = logging.getLogger("hotbasket.trace")
    handler, level = logging.Handler(), log.level
    handler.emit = lines.append  # type: ignore[assignment, method-assign]  # nothing else is done with a line
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        await standing.post({"events": [added() for _ in range(5)]}, HEADER | standing.shop.write)
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    return len(lines)


TRACE_BOUNDS: dict[str, Bound] = {"trace_lines_per_s": Bound({"trace_lines_per_s": 2}, sampled_events, 2)}
