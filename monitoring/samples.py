"""What a process measured over the last minute: a few samples of its registries, and what grew between two of them."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from prometheus_client.registry import Collector

STEP_S = 5.0
"""Between two samples."""
WINDOW_S = 60.0
"""How far back rates and percentiles look."""

Numbers: TypeAlias = Mapping[str, Mapping[tuple[tuple[str, str], ...], float]]
"""By the name of a sample, as Prometheus stores it, and by its labels."""


class Sample(NamedTuple):
    """All numbers of one moment; `at_s` is monotonic."""

    at_s: float
    numbers: Numbers


class Window(NamedTuple):
    """Two samples of one process, and what they say together."""

    first: Sample
    last: Sample

    @property
    def seconds(self) -> float:
        """Between them."""
        return self.last.at_s - self.first.at_s

    def now(self, name: str) -> float | None:
        """Gives a metric's sum over its labels; None where there is no such number."""
        found = self.last.numbers.get(name)
        return sum(found.values()) if found else None

    def by(self, name: str, label: str) -> dict[str, float]:
        """Gives a metric's numbers by the values of one label."""
        return _by(self.last, name, label)

    def by_both(self, name: str, labels: tuple[str, str]) -> dict[tuple[str, str], float]:
        """Gives a metric's numbers by the values of two labels, empty where one is missing."""
        first, second = labels
        found: dict[tuple[str, str], float] = {}
        for given, number in self.last.numbers.get(name, {}).items():
            values = dict(given)
            found[values.get(first, ""), values.get(second, "")] = number
        return found

    def grown(self, name: str) -> float:
        """Gives how much a counter grew, over all labels; what was not counted before began at 0."""
        return sum(self.last.numbers.get(name, {}).values()) - sum(self.first.numbers.get(name, {}).values())

    def grown_by(self, name: str, label: str) -> dict[str, float]:
        """Gives how much a counter grew, by the values of one label."""
        before = _by(self.first, name, label)
        return {value: number - before.get(value, 0.0) for value, number in self.by(name, label).items()}

    def rate(self, name: str) -> float | None:
        """Gives a counter's growth a second; None while no time has passed."""
        return self.grown(name) / self.seconds if self.seconds > 0 else None

    def quantile(self, histogram: str, share: float) -> float | None:
        """Gives a quantile of what was observed between the samples.

        Args:
            histogram: its name, without `_bucket`.
            share: 0..1.

        Returns:
            Between its bucket's bounds by linear interpolation; infinity in the bucket without bound; None when
            nothing was observed.
        """
        grown = sorted((float(bound), number) for bound, number in self.grown_by(f"{histogram}_bucket", "le").items())
        if not grown or grown[-1][1] <= 0:
            return None
        wanted = share * grown[-1][1]
        lower, below = 0.0, 0.0
        for bound, number in grown:
            if number >= wanted and number > below:
                return bound if math.isinf(bound) else lower + (bound - lower) * (wanted - below) / (number - below)
            lower, below = bound, number
        return math.inf


class Samples:
    """The last minute's samples, kept in a ring; any thread may take one and look.

    Args:
        collectors: whose numbers are taken.
        monotonic_s: a clock.
    """

    def __init__(self, collectors: Sequence[Collector], monotonic_s: Callable[[], float]) -> None:
        self._collectors = collectors
        self._monotonic_s = monotonic_s
        self._kept: deque[Sample] = deque(maxlen=int(WINDOW_S / STEP_S) + 1)
        self._lock = threading.Lock()

    def keep(self) -> None:
        """Takes a sample and keeps it; to be called once a step."""
        sample = self._take()
        with self._lock:
            self._kept.append(sample)

    def window(self) -> Window:
        """Gives the numbers of now, beside the oldest that are kept of the last minute."""
        last = self._take()
        with self._lock:
            first = next((one for one in self._kept if last.at_s - one.at_s <= WINDOW_S + STEP_S), last)
        return Window(first, last)

    def _take(self) -> Sample:
        numbers: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        for collector in self._collectors:
            for family in collector.collect():
                for one in family.samples:
                    if not one.name.endswith("_created"):
                        numbers.setdefault(one.name, {})[tuple(one.labels.items())] = one.value
        return Sample(self._monotonic_s(), numbers)


def _by(sample: Sample, name: str, label: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for labels, number in sample.numbers.get(name, {}).items():
        value = dict(labels).get(label, "")
        found[value] = found.get(value, 0.0) + number
    return found
