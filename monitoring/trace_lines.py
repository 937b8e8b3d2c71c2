"""Log lines about events whose senders sample their traces: one for each step, joined by event id and trace id.

Written by gateways and workers. Whoever sends can ask for lines, so that a process writes so many a second at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from domain.traces import trace_id

_log = logging.getLogger("hotbasket.trace")


class TraceLines:
    """One process's lines about traces.

    Args:
        lines_per_s: at most so many; 0 = none.
        monotonic_s: gives seconds that never go back.
    """

    def __init__(self, lines_per_s: int, monotonic_s: Callable[[], float]) -> None:
        self._lines_per_s = lines_per_s
        self._monotonic_s = monotonic_s
        self._until_s = 0.0
        self._left = 0
        self._suppressed = 0

    def write(self, trace: str, event_id: UUID, what: str, ms: int | None, **more: str | int) -> None:
        """Writes the line of one step, or counts it for the next line that is written.

        Args:
            trace: under which the event was sent.
            event_id: of the event with which it all began.
            what: became of it: `stored`, `decided`, `failed`, `delivered`.
            ms: milliseconds since the gateway received it; None where that is not known any more.
            more: fields that name no shopper.
        """
        if not self._may():
            self._suppressed += 1
            return
        fields: dict[str, str | int] = {"event_id": str(event_id), "trace_id": trace_id(trace), "what": what, **more}
        if ms is not None:
            fields["ms"] = ms
        if self._suppressed:
            fields["suppressed"] = self._suppressed
            self._suppressed = 0
        _log.info("traced", extra=fields)

    def _may(self) -> bool:
        now_s = self._monotonic_s()
        if now_s >= self._until_s:
            self._until_s, self._left = now_s + 1, self._lines_per_s
        if not self._left:
            return False
        self._left -= 1
        return True
