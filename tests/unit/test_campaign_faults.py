"""Every fault of a campaign is told, with its path, its value and the limit; in our own words."""

from __future__ import annotations

import json

import pytest

from domain.campaign_faults import read_definition
from tests.unit.campaign_documents import (
    BUDGET,
    COFFEE,
    GAME,
    PROMOTION,
    STARTS,
    TENSION,
    TIP,
    VISITS,
    VOUCHER,
    Json,
    faults_of,
    is_zone,
    without,
)

KINDS = "personalised_promotion, gamified_promotion, recommendation, basket_tension"
CONDITIONS = "all, any, none, event, product, page, search, in_basket, basket_total, basket_lines, visits, order, score"
ABOUT_MONEY = "expected 1 to 1,000,000,000,000,000 in minor units, found"
DAY = "expected a moment with its zone, like 2026-11-27T08:00:00+01:00, found"

GOOD: list[Json] = [
    PROMOTION,
    TENSION,
    GAME,
    TIP,
    # What the tree may say by itself, within a limit.
    {**without(PROMOTION, "percent", "products"), "category_ids": ["pasta"]},
    without(PROMOTION, "products"),
    {**without(TENSION, "threshold_minor", "amount_minor"), "max_discount_minor": 800},
    # What costs nothing needs no budget, and may have one of promises.
    {**without(GAME, "budget"), "prizes": [COFFEE]},
    {**TIP, "budget": {"count": 5}},
    {**without(GAME, "prizes"), "reward": {"chance_ppm": 1, "at_most_minor": 20_000}},
    {
        **PROMOTION,
        "weekdays": ["monday", "sunday"],
        "hours": [{"from_time": "22:00", "until_time": "02:00"}, {"from_time": "00:00", "until_time": "24:00"}],
        "time_zone": "Europe/Paris",
        "audience": {"kind": "all", "of": [VISITS, {"kind": "order", "states": ["delivered"]}]},
        "priority": 1_000,
        "value_minor": 40,
        "exclusivity_group": "pasta",
        "cap": {"times": 1, "days": 7},
        "threshold_minor": {"usual": 0, "at_most": 3_000},
        "holdout_ppm": 900_000,
    },
    {**PROMOTION, "budget": {"money_minor": 500}},
    {**PROMOTION, "budget": {"money_minor": 10**15, "count": 10**12}},
]


@pytest.mark.parametrize("document", GOOD)
def test_a_good_campaign_is_read(document: Json) -> None:
    """As JSON in any layout or decoded, with or without the mark that some editors put before it."""
    expected = read_definition(document, is_zone)
    text = json.dumps(document, indent=4).encode()
    assert [expected, expected] == [read_definition(one, is_zone) for one in (text, b"\xef\xbb\xbf" + text)]


