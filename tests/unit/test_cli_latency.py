"""The replay's latencies: bounded, and right within one per cent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.latency import Latencies


def test_without_latencies_all_is_zero() -> None:
    """A replay of nothing reports zeros."""
    assert {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0} == Latencies().summary_ms()


@given(st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_one_per_cent(seconds: list[float], share: float) -> None:
    """A quantile is the exact one of the sorted latencies, at most one per cent more, never above the longest."""
    latencies = Latencies()
    for latency_s in seconds:
        latencies.add(latency_s)
    rank = next(rank for rank in range(1, len(seconds) + 1) if rank >= share * len(seconds))
    exact_ms = sorted(seconds)[rank - 1] * 1_000
    assert exact_ms * 0.999_999 <= latencies.quantile_ms(share) <= exact_ms * 1.010_001
    assert pytest.approx(max(seconds) * 1_000, abs=0.001) == latencies.summary_ms()["max"]
