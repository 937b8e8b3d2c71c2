"""What bad events get: reason, path, id, and neighbours that don't notice."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.door import Accepted, Rejected
from domain.incoming import BadBody
from tests.unit.doorstep import EVENT_ID, OTHER_ID, body, event, outcome, outcomes

FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown type": (event() | {"type": "AddedToCart"}, "unknown_type", "$.type"),
    "type of no text": (event() | {"type": 5}, "invalid_value", "$.type"),
    "no type": (event(type=...), "missing_field", "$.type"),
    "timer": (event() | {"type": "IdleElapsed"}, "internal_type", "$.type"),
    "erasure": (event() | {"type": "ShopperErased"}, "internal_type", "$.type"),
    "end of suppression": (event() | {"type": "ShopperUnsuppressed"}, "internal_type", "$.type"),
    "unknown field": (event(colour="red"), "unknown_field", "$.colour"),
    "unknown field of a product": (event(product={"product_id": "a", "x": 1}), "unknown_field", "$.product.x"),
    "unknown field of a page": (event("PageViewed", page={"kind": "home", "x": {}}), "unknown_field", "$.page.x"),
    "unknown field of a line": (
        event("OrderPaid", lines=[{"product_id": "a", "quantity": 1, "price_minor": 1, "x": 1}]),
        "unknown_field",
        "$.lines[0].x",
    ),
    "another type's field": (event(query="pasta"), "unknown_field", "$.query"),
    "the stored form's field": (event(received_at="2026-11-23T09:00:00Z"), "unknown_field", "$.received_at"),
    "name": (event(name="Jean"), "personal_data", "$.name"),
    "first name": (event(firstName="Jean"), "personal_data", "$.firstName"),
    "e-mail": (event(email="jean@example.org"), "personal_data", "$.email"),
    "age": (event(age=42), "personal_data", "$.age"),
    "gender": (event(gender="f"), "personal_data", "$.gender"),
    "address": (event(address={"street": "Rue de la Paix"}), "personal_data", "$.address"),
    "origin": (event(origin="x"), "personal_data", "$.origin"),
    "birth date": (event(**{"BIRTH-DATE": "2000-01-01"}), "personal_data", "$.BIRTH-DATE"),
    "ip": (event(ip="127.0.0.1"), "personal_data", "$.ip"),
    "e-mail of a product": (event(product={"product_id": "a", "email": ""}), "personal_data", "$.product.email"),
    "phone far inside": (
        event(extra={"a": [{}, {"phone": None}]}),
        "personal_data",
        "$.extra.a[1].phone",
    ),
    "address as shopper": (event(shopper_id="jean@example.org"), "personal_data", "$.shopper_id"),
    "address within shopper": (event(shopper_id="id:jean@example.org;1"), "personal_data", "$.shopper_id"),
    "address as shopper, encoded": (event(shopper_id="jean%40example.org"), "personal_data", "$.shopper_id"),
    "no id": (event(event_id=...), "missing_field", "$.event_id"),
    "no shopper": (event(shopper_id=...), "missing_field", "$.shopper_id"),
    "no time": (event(occurred_at=...), "missing_field", "$.occurred_at"),
    "no product": (event(product=...), "missing_field", "$.product"),
    "no product id": (event(product={}), "missing_field", "$.product.product_id"),
    "no price of a line": (
        event("OrderPaid", lines=[{"product_id": "a", "quantity": 1}]),
        "missing_field",
        "$.lines[0].price_minor",
    ),
    "bad id": (event(event_id="not-a-uuid"), "invalid_value", "$.event_id"),
    "id of no text": (event(event_id=5), "invalid_value", "$.event_id"),
    "empty shopper": (event(shopper_id=""), "invalid_value", "$.shopper_id"),
    "long shopper": (event(shopper_id="x" * 129), "invalid_value", "$.shopper_id"),
    "shopper of no text": (event(shopper_id=1842), "invalid_value", "$.shopper_id"),
    "line break in a shopper": (event(shopper_id="a\nb"), "invalid_value", "$.shopper_id"),
    "delete character in a shopper": (event(shopper_id="a\x7fb"), "invalid_value", "$.shopper_id"),
    "zero in a product": (event(product={"product_id": "a\x00"}), "invalid_value", "$.product.product_id"),
    "zero in a brand": (event(product={"product_id": "a", "brand": "\x00"}), "invalid_value", "$.product.brand"),
    "invisible session": (event(session_id="\u200b"), "invalid_value", "$.session_id"),
    "control character in a line": (
        event("OrderStatusChanged", lines=[{"product_id": "a"}, {"product_id": "\x1b"}]),
        "invalid_value",
        "$.lines[1].product_id",
    ),
    "control character in an experience": (
        event("ExperienceShown", experience_id="\x85"),
        "invalid_value",
        "$.experience_id",
    ),
    "control character in a query": (event("ProductsSearched", query="a\x00b"), "invalid_value", "$.query"),
    "control character in a path": (
        event("PageViewed", page={"kind": "home", "path": "/\x1b[2J"}),
        "invalid_value",
        "$.page.path",
    ),
    "control character in a target": (event("LinkClicked", target="\x07"), "invalid_value", "$.target"),
    "control character in a label": (event("LinkClicked", label="\x9f"), "invalid_value", "$.label"),
    "naive time": (event(occurred_at="2026-11-23T09:00:00"), "invalid_value", "$.occurred_at"),
    "date": (event(occurred_at="2026-11-23"), "invalid_value", "$.occurred_at"),
    "time of no text": (event(occurred_at=1795424400), "invalid_value", "$.occurred_at"),
    "before 2000": (event(occurred_at="1999-12-31T23:59:59Z"), "invalid_value", "$.occurred_at"),
    "before 2000 in its zone": (event(occurred_at="2000-01-01T00:59:59+01:00"), "invalid_value", "$.occurred_at"),
    "eleven years ahead": (event(occurred_at="2037-11-23T09:00:00Z"), "invalid_value", "$.occurred_at"),
    "end of time": (event(occurred_at="9999-12-31T23:59:59-14:00"), "invalid_value", "$.occurred_at"),
    "beginning of time": (event(occurred_at="0001-01-01T00:00:00+14:00"), "invalid_value", "$.occurred_at"),
    "nothing added": (event(quantity=0), "invalid_value", "$.quantity"),
    "negative quantity": (event(quantity=-1), "invalid_value", "$.quantity"),
    "fractional quantity": (event(quantity=1.5), "invalid_value", "$.quantity"),
    "quantity as text": (event(quantity="2"), "invalid_value", "$.quantity"),
    "quantity as truth": (event(quantity=True), "invalid_value", "$.quantity"),
    "huge quantity": (event(quantity=10_000), "invalid_value", "$.quantity"),
    "endless quantity": (event(quantity=10**30), "invalid_value", "$.quantity"),
    "negative price": (event(product={"product_id": "a", "price_minor": -1}), "invalid_value", "$.product.price_minor"),
    "huge total": (event("OrderPaid", total_minor=10**12 + 1), "invalid_value", "$.total_minor"),
    "no currency": (event("OrderPaid", currency="EURO"), "invalid_value", "$.currency"),
    "unknown currency": (event("OrderPaid", currency="ABC"), "invalid_value", "$.currency"),
    "small currency": (event(product={"product_id": "a", "currency": "eur"}), "invalid_value", "$.product.currency"),
    "unknown page": (event("PageViewed", page={"kind": "cart"}), "invalid_value", "$.page.kind"),
    "unknown status": (event("OrderStatusChanged", status="lost"), "invalid_value", "$.status"),
    "unknown consent": (event(consent="maybe"), "invalid_value", "$.consent"),
    "long query": (event("ProductsSearched", query="x" * 201), "invalid_value", "$.query"),
    "product as list": (event(product=[]), "invalid_value", "$.product"),
    "lines as object": (event("OrderPaid", lines={}), "invalid_value", "$.lines"),
    "33 KB": (event("LinkClicked", target="x" * 33_000), "too_large", "$"),
    "33 KB of nothing known": (event(padding="x" * 33_000), "too_large", "$"),
}


@pytest.mark.parametrize(("value", "reason", "path"), FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_event_is_rejected_with_reason_and_path(value: dict[str, Any], reason: str, path: str) -> None:
    """A bad event alone is rejected with its id where readable, a stable reason and the exact path."""
    found = outcome(value)
    assert isinstance(found, Rejected)
    assert (reason, path) == (found.reason, found.path)
    readable = value.get("event_id") == EVENT_ID
    assert (UUID(EVENT_ID) if readable else None) == found.event_id


@pytest.mark.parametrize(("value", "reason", "path"), FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_event_never_harms_its_neighbours(value: dict[str, Any], reason: str, path: str) -> None:
    """In a batch the same fault has the batch's path, and the events round it are taken as if it were not there."""
    good = event(event_id=OTHER_ID)
    before, found, after = outcomes({"events": [good, value, good]})
    assert isinstance(found, Rejected)
    assert (reason, "$.events[1]" + path[1:]) == (found.reason, found.path)
    assert outcome(good) == before == after


