"""Segment's vocabulary at the door: one track, page or screen call becomes events of ours.

Source: Segment Spec: common fields, the page and screen calls, V2 ecommerce events.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.commerce import (
    CommonFields,
    Reading,
    Source,
    Translation,
    basket_changed,
    clicked,
    identifier_as_uuid,
    list_viewed,
    order_became,
    order_paid,
    order_refunded,
    order_updated,
    page_of,
    page_viewed,
    products_viewed,
    searched,
)
from domain.door import Door
from domain.events import AddedToBasket, Consent, RemovedFromBasket
from domain.faults import Fault
from domain.foreign import Fields, normalised
from domain.timestamps import from_unix_ms, read_rfc3339, unix_ms

CALLS: Final = frozenset({"track", "page", "screen", "identify", "group", "alias"})
"""What tells a Segment object from ours: its `type`."""
ENVELOPE: Final = frozenset(
    {"batch", "sentAt", "context", "integrations", "writeKey", "messageId", "timestamp", "receivedAt", "sequence"}
)
"""What Segment's libraries put round a batch."""
SHOPPER: Final = ("userId", "user_id", "anonymousId", "anonymous_id")
OCCURRED: Final = ("timestamp", "originalTimestamp")

EVENTS: Final[Mapping[str, Reading]] = {
    "products searched": searched,
    "product list viewed": list_viewed,
    "product list filtered": list_viewed,
    "product clicked": clicked,
    "promotion clicked": clicked,
    "link clicked": clicked,
    "product viewed": products_viewed,
    "product added": basket_changed(AddedToBasket),
    "wishlist product added to cart": basket_changed(AddedToBasket),
    "product removed": basket_changed(RemovedFromBasket),
    "cart viewed": page_of("basket"),
    "checkout started": page_of("checkout"),
    "checkout step viewed": page_of("checkout"),
    "checkout step completed": page_of("checkout"),
    "payment info entered": page_of("checkout"),
    "order completed": order_paid,
    "order updated": order_updated,
    "order shipped": order_became("shipped"),
    "order delivered": order_became("delivered"),
    "order cancelled": order_became("cancelled"),
    "order canceled": order_became("cancelled"),
    "order refunded": order_refunded,
    # The names of the first version of the specification, still sent by old installations.
    "viewed product": products_viewed,
    "viewed product category": list_viewed,
    "searched products": searched,
    "clicked product": clicked,
    "added product": basket_changed(AddedToBasket),
    "removed product": basket_changed(RemovedFromBasket),
    "viewed cart": page_of("basket"),
    "started order": page_of("checkout"),
    "started checkout": page_of("checkout"),
    "completed order": order_paid,
    "updated order": order_updated,
    "refunded order": order_refunded,
    "cancelled order": order_became("cancelled"),
}


def event_id(message: Fields) -> UUID | None:
    """Gives the event id of a message: its `messageId`, or the UUIDv5 of it; None if it has none that can be read."""
    try:
        return _event_id(message)
    except Fault:
        return None


def sent_at_ms(message: Fields) -> int | None:
    """Gives the client's time of sending in Unix milliseconds; None if the message does not tell.

    Raises:
        Fault: it tells, and it is no RFC 3339 time with zone.
    """
    moment = _moment(message, "sentAt")
    return None if moment is None else unix_ms(moment)


def translate(message: Fields, *, received_at_ms: int, door: Door) -> Translation:
    """Turns a Segment message into our events.

    Args:
        message: the decoded object; JSON fractions as Decimal.
        received_at_ms: stands in for a missing timestamp.
        door: the retailer's rules.

    Raises:
        Fault: with the path in the message.
    """
    common = CommonFields(
        event_id=_event_id(message),
        occurred_at=_moment(message, *OCCURRED) or from_unix_ms(received_at_ms),
        shopper_id=message.required_identifier(*SHOPPER),
        session_id=None,
        consent=_consent(message),
    )
    fields = message.part("properties")
    source = Source(common=common, fields=fields, flat=True, door=door)
    translation = _read(message, source)
    origins = {"$.shopper_id": message.find(*SHOPPER)[0], "$.occurred_at": message.find(*OCCURRED)[0]}
    return Translation(translation.events, {**origins, **translation.origins})


def _read(message: Fields, source: Source) -> Translation:
    call = message.values.get("type")
    if call in {"page", "screen"}:
        return page_viewed(source, message.word("category"), message.word("name"))
    if call != "track":
        raise Fault("unknown_type", "of Segment's calls, track, page and screen are taken", f"{message.path}.type")
    path, name = message.find("event")
    if name is None:
        raise message.missing("event")
    reading = EVENTS.get(normalised(name)) if isinstance(name, str) else None
    if reading is None:
        raise Fault("unknown_type", "no event of Segment's V2 ecommerce events that has a counterpart here", path)
    return reading(source)


def _event_id(message: Fields) -> UUID:
    return identifier_as_uuid(message.required_identifier("messageId", "message_id"), "segment")


def _moment(message: Fields, *names: str) -> datetime | None:
    path, value = message.find(*names)
    if value is None:
        return None
    moment = read_rfc3339(value) if isinstance(value, str) else None
    if moment is None:
        raise Fault("invalid_value", "an RFC 3339 time with zone", path)
    return moment


def _consent(message: Fields) -> Consent | None:
    """Hears a refusal: of our kind, or of every category that the shopper was asked about; never infers a consent."""
    path, value = message.find("consent")
    if value is not None:
        if value not in ("granted", "denied"):
            raise Fault("invalid_value", "granted or denied", path)
        return "denied" if value == "denied" else "granted"
    preferences = message.part("context").part("consent").part("categoryPreferences").values
    return "denied" if preferences and not any(preferences.values()) else None
