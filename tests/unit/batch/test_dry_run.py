"""A campaign tried on what shoppers did: by the live path's rules, on the same weekdays, as far as the budget goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from batch.dry_run import DAY_MS, WEEK_MS, Given, Span, span_of, trial, tried
from batch.dry_run_step import Sent, count
from batch.foreseen import Hour, foreseen
from domain.campaigns import Budget, Campaign, Cap, Hours, Range
from domain.conditions import AnyCondition
from domain.holdout import is_held_out
from domain.records import Known, Record
from domain.timestamps import from_unix_ms, unix_ms
from tests.market import campaign
from tests.story import NOON_MS, SHOPPER, record
from tests.unit.batch.test_unflatten import row_of

VISIT_S = 3_600.0
"""From one visit to the next."""
STARTS = from_unix_ms(NOON_MS)
LONG = Span(NOON_MS, NOON_MS + 28 * DAY_MS, 0)


def when(condition: dict[str, Any]) -> AnyCondition:
    """A condition as people write it."""
    made: AnyCondition = msgspec.convert(condition, AnyCondition)
    return made


def of_weeks(**fields: Any) -> Campaign:
    """A promotion of 100 off, of four weeks from noon on."""
    dates = {"starts_at": STARTS, "ends_at": STARTS + timedelta(days=28)}
    return campaign("spring", **(dates | fields))


def given(of: Campaign, *records: Record, span: Span = LONG, known: dict[str, Known] | None = None) -> list[Given]:
    """What the campaign would have won of the stories' shopper."""
    return list(tried(trial(of, known or {}, lambda _: UTC, "UTC", span), SHOPPER, records))


def viewed(at_s: float, number: int) -> Record:
    """The first page."""
    return record("PageViewed", at_s, number, page={"kind": "home"})


def added(at_s: float, number: int, product_id: str = "pasta", **facts: Any) -> Record:
    """A product put in the basket."""
    return record("AddedToBasket", at_s, number, product={"product_id": product_id, **facts})


def at_s(found: list[Given]) -> list[float]:
    """When, in seconds after noon."""
    return [(one.at_ms - NOON_MS) / 1_000 for one in found]


def test_the_past_begins_on_the_campaigns_weekday_and_hour() -> None:
    """The latest days that fit end before the moment, and lie whole weeks before the campaign's own."""
    now_ms = NOON_MS - 3 * DAY_MS - 5
    span = span_of(of_weeks().definition, 28, now_ms)
    assert (0, 28 * DAY_MS) == (span.shift_ms % WEEK_MS, span.until_ms - span.since_ms)
    assert now_ms - WEEK_MS < span.until_ms <= now_ms
    assert NOON_MS == span.since_ms + span.shift_ms


def test_no_more_is_tried_than_the_campaign_lasts() -> None:
    """A campaign of two days is tried on two days, whatever was asked for."""
    span = span_of(of_weeks(ends_at=STARTS + timedelta(days=2)).definition, 28, NOON_MS)
    assert 2 * DAY_MS == span.until_ms - span.since_ms
    assert (
        7 * DAY_MS
        == span_of(of_weeks().definition, 7, NOON_MS).until_ms - span_of(of_weeks().definition, 7, NOON_MS).since_ms
    )


def test_it_is_proposed_once_a_visit_as_soon_as_the_audience_holds() -> None:
    """The first event of a visit for which the audience holds gets it; the next visit, and an order, open it again."""
    for_pasta = of_weeks(audience=when({"kind": "in_basket", "product_ids": ["pasta"]}))
    paid = record("OrderPaid", 60, 4, order_id="o-1", lines=[], total_minor=0, currency="EUR")
    story = (viewed(0, 1), added(10, 2), added(20, 3), paid, added(70, 5), viewed(70 + VISIT_S, 6))
    assert [10, 70 + VISIT_S] == at_s(given(for_pasta, *story))
    verified = msgspec.structs.replace(paid, verified=True, event=msgspec.structs.replace(paid.event, lines=()))
    # The promise of the first visit still stands, so there is no second one until its half hour is over.
    assert [10, 70 + VISIT_S] == at_s(given(for_pasta, *story[:3], verified, *story[4:]))


