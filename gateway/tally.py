"""Counts what becomes of every event that is sent: received = stored + rejected + dropped + retry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.door import Accepted, Dropped, Rejected
from domain.records import Record
from gateway.traced import Traced
from monitoring.labels import NO_TYPE
from monitoring.metrics import GatewayMetrics


class Tally:
    """Counts events by type and outcome.

    Each labelled counter is looked up once, since a lookup costs more than a count.

    Args:
        metrics: where the counts go.
        traced: tells in the log of what is sampled.
    """

    def __init__(self, metrics: GatewayMetrics, traced: Traced) -> None:
        self._metrics = metrics
        self._stored: dict[type, Callable[[], None]] = {}
        self.acknowledged = metrics.ack_s.observe
        """Takes the seconds from a request to its answer."""
        self.traced = traced.stored
        """Takes durable records of a request with a trace, and their places."""

    def stored(self, accepted: Accepted) -> None:
        """Counts an event that is durable, by the first of the records that it became."""
        kind = type(accepted.records[0].event)
        count = self._stored.get(kind)
        if count is None:
            count = self._stored[kind] = self._metrics.events.labels(kind.__name__, "stored").inc
        count()
        for redacted in accepted.redacted:
            self._metrics.redacted.labels(redacted).inc()

    def dropped(self, _: Dropped) -> None:
        """Counts an event that was in order and not to be stored."""
        self._metrics.events.labels(NO_TYPE, "dropped").inc()

    def rejected(self, outcomes: Sequence[Rejected]) -> None:
        """Counts events that break a rule."""
        if outcomes:
            self._metrics.events.labels(NO_TYPE, "rejected").inc(len(outcomes))

    def retry(self, records: Sequence[Record]) -> None:
        """Counts events that were in order and have to be sent again."""
        for record in records:
            self._metrics.events.labels(type(record.event).__name__, "retry").inc()
