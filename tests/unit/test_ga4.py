"""GA4's payloads at the door: what their events become, and the ids that they have none of."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.door import Accepted, Dropped, Rejected
from domain.events import (
    AddedToBasket,
    LinkClicked,
    OrderPaid,
    OrderStatusChanged,
    PageViewed,
    ProductsSearched,
    RemovedFromBasket,
)
from domain.ids import shopper_hash
from domain.records import encode
from tests.unit.doorstep import (
    KEY,
    RECEIVED_MS,
    SHOPPER,
    admitted,
    body,
    door,
    event,
    ms,
    outcome,
    outcomes,
    record,
    records,
)
from tests.unit.test_segment import said

MICROS = 1_795_424_400_000_000


def ga4(name: object = "add_to_cart", params: object = None, **changes: Any) -> dict[str, Any]:
    """Gives a payload of one event; a change to `...` leaves the field out."""
    params = {"items": [{"item_id": "p-77"}]} if params is None else params
    fields = {
        "client_id": "GA1.1.1842",
        "timestamp_micros": MICROS,
        "events": [{"name": name, "params": params}],
        **changes,
    }
    return {field: value for field, value in fields.items() if value is not ...}


def test_a_payload_tells_shopper_and_time() -> None:
    """client_id becomes the shopper, timestamp_micros the time; the event's id is a UUIDv5."""
    found = record(ga4())
    assert shopper_hash(KEY, "GA1.1.1842") == found.event.shopper_id
    assert ms("2026-11-23T09:00:00Z") == found.event_time_ms
    assert 5 == found.event.event_id.version


@pytest.mark.parametrize(
    ("changes", "shopper"),
    [({"user_id": "u"}, "u"), ({"user_id": ""}, "GA1.1.1842"), ({"client_id": ..., "app_instance_id": "i"}, "i")],
)
def test_the_user_comes_before_the_client(changes: dict[str, Any], shopper: str) -> None:
    """user_id is the shopper where it is given."""
    assert shopper_hash(KEY, shopper) == record(ga4(**changes)).event.shopper_id