def test_an_order_that_redeems_makes_room_for_another_promise() -> None:
    """A verified order ends the promise, as the till does, and the next basket gets one again."""
    line = {"product_id": "pasta", "quantity": 1, "price_minor": 500}
    paid = record("OrderPaid", 60, 3, order_id="o-1", lines=[line], total_minor=500, currency="EUR", verified=True)
    pasta = of_weeks(products=("pasta",), audience=when({"kind": "in_basket", "product_ids": ["pasta"]}))
    assert [10, 70] == at_s(given(pasta, viewed(0, 1), added(10, 2), paid, added(70, 4)))


def test_a_cap_and_hours_hold_as_in_the_live_path() -> None:
    """Two decisions in a week, and none while the campaign is closed."""
    visits = [viewed(number * 2 * VISIT_S, number) for number in range(12)]
    assert [0, 2 * VISIT_S] == at_s(given(of_weeks(cap=Cap(times=2, days=7)), *visits))
    noon = STARTS.replace(minute=0, second=0)
    hours = (Hours(from_time=f"{noon.hour:02}:00", until_time=f"{noon.hour + 2:02}:00"),)
    assert [0] == at_s(given(of_weeks(hours=hours), *visits))


def test_the_campaigns_time_is_moved_to_the_past() -> None:
    """Events of the past meet the campaign as if it began then, and nothing before it does."""
    next_month = of_weeks(starts_at=STARTS + timedelta(weeks=4), ends_at=STARTS + timedelta(weeks=5))
    span = span_of(next_month.definition, 28, NOON_MS + WEEK_MS)
    assert Span(NOON_MS, NOON_MS + WEEK_MS, 4 * WEEK_MS) == span
    visits = (viewed(-1, 1), viewed(VISIT_S, 2), viewed(WEEK_MS / 1_000 + 1, 3))
    assert [VISIT_S] == at_s(given(next_month, *visits, span=span))


def test_what_came_late_counts_when_it_happened() -> None:
    """An event that was received weeks later is tried at its own time."""
    late = record("PageViewed", 10, 1, received_s=60 * 86_400.0, page={"kind": "home"})
    assert [10] == at_s(given(of_weeks(), late))


def test_who_is_held_out_is_held_out() -> None:
    """The same shoppers as in the live path, on each visit, and nothing is promised to them."""
    share = 500_000
    held_out = is_held_out("spring", SHOPPER, share)
    found = given(of_weeks(holdout_ppm=share), viewed(0, 1), viewed(2 * VISIT_S, 2))
    assert [held_out, held_out] == [one.is_held_out for one in found]
    everybody = given(of_weeks(holdout_ppm=900_000), viewed(0, 1))
    assert [(True, 0, 0)] == [one[1:] for one in everybody]


@pytest.mark.parametrize(
    ("fields", "cost_minor"),
    [
        ({"amount_minor": Range(usual=100, at_most=250), "budget": Budget(money_minor=1_000)}, 250),
        ({"percent": Range(usual=5, at_most=20), "max_discount_minor": 700}, 700),
        ({"amount_minor": None, "max_discount_minor": 900}, 900),
        ({"kind": "basket_tension", "amount_minor": Range(usual=50), "threshold_minor": Range(usual=4_000)}, 50),
        ({"kind": "recommendation", "products": ("pasta",), "budget": Budget(count=5)}, 0),
    ],
)
def test_a_promise_costs_what_it_may_cost_at_most(fields: dict[str, Any], cost_minor: int) -> None:
    """The most generous proposal within the campaign's bounds is what is counted."""
    assert [(1, cost_minor)] == [one[2:] for one in given(of_weeks(**fields), viewed(0, 1))]


def test_a_tension_told_again_is_no_new_decision() -> None:
    """Each change of the basket says anew what is missing; that is one promise."""
    tension = of_weeks(kind="basket_tension", amount_minor=Range(usual=50), threshold_minor=Range(usual=4_000))
    found = given(tension, viewed(0, 1), added(5, 2, price_minor=100), added(6, 3, price_minor=100))
    assert [0] == at_s(found)


