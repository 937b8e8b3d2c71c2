"""When a campaign will be open: the spans agree with its timetable in every minute, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.campaign_openings import openings
from domain.campaigns import WEEKDAYS, Definition, Hours
from domain.campaigns_in_force import Timetable
from domain.timestamps import rfc3339, unix_ms

MINUTE_MS = 60_000


def table(zone: str = "Europe/Paris", **fields: Any) -> Timetable:
    """The timetable of a campaign of the whole of 2026, unless told otherwise."""
    dates = {"starts_at": datetime(2026, 1, 1, tzinfo=UTC), "ends_at": datetime(2027, 1, 1, tzinfo=UTC)}
    definition = Definition(**{"name": "Spring", "kind": "recommendation"} | dates | fields)
    return Timetable(definition, ZoneInfo(zone))


def spans(timetable: Timetable, from_utc: datetime, days: int = 7) -> list[str]:
    """Spans as people read them."""
    from_ms = unix_ms(from_utc)
    found = openings(timetable, from_ms, from_ms + days * 86_400_000)
    return [f"{rfc3339(span.from_ms)[5:16]}/{rfc3339(span.until_ms)[5:16]}" for span in found]


def test_without_hours_it_is_one_span() -> None:
    """A campaign that is always open is open from now, or its start, to its end."""
    now = datetime(2026, 6, 1, tzinfo=UTC)
    assert ["06-01T00:00/06-08T00:00"] == spans(table(), now)
    short = table(starts_at=now + timedelta(hours=30), ends_at=now + timedelta(days=3))
    assert ["06-02T06:00/06-04T00:00"] == spans(short, now)
    assert [] == spans(table(), datetime(2027, 1, 1, tzinfo=UTC))


def test_hours_and_weekdays() -> None:
    """Friday nights over midnight are one span each, and days side by side are one span."""
    monday = datetime(2026, 6, 1, tzinfo=UTC)
    nights = (Hours(from_time="22:00", until_time="02:00"),)
    assert ["06-05T20:00/06-06T00:00"] == spans(table(hours=nights, weekdays=("friday",)), monday)
    assert ["06-05T22:00/06-07T22:00"] == spans(table(weekdays=("saturday", "sunday")), monday)


def test_a_span_ends_in_the_night_in_which_the_clocks_change() -> None:
    """What comes twice is two spans, and what begins at an hour that never comes begins when the clocks jump."""
    autumn, spring = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 3, 28, 22, tzinfo=UTC)
    twice = table(hours=(Hours(from_time="02:30", until_time="03:00"),))
    assert ["10-25T00:30/10-25T01:00", "10-25T01:30/10-25T02:00"] == spans(twice, autumn, 1)
    jump = table(hours=(Hours(from_time="02:30", until_time="04:00"),))
    assert ["03-29T01:00/03-29T02:00"] == spans(jump, spring, 1)


ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia", "UTC")
CHANGES = (
    datetime(2026, 3, 27, tzinfo=UTC),
    datetime(2026, 10, 23, tzinfo=UTC),
    datetime(2026, 3, 6, tzinfo=UTC),
    datetime(2026, 4, 2, 13, 7, 31, tzinfo=UTC),
)


@pytest.mark.parametrize("seed", range(12))
def test_spans_agree_with_the_timetable(seed: int) -> None:
    """Minute by minute through four days around a change of the clocks, in many zones: open in a span, shut outside."""
    lots = Random(seed)
    times = [(f"{lots.randrange(24):02}:{lots.choice((0, 15, 30)):02}", f"{lots.randrange(25):02}:00") for _ in "12"]
    hours = tuple(Hours(from_time=one, until_time=other) for one, other in times[: lots.randrange(3)])
    weekdays = tuple(lots.sample(WEEKDAYS, lots.randrange(8)))
    from_ms = unix_ms(lots.choice(CHANGES))
    timetable = table(lots.choice(ZONES), hours=hours, weekdays=weekdays)
    until_ms = from_ms + 4 * 86_400_000
    found = openings(timetable, from_ms, until_ms)
    assert found == sorted(found)
    assert all(one.until_ms < other.from_ms for one, other in pairwise(found))
    edges = [span.from_ms - 1 for span in found] + [span.until_ms for span in found]
    assert not [at_ms for at_ms in edges if from_ms <= at_ms < until_ms and timetable.is_open(at_ms)]
    expected = [timetable.is_open(at_ms) for at_ms in range(from_ms, until_ms, MINUTE_MS)]
    assert expected == [any(a <= at_ms < b for a, b in found) for at_ms in range(from_ms, until_ms, MINUTE_MS)]