@pytest.mark.parametrize(
    ("changes", "event_time_ms"),
    [
        ({"timestamp_micros": str(MICROS)}, MICROS // 1_000),
        ({"timestamp_micros": ...}, RECEIVED_MS),
        ({"events": [{"name": "page_view", "timestamp_micros": MICROS - 5_000_000}]}, MICROS // 1_000 - 5_000),
    ],
)
def test_time_is_told_by_event_or_payload_or_is_the_receipt(changes: dict[str, Any], event_time_ms: int) -> None:
    """An event's own time comes before its payload's; without any it occurred when it came."""
    assert event_time_ms == record(ga4(**changes)).event_time_ms


def test_ids_are_made_of_what_a_retry_repeats() -> None:
    """A retry has the same id, however its JSON is written; another shopper, time, name, place or params another."""

    def first_id(value: dict[str, Any]) -> UUID:
        accepted = outcomes(value)[0]
        assert isinstance(accepted, Accepted)
        return accepted.event_id

    params = {"items": [{"item_id": "a", "price": 1.5}], "currency": "EUR"}
    turned = {"currency": "EUR", "items": [{"price": 1.5, "item_id": "a"}]}
    base = first_id(ga4(params=params))
    assert base == first_id(ga4(params=turned)) == first_id({"events": [ga4(params=params)]})
    others = [
        ga4(params=params, client_id="other"),
        ga4(params=params, timestamp_micros=MICROS + 1),
        ga4("remove_from_cart", params),
        ga4(params=params | {"currency": "USD"}),
    ]
    assert 5 == len({base, *map(first_id, others)})
    twice = outcomes(ga4(events=[{"name": "view_cart"}] * 2))
    assert 2 == len({found.event_id for found in twice if isinstance(found, Accepted)})


ITEM = {
    "item_id": "p-77",
    "item_name": "Spaghetti",
    "item_category": "pasta",
    "item_category2": "dry",
    "item_brand": "Napoli",
    "price": 1.005,
    "quantity": 2.0,
}


@pytest.mark.parametrize(("name", "kind"), [("add_to_cart", AddedToBasket), ("remove_from_cart", RemovedFromBasket)])
def test_basket_changes(name: str, kind: type[AddedToBasket | RemovedFromBasket]) -> None:
    """An item goes into the basket or out of it; its price is read exactly and rounded half up."""
    found = admitted(ga4(name, {"currency": "EUR", "value": 2.01, "items": [ITEM]}))
    assert isinstance(found, kind)
    assert 2 == found.quantity
    assert {
        "product_id": "p-77",
        "category_id": "pasta",
        "brand": "Napoli",
        "price_minor": 101,
        "currency": "EUR",
    } == said(found.product)


@pytest.mark.parametrize("name", ["add_to_cart", "view_item"])
def test_n_items_make_n_events(name: str) -> None:
    """A basket or view event with n items makes n records of one source event, each with its own stable id."""
    value = ga4(name, {"items": [{"item_id": "a"}, {"item_id": "b"}, {"item_id": "c"}]})
    found = records(value)
    assert found == records(value)
    assert 3 == len({item.event.event_id for item in found})
    accepted = outcome(value)
    assert isinstance(accepted, Accepted)
    assert accepted.event_id == found[0].event.event_id


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        ("page_view", {"page_location": "https://shop.example/cart?x=1"}, {"kind": "basket", "path": "/cart"}),
        ("page_view", {"page_location": "https://shop.example/"}, {"kind": "home", "path": "/"}),
        ("page_view", {"page_title": "Jean's orders", "page_type": "Product List"}, {"kind": "category"}),
        ("page_view", {}, {"kind": "other"}),
        ("screen_view", {"screen_name": "Checkout"}, {"kind": "checkout"}),
        ("view_item", {"items": [ITEM]}, {"kind": "product", "product_id": "p-77", "category_id": "pasta"}),
        ("view_item_list", {"items": [ITEM, ITEM]}, {"kind": "category", "category_id": "pasta"}),
        ("view_item_list", {"items": [ITEM, {"item_id": "a"}]}, {"kind": "category"}),
        ("view_cart", {"items": [ITEM]}, {"kind": "basket"}),
        ("begin_checkout", {"items": [ITEM]}, {"kind": "checkout"}),
        ("add_shipping_info", {}, {"kind": "checkout"}),
        ("add_payment_info", {}, {"kind": "checkout"}),
    ],
)
def test_views_become_pages(name: str, params: object, expected: dict[str, Any]) -> None:
    """What was viewed becomes a page of the right kind; titles are never stored."""
    found = admitted(ga4(name, params))
    assert isinstance(found, PageViewed)
    assert expected == said(found.page)


@pytest.mark.parametrize("name", ["search", "view_search_results"])
def test_searches(name: str) -> None:
    """A search term becomes a query, and is redacted like one."""
    found = outcome(ga4(name, {"search_term": "pasta jean@example.org"}))
    assert isinstance(found, Accepted)
    search = found.records[0].event
    assert isinstance(search, ProductsSearched)
    assert ("pasta [email]", ("email",)) == (search.query, found.redacted)


@pytest.mark.parametrize(
    ("name", "params", "target", "label"),
    [
        ("select_item", {"item_list_name": "Top", "items": [{"item_id": "a", "item_name": "A"}]}, "a", "A"),
        ("select_promotion", {"promotion_id": "x", "promotion_name": "X"}, "x", "X"),
        ("select_content", {"content_type": "recipe", "content_id": "r-1"}, "r-1", "recipe"),
        ("click", {"link_url": "https://other.example/a?b=1", "link_text": "Out"}, "https://other.example/a", "Out"),
    ],
)
def test_clicks(name: str, params: object, target: str, label: str) -> None:
    """What was selected or clicked becomes a clicked link."""
    found = admitted(ga4(name, params))
    assert isinstance(found, LinkClicked)
    assert (target, label) == (found.target, found.label)