def test_a_category_without_products_reaches_nobody() -> None:
    """What the catalogue does not know can't be promoted; what it knows can."""
    dry = of_weeks(category_ids=("dry",))
    assert [] == given(dry, viewed(0, 1))
    assert 1 == len(given(dry, viewed(0, 1), known={"pasta": Known(category_id="dry")}))


def test_rows_are_tried_shopper_by_shopper() -> None:
    """Each shopper counts once where they are first active and first get it, however many rows they have."""
    other = "0b" * 32
    records = [viewed(0, 1), viewed(2 * VISIT_S, 2)]
    others = [record("PageViewed", 30, 3, shopper_id=other, page={"kind": "home"})]
    sent = msgspec.json.decode(msgspec.json.encode(Sent(of_weeks(), {}, "UTC", LONG)), type=Sent)
    found = count(sent, [row_of(one) for one in (*records, *others)])
    assert [
        Hour(0, active=2, reached=2, decisions=2, promises=2, cost_minor=200),
        Hour(2, decisions=1, promises=1, cost_minor=100),
    ] == found


def hours(*promises: int, each_minor: int = 100) -> list[Hour]:
    """One hour a day with so many promises."""
    return [
        Hour(24 * day, active=1, reached=1, decisions=n, promises=n, cost_minor=n * each_minor)
        for day, n in enumerate(promises)
    ]


@pytest.mark.parametrize(
    ("budget", "within", "exhausted_day"),
    [
        (Budget(money_minor=10_000), (9, 900), None),
        (Budget(money_minor=550), (5, 500), 1),
        (Budget(money_minor=600), (6, 600), 1),
        (Budget(count=9), (9, 900), 2),
        (Budget(count=2), (2, 200), 0),
        (Budget(count=9, money_minor=300), (3, 300), 0),
    ],
)
def test_a_budget_goes_as_far_as_it_goes(budget: Budget, within: tuple[int, int], exhausted_day: int | None) -> None:
    """Promises are counted until the next one no longer fits, and the hour in which that happens is told."""
    span = Span(NOON_MS, NOON_MS + 3 * DAY_MS, WEEK_MS)
    found = foreseen(of_weeks(budget=budget), "EUR", span, hours(3, 3, 3))
    assert (9, 900, *within) == (
        found.promises,
        found.cost_minor,
        found.promises_within,
        found.cost_within_minor,
    )
    exhausted = None if found.exhausted_at is None else unix_ms(datetime.fromisoformat(found.exhausted_at))
    assert exhausted == (None if exhausted_day is None else NOON_MS + WEEK_MS + exhausted_day * DAY_MS)


def test_each_day_is_told_by_both_calendars() -> None:
    """A day without anything has its line too; the campaign's day and the day of the past stand side by side."""
    span = Span(NOON_MS, NOON_MS + 3 * DAY_MS, WEEK_MS)
    first, last = hours(3, 0, 2)[0], hours(3, 0, 2)[2]
    found = foreseen(of_weeks(), "EUR", span, [first, last])
    assert [(1, 3, 300), (0, 0, 0), (1, 2, 200)] == [
        (day.shoppers, day.promises, day.cost_minor) for day in found.by_day
    ]
    moved = {unix_ms(datetime.fromisoformat(d.day)) - unix_ms(datetime.fromisoformat(d.tried_on)) for d in found.by_day}
    assert {WEEK_MS} == moved


def test_people_are_told_what_was_assumed() -> None:
    """The sentences say who, how many, at what cost, and what was taken for granted."""
    span = Span(NOON_MS, NOON_MS + 3 * DAY_MS, WEEK_MS)
    said = foreseen(of_weeks(budget=Budget(money_minor=550)), "EUR", span, hours(3, 3, 3)).sentences()
    assert "spring (spring): 3 of 3 active shoppers would have got it, and 0 are held out." == said[0]
    assert "That makes 9 promises, of 9.00 EUR at most." in said
    assert any(one.startswith("The budget goes as far as 5 promises of 5.00 EUR") for one in said)
    assert any("of the campaign's 28 days the first 3 were tried" in one for one in said)
    assert 4 < sum(one.startswith("Assumed: ") for one in said)
