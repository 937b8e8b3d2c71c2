"""Rates: a bucket's worth at once, its rate on average."""

from __future__ import annotations

import pytest

from gateway.rates import Bucket


def test_a_burst_then_the_rate() -> None:
    """A full bucket serves one second's events at once, then what time brings."""
    bucket = Bucket(10, 0.0)
    assert [0.0] * 10 == [bucket.take(1, 0.0) for _ in range(10)]
    assert pytest.approx(0.1) == bucket.take(1, 0.0)
    assert 0.0 == bucket.take(1, 0.1)
    assert bucket.take(1, 0.1) > 0


def test_a_refused_request_takes_nothing() -> None:
    """Whoever is refused may come back after the time that was told, not later."""
    bucket = Bucket(10, 0.0)
    bucket.take(10, 0.0)
    wait_s = bucket.take(5, 0.0)
    assert pytest.approx(0.5) == wait_s
    assert bucket.take(5, 0.49) > 0
    assert 0.0 == bucket.take(5, 0.5001)


def test_a_request_larger_than_the_bucket_passes_when_it_is_full() -> None:
    """It leaves a debt, so that the average holds."""
    bucket = Bucket(10, 0.0)
    assert 0.0 == bucket.take(25, 0.0)
    assert pytest.approx(1.6) == bucket.take(1, 0.0)
    assert 0.0 == bucket.take(1, 1.61)


def test_a_bucket_never_holds_more_than_a_second() -> None:
    """A long silence earns one burst."""
    bucket = Bucket(10, 0.0)
    assert 0.0 == bucket.take(10, 1_000.0)
    assert bucket.take(1, 1_000.0) > 0


def test_time_never_goes_back() -> None:
    """A request that began long ago, and whose body took a while, costs the others nothing."""
    bucket = Bucket(10, 100.0)
    assert [0.0] * 5 == [bucket.take(1, 70.0) for _ in range(5)]
    assert [0.0] * 5 == [bucket.take(1, 100.0) for _ in range(5)]
    assert bucket.take(1, 100.0) > 0