def test_a_purchase_is_one_event_with_lines() -> None:
    """A purchase stays one event; value is the total."""
    found = admitted(
        ga4("purchase", {"transaction_id": "t", "value": "12.345", "currency": "EUR", "tax": 1, "items": [ITEM, ITEM]})
    )
    assert isinstance(found, OrderPaid)
    assert ("t", 1_235, "EUR") == (found.order_id, found.total_minor, found.currency)
    assert [("p-77", 2, 101, "pasta")] * 2 == [
        (line.product_id, line.quantity, line.price_minor, line.category_id) for line in found.lines
    ]


@pytest.mark.parametrize(("items", "status"), [([], "returned"), ([ITEM], "partially_returned")])
def test_refunds(items: list[Any], status: str) -> None:
    """A refund of the whole order names no items; one that does is partial."""
    found = admitted(ga4("refund", {"transaction_id": "t", "items": items}))
    assert isinstance(found, OrderStatusChanged)
    assert ("t", status, len(items)) == (found.order_id, found.status, len(found.lines))


def test_a_payload_within_a_batch() -> None:
    """A whole payload may stand among our events: one outcome for each of its events, in order."""
    inner = ga4(events=[{"name": "view_cart"}, {"name": "scroll"}])
    first, second, third, last = outcomes({"events": [event(), inner, event()], "sent_at": "2026-11-23T09:00:10Z"})
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert isinstance(third, Rejected)
    assert ("unknown_type", "$.events[1].events[1].name") == (third.reason, third.path)
    assert first == last


def test_large_payloads_of_small_events_are_taken() -> None:
    """The bound of an event's size holds for each event of a payload, not for the payload."""
    payload = ga4(events=[{"name": "search", "params": {"search_term": "x" * 150}}] * 400)
    assert 65_536 < len(body(payload))
    for value in (payload, {"events": [payload]}):
        found = outcomes(value)
        assert 400 == len(found)
        assert all(isinstance(one, Accepted) for one in found)


def test_unused_fields_are_dropped_and_never_stored() -> None:
    """User properties, user data, titles and unknown params are no fault, and nothing of them is stored."""
    value = ga4(
        params={"items": [ITEM | {"coupon": "jean"}], "page_title": "jean", "session_id": "jean"},
        user_properties={"name": {"value": "jean"}},
        user_data={"email": "jean@example.org", "sha256_email_address": "jean"},
        ip_override="203.0.113.7",
        validation_behavior="x",
    )
    stored = b"".join(encode(item) for item in records(value))
    for secret in (b"jean", b"203.0.113.7", b"GA1.1.1842", b"Spaghetti"):
        assert secret not in stored


FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown event": (ga4("session_start"), "unknown_type", "$.events[0].name"),
    "name of no text": (ga4(5), "invalid_value", "$.events[0].name"),
    "no name": (ga4(events=[{"params": {}}]), "missing_field", "$.events[0].name"),
    "no shopper": (ga4(client_id=...), "missing_field", "$.user_id"),
    "address as shopper": (ga4(user_id="jean@example.org"), "personal_data", "$.user_id"),
    "object as shopper": (ga4(client_id={}), "invalid_value", "$.client_id"),
    "broken client": (ga4(client_id="\ud800"), "invalid_value", "$.client_id"),
    "fraction of time": (ga4(timestamp_micros=1.5), "invalid_value", "$.timestamp_micros"),
    "seconds as time": (ga4(timestamp_micros=MICROS // 10**6), "invalid_value", "$.timestamp_micros"),
    "endless time": (ga4(timestamp_micros=10**30), "invalid_value", "$.timestamp_micros"),
    "time in words": (ga4(timestamp_micros="now"), "invalid_value", "$.timestamp_micros"),
    "absurd time": (
        ga4(events=[{"name": "view_cart", "timestamp_micros": 0}]),
        "invalid_value",
        "$.events[0].timestamp_micros",
    ),
    "params as list": (ga4(params=[]), "invalid_value", "$.events[0].params"),
    "no items": (ga4(params={}), "missing_field", "$.events[0].params.items"),
    "no item id": (ga4(params={"items": [{}]}), "missing_field", "$.events[0].params.items[0].item_id"),
    "quantity of an item": (
        ga4(params={"items": [ITEM, ITEM | {"quantity": 0}]}),
        "invalid_value",
        "$.events[0].params.items[1].quantity",
    ),
    "price of an item": (
        ga4(params={"items": [ITEM | {"price": "free"}]}),
        "invalid_value",
        "$.events[0].params.items[0].price",
    ),
    "too many items": (ga4(params={"items": [{"item_id": "a"}] * 201}), "too_large", "$.events[0].params.items"),
    "no term": (ga4("search", {"q": "x"}), "missing_field", "$.events[0].params.search_term"),
    "no transaction": (ga4("purchase", {"value": 1}), "missing_field", "$.events[0].params.transaction_id"),
    "no value": (ga4("purchase", {"transaction_id": "t"}), "missing_field", "$.events[0].params.value"),
    "large": (ga4("search", {"search_term": "x" * 33_000}), "too_large", "$.events[0]"),
    "broken term": (ga4("search", {"search_term": "\udc00"}), "invalid_value", "$.events[0].params.search_term"),
    "no object": (ga4(events=[{"name": "view_cart"}, 5]), "invalid_value", "$.events[1]"),
}


@pytest.mark.parametrize(("value", "reason", "path"), FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_event_is_rejected_with_its_own_path(value: dict[str, Any], reason: str, path: str) -> None:
    """The path leads into the payload, and stays right when the payload stands in a batch."""
    alone = outcomes(value)[-1]
    assert isinstance(alone, Rejected)
    assert (reason, path) == (alone.reason, alone.path)
    before, *found, after = outcomes({"events": [event(), value, event()]})
    assert isinstance(found[-1], Rejected)
    assert (reason, "$.events[1]" + path[1:]) == (found[-1].reason, found[-1].path)
    assert outcome(event()) == before == after


def test_a_payload_without_events_is_one_rejection() -> None:
    """An empty payload within a batch is rejected once, where its events should be."""
    found, good = outcomes({"events": [ga4(events=[]), event()]})
    assert Rejected(None, "missing_field", "this payload has no events", "$.events[0].events") == found
    assert isinstance(good, Accepted)


@pytest.mark.parametrize("changes", [{"consent": {"ad_personalization": "DENIED"}}, {"non_personalized_ads": True}])
def test_a_refusal_is_heard(changes: dict[str, Any]) -> None:
    """Who refused personalisation is not personalised for."""
    found = outcome(ga4(**changes))
    assert isinstance(found, Dropped)
    assert "no_consent" == found.reason


def test_consent_to_advertising_is_none_to_ours() -> None:
    """Where the retailer's default is to refuse, a consent given to Google's ads changes nothing."""
    granted = {"consent": {"ad_user_data": "GRANTED", "ad_personalization": "GRANTED"}}
    assert isinstance(outcome(ga4(**granted)), Accepted)
    assert isinstance(outcome(ga4(**granted), door(consent_default="denied")), Dropped)


def test_a_native_event_with_a_name_is_no_event_of_ga4() -> None:
    """A `name` beside our own fields is personal data, not GA4's mark."""
    found = outcomes({"events": [event(name="Jean"), {"name": "view_cart", "shopper_id": SHOPPER}]})
    assert [("personal_data", "$.events[0].name"), ("missing_field", "$.events[1].type")] == [
        (one.reason, one.path) for one in found if isinstance(one, Rejected)
    ]
