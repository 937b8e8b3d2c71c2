"""Tells in the log of events whose senders sample their traces: that they are stored, and that a page was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.settings import Settings
from domain.ports.clock import Clock
from domain.ports.event_log import Place
from domain.records import Record
from domain.traces import is_sampled
from gateway.wire import Delivery
from monitoring.trace_lines import TraceLines


class Traced:
    """Writes the gateway's lines.

    Args:
        settings: bounds them.
        clock: by which events were received.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._lines = TraceLines(settings.trace_lines_per_s, clock.monotonic_s)
        self._clock = clock

    def stored(self, records: Sequence[Record], places: Sequence[Place]) -> None:
        """Tells of those of the records that are sampled, once they are durable.

        Args:
            records: of one request.
            places: of each.
        """
        now_ms = self._clock.now_ms()
        for record, (partition, position) in zip(records, places, strict=True):
            if is_sampled(record.trace):
                place = {"partition": partition, "epoch": position.epoch, "offset": position.offset}
                ms = now_ms - record.received_at_ms
                self._lines.write(record.trace, record.event.event_id, "stored", ms, **place)

    def delivered(self, deliveries: Iterable[Delivery], now_ms: int) -> None:
        """Tells of those of the experiences whose event is sampled.

        Args:
            deliveries: that go out now, to one page or in one answer.
            now_ms: Unix milliseconds.
        """
        for delivery in deliveries:
            shown = delivery.experience
            if shown is not None and is_sampled(shown.trace):
                ms = now_ms - delivery.received_at_ms if delivery.received_at_ms else None
                told = {"experience_id": shown.experience_id, "kind": shown.kind, "slot": shown.slot}
                self._lines.write(shown.trace, shown.trigger_event_id, "delivered", ms, **told)
