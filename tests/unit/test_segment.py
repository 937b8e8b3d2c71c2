"""Segment's messages at the door: what they become, and what they never bring along."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.door import Accepted, Dropped, Rejected
from domain.events import AddedToBasket, OrderPaid, OrderStatusChanged, OutsideEvent, PageViewed, RemovedFromBasket
from domain.ids import shopper_hash
from domain.records import encode
from tests.unit.doorstep import (
    EVENT_ID,
    KEY,
    KNOWN_PASTA,
    RECEIVED_MS,
    admitted,
    door,
    ms,
    outcome,
    outcomes,
    record,
    records,
)


def track(name: str | None = "Product Added", properties: object = None, /, **changes: Any) -> dict[str, Any]:
    """Gives a track call; a change to `...` leaves the field out."""
    fields = {
        "type": "track",
        "event": name,
        "messageId": EVENT_ID,
        "timestamp": "2026-11-23T09:00:00Z",
        "userId": "u-7",
        "properties": {"product_id": "p-77"} if properties is None else properties,
        **changes,
    }
    return {field: value for field, value in fields.items() if value is not ...}


def page(properties: object = None, /, **changes: Any) -> dict[str, Any]:
    """Gives a page call."""
    return track(None, properties if properties is not None else {}, type="page", event=..., **changes)


def own(value: OutsideEvent) -> dict[str, Any]:
    """Gives what an event says beyond the common fields, without what it leaves out."""
    common = {"event_id", "occurred_at", "shopper_id", "session_id", "consent"}
    return {name: getattr(value, name) for name in value.__struct_fields__ if name not in common}


def said(part: Any) -> dict[str, Any]:
    """Gives the fields of a part that say something."""
    values = {name: getattr(part, name) for name in part.__struct_fields__}
    return {name: value for name, value in values.items() if value is not None}


def test_aliases_of_a_message() -> None:
    """messageId, timestamp and userId become event_id, occurred_at and shopper_id, the last one hashed."""
    found = record(track())
    assert UUID(EVENT_ID) == found.event.event_id
    assert ms("2026-11-23T09:00:00Z") == found.event_time_ms
    assert shopper_hash(KEY, "u-7") == found.event.shopper_id
    assert {"p-77": KNOWN_PASTA} == found.known


def test_a_message_id_that_is_no_uuid_becomes_one() -> None:
    """Segment's own message ids give the same UUIDv5 at every retry, and different ones for different ids."""
    first, again, other = (
        record(track(messageId=name)).event.event_id for name in ("ajs-next-1", "ajs-next-1", "ajs-next-2")
    )
    assert first == again != other
    assert 5 == first.version


@pytest.mark.parametrize(
    ("ids", "shopper"),
    [
        ({"userId": "u"}, "u"),
        ({"userId": 1842}, "1842"),
        ({"userId": "u", "anonymousId": "a"}, "u"),
        ({"userId": None, "anonymousId": "a"}, "a"),
        ({"userId": "", "anonymousId": "a"}, "a"),
        ({"userId": ..., "anonymousId": "a"}, "a"),
    ],
)
def test_the_anonymous_id_stands_in_for_a_missing_user_id(ids: dict[str, Any], shopper: str) -> None:
    """A user id comes first; an anonymous one serves where there is none."""
    assert shopper_hash(KEY, shopper) == record(track(**ids)).event.shopper_id


def test_a_missing_timestamp_is_the_receipt() -> None:
    """A message that tells no time occurred when it came."""
    assert RECEIVED_MS == record(track(timestamp=...)).event_time_ms


def test_its_own_sent_at_corrects_the_clock() -> None:
    """Segment's sentAt is sent_at: on the message itself, and round a batch."""
    late = {"timestamp": "2026-11-23T11:00:00Z"}
    sent = {"sentAt": "2026-11-23T11:00:05Z"}
    for value in (track(**late, **sent), {"batch": [track(**late)], **sent}, {"events": [track(**late)], **sent}):
        assert ms("2026-11-23T09:00:05Z") == record(value).event_time_ms