@pytest.mark.parametrize(("value", "reason", "path"), FAULTS.values(), ids=FAULTS.keys())
def test_details_are_sentences_without_payload(value: dict[str, Any], reason: str, path: str) -> None:
    """What explains the fault never repeats what the client sent."""
    found = outcome(value)
    assert isinstance(found, Rejected)
    assert found.detail
    for sent in ("jean", "Rue de la Paix", "not-a-uuid", "AddedToCart", "maybe", "lost", "1842"):
        assert sent not in found.detail


@pytest.mark.parametrize("sent", [b"5", b"null", b'"AddedToBasket"', b"[]", b"true", b"1.5"])
def test_what_is_no_object_is_no_event(sent: bytes) -> None:
    """An element of a batch that is no object is rejected where it stands."""
    found, good = outcomes(b'{"events":[' + sent + b"," + body(event()) + b"]}")
    assert Rejected(None, "invalid_value", "an event is an object", "$.events[0]") == found
    assert isinstance(good, Accepted)


@pytest.mark.parametrize(
    "escape",
    [r"\ud800", r"\udc00", r"\udfff\ud800", r"\ud83dx", r"\ud83d\n", r"\q", r"\u12", r"\u00zz", r"\x41", r"\U0041"],
)
@pytest.mark.parametrize(
    ("value", "path"),
    [
        (event(shopper_id="HERE"), "$.shopper_id"),
        (event(product={"product_id": "a", "brand": "HERE"}), "$.product.brand"),
        (event("OrderStatusChanged", lines=[{"product_id": "HERE"}]), "$.lines[0].product_id"),
        (event(product={"HERE": 1}), "$.product"),
    ],
)
def test_a_broken_escape_harms_its_own_event_only(escape: str, value: dict[str, Any], path: str) -> None:
    """A lone surrogate or invalid escape rejects the event that holds it, with the path of the text."""
    good = event(event_id=OTHER_ID)
    sent = body({"events": [good, value, good]}).replace(b"HERE", escape.encode())
    before, found, after = outcomes(sent)
    assert isinstance(found, Rejected)
    assert (UUID(EVENT_ID), "invalid_value", "$.events[1]" + path[1:]) == (found.event_id, found.reason, found.path)
    assert outcome(good) == before == after
    alone = outcome(body(value).replace(b"HERE", escape.encode()))
    assert isinstance(alone, Rejected)
    assert ("invalid_value", path) == (alone.reason, alone.path)


