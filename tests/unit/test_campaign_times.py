"""When campaigns are open: local hours and weekdays, nights in which clocks change, dates to the millisecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from domain.campaigns import Campaign, Definition, Hours
from domain.campaigns_in_force import InForce, Timetable
from domain.timestamps import unix_ms

PARIS = ZoneInfo("Europe/Paris")
MINUTE_MS = 60_000
FORWARD = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
"""02:00 in Paris becomes 03:00."""
BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
"""03:00 in Paris becomes 02:00."""


def definition(**fields: Any) -> Definition:
    """A campaign of the whole of 2026, unless told otherwise."""
    dates = {"starts_at": datetime(2026, 1, 1, tzinfo=UTC), "ends_at": datetime(2027, 1, 1, tzinfo=UTC)}
    return Definition(**{"name": "Spring", "kind": "recommendation"} | dates | fields)


def hours(*spans: str) -> tuple[Hours, ...]:
    """Hours like 22:00-02:00."""
    return tuple(Hours(from_time=span.split("-")[0], until_time=span.split("-")[1]) for span in spans)


def campaign(campaign_id: str, **fields: Any) -> Campaign:
    """A scheduled campaign."""
    state = fields.pop("state", "scheduled")
    return Campaign(
        retailer_id="r-1",
        campaign_id=campaign_id,
        version=2,
        state=state,
        definition=definition(**fields),
        changed_at_ms=0,
    )


def in_force(*campaigns: Campaign) -> InForce:
    """Campaigns of a retailer in Paris."""
    return InForce(campaigns, {}, ZoneInfo, "Europe/Paris")


def open_minutes(table: Timetable, from_utc: datetime, minutes: int) -> int:
    """How many of these minutes the campaign is open, one by one."""
    first_ms = unix_ms(from_utc)
    return sum(table.is_open(first_ms + number * MINUTE_MS) for number in range(minutes))


def is_open(moment: str, **fields: Any) -> bool:
    """Whether a campaign is open at a moment; without an offset it is what clocks in Paris show."""
    at = datetime.fromisoformat(moment)
    return Timetable(definition(**fields), PARIS).is_open(unix_ms(at if at.tzinfo else at.replace(tzinfo=PARIS)))


@pytest.mark.parametrize(
    ("span", "minutes"),
    [
        ("02:00-03:00", 0),
        ("02:30-04:00", 60),
        ("01:30-02:30", 30),
        ("01:00-05:00", 180),
        ("23:00-02:30", 180),
    ],
)
def test_hours_that_never_come(span: str, minutes: int) -> None:
    """In the night in which clocks are put forward, what lies between 02:00 and 03:00 is never open."""
    table = Timetable(definition(hours=hours(span)), PARIS)
    assert minutes == open_minutes(table, FORWARD - timedelta(hours=3), 12 * 60)


def test_the_hour_after_the_one_that_never_came_opens_at_once() -> None:
    """Hours that would have begun at 02:30 begin when the clock jumps to 03:00, and not a millisecond before."""
    table = Timetable(definition(hours=hours("02:30-04:00")), PARIS)
    jump_ms = unix_ms(FORWARD)
    assert [False, True, True, False] == [
        table.is_open(at_ms) for at_ms in (jump_ms - 1, jump_ms, jump_ms + 3_599_999, jump_ms + 3_600_000)
    ]


@pytest.mark.parametrize(
    ("span", "minutes"),
    [("02:00-03:00", 120), ("02:30-04:00", 120), ("01:30-02:30", 90), ("03:00-04:00", 60), ("00:00-24:00", 25 * 60)],
)
def test_hours_that_come_twice(span: str, minutes: int) -> None:
    """In the night in which clocks are put back, what lies between 02:00 and 03:00 is open twice."""
    midnight = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    table = Timetable(definition(hours=hours(span)), PARIS)
    assert minutes == open_minutes(table, midnight, 25 * 60)


def test_an_hour_that_comes_twice_closes_in_between() -> None:
    """From 02:30 to 03:00 is open, then it is 02:00 again and shut, then 02:30 again and open."""
    table = Timetable(definition(hours=hours("02:30-03:00")), PARIS)
    back_ms = unix_ms(BACK)
    moments = (back_ms - 1_800_001, back_ms - 1_800_000, back_ms - 1, back_ms, back_ms + 1_799_999, back_ms + 1_800_000)
    assert [False, True, True, False, False, True] == [table.is_open(at_ms) for at_ms in moments]


def test_a_day_of_the_week_is_as_long_as_the_clocks_make_it() -> None:
    """Sunday has 23 hours in spring and 25 in autumn."""
    table = Timetable(definition(weekdays=("sunday",)), PARIS)
    assert 23 * 60 == open_minutes(table, datetime(2026, 3, 28, 12, 0, tzinfo=UTC), 48 * 60)
    assert 25 * 60 == open_minutes(table, datetime(2026, 10, 24, 12, 0, tzinfo=UTC), 48 * 60)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-06-05T21:59:59.999", False),  # a Friday
        ("2026-06-05T22:00", True),
        ("2026-06-06T01:59:59.999", True),
        ("2026-06-06T02:00", False),
        ("2026-06-06T22:00", False),
        ("2026-06-05T01:00", False),
    ],
)
def test_over_midnight_the_small_hours_belong_to_the_evening_before(moment: str, expected: bool) -> None:
    """Friday 22:00 to 02:00 ends on Saturday morning, and does not begin on Thursday night."""
    assert expected == is_open(moment, hours=hours("22:00-02:00"), weekdays=("friday",))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-06-07T23:59:59.999", True),  # a Sunday
        ("2026-06-08T00:00", False),
        ("2026-06-07T19:59:59.999", False),
        ("2026-06-07T20:00", True),
    ],
)
@pytest.mark.parametrize("span", ["20:00-24:00", "20:00-00:00"])
def test_midnight_is_the_end_of_its_day(span: str, moment: str, expected: bool) -> None:
    """Until 24:00 is until the day is over, and so is until 00:00."""
    assert expected == is_open(moment, hours=hours(span), weekdays=("sunday",))


def test_any_of_several_hours_will_do() -> None:
    """A campaign with two parts of the day is open in each, and shut between."""
    spans = hours("08:00-10:00", "18:00-20:00")
    shown = [is_open(f"2026-06-05T{at}", hours=spans) for at in ("07:59", "08:00", "12:00", "19:59", "20:00")]
    assert [False, True, False, True, False] == shown


def test_a_campaigns_own_zone_counts() -> None:
    """Eight in the morning is eight where the campaign says it is, else where its retailer is."""
    tokyo, paris = (
        campaign(name, hours=hours("08:00-09:00"), time_zone=zone)
        for name, zone in (("tokyo", "Asia/Tokyo"), ("paris", None))
    )
    both = in_force(tokyo, paris)
    at = [datetime(2026, 6, 4, 23, 30, tzinfo=UTC), datetime(2026, 6, 5, 6, 30, tzinfo=UTC)]
    assert [["tokyo"], ["paris"]] == [list(both.open_at(unix_ms(moment)).by_id) for moment in at]


def test_first_and_last_millisecond() -> None:
    """The start is included and the end is not, wherever in a minute they fall and whichever moment is asked first."""
    starts = datetime(2026, 6, 5, 8, 0, 12, 345_000, tzinfo=UTC)
    ends = datetime(2026, 6, 5, 8, 0, 47, 1_000, tzinfo=UTC)
    starts_ms, ends_ms = unix_ms(starts), unix_ms(ends)
    expected = {starts_ms - 1: False, starts_ms: True, ends_ms - 1: True, ends_ms: False, starts_ms - 12_345: False}
    for order in (list(expected), list(reversed(expected))):
        short = in_force(campaign("short", starts_at=starts, ends_at=ends), campaign("long"))
        found = {at_ms: "short" in short.open_at(at_ms).by_id for at_ms in order}
        assert expected == found
        assert all("long" in short.open_at(at_ms).by_id for at_ms in order)


def test_a_campaign_may_end_in_the_minute_in_which_another_starts() -> None:
    """One minute, three answers, each remembered."""
    turn = datetime(2026, 6, 5, 8, 0, 30, tzinfo=UTC)
    early = campaign("early", ends_at=turn)
    late = campaign("late", starts_at=turn + timedelta(milliseconds=10))
    both = in_force(early, late)
    turn_ms = unix_ms(turn)
    for _ in range(2):
        assert [["early"], [], ["late"]] == [
            list(both.open_at(at_ms).by_id) for at_ms in (turn_ms - 1, turn_ms, turn_ms + 10)
        ]
    assert both.open_at(turn_ms) is both.open_at(turn_ms + 9)


def test_dates_rule_over_hours() -> None:
    """A campaign that ends at noon is not open at one, whatever its hours say."""
    ends = datetime(2026, 6, 5, 10, 0, tzinfo=UTC)
    assert is_open("2026-06-05T11:59:59.999", hours=hours("08:00-18:00"), ends_at=ends)
    assert not is_open("2026-06-05T12:00", hours=hours("08:00-18:00"), ends_at=ends)


def test_only_what_is_scheduled_is_open() -> None:
    """Paused campaigns are left out; those that are open stand in the order in which they win."""
    found = in_force(
        campaign("paused", state="paused", priority=9),
        campaign("second", priority=1),
        campaign("first", priority=2),
        campaign("game", kind="gamified_promotion", priority=5),
    )
    open_now = found.open_at(unix_ms(datetime(2026, 6, 5, tzinfo=UTC)))
    assert ["first", "second"] == [offer.key.campaign_id for offer in open_now.by_kind["recommendation"]]
    assert {"first", "second", "game"} == set(open_now.by_id)
    assert ["game", "first", "second"] == [offer.key.campaign_id for offer in found.offers]


def test_minutes_are_forgotten() -> None:
    """A long life needs no more memory: an old minute asked again gets the same answer."""
    one = in_force(campaign("mornings", hours=hours("08:00-09:00")))
    first_ms = unix_ms(datetime(2026, 6, 5, 6, 0, tzinfo=UTC))
    answers = [bool(one.open_at(first_ms + number * MINUTE_MS).by_id) for number in range(120)]
    assert [True] * 60 + [False] * 60 == answers
    assert one.open_at(first_ms).by_id
