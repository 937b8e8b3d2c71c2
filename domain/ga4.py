"""GA4's vocabulary at the door: one event of a Measurement Protocol payload becomes events of ours.

Source: Google Analytics Measurement Protocol, and the reference of recommended and automatic events.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.commerce import (
    CommonFields,
    Reading,
    Source,
    Translation,
    basket_changed,
    clicked,
    list_viewed,
    order_paid,
    order_refunded,
    page_of,
    page_viewed,
    products_viewed,
    searched,
)
from domain.door import Door
from domain.events import AddedToBasket, Consent, RemovedFromBasket
from domain.faults import Fault
from domain.foreign import Fields
from domain.ids import derived_event_id, shopper_hash
from domain.timestamps import EPOCH, from_unix_ms

SHOPPER: Final = ("user_id", "client_id", "app_instance_id")
ENVELOPE: Final = (*SHOPPER, "timestamp_micros", "consent", "non_personalized_ads")
"""What is read of a payload besides its events."""
TIMESTAMP: Final = "timestamp_micros"
DIALECT: Final[Mapping[str, str]] = {
    "product_id": "item_id",
    "order_id": "transaction_id",
    "query": "search_term",
    "revenue": "value",
}
_TIMESTAMP_MAX: Final = 253_402_300_799_999_999

EVENTS: Final[Mapping[str, Reading]] = {
    "page_view": page_viewed,
    "screen_view": lambda source: page_viewed(source, source.fields.word("screen_name", "firebase_screen")),
    "view_item": products_viewed,
    "view_item_list": list_viewed,
    "select_item": clicked,
    "select_content": clicked,
    "select_promotion": clicked,
    "click": clicked,
    "file_download": clicked,
    "search": searched,
    "view_search_results": searched,
    "add_to_cart": basket_changed(AddedToBasket),
    "remove_from_cart": basket_changed(RemovedFromBasket),
    "view_cart": page_of("basket"),
    "begin_checkout": page_of("checkout"),
    "add_shipping_info": page_of("checkout"),
    "add_payment_info": page_of("checkout"),
    "purchase": order_paid,
    "ecommerce_purchase": order_paid,
    "refund": order_refunded,
}


def event_id(event: Fields, payload: Fields, index: int, door: Door) -> UUID | None:
    """Gives the event id: equal for the same event of the same payload; None if its parts can't be read.

    The shopper enters as the keyed hash, so that no event id gives away a raw id to somebody who guesses.
    """
    try:
        return _event_id(event, payload, index, door)
    except Fault:
        return None


def translate(event: Fields, payload: Fields, index: int, *, received_at_ms: int, door: Door) -> Translation:
    """Turns an event of a GA4 payload into our events.

    Args:
        event: the decoded event, in GA4's dialect; JSON fractions as Decimal.
        payload: the envelope round it.
        index: its place in the payload.
        received_at_ms: stands in for a missing timestamp.
        door: the retailer's rules.

    Raises:
        Fault: with the path in the event or the payload.
    """
    common = CommonFields(
        event_id=_event_id(event, payload, index, door),
        occurred_at=_occurred_at(event, payload) or from_unix_ms(received_at_ms),
        shopper_id=payload.required_identifier(*SHOPPER),
        session_id=None,
        consent=_consent(payload),
    )
    path, name = event.find("name")
    reading = EVENTS.get(name) if isinstance(name, str) else None
    if reading is None:
        raise Fault("unknown_type", "no event of GA4 that has a counterpart here", path)
    fields = event.part("params")
    translation = reading(Source(common=common, fields=fields, flat=False, door=door))
    origins = {"$.shopper_id": payload.find(*SHOPPER)[0], "$.occurred_at": _timestamp(event, payload)[0]}
    return Translation(translation.events, {**origins, **translation.origins})


def _event_id(event: Fields, payload: Fields, index: int, door: Door) -> UUID:
    shopper = shopper_hash(door.shopper_key, payload.required_identifier(*SHOPPER))
    path, name = event.find("name")
    if name is None:
        raise event.missing("name")
    if not isinstance(name, str):
        raise Fault("invalid_value", "an event's name is a text", path)
    _, timestamp = _timestamp(event, payload)
    params = json.dumps(event.values.get("params"), sort_keys=True, separators=(",", ":"), default=str)
    return derived_event_id("ga4", shopper, str(timestamp or ""), name, str(index), params)


def _timestamp(event: Fields, payload: Fields) -> tuple[str, object]:
    path, value = event.find(TIMESTAMP)
    return (path, value) if value is not None else payload.find(TIMESTAMP)


def _occurred_at(event: Fields, payload: Fields) -> datetime | None:
    path, value = _timestamp(event, payload)
    if value is None:
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _TIMESTAMP_MAX:
        raise Fault("invalid_value", "Unix time in whole microseconds", path)
    return EPOCH + timedelta(microseconds=value)


def _consent(payload: Fields) -> Consent | None:
    """Hears a refusal of personalisation; never infers a consent to ours from one to Google's."""
    refused = payload.part("consent").word("ad_personalization") == "denied"
    return "denied" if refused or payload.values.get("non_personalized_ads") is True else None