def test_a_bad_sent_at_of_one_message_harms_no_neighbour() -> None:
    """In a batch an unreadable sentAt of one message rejects that message."""
    bad, good = outcomes({"batch": [track(sentAt="now"), track()]})
    assert isinstance(bad, Rejected)
    assert ("invalid_value", "$.batch[0].sentAt") == (bad.reason, bad.path)
    assert isinstance(good, Accepted)


PRODUCT = {"product_id": "p-77", "sku": "s", "category": "pasta", "brand": "Napoli", "price": 1.29, "currency": "eur"}


@pytest.mark.parametrize(
    ("name", "properties", "kind", "expected"),
    [
        ("Products Searched", {"query": "pasta"}, "ProductsSearched", {"query": "pasta", "result_count": None}),
        ("Product Clicked", {"product_id": "p", "name": "P"}, "LinkClicked", {"target": "p", "label": "P"}),
        (
            "Product Clicked",
            {"product_id": "p", "url": "https://shop.example/p?x=1"},
            "LinkClicked",
            {"target": "https://shop.example/p", "label": None},
        ),
        ("Promotion Clicked", {"promotion_id": "x", "name": "N"}, "LinkClicked", {"target": "x", "label": "N"}),
    ],
)
def test_searches_and_clicks(name: str, properties: object, kind: str, expected: dict[str, Any]) -> None:
    """Searches and clicks become the events of the same meaning."""
    found = admitted(track(name, properties))
    assert (kind, expected) == (type(found).__name__, own(found))


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("Product Viewed", PRODUCT, {"kind": "product", "product_id": "p-77", "category_id": "pasta"}),
        ("Product List Viewed", {"list_id": "l", "category": "pasta"}, {"kind": "category", "category_id": "pasta"}),
        (
            "Product List Viewed",
            {"products": [{"product_id": "a", "category": "x"}, {"product_id": "b", "category": "x"}]},
            {"kind": "category", "category_id": "x"},
        ),
        (
            "Product List Filtered",
            {"products": [{"product_id": "a", "category": "x"}, {"product_id": "b", "category": "y"}]},
            {"kind": "category"},
        ),
        ("Cart Viewed", {"cart_id": "c", "products": ["whatever"]}, {"kind": "basket"}),
        ("Checkout Started", {"order_id": "o"}, {"kind": "checkout"}),
        ("Checkout Step Viewed", {"step": 1}, {"kind": "checkout"}),
        ("Payment Info Entered", {}, {"kind": "checkout"}),
    ],
)
def test_views_become_pages(name: str, properties: object, expected: dict[str, Any]) -> None:
    """What was viewed becomes a page of the right kind."""
    found = admitted(track(name, properties))
    assert isinstance(found, PageViewed)
    assert expected == said(found.page)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (page(name="Home"), {"kind": "home"}),
        (page({"path": "/", "url": "https://shop.example/"}), {"kind": "home", "path": "/"}),
        (page({"url": "https://shop.example/search?q=1"}), {"kind": "search", "path": "/search"}),
        (page({"url": "https://shop.example"}), {"kind": "home", "path": "/"}),
        (page({"path": "/checkout/step-2"}), {"kind": "checkout", "path": "/checkout/step-2"}),
        (page({"path": "/products/spaghetti"}), {"kind": "other", "path": "/products/spaghetti"}),
        (page({"product_id": "p-77"}), {"kind": "product", "product_id": "p-77"}),
        (page({"category": "pasta"}, name="Product List"), {"kind": "category", "category_id": "pasta"}),
        (page(category="Cart", name="Step 2"), {"kind": "basket"}),
        (page(name="Order Confirmation"), {"kind": "confirmation"}),
        (page(name="About us"), {"kind": "other"}),
        (page({"title": "Jean's basket", "referrer": "https://x.example"}), {"kind": "other"}),
        (page(name="Cart") | {"type": "screen"}, {"kind": "basket"}),
    ],
)
def test_page_calls_tell_their_kind(value: dict[str, Any], expected: dict[str, Any]) -> None:
    """Name, category, properties or path tell what kind of page it is; nothing else of the call is stored."""
    found = admitted(value)
    assert isinstance(found, PageViewed)
    assert expected == said(found.page)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Product Added", AddedToBasket),
        ("product_added", AddedToBasket),
        ("PRODUCT ADDED", AddedToBasket),
        ("Added Product", AddedToBasket),
        ("Product Removed", RemovedFromBasket),
        ("Removed Product", RemovedFromBasket),
    ],
)
def test_basket_changes(name: str, kind: type[AddedToBasket | RemovedFromBasket]) -> None:
    """A product goes into the basket or out of it with its category, brand, price in minor units and quantity."""
    found = admitted(track(name, PRODUCT | {"quantity": "2", "name": "Spaghetti", "variant": "n5", "position": 3}))
    assert isinstance(found, kind)
    assert 2 == found.quantity
    assert {
        "product_id": "p-77",
        "category_id": "pasta",
        "brand": "Napoli",
        "price_minor": 129,
        "currency": "EUR",
    } == said(found.product)