FAULTS: list[tuple[Json, list[str]]] = [
    # Types and bounds.
    ({}, ["$.name: missing", "$.kind: missing", "$.starts_at: missing", "$.ends_at: missing"]),
    ({**TIP, "name": ""}, ['$.name: expected str of length >= 1, found ""']),
    ({**TIP, "name": "  "}, ['$.name: expected printable characters, found "  "']),
    ({**TIP, "name": "a\x1b[31m"}, ['$.name: expected printable characters, found "a\\u001b[31m"']),
    (
        {**TIP, "kind": "coupon"},
        [f'$.kind: expected one of {KINDS}, found "coupon"'],
    ),
    ({**TIP, "priority": 1_001}, ["$.priority: expected 0 to 1,000, found 1001"]),
    (
        {**TIP, "cap": {"times": 0, "days": 367}},
        ["$.cap.times: expected 1 to 32, found 0", "$.cap.days: expected 1 to 366, found 367"],
    ),
    ({**TIP, "holdout_ppm": 900_001}, ["$.holdout_ppm: expected 0 to 900,000 parts per million, found 900001"]),
    ({**TIP, "holdout_ppm": -1}, ["$.holdout_ppm: expected 0 to 900,000 parts per million, found -1"]),
    (
        {**TIP, "exclusivity_group": "a\n"},
        ['$.exclusivity_group: an identifier has printable characters alone, found "a\\n"'],
    ),
    # Dates.
    ({**TIP, "starts_at": "2026-11-27"}, [f'$.starts_at: {DAY} "2026-11-27"']),
    ({**TIP, "starts_at": "2026-11-27T08:00:00"}, [f'$.starts_at: {DAY} "2026-11-27T08:00:00"']),
    ({**TIP, "ends_at": 1_764_230_400}, [f"$.ends_at: {DAY} 1764230400"]),
    ({**TIP, "ends_at": STARTS}, [f'$.ends_at: "{STARTS}" is not after starts_at, "{STARTS}"']),
    (
        {**TIP, "ends_at": "2026-11-27T06:59:59Z"},
        [f'$.ends_at: "2026-11-27T06:59:59Z" is not after starts_at, "{STARTS}"'],
    ),
    (
        {**TIP, "starts_at": "0026-11-27T08:00:00Z", "ends_at": "2126-11-27T08:00:00Z"},
        [
            '$.starts_at: expected a year from 2000 to 2099, found "0026-11-27T08:00:00Z"',
            '$.ends_at: expected a year from 2000 to 2099, found "2126-11-27T08:00:00Z"',
        ],
    ),
    (
        {**GAME, "ends_at": "2028-01-01T07:00:00.001Z"},
        ["$.ends_at: 401 days after starts_at, a gamified_promotion lasts at most 400"],
    ),
    # When it is open.
    (
        {**TIP, "time_zone": "Mars/Base"},
        ['$.time_zone: "Mars/Base" is no IANA time zone, give a name like Europe/Paris'],
    ),
    (
        {**TIP, "hours": [{"from_time": "9:00", "until_time": "24:01"}]},
        [
            '$.hours[0].from_time: expected a time from 00:00 to 23:59, found "9:00"',
            '$.hours[0].until_time: expected a time from 00:00 to 24:00, found "24:01"',
        ],
    ),
    (
        {**TIP, "hours": [{"from_time": "09:00", "until_time": "09:00"}]},
        ["$.hours[0]: opens and closes at 09:00, the whole day is 00:00 to 24:00"],
    ),
    (
        {**TIP, "weekdays": ["monday", "friday", "monday"]},
        ['$.weekdays[2]: "monday" stands at [0] already'],
    ),
    (
        {**TIP, "weekdays": ["mon"]},
        ['$.weekdays[0]: expected one of monday, tuesday, wednesday, thursday, friday, saturday, sunday, found "mon"'],
    ),
    # What is promoted.
    (
        {**PROMOTION, "products": ["p-1", "p-2", "p-1"], "category_ids": ["a", "a"]},
        ['$.products[2]: "p-1" stands at [0] already', '$.category_ids[1]: "a" stands at [0] already'],
    ),
    ({**PROMOTION, "products": [""]}, ['$.products[0]: expected str of length >= 1, found ""']),
    # Percentages.
    (
        {**PROMOTION, "percent": {"usual": 101, "at_least": 0}},
        ["$.percent.usual: expected 1 to 100, found 101", "$.percent.at_least: expected 1 to 100, found 0"],
    ),
    ({**PROMOTION, "percent": {"usual": 30, "at_most": 20}}, ["$.percent.usual: 30 is above at_most 20"]),
    ({**PROMOTION, "percent": {"usual": 4, "at_least": 5}}, ["$.percent.usual: 4 is below at_least 5"]),
    (
        {**PROMOTION, "percent": {"usual": 10, "at_least": 20, "at_most": 5}},
        [
            "$.percent.usual: 10 is below at_least 20",
            "$.percent.usual: 10 is above at_most 5",
            "$.percent.at_least: 20 is above at_most 5",
        ],
    ),
    (
        without(PROMOTION, "max_discount_minor"),
        ["$.max_discount_minor: missing, with percent it says what one promise costs at most"],
    ),
    (
        {**PROMOTION, "amount_minor": {"usual": 100}},
        ["$.amount_minor: percent is given too, a campaign gives one of them"],
    ),
    # Amounts.
    ({**TENSION, "amount_minor": {"usual": 0}}, ["$.amount_minor.usual: expected 1 to 1,000,000,000,000, found 0"]),
    (
        {**TENSION, "max_discount_minor": 700},
        ["$.max_discount_minor: 700 is less than amount_minor may promise, 800"],
    ),
    (
        {**TENSION, "max_discount_minor": 0},
        ["$.max_discount_minor: expected 1 to 1,000,000,000,000 in minor units, found 0"],
    ),
    (
        without(PROMOTION, "percent", "max_discount_minor"),
        ["$.max_discount_minor: missing, what the tree gives without percent and amount_minor needs a limit"],
    ),
    # Kinds.
    (
        {**TIP, "percent": {"usual": 5}, "threshold_minor": {"usual": 1}, "game": "wheel", "prizes": [COFFEE]},
        [
            f"$.{name}: a recommendation has none, leave it out"
            for name in ("percent", "threshold_minor", "game", "prizes")
        ],
    ),
    (
        {**TIP, "budget": BUDGET},
        ["$.budget.money_minor: a recommendation costs nothing, leave it out, or limit its count"],
    ),
    ({**PROMOTION, "game": "wheel"}, ["$.game: a personalised_promotion has none, leave it out"]),
    ({**TENSION, "products": ["p-1"]}, ["$.products: a basket_tension has none, leave it out"]),
    (
        without(TENSION, "threshold_minor"),
        ["$.threshold_minor: missing beside percent or amount_minor, give both or leave both to the tree"],
    ),
    (
        {**without(TENSION, "amount_minor"), "max_discount_minor": 800},
        ["$.threshold_minor: given without percent and amount_minor, give both or leave both to the tree"],
    ),
    (
        {**TENSION, "threshold_minor": {"usual": 0}},
        ["$.threshold_minor.usual: expected 1 to 1,000,000,000,000, found 0"],
    ),
    (
        without(GAME, "game", "prizes"),
        [
            "$.game: missing, a gamified_promotion is a scratch or a wheel",
            "$.prizes: missing, a gamified_promotion gives prizes or a reward",
        ],
    ),
    ({**GAME, "percent": {"usual": 5}}, ["$.percent: a gamified_promotion has none, leave it out"]),
    (
        {**GAME, "max_discount_minor": 500},
        ["$.max_discount_minor: each of the prizes has its cost_minor, leave it out"],
    ),
    (
        {**GAME, "prizes": [COFFEE, VOUCHER, COFFEE]},
        ['$.prizes[2].prize_id: "coffee" is that of prizes[0]'],
    ),
    (
        {**GAME, "prizes": [{**COFFEE, "chance_ppm": 600_000}, {**VOUCHER, "chance_ppm": 400_001}]},
        ["$.prizes: the chances add up to 1,000,001 parts per million, 1,000,000 is all there is"],
    ),
    ({**GAME, "prizes": [{**COFFEE, "chance_ppm": 0}]}, ["$.prizes: the chances add up to 0, nothing could be won"]),
    (
        {**GAME, "prizes": [{**COFFEE, "chance_ppm": 1_000_001}]},
        ["$.prizes[0].chance_ppm: expected 0 to 1,000,000 parts per million, found 1000001"],
    ),
    (
        {**GAME, "prizes": [{**COFFEE, "stock": 0}]},
        ["$.prizes[0].stock: 0, a prize of which there are none can't be won, leave the prize out"],
    ),
    (
        {**GAME, "prizes": [{**VOUCHER, "cost_minor": 499}]},
        ["$.prizes[0].cost_minor: 499 is less than what is won, 500"],
    ),
    (
        {**GAME, "prizes": [{**COFFEE, "reward": {"type": "percent", "value": 101}}]},
        [
            "$.prizes[0].cost_minor: missing, with a percentage it says what one prize costs at most",
            "$.prizes[0].reward.value: expected 0 to 100, found 101",
        ],
    ),
    # Budgets.
    ({**PROMOTION, "budget": {"money_minor": 0}}, [f"$.budget.money_minor: {ABOUT_MONEY} 0"]),
    ({**PROMOTION, "budget": {"money_minor": -5}}, [f"$.budget.money_minor: {ABOUT_MONEY} -5"]),
    ({**PROMOTION, "budget": {"money_minor": 10**15 + 1}}, [f"$.budget.money_minor: {ABOUT_MONEY} {10**15 + 1}"]),
    ({**PROMOTION, "budget": {"money_minor": 10**40}}, [f"$.budget.money_minor: {ABOUT_MONEY} {10**40}"]),
    ({**PROMOTION, "budget": {"money_minor": 5.5}}, [f"$.budget.money_minor: {ABOUT_MONEY} 5.5"]),
    (
        {**PROMOTION, "budget": {"money_minor": 500, "count": 0}},
        ["$.budget.count: expected 1 to 1,000,000,000,000, found 0"],
    ),
    (
        {**PROMOTION, "budget": {}},
        [
            "$.budget: neither money_minor nor count is given, one is needed",
            "$.budget.money_minor: missing, what it promises costs money, up to 500 each time",
        ],
    ),
    (
        without(PROMOTION, "budget"),
        ["$.budget.money_minor: missing, what it promises costs money, up to 500 each time"],
    ),
    (
        {**TENSION, "budget": {"count": 3}},
        ["$.budget.money_minor: missing, what it promises costs money, up to 800 each time"],
    ),
    (
        {**PROMOTION, "budget": {"money_minor": 499}},
        ["$.budget.money_minor: 499 is less than one promise may cost, 500"],
    ),
    (
        {**GAME, "budget": {"money_minor": 499}},
        ["$.budget.money_minor: 499 is less than one promise may cost, 500"],
    ),
    (
        {**GAME, "reward": {"chance_ppm": 0, "at_most_minor": 0}},
        [
            "$.reward.chance_ppm: expected 1 to 1,000,000 parts per million, found 0",
            "$.reward.at_most_minor: expected 1 to 1,000,000,000,000 in minor units, found 0",
        ],
    ),
    # For whom: the rules of a tree's conditions.
    (
        {**TIP, "audience": {"kind": "age"}},
        [f'$.audience.kind: "age" is none of {CONDITIONS}'],
    ),
    (
        {**TIP, "audience": {"kind": "all", "of": [{"kind": "visits", "at_least": 5, "at_most": 4}]}},
        ["$.audience.of[0]: never true: at_least 5 is above at_most 4"],
    ),
    (
        {**TIP, "audience": {"kind": "score", "bias": 0, "weights": {"age": 1}, "at_least": 0.5}},
        ['$.audience.weights.age: no feature "age", there are '],
    ),
    # A fault of one field hides none of another.
    (
        {**PROMOTION, "budget": {"money_minor": 0}, "ends_at": STARTS, "time_zone": "Mars/Base", "products": 5},
        [
            "$.products: expected array, found 5",
            f"$.budget.money_minor: {ABOUT_MONEY} 0",
            f'$.ends_at: "{STARTS}" is not after starts_at, "{STARTS}"',
            '$.time_zone: "Mars/Base" is no IANA time zone, give a name like Europe/Paris',
        ],
    ),
    (
        {**TIP, "percent": "many", "kind": 5},
        [
            f"$.kind: expected one of {KINDS}, found 5",
            '$.percent: expected object | null, found "many"',
        ],
    ),
]


