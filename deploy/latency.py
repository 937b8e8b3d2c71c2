"""A bounded record of latencies, exact to one per cent however many there are; used by the replay."""

from __future__ import annotations

from math import ceil, log

_RATIO = 1.01
_LOG = log(_RATIO)
_SMALLEST_S = 1e-6


class Latencies:
    """Counts latencies in buckets that grow by one per cent, from a microsecond up."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0
        self._max_s = 0.0

    def add(self, seconds: float) -> None:
        """Counts one latency."""
        bucket = ceil(log(max(seconds, _SMALLEST_S) / _SMALLEST_S) / _LOG)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self._total += 1
        self._max_s = max(self._max_s, seconds)

    def quantile_ms(self, share: float) -> float:
        """Gives the latency in milliseconds that `share` (0..1) of all do not exceed; 0 where there are none."""
        wanted = ceil(share * self._total)
        below = 0
        for bucket in sorted(self._counts):
            below += self._counts[bucket]
            if below >= wanted:
                return min(_SMALLEST_S * _RATIO**bucket, self._max_s) * 1_000
        return 0.0

    def summary_ms(self) -> dict[str, float]:
        """Gives p50, p95, p99 and max in milliseconds, to the microsecond."""
        shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
        found = {name: round(self.quantile_ms(share), 3) for name, share in shares.items()}
        return found | {"max": round(self._max_s * 1_000, 3)}
