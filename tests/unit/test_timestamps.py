"""Moments read, written and corrected."""

from __future__ import annotations

import pytest

from domain.timestamps import (
    AHEAD_MAX_MS,
    EARLIEST_MS,
    event_time_ms,
    is_plausible,
    read_rfc3339,
    rfc3339,
    unix_ms,
)


@pytest.mark.parametrize(
    ("text", "moment_ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-01-01T00:00:00Z", EARLIEST_MS),
        ("2026-11-23T09:00:00.125Z", 1_795_424_400_125),
        ("2026-11-23T10:00:00.125999+01:00", 1_795_424_400_125),
        ("2026-11-22T19:00:00.125-14:00", 1_795_424_400_125),
    ],
)
def test_moments_are_read_with_their_zone(text: str, moment_ms: int) -> None:
    """A moment with zone becomes Unix milliseconds, rounded down."""
    moment = read_rfc3339(text)
    assert moment is not None
    assert moment_ms == unix_ms(moment)


@pytest.mark.parametrize("text", ["", "now", "2026-11-23", "2026-11-23T09:00:00", "1795424400", "2026-13-01T00:00:00Z"])
def test_what_has_no_zone_is_no_moment(text: str) -> None:
    """A text without zone, or that is no time, is none."""
    assert read_rfc3339(text) is None


@pytest.mark.parametrize(
    ("moment_ms", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1_795_424_400_125, "2026-11-23T09:00:00.125Z")],
)
def test_moments_are_written_in_utc_with_milliseconds(moment_ms: int, text: str) -> None:
    """What is written is read back equal."""
    assert text == rfc3339(moment_ms)
    moment = read_rfc3339(text)
    assert moment is not None
    assert moment_ms == unix_ms(moment)


def test_plausible_is_from_2000_to_ten_years_ahead() -> None:
    """The bounds themselves are plausible; a millisecond beyond is not."""
    received_at_ms = 1_795_424_400_000
    ahead = received_at_ms + AHEAD_MAX_MS
    for moment_ms, plausible in ((EARLIEST_MS - 1, False), (EARLIEST_MS, True), (ahead, True), (ahead + 1, False)):
        assert plausible == is_plausible(moment_ms, received_at_ms=received_at_ms)


@pytest.mark.parametrize(
    ("occurred", "sent", "expected"),
    [(900, None, 900), (1_100, None, 1_000), (900, 950, 950), (5_000, 5_100, 900), (100, 150, 950), (200, 100, 1_000)],
)
def test_event_time_corrects_the_clients_clock(occurred: int, sent: int | None, expected: int) -> None:
    """min(received, occurred + received - sent), and min(received, occurred) without a time of sending."""
    assert expected == event_time_ms(occurred, received_at_ms=1_000, sent_at_ms=sent)
