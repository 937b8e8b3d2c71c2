"""Counts what came of a batch, when it is closed; between the partition and whoever scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from actors.messages import Item, Results
from domain.records import Decided, Failed
from monitoring.metrics import CampaignMetrics, Metrics


def count(
    metrics: Metrics, fresh: Sequence[Item], failures: Sequence[Failed], results: Results, batch_s: float
) -> None:
    """Counts one batch.

    Args:
        metrics: where it is counted.
        fresh: the events that were decided; what was adopted, the owner before has counted.
        failures: events that could not be processed.
        results: what came of them.
        batch_s: from their poll to their closing `Progress`.
    """
    for name, number in Counter(type(item.record.event).__name__ for item in fresh).items():
        metrics.processed.labels(name).inc(number)
    for fault, number in Counter(results.faults).items():
        metrics.meaning_faults.labels(fault).inc(number)
    for fated, number in Counter(results.fates).items():
        metrics.fates.labels(*fated).inc(number)
    for failure in failures:
        metrics.failed.labels(failure.reason).inc()
    for record in results.records:
        if isinstance(record, Decided):
            for decision in record.decisions:
                metrics.decided.labels(decision.experience.kind).inc()
            _count_campaigns(metrics, record)
    if results.repeats:
        metrics.repeats.inc(results.repeats)
    metrics.batch_s.observe(batch_s)
    metrics.batch_events.observe(len(fresh) + len(failures))


def _count_campaigns(metrics: CampaignMetrics, decided: Decided) -> None:
    """Counts what campaigns had to do with one event."""
    for decision in decided.held_out:
        metrics.held_out.labels(decision.experience.kind).inc()
    for lost in decided.against:
        metrics.campaigns_lost.labels(lost.reason).inc()
    for reserved in decided.reservations:
        metrics.reservations.inc()
        metrics.reserved_minor.inc(reserved.cost_minor)
    for settlement in decided.settlements:
        metrics.settlements.labels(settlement.cause).inc()
    metrics.clamped.inc(sum(decision.is_clamped for decision in (*decided.decisions, *decided.held_out)))