@pytest.mark.parametrize("escape", [r"\ud83d\ude00", r"\u00e9", r"\"", r"\\", r"\/"])
def test_good_escapes_survive_a_bad_neighbour(escape: str) -> None:
    """Marking the broken escapes of one event leaves the others' texts as they are."""
    good = body(event("ProductsSearched", query="HERE")).replace(b"HERE", escape.encode())
    bad = body(event(shopper_id="HERE")).replace(b"HERE", rb"\ud800")
    first, second = outcomes(b'{"events":[' + good + b"," + bad + b"]}")
    assert outcome(good) == first
    assert isinstance(second, Rejected)


def test_path_of_a_long_name_is_cut() -> None:
    """A field with a name of 10,000 characters does not come back in full."""
    found = outcome(event() | {"x" * 10_000: 1})
    assert isinstance(found, Rejected)
    assert "$." + "x" * 64 == found.path


def test_unreadable_id_hides_nothing_else() -> None:
    """An event that is too large or can't be read still tells its id."""
    large = outcome(event(shopper_id="x" * 40_000))
    assert isinstance(large, Rejected)
    assert UUID(EVENT_ID) == large.event_id


def test_too_deep_an_event_refuses_the_request() -> None:
    """Nesting beyond 64 levels refuses the whole body, however deep the reader itself could go."""
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    for value in (event(x=deep), {"events": [event(), event(x=deep)]}, event(x=deep) | {"type": "track"}):
        with pytest.raises(BadBody) as refused:
            outcomes(value)
        assert "too_deep" == refused.value.error
