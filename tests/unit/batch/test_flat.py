"""One record as one row of the warehouse's events: every column, for every type, and what makes no row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from batch.flat import COLUMNS, Line, Unusable, flat
from domain.events import OUTSIDE_TYPES
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Record, Undecodable
from tests.story import NOON_MS, RETAILER, SHOPPER, record

DAY_MS = 86_400_000
KNOWN = {"pasta": {"category_id": "dry", "brand": "Basta", "price_minor": 250, "currency": "EUR"}}
EXPERIENCE = {"experience_id": "e-1"}
SPECIFIC: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "PageViewed": (
        {"page": {"kind": "product", "product_id": "pasta", "path": "/pasta"}, "known": KNOWN},
        {
            "page_kind": "product",
            "product_id": "pasta",
            "category_id": "dry",
            "brand": "Basta",
            "path": "/pasta",
            "regular_price_minor": 250,
            "currency": "EUR",
        },
    ),
    "LinkClicked": ({"target": "/help", "label": "Help"}, {"target": "/help", "label": "Help"}),
    "ProductsSearched": ({"query": "pasta", "result_count": 3}, {"query": "pasta", "result_count": 3}),
    "AddedToBasket": (
        {"product": {"product_id": "pasta", "price_minor": 199, "currency": "EUR"}, "quantity": 2, "known": KNOWN},
        {
            "product_id": "pasta",
            "category_id": "dry",
            "brand": "Basta",
            "price_minor": 199,
            "regular_price_minor": 250,
            "currency": "EUR",
            "quantity": 2,
        },
    ),
    "RemovedFromBasket": (
        {"product": {"product_id": "new", "category_id": "c", "brand": "b"}},
        {"product_id": "new", "category_id": "c", "brand": "b", "quantity": 1},
    ),
    "OrderPaid": (
        {
            "order_id": "o-1",
            "lines": [{"product_id": "pasta", "quantity": 2, "price_minor": 199}],
            "total_minor": 398,
            "currency": "EUR",
            "known": KNOWN,
        },
        {
            "order_id": "o-1",
            "lines": [Line("pasta", "dry", "Basta", 2, 199, 250)],
            "total_minor": 398,
            "currency": "EUR",
        },
    ),
    "OrderStatusChanged": (
        {"order_id": "o-1", "status": "partially_returned", "lines": [{"product_id": "pasta"}]},
        {"order_id": "o-1", "status": "partially_returned", "lines": [Line("pasta", None, None, 1, None, None)]},
    ),
    "ExperienceShown": (EXPERIENCE, EXPERIENCE),
    "ExperienceClicked": (EXPERIENCE, EXPERIENCE),
    "ExperienceDismissed": (EXPERIENCE, EXPERIENCE),
    "IdleElapsed": (
        {"after_event_id": str(UUID(int=9)), "node_id": "start"},
        {"after_event_id": str(UUID(int=9)), "node_id": "start"},
    ),
    "ReservationExpired": (EXPERIENCE, EXPERIENCE),
}


def row_of(one: Record) -> dict[str, Any]:
    """The record's row by column."""
    row = flat(one, 7, Position(1, 42))
    assert not isinstance(row, Unusable)
    return dict(zip(COLUMNS, row, strict=True))


@pytest.mark.parametrize("kind", [*OUTSIDE_TYPES, "IdleElapsed", "ReservationExpired"])
def test_every_type_has_its_columns(kind: str) -> None:
    """What a type's event says stands in its columns, and the columns of other types are empty."""
    fields, expected = SPECIFIC[kind]
    row = row_of(record(kind, 1.5, 3, received_s=2.0, session_id="s-1", consent="granted", **fields))
    common = {
        "retailer_id": RETAILER,
        "day": NOON_MS // DAY_MS,
        "event_id": str(UUID(int=4)),
        "type": kind,
        "shopper_id": SHOPPER,
        "occurred_at": (NOON_MS + 1_500) * 1_000,
        "received_at": (NOON_MS + 2_000) * 1_000,
        "event_time": (NOON_MS + 1_500) * 1_000,
        "schema_version": SCHEMA_VERSION,
        "verified": False,
        "consent": "granted",
        "session_id": "s-1",
        "log_epoch": 1,
        "log_partition": 7,
        "log_offset": 42,
    }
    assert dict.fromkeys(COLUMNS) | common | expected == row


def test_the_day_is_that_of_the_clients_clock_in_utc() -> None:
    """An event that reaches us a day late belongs to the day on which it occurred."""
    late = record("LinkClicked", 0, 1, received_s=2 * 86_400, target="/")
    assert NOON_MS // DAY_MS == row_of(late)["day"]


@pytest.mark.parametrize(
    "known",
    [
        {"pasta": {"price_minor": 250, "currency": "USD"}},
        {"pasta": {"price_minor": -1}},
        {"pasta": {"price_minor": 10**30}},
        {},
    ],
)
def test_a_regular_price_in_other_money_or_beyond_reason_is_unknown(known: dict[str, Any]) -> None:
    """What the catalogue says counts only where it is a price in the order's currency."""
    lines = [{"product_id": "pasta", "quantity": 1, "price_minor": 199}]
    paid = record("OrderPaid", 0, 1, order_id="o", lines=lines, total_minor=199, currency="EUR", known=known)
    assert [None] == [line.regular_price_minor for line in row_of(paid)["lines"]]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"schema_version": SCHEMA_VERSION + 1}, "unknown_version"),
        ({"received_at_ms": -1}, "time_out_of_range"),
        ({"event_time_ms": 10**17}, "time_out_of_range"),
    ],
)
def test_what_can_not_be_read_says_why(changed: dict[str, Any], reason: str) -> None:
    """A record of a newer version or beyond the calendar makes no row, and its event's id is known."""
    strange = msgspec.structs.replace(record("LinkClicked", 0, 1, target="/"), **changed)
    assert Unusable(reason, str(UUID(int=2))) == flat(strange, 0, Position(1, 0))


@pytest.mark.parametrize(
    ("said", "reason"),
    [("schema_version 9 is newer than 1, upgrade this process", "unknown_version"), ("truncated", "undecodable")],
)
def test_bytes_that_are_no_record_say_why_without_what_they_hold(said: str, reason: str) -> None:
    """Unreadable bytes give a reason of ours, never a part of themselves."""
    assert Unusable(reason, None) == flat(Undecodable(payload=b"hh-17", reason=said), 0, Position(1, 0))
