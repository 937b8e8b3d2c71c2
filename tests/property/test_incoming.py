"""Whatever stands before the door: it answers, it keeps ids stable, and it lets no raw id in."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from hypothesis import example, given
from hypothesis import strategies as st

from domain.door import Accepted, Door, Outcome, Rejected
from domain.events import OUTSIDE_TYPES
from domain.ga4 import EVENTS as GA4_EVENTS
from domain.incoming import BadBody, read
from domain.records import Known, Record, decode_record, encode
from domain.segment import CALLS
from domain.segment import EVENTS as SEGMENT_EVENTS

RECEIVED_MS = 1_795_424_410_000
DOOR = Door(retailer_id="r", shopper_key=b"k" * 32, currency="EUR", catalogue={"p-1": Known(category_id="c")})
SHOPPER = "raw-shopper-1842"
# Texts that mean something somewhere, so that chance builds what a reader takes to heart.
_NAMES = (
    "events batch sent_at sentAt type event_id occurred_at shopper_id session_id consent page kind path product "
    "product_id category_id brand price_minor currency quantity query target label order_id lines total_minor status "
    "experience_id event messageId timestamp userId anonymousId properties products price revenue name params items "
    "item_id client_id user_id timestamp_micros context email"
)
NAMES = _NAMES.split()
WORDS = [
    *OUTSIDE_TYPES,
    *CALLS,
    *SEGMENT_EVENTS,
    *GA4_EVENTS,
    "EUR",
    "JPY",
    "2026-11-23T09:00:00Z",
    "p-1",
    SHOPPER,
    "-1",
]
WORDS += ["0193580e-9f3a-7c1d-9a3e-5f2b8c9d0e1f", "granted", "denied", "home", "shipped", "jean@example.org", "1.005"]

names = st.sampled_from(NAMES) | st.text(max_size=5)
# Surrogates too: JSON can write them, and no text may hold them alone.
texts = st.sampled_from(WORDS) | st.text(st.characters(codec=None), max_size=20)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10_000)
leaves = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
    max_leaves=25,
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Gives objects with these fields, each now and then absent, or beside another, or holding anything at all."""
    loose = {name: strategy | values for name, strategy in fields.items()}
    return (
        st.fixed_dictionaries(fields)
        | st.fixed_dictionaries({}, optional=loose)
        | st.fixed_dictionaries(fields, optional={"email": values, "x": values})
    )


uuids = st.uuids().map(str)
ids = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=128)
moments = st.sampled_from(["2026-11-23T09:00:00Z", "2026-11-23T10:00:00.5+01:00", "2037-01-01T00:00:00Z", "2001-01-01"])
items = objects(product_id=ids, quantity=st.integers(1, 9_999), price=st.decimals(0, 100, places=4).map(str))
natives = objects(
    type=st.sampled_from(OUTSIDE_TYPES),
    event_id=uuids,
    occurred_at=moments,
    shopper_id=ids.map(lambda tail: (SHOPPER + tail)[:128]),
    product=objects(product_id=ids, price_minor=st.integers(0, 10**12)),
)
added = st.fixed_dictionaries(
    {
        "type": st.just("AddedToBasket"),
        "event_id": uuids,
        "occurred_at": st.just("2026-11-23T09:00:00Z"),
        "shopper_id": st.just(SHOPPER),
        "product": st.fixed_dictionaries({"product_id": ids}),
    }
)
messages = objects(
    type=st.sampled_from(sorted(CALLS)),
    event=st.sampled_from(sorted(SEGMENT_EVENTS)),
    messageId=uuids | ids,
    timestamp=moments,
    userId=st.just(SHOPPER),
    properties=objects(order_id=ids, query=ids, revenue=st.floats(0, 1e6), status=texts, products=st.lists(items))
    | items,
)
payloads = objects(
    client_id=st.just(SHOPPER),
    timestamp_micros=st.integers(0, 2 * 10**15),
    events=st.lists(
        objects(
            name=st.sampled_from(sorted(GA4_EVENTS)),
            params=objects(transaction_id=ids, value=st.floats(0, 1e6), search_term=ids, items=st.lists(items)),
        ),
        max_size=3,
    ),
)
any_event = natives | added | messages | payloads
batches = objects(events=st.lists(any_event | values, max_size=4), sent_at=moments)
batches |= objects(batch=st.lists(messages, max_size=4), sentAt=moments)