@pytest.mark.parametrize(
    ("price", "currency", "expected"),
    [
        ("1.005", "EUR", (101, "EUR")),
        (1.005, "EUR", (101, "EUR")),
        (18.99, "USD", (1_899, "USD")),
        (150, "JPY", (150, "JPY")),
        (1.5, "JPY", (2, "JPY")),
        ("1.2345", "KWD", (1_235, "KWD")),
        (2, None, (200, "GBP")),
        (0, "EUR", (0, "EUR")),
        (None, "EUR", (None, None)),
    ],
)
def test_prices_are_rounded_half_up_in_their_currency(
    price: object, currency: str | None, expected: tuple[int | None, str | None]
) -> None:
    """Major units become minor ones exactly, by the exponent of the currency, which may be the retailer's."""
    found = admitted(track(properties={"product_id": "a", "price": price, "currency": currency}), door(currency="GBP"))
    assert isinstance(found, AddedToBasket)
    assert expected == (found.product.price_minor, found.product.currency)


def test_a_price_without_any_currency_has_two_decimals() -> None:
    """Where neither the message nor the retailer names a currency, none is stored."""
    found = admitted(track(properties={"product_id": "a", "price": "1.5"}), door(currency=None))
    assert isinstance(found, AddedToBasket)
    assert (150, None) == (found.product.price_minor, found.product.currency)


@pytest.mark.parametrize(("quantity", "expected"), [("2", 2), (2.0, 2), (2, 2), (None, 1), ("", 1), ("0003", 3)])
def test_whole_quantities_in_any_writing(quantity: object, expected: int) -> None:
    """A quantity may be a number or a text as long as it is whole."""
    found = admitted(track(properties={"product_id": "a", "quantity": quantity}))
    assert isinstance(found, AddedToBasket)
    assert expected == found.quantity


ORDER = {
    "order_id": "o-1",
    "total": 30,
    "revenue": 25.005,
    "shipping": 3,
    "tax": 2,
    "currency": "EUR",
    "coupon": "jean",
    "products": [
        {"product_id": "p-77", "sku": "s", "price": 1.29, "quantity": 2, "category": "pasta", "name": "Jean's"},
        {"sku": "p-78", "price": "5"},
        {"product_id": "p-77"},
    ],
}


def test_a_completed_order_is_one_event_with_lines() -> None:
    """An order stays one event; its revenue is the total; a line without a price has the catalogue's."""
    found = admitted(track("Order Completed", ORDER))
    assert isinstance(found, OrderPaid)
    assert ("o-1", 2_501, "EUR") == (found.order_id, found.total_minor, found.currency)
    assert [("p-77", 2, 129, "pasta"), ("p-78", 1, 500, None), ("p-77", 1, 129, None)] == [
        (line.product_id, line.quantity, line.price_minor, line.category_id) for line in found.lines
    ]


