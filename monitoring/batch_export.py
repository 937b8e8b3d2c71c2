"""Leaves the metrics of a job that is over where they can be scraped: a textfile collector's folder, a Pushgateway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, push_to_gateway, write_to_textfile
from prometheus_client.registry import Collector

from monitoring.metrics import BatchMetrics

_GATEWAY_TIMEOUT_S = 5.0
_INSTANCE = "night"
"""On whatever machine a job runs: each takes the place of the night before, and dashboards ask for an instance."""


_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")


def export(
    step: str, metrics: BatchMetrics, *, retailer_id: str, retailer: str, textfiles: str, push_gateway: str
) -> None:
    """Writes `hotbasket_STEP_RETAILER.prom` and tells the gateway, whichever is named.

    Args:
        step: what the job is called.
        metrics: of its one run.
        retailer_id: whose night it is; a part of the file's name.
        retailer: its name, a label of every number: one retailer's night takes no other's place.
        textfiles: folder; empty = none.
        push_gateway: host:port; empty = none.

    Raises:
        OSError: the folder can't be written, or the gateway does not answer.
    """
    registry = CollectorRegistry()
    registry.register(_OfRetailer(metrics.registry, retailer))
    if textfiles:
        name = f"hotbasket_{step}_{_IN_NAMES.sub('_', retailer_id)}.prom"
        write_to_textfile(str(Path(textfiles) / name), registry)
    if push_gateway:
        push_to_gateway(
            push_gateway,
            job=f"hotbasket_{step}",
            grouping_key={"instance": _INSTANCE, "retailer": retailer},
            registry=registry,
            timeout=_GATEWAY_TIMEOUT_S,
        )


class _OfRetailer(Collector):
    """A registry's numbers, each with the label `retailer`."""

    def __init__(self, registry: CollectorRegistry, retailer: str) -> None:
        self._registry = registry
        self._retailer = retailer

    def collect(self) -> Iterator[Metric]:
        """Gives them."""
        for family in self._registry.collect():
            family.samples = [one._replace(labels={**one.labels, "retailer": self._retailer}) for one in family.samples]
            yield family
