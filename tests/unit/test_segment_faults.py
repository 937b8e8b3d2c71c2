"""What bad messages of Segment get: reason and path in Segment's own words, and neighbours that don't notice."""

from __future__ import annotations

from typing import Any

import pytest

from domain.door import Rejected
from tests.unit.doorstep import OTHER_ID, event, outcome, outcomes
from tests.unit.test_segment import track

FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown event": (track("Signed Up"), "unknown_type", "$.event"),
    "event of no text": (track("") | {"event": 5}, "unknown_type", "$.event"),
    "no event": (track(None), "missing_field", "$.event"),
    "identify": (track() | {"type": "identify"}, "unknown_type", "$.type"),
    "group": (track() | {"type": "group"}, "unknown_type", "$.type"),
    "alias": (track() | {"type": "alias"}, "unknown_type", "$.type"),
    "no message id": (track(messageId=...), "missing_field", "$.messageId"),
    "no shopper": (track(userId=...), "missing_field", "$.userId"),
    "address as shopper": (track(userId="jean@example.org"), "personal_data", "$.userId"),
    "address as anonymous": (track(userId=None, anonymousId="j@example.org"), "personal_data", "$.anonymousId"),
    "list as shopper": (track(userId=["u"]), "invalid_value", "$.userId"),
    "control character": (track(userId="a\x00"), "invalid_value", "$.userId"),
    "naive time": (track(timestamp="2026-11-23T09:00:00"), "invalid_value", "$.timestamp"),
    "number as time": (track(timestamp=1795424400), "invalid_value", "$.timestamp"),
    "absurd time": (track(timestamp="1999-01-01T00:00:00Z"), "invalid_value", "$.timestamp"),
    "properties as list": (track(properties=[1]), "invalid_value", "$.properties"),
    "no product id": (track(properties={"name": "x"}), "missing_field", "$.properties.product_id"),
    "product of no text": (track(properties={"sku": 1.5}), "invalid_value", "$.properties.sku"),
    "product is true": (track(properties={"sku": True}), "invalid_value", "$.properties.sku"),
    "zero": (track(properties={"sku": "a", "quantity": 0}), "invalid_value", "$.properties.quantity"),
    "fraction": (track(properties={"sku": "a", "quantity": 1.5}), "invalid_value", "$.properties.quantity"),
    "many": (track(properties={"sku": "a", "quantity": "10000"}), "invalid_value", "$.properties.quantity"),
    "words": (track(properties={"sku": "a", "quantity": "two"}), "invalid_value", "$.properties.quantity"),
    "negative price": (track(properties={"sku": "a", "price": -1}), "invalid_value", "$.properties.price"),
    "price in words": (track(properties={"sku": "a", "price": "1,50"}), "invalid_value", "$.properties.price"),
    "endless price": (track(properties={"sku": "a", "price": 1e300}), "invalid_value", "$.properties.price"),
    "unknown currency": (track(properties={"sku": "a", "currency": "ABC"}), "invalid_value", "$.properties.currency"),
    "number as currency": (track(properties={"sku": "a", "currency": 978}), "invalid_value", "$.properties.currency"),
    "products as object": (track(properties={"products": {"a": 1}}), "invalid_value", "$.properties.products"),
    "product as text": (track(properties={"products": ["a"]}), "invalid_value", "$.properties.products[0]"),
    "fault in a product": (
        track(properties={"products": [{"sku": "a"}, {"sku": "b", "price": []}]}),
        "invalid_value",
        "$.properties.products[1].price",
    ),
    "too many products": (
        track(properties={"products": [{"sku": "a"}] * 201}),
        "too_large",
        "$.properties.products",
    ),
    "no query": (track("Products Searched", {"term": "a"}), "missing_field", "$.properties.query"),
    "long query": (track("Products Searched", {"query": "a" * 201}), "invalid_value", "$.properties.query"),
    "order without id": (track("Order Completed", {"revenue": 1}), "missing_field", "$.properties.order_id"),
    "order without total": (track("Order Completed", {"order_id": "o"}), "missing_field", "$.properties.revenue"),
    "update without status": (track("Order Updated", {"order_id": "o"}), "missing_field", "$.properties.status"),
    "unknown status": (
        track("Order Updated", {"order_id": "o", "status": "lost"}),
        "invalid_value",
        "$.properties.status",
    ),
    "consent of no kind": (track(consent="maybe"), "invalid_value", "$.consent"),
    "large": (track(context={"x": "x" * 33_000}), "too_large", "$"),
    "broken text": (track(context={"x": "\ud800"}), "invalid_value", "$.context.x"),
}


@pytest.mark.parametrize(("value", "reason", "path"), FAULTS.values(), ids=FAULTS.keys())
def test_a_bad_message_is_rejected_with_its_own_path(value: dict[str, Any], reason: str, path: str) -> None:
    """The path leads into Segment's message, alone, in a batch of Segment's, and in one of ours beside our events."""
    alone = outcome(value)
    assert isinstance(alone, Rejected)
    assert (reason, path) == (alone.reason, alone.path)
    good = track(messageId=OTHER_ID)
    for place, neighbour in (("batch", good), ("events", good), ("events", event(event_id=OTHER_ID))):
        before, found, after = outcomes({place: [neighbour, value, neighbour]})
        assert isinstance(found, Rejected)
        assert (reason, f"$.{place}[1]" + path[1:]) == (found.reason, found.path)
        assert outcome(neighbour) == before == after