@pytest.mark.parametrize(
    ("name", "properties", "status", "lines"),
    [
        ("Order Refunded", {"order_id": "o"}, "returned", 0),
        ("Order Refunded", {"order_id": "o", "products": [{"product_id": "a"}]}, "partially_returned", 1),
        ("Order Cancelled", {"order_id": "o", "products": [{"product_id": "a", "price": 1}]}, "cancelled", 1),
        ("Order Updated", {"order_id": "o", "status": "Shipped"}, "shipped", 0),
        ("Order Updated", {"order_id": "o", "status": "partially-refunded"}, "partially_returned", 0),
    ],
)
def test_orders_move_on(name: str, properties: object, status: str, lines: int) -> None:
    """Refunds, cancellations and updates become status changes."""
    found = admitted(track(name, properties))
    assert isinstance(found, OrderStatusChanged)
    assert ("o", status, lines) == (found.order_id, found.status, len(found.lines))


def test_n_products_make_n_events_with_stable_ids() -> None:
    """A basket event with products makes one event each: the first keeps the id, the others have derived ones."""
    properties = {"currency": "JPY", "products": [{"product_id": name, "price": 100} for name in ("a", "b", "c")]}
    found = records(track(properties=properties))
    assert found == records(track(properties=properties))
    assert ["a", "b", "c"] == [item.event.product.product_id for item in found if isinstance(item.event, AddedToBasket)]
    ids = [item.event.event_id for item in found]
    assert UUID(EVENT_ID) == ids[0]
    assert 3 == len(set(ids))
    assert all(derived.version == 5 for derived in ids[1:])
    accepted = outcome(track(properties=properties))
    assert isinstance(accepted, Accepted)
    assert UUID(EVENT_ID) == accepted.event_id


def test_unused_fields_are_dropped_and_never_stored() -> None:
    """Traits, context and names are no fault, and nothing of them is in the stored bytes."""
    secrets: dict[str, Any] = {
        "context": {
            "traits": {"email": "jean@example.org", "name": "Jean Dupont"},
            "ip": "203.0.113.7",
            "page": {"title": "Jean's page", "url": "https://shop.example/?email=jean@example.org"},
            "userAgent": "Mozilla",
        },
        "traits": {"email": "jean@example.org"},
        "integrations": {"All": True},
        "anonymousId": "anonymous-jean",
        "channel": "browser",
    }
    properties = PRODUCT | {"email": "jean@example.org", "name": "Jean", "coupon": "jean-10", "image_url": "jean.png"}
    for value in (track(properties=properties, **secrets), track("Order Completed", ORDER, **secrets)):
        stored = b"".join(encode(item) for item in records(value))
        for secret in (b"jean", b"Jean", b"example.org", b"203.0.113.7", b"Mozilla", b"u-7"):
            assert secret not in stored


def test_a_missing_currency_of_an_order_is_the_retailers_or_a_fault() -> None:
    """An order needs a currency from somewhere."""
    properties = {"order_id": "o", "revenue": 1}
    assert isinstance(outcome(track("Order Completed", properties)), Accepted)
    found = outcome(track("Order Completed", properties), door(currency=None))
    assert isinstance(found, Rejected)
    assert ("missing_field", "$.properties.currency") == (found.reason, found.path)


@pytest.mark.parametrize(
    "changes",
    [
        {"consent": "denied"},
        {"context": {"consent": {"categoryPreferences": {"Advertising": False, "Analytics": False}}}},
    ],
)
def test_a_refusal_is_heard(changes: dict[str, Any]) -> None:
    """A message of a shopper who refused everything is dropped."""
    found = outcome(track(**changes))
    assert isinstance(found, Dropped)
    assert (UUID(EVENT_ID), "no_consent") == (found.event_id, found.reason)
    assert found.withdrawal is not None


def test_one_granted_category_is_no_refusal_and_no_consent() -> None:
    """Where some category is granted the retailer's default decides."""
    some: dict[str, Any] = {"context": {"consent": {"categoryPreferences": {"Advertising": True, "Analytics": False}}}}
    assert isinstance(outcome(track(**some)), Accepted)
    assert isinstance(outcome(track(**some), door(consent_default="denied")), Dropped)


def test_refusing_retailer_gets_the_path_in_the_message() -> None:
    """With `refuse` the path of personal data is Segment's own."""
    found = outcome(track("Products Searched", {"query": "jean@example.org"}), door(pii="refuse"))
    assert isinstance(found, Rejected)
    assert ("personal_data", "$.properties.query") == (found.reason, found.path)
