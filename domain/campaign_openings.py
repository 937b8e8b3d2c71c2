"""When a campaign will be open: its spans in a week to come, for people who are about to schedule it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import NamedTuple

from domain.campaigns import Hours
from domain.campaigns_in_force import Timetable, minute_of
from domain.timestamps import from_unix_ms, unix_ms

_DAY = timedelta(days=1)
_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000


class Span(NamedTuple):
    """A time in which a campaign is open, Unix milliseconds; the end is not included."""

    from_ms: int
    until_ms: int


def openings(table: Timetable, from_ms: int, until_ms: int) -> list[Span]:
    """Gives when a campaign is open within a time, in order.

    It is looked at only where that can change: at its dates, at midnight, where its hours begin and end, and where the
    clocks of its zone change.

    Args:
        table: of the campaign.
        from_ms, until_ms: Unix milliseconds, a few weeks at most.
    """
    definition = table.definition
    first_ms, last_ms = max(from_ms, definition.starts_at_ms), min(until_ms, definition.ends_at_ms)
    if first_ms >= last_ms:
        return []
    turns = {first_ms, last_ms}
    if definition.weekdays or definition.hours:
        turns.update(_clock_changes(table.zone, first_ms, last_ms))
        turns.update(_local_turns(table.zone, definition.hours, first_ms, last_ms))
    spans: list[Span] = []
    in_order = sorted(at_ms for at_ms in turns if first_ms <= at_ms <= last_ms)
    for at_ms, next_ms in pairwise(in_order):
        if not table.is_open(at_ms):
            continue
        if spans and spans[-1].until_ms == at_ms:
            spans[-1] = Span(spans[-1].from_ms, next_ms)
        else:
            spans.append(Span(at_ms, next_ms))
    return spans


def _local_turns(zone: tzinfo, hours: tuple[Hours, ...], first_ms: int, last_ms: int) -> Iterator[int]:
    """Gives the moments at which clocks show midnight or where hours begin or end; twice where they come twice."""
    minutes = {0} | {minute_of(time) for one in hours for time in (one.from_time, one.until_time)}
    day = from_unix_ms(first_ms).astimezone(zone).date()
    last = from_unix_ms(last_ms).astimezone(zone).date()
    while day <= last:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        for minute in minutes:
            # Arithmetic within a zone moves the hands of the clock; only `fold` tells the hour that comes twice.
            shown = midnight + timedelta(minutes=minute)
            for fold in (0, 1):
                yield unix_ms(shown.replace(fold=fold).astimezone(UTC))
        day += _DAY


def _clock_changes(zone: tzinfo, first_ms: int, last_ms: int) -> Iterator[int]:
    """Gives the moments at which clocks are put forward or back, found hour by hour, then to the minute."""

    def offset(at_ms: int) -> timedelta | None:
        return from_unix_ms(at_ms).astimezone(zone).utcoffset()

    for at_ms in range(first_ms, last_ms, _HOUR_MS):
        if offset(at_ms) != offset(at_ms + _HOUR_MS):
            begin_ms = at_ms - at_ms % _MINUTE_MS
            for minute_ms in range(begin_ms, at_ms + _HOUR_MS + _MINUTE_MS, _MINUTE_MS):
                if offset(minute_ms - 1) != offset(minute_ms):
                    yield minute_ms
