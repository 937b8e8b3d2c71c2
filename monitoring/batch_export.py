"""Leaves the metrics of a job that is over where they can be scraped: a textfile collector's folder, a Pushgateway."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import push_to_gateway, write_to_textfile

from monitoring.metrics import BatchMetrics

_GATEWAY_TIMEOUT_S = 5.0
_INSTANCE = "night"
"""On whatever machine a job runs: each takes the place of the night before, and dashboards ask for an instance."""


def export(step: str, metrics: BatchMetrics, *, textfiles: str, push_gateway: str) -> None:
    """Writes `hotbasket_STEP.prom` and tells the gateway, whichever is named.

    Args:
        step: what the job is called.
        metrics: of its one run.
        textfiles: folder; empty = none.
        push_gateway: host:port; empty = none.

    Raises:
        OSError: the folder can't be written, or the gateway does not answer.
    """
    if textfiles:
        write_to_textfile(str(Path(textfiles) / f"hotbasket_{step}.prom"), metrics.registry)
    if push_gateway:
        push_to_gateway(
            push_gateway,
            job=f"hotbasket_{step}",
            grouping_key={"instance": _INSTANCE},
            registry=metrics.registry,
            timeout=_GATEWAY_TIMEOUT_S,
        )
