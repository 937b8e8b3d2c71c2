"""Tells in the log what a worker made of events whose senders sample their traces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from actors.messages import Item
from domain.ids import Position
from domain.records import Decided, Failed
from domain.traces import is_sampled
from monitoring.trace_lines import TraceLines


def tell(lines: TraceLines, items: Sequence[Item], said: Iterable[Decided | Failed], now_ms: int) -> None:
    """Writes a line for each sampled event of a batch, once it stands in the experience log what came of it.

    Args:
        lines: bounds them.
        items: the batch's events.
        said: what the experience log says of them.
        now_ms: Unix milliseconds.
    """
    sampled = [item for item in items if item.record.trace and is_sampled(item.record.trace)]
    if not sampled:
        return
    by_position: dict[Position, Decided | Failed] = {record.position: record for record in said}
    for record, position, *_ in sampled:
        ms = now_ms - record.received_at_ms
        match by_position.get(position):
            case Failed() as failed:
                lines.write(record.trace, record.event.event_id, "failed", ms, reason=failed.reason)
            case decided:
                shown, node = (len(decided.decisions), decided.node_id) if decided is not None else (0, "")
                lines.write(record.trace, record.event.event_id, "decided", ms, experiences=shown, node_id=node)
