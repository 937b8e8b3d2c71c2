"""Plain numbers of one thread, put into Prometheus's form only when somebody looks: for the hot route and for tables.

The library's own take a lock and cost a microsecond each, which is felt where a whole request costs thirty.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

SHOWN_MAX: Final = 500
"""Series of a gauge whose labels operators make, as retailers do; beyond, the first by name."""


class Count:
    """One labelled number of a counter; only ever counted up, by one thread."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def inc(self, by: int = 1) -> None:
        """Counts."""
        self.value += by


class PlainCounter(Collector):
    """A counter with labels.

    Args:
        name: without `_total`.
        documentation: one line.
        labels: their names.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._counts: dict[tuple[str, ...], Count] = {}

    def labels(self, *values: str) -> Count:
        """Gives the number of these labels, to be kept by who counts often."""
        assert len(values) == len(self._labels), f"{self._name} has the labels {self._labels}"
        return self._counts.setdefault(values, Count())

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Gives the numbers as they are now."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in list(self._counts.items()):
            family.add_metric(values, count.value)
        yield family


class PlainGauge(Collector):
    """A gauge whose series come and go together: what is not in the newest table is not shown any more.

    Args:
        name: with its unit.
        documentation: one line.
        labels: their names.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._values: Mapping[tuple[str, ...], float] = {}

    def show(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Takes the place of what was shown before.

        Args:
            values: by their labels; never changed afterwards.
        """
        self._values = values

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Gives the table as it is now, at most `SHOWN_MAX` of it."""
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, value in islice(sorted(self._values.items()), SHOWN_MAX):
            family.add_metric(labels, value)
        yield family


class PlainHistogram(Collector):
    """A histogram without labels.

    Args:
        name: with its unit.
        documentation: one line.
        bounds: upper bounds of the buckets, ascending; one more, without bound, follows.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Counts a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Gives the buckets as they are now."""
        buckets, total = [], 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), list(self._counts), strict=True):
            total += count
            buckets.append((bound, total))
        family = HistogramMetricFamily(self._name, self._documentation)
        family.add_metric((), buckets, self._sum)
        yield family