@pytest.mark.parametrize(("document", "expected"), FAULTS, ids=[f"{faults[0][:60]}" for _, faults in FAULTS])
def test_a_fault_is_told(document: Json, expected: list[str]) -> None:
    """Every fault, in one sentence each that begins with its path."""
    found = faults_of(document)
    assert [fault[: len(one)] for one, fault in zip(expected, found, strict=True)] == expected
    assert not [word for fault in found for word in ("`", "RFC3339", "regex", "Expected", "Invalid") if word in fault]


def test_unknown_fields_are_told_with_those_there_are() -> None:
    """A misspelt field is refused, at any depth."""
    (fault,) = faults_of({**TIP, "percents": {}})
    assert fault.startswith('$.percents: unknown field "percents", known here are name, kind, starts_at, ends_at, ')
    assert ['$.cap.hours: unknown field "hours", known here are times, days'] == faults_of(
        {**TIP, "cap": {"times": 1, "days": 1, "hours": 1}}
    )


def nested(levels: int) -> Json:
    """An audience inside so many composites."""
    audience = VISITS
    for _ in range(levels):
        audience = {"kind": "all", "of": [audience]}
    return audience


def test_an_audience_is_as_deep_as_a_trees_conditions() -> None:
    """Eight composites inside one another, not nine, and no depth breaks the reader."""
    assert read_definition({**TIP, "audience": nested(8)}, is_zone).audience is not None
    assert [f"$.audience{'.of[0]' * 8}: composite number 9 inside one another, at most 8"] == faults_of(
        {**TIP, "audience": nested(9)}
    )
    assert ["$: nested too deep to be read"] == faults_of({**TIP, "audience": nested(5_000)})
