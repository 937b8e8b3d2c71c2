"""Rows of the warehouse's events become records again: what is replayed is what happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batch.flat import COLUMNS, flat
from batch.unflatten import FOLDED, REPLAYED, record_of
from domain.events import OUTSIDE_TYPES
from domain.ids import Position
from domain.records import Record
from tests.story import record

TIMES = ("occurred_at", "received_at", "event_time")
FIELDS: dict[str, dict[str, Any]] = {
    "PageViewed": {"page": {"kind": "product", "product_id": "pasta", "category_id": "dry"}},
    "LinkClicked": {"target": "/help"},
    "ProductsSearched": {"query": "pasta", "result_count": 3},
    "AddedToBasket": {"product": {"product_id": "pasta", "price_minor": 199, "currency": "EUR"}, "quantity": 2},
    "RemovedFromBasket": {"product": {"product_id": "pasta"}},
    "OrderPaid": {
        "order_id": "o-1",
        "lines": [{"product_id": "pasta", "quantity": 2, "price_minor": 199}],
        "total_minor": 398,
        "currency": "EUR",
    },
    "OrderStatusChanged": {"order_id": "o-1", "status": "partially_returned", "lines": [{"product_id": "pasta"}]},
    "ExperienceShown": {"experience_id": "e-1"},
    "ExperienceClicked": {"experience_id": "e-1"},
    "ExperienceDismissed": {"experience_id": "e-1"},
}


def row_of(one: Record) -> dict[str, Any]:
    """The record's row as Arrow gives it back."""
    row = dict(zip(COLUMNS, flat(one, 0, Position(1, 0)), strict=True))
    for name in TIMES:
        row[name] = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row[name])
    if row["lines"] is not None:
        row["lines"] = [line._asdict() for line in row["lines"]]
    return row


def test_everything_from_outside_can_be_replayed() -> None:
    """No type of event is left out, and training's are among them."""
    assert set(OUTSIDE_TYPES) == set(REPLAYED) > set(FOLDED)


@pytest.mark.parametrize("kind", REPLAYED)
def test_a_row_becomes_its_record_again(kind: str) -> None:
    """All that a fold or a condition looks at comes back, with the times and whether the retailer's server told it."""
    told = record(kind, 1.5, 3, received_s=2.0, verified=True, **FIELDS[kind])
    assert told == record_of(row_of(told))


def test_a_timer_is_not_replayed() -> None:
    """A worker makes its timers anew; one that was told is refused."""
    told = record("ReservationExpired", 0, 1, experience_id="e-1")
    with pytest.raises(ValueError, match="ReservationExpired is none of"):
        record_of(row_of(told))
