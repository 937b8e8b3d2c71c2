"""A retailer's door and the events that stand before it, for the tests of what comes in."""

from __future__ import annotations

import json
from typing import Any

from domain.door import Accepted, Door, Outcome
from domain.events import OutsideEvent
from domain.incoming import read
from domain.records import Known, Record, decode_record, encode
from domain.timestamps import read_rfc3339, unix_ms

EVENT_ID = "0193580e-9f3a-7c1d-9a3e-5f2b8c9d0e1f"
OTHER_ID = "0193580e-9f3a-7c1d-9a3e-5f2b8c9d0e20"
SHOPPER = "c-1842"
KEY = bytes(range(32))
KNOWN_PASTA = Known(category_id="pasta", brand="Napoli", price_minor=129, currency="EUR")
CATALOGUE = {"p-77": KNOWN_PASTA, "p-78": Known(category_id="sauce")}


def ms(text: str) -> int:
    """Gives the Unix milliseconds of an RFC 3339 text."""
    moment = read_rfc3339(text)
    assert moment is not None
    return unix_ms(moment)


RECEIVED_MS = ms("2026-11-23T09:00:10Z")


def door(**changes: Any) -> Door:
    """Gives the door of a retailer with a catalogue of two products."""
    return Door(**{"retailer_id": "r-1", "shopper_key": KEY, "currency": "EUR", "catalogue": CATALOGUE, **changes})


def event(kind: str = "AddedToBasket", **changes: Any) -> dict[str, Any]:
    """Gives a native event; a change to `...` leaves the field out."""
    fields = {
        "event_id": EVENT_ID,
        "type": kind,
        "occurred_at": "2026-11-23T09:00:00Z",
        "shopper_id": SHOPPER,
        **_OWN_FIELDS[kind],
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def body(value: object) -> bytes:
    """Gives the JSON of a value."""
    return json.dumps(value).encode()


def outcomes(value: object, at: Door | None = None, **arrival: Any) -> list[Outcome]:
    """Reads a body, given as bytes or as what its JSON says."""
    raw = value if isinstance(value, bytes) else body(value)
    return read(raw, at or door(), **{"received_at_ms": RECEIVED_MS, "verified": False, **arrival})


def outcome(value: object, at: Door | None = None, **arrival: Any) -> Outcome:
    """Reads a body with one source event."""
    (only,) = outcomes(value, at, **arrival)
    return only


def records(value: object, at: Door | None = None, **arrival: Any) -> tuple[Record, ...]:
    """Reads a body with one source event that is accepted, and proves that its stored form is read back equal."""
    accepted = outcome(value, at, **arrival)
    assert isinstance(accepted, Accepted), accepted
    for record in accepted.records:
        assert record == decode_record(encode(record))
    return accepted.records


def record(value: object, at: Door | None = None, **arrival: Any) -> Record:
    """Reads a body with one source event that makes one record."""
    (only,) = records(value, at, **arrival)
    return only


def admitted(value: object, at: Door | None = None, **arrival: Any) -> OutsideEvent:
    """Reads a body with one source event that makes one record, and gives its event."""
    found = record(value, at, **arrival).event
    assert isinstance(found, OutsideEvent)
    return found


_OWN_FIELDS: dict[str, dict[str, Any]] = {
    "PageViewed": {"page": {"kind": "product", "product_id": "p-77", "path": "/pasta/spaghetti"}},
    "LinkClicked": {"target": "/promotions/today", "label": "Today"},
    "ProductsSearched": {"query": "spaghetti n5", "result_count": 12},
    "AddedToBasket": {"product": {"product_id": "p-77"}, "quantity": 2},
    "RemovedFromBasket": {"product": {"product_id": "p-77"}, "quantity": 1},
    "OrderPaid": {
        "order_id": "o-1",
        "lines": [{"product_id": "p-77", "quantity": 2, "price_minor": 129}],
        "total_minor": 258,
        "currency": "EUR",
    },
    "OrderStatusChanged": {"order_id": "o-1", "status": "delivered"},
    "ExperienceShown": {"experience_id": "e-1"},
    "ExperienceClicked": {"experience_id": "e-1"},
    "ExperienceDismissed": {"experience_id": "e-1"},
}