def read_or_refuse(body: bytes) -> list[Outcome] | BadBody:
    """Reads a body; anything but a refusal that it may raise is a bug."""
    try:
        return read(body, DOOR, received_at_ms=RECEIVED_MS, verified=False)
    except BadBody as refused:
        return refused


def records(outcomes: list[Outcome] | BadBody) -> list[Record]:
    """Gives what would be stored."""
    if isinstance(outcomes, BadBody):
        return []
    return [record for one in outcomes if isinstance(one, Accepted) for record in one.records]


def check(outcomes: list[Outcome] | BadBody) -> None:
    """What holds for every body."""
    if isinstance(outcomes, BadBody):
        assert outcomes.error
        assert outcomes.detail
        return
    assert outcomes
    for one in outcomes:
        if isinstance(one, Rejected):
            assert one.reason
            assert one.detail
            assert one.path.startswith("$")
    for record in records(outcomes):
        stored = encode(record)
        assert record == decode_record(stored)
        assert SHOPPER.encode() not in stored
        assert record.event_time_ms <= record.received_at_ms
        assert 64 == len(record.event.shopper_id)


@given(st.binary(max_size=200))
@example(b"")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"events":[' * 1_000)
@example(rb'{"type":"\ud800"}')
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No bytes make the door do anything but read or refuse."""
    check(read_or_refuse(body))


@given(values | any_event | batches)
def test_any_json_is_read_or_refused(value: object) -> None:
    """No JSON makes the door do anything but read or refuse; what it takes is read back and hides the shopper."""
    check(read_or_refuse(json.dumps(value).encode()))


@given(any_event | batches, st.data())
def test_damaged_json_is_read_or_refused(value: object, data: st.DataObject) -> None:
    """A body that was cut, or holds other bytes than were sent, is read or refused."""
    body = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"\\", b'\\u"'])
        )
        if not body:
            break
    check(read_or_refuse(bytes(body)))


@given(any_event | batches)
def test_reading_again_gives_the_same(value: object) -> None:
    """The same body gives the same outcomes, event ids included: a retry repeats the first attempt."""
    body = json.dumps(value).encode()
    first, second = read_or_refuse(body), read_or_refuse(body)
    if isinstance(first, BadBody):
        assert isinstance(second, BadBody)
        assert first.error == second.error
    else:
        assert first == second


@given(st.lists(added, min_size=1, max_size=5), any_event | values, st.data())
def test_neighbours_are_unharmed(good: list[dict[str, Any]], other: object, data: st.DataObject) -> None:
    """Whatever stands among good events, each of them has the outcome that it has alone."""
    place = data.draw(st.integers(0, len(good)))
    mixed: list[object] = [*good[:place], other, *good[place:]]
    together = read_or_refuse(json.dumps({"events": mixed}).encode())
    assert isinstance(together, list)
    alone = [read_or_refuse(json.dumps(one).encode()) for one in good]
    expected = [one for outcomes in alone if isinstance(outcomes, list) for one in outcomes]
    # The other may be a payload of several events, all of which stand in its place.
    assert expected[:place] == together[:place]
    assert expected[place:] == together[len(together) - len(good) + place :]


@given(st.lists(any_event, min_size=1, max_size=4))
def test_every_source_event_has_one_outcome(sent: list[dict[str, Any]]) -> None:
    """A batch has one outcome for each event, and one for each event of a payload in it."""
    outcomes = read_or_refuse(json.dumps({"events": sent}).encode())
    assert isinstance(outcomes, list)
    expected = sum(max(1, len(one["events"])) if _is_payload(one) else 1 for one in sent)
    assert expected == len(outcomes)


@given(added, st.lists(items, min_size=2, max_size=5, unique_by=str))
def test_ids_of_items_are_distinct(event: dict[str, Any], products: list[dict[str, Any]]) -> None:
    """The records of one source event have as many ids, and the first is the source's."""
    message = {
        "type": "track",
        "event": "Product Added",
        "messageId": event["event_id"],
        "userId": SHOPPER,
        "properties": {"products": products},
    }
    found = [record.event.event_id for record in records(read_or_refuse(json.dumps(message).encode()))]
    assert len(found) == len(set(found))
    if found:
        assert UUID(event["event_id"]) == found[0]


def _is_payload(event: dict[str, Any]) -> bool:
    return "type" not in event and isinstance(event.get("events"), list)
