"""What becomes of well-formed events at the door."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from domain.door import Accepted, Dropped, Rejected
from domain.events import (
    OUTSIDE_TYPES,
    AddedToBasket,
    ConsentWithdrawn,
    LinkClicked,
    OrderPaid,
    PageViewed,
    Product,
    ProductsSearched,
)
from domain.ids import shopper_hash
from domain.records import SCHEMA_VERSION, Known, decode_record, encode
from domain.timestamps import from_unix_ms
from tests.unit.doorstep import (
    CATALOGUE,
    EVENT_ID,
    KEY,
    KNOWN_PASTA,
    OTHER_ID,
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
)


@pytest.mark.parametrize("kind", OUTSIDE_TYPES)
def test_every_type_is_taken(kind: str) -> None:
    """Every type of the contract is accepted alone and in a batch, as the same record."""
    alone = record(event(kind))
    assert kind == type(alone.event).__name__
    assert alone == record({"events": [event(kind)]})


def test_record_says_whose_when_and_by_which_key() -> None:
    """The stored form carries version, retailer, receipt, event time, the hash for the id, and the kind of key."""
    found = record(event(), verified=True)
    assert SCHEMA_VERSION == found.schema_version
    assert ("r-1", shopper_hash(KEY, SHOPPER)) == found.key
    assert RECEIVED_MS == found.received_at_ms
    assert ms("2026-11-23T09:00:00Z") == found.event_time_ms
    assert UUID(EVENT_ID) == found.event.event_id
    assert found.verified
    assert not record(event()).verified


def test_raw_shopper_id_is_never_stored() -> None:
    """The retailer's own shopper id appears nowhere in the stored bytes."""
    assert b"loyalty-4111111111111111" not in encode(record(event(shopper_id="loyalty-4111111111111111")))


def test_defaults_are_those_of_the_contract() -> None:
    """An added product without a quantity counts once."""
    found = admitted(event(quantity=...))
    assert isinstance(found, AddedToBasket)
    assert 1 == found.quantity


def test_batch_keeps_the_order() -> None:
    """A batch gives one outcome for each event, in the order sent, good and bad ones alike."""
    kinds = [
        type(found)
        for found in outcomes(
            {"events": [event(), event(quantity=0), event(consent="denied"), event(event_id=OTHER_ID)]}
        )
    ]
    assert [Accepted, Rejected, Dropped, Accepted] == kinds


def test_repeated_id_in_one_request_is_no_fault() -> None:
    """Two events with one id are both taken: repeats are absorbed behind the log."""
    first, second = outcomes({"events": [event(), event()]})
    assert first == second
    assert isinstance(first, Accepted)


def test_faults_of_meaning_are_no_faults_at_the_door() -> None:
    """An order without lines and the removal of an unknown product are stored like any other event."""
    assert isinstance(outcome(event("OrderPaid", lines=[], total_minor=0)), Accepted)
    assert isinstance(outcome(event("RemovedFromBasket", product={"product_id": "never-seen"})), Accepted)


@pytest.mark.parametrize(
    ("occurred_at", "sent_at", "event_time"),
    [
        ("2026-11-23T09:00:00Z", None, "2026-11-23T09:00:00Z"),
        ("2026-11-23T10:00:00+01:00", None, "2026-11-23T09:00:00Z"),
        ("2026-11-23T09:00:00.123456Z", None, "2026-11-23T09:00:00.123Z"),
        ("2026-11-23T09:30:00Z", None, "2026-11-23T09:00:10Z"),
        ("2026-11-22T21:00:00Z", None, "2026-11-22T21:00:00Z"),
        # The client's clock is two hours ahead: sent at 11:00:05 by its clock, received at 09:00:10 by ours.
        ("2026-11-23T11:00:00Z", "2026-11-23T11:00:05Z", "2026-11-23T09:00:05Z"),
        # It is one hour behind.
        ("2026-11-23T08:00:00Z", "2026-11-23T08:00:09Z", "2026-11-23T09:00:01Z"),
        # It occurred after it was sent: nothing occurs after its receipt.
        ("2026-11-23T09:00:30Z", "2026-11-23T09:00:10Z", "2026-11-23T09:00:10Z"),
    ],
)
def test_event_time_is_the_clients_corrected_and_never_after_receipt(
    occurred_at: str, sent_at: str | None, event_time: str
) -> None:
    """Event time is min(received, occurred corrected by received - sent); without `sent_at` nothing is corrected."""
    found = record({"events": [event(occurred_at=occurred_at)], "sent_at": sent_at})
    assert ms(event_time) == found.event_time_ms


@pytest.mark.parametrize("occurred_at", ["2000-01-01T00:00:00Z", "2036-11-20T09:00:00Z"])
def test_improbable_times_are_taken(occurred_at: str) -> None:
    """From the year 2000 to ten years ahead an event is taken, whatever its clock shows."""
    assert isinstance(outcome(event(occurred_at=occurred_at)), Accepted)


@pytest.mark.parametrize(
    ("said", "default", "taken"),
    [
        ("granted", "granted", True),
        ("granted", "denied", True),
        (None, "granted", True),
        (None, "denied", False),
        ("denied", "granted", False),
        ("denied", "denied", False),
    ],
)
def test_no_event_without_consent(said: str | None, default: str, taken: bool) -> None:
    """What the event says decides, else the retailer's default; what is refused is dropped with its id."""
    found = outcome(event(consent=said), door(consent_default=default))
    assert taken == isinstance(found, Accepted)
    if isinstance(found, Dropped):
        assert (UUID(EVENT_ID), "no_consent") == (found.event_id, found.reason)
        assert (said == "denied") == (found.withdrawal is not None)
    else:
        assert isinstance(found, Accepted)
        assert [said is None] == [record.presumed for record in found.records]


def test_a_refusal_leaves_nothing_of_its_event() -> None:
    """What is stored of an event that refuses says whose consent ended and when, and nothing else."""
    found = outcome(event(consent="denied", quantity=7))
    assert isinstance(found, Dropped)
    assert found.withdrawal is not None
    assert found.withdrawal == decode_record(encode(found.withdrawal))
    ended = found.withdrawal.event
    assert isinstance(ended, ConsentWithdrawn)
    assert (shopper_hash(KEY, SHOPPER), from_unix_ms(RECEIVED_MS)) == (ended.shopper_id, ended.occurred_at)
    assert b"p-77" not in encode(found.withdrawal)
    assert found == outcome(event(consent="granted", quantity=7), is_refused=True)


def test_price_gets_the_retailers_currency() -> None:
    """A price without a currency is in the retailer's; without a price no currency is added."""
    priced = admitted(event(product={"product_id": "a", "price_minor": 5}))
    assert isinstance(priced, AddedToBasket)
    assert Product(product_id="a", price_minor=5, currency="EUR") == priced.product
    named = admitted(event(product={"product_id": "a", "price_minor": 5, "currency": "JPY"}))
    assert isinstance(named, AddedToBasket)
    assert Product(product_id="a", price_minor=5, currency="JPY") == named.product
    bare = admitted(event(product={"product_id": "a"}))
    assert isinstance(bare, AddedToBasket)
    assert Product(product_id="a") == bare.product


@pytest.mark.parametrize(
    ("value", "known"),
    [
        (event(), {"p-77": KNOWN_PASTA}),
        (event("RemovedFromBasket"), {"p-77": KNOWN_PASTA}),
        (event("PageViewed"), {"p-77": KNOWN_PASTA}),
        (event("PageViewed", page={"kind": "home"}), {}),
        (
            event(
                "OrderPaid",
                lines=[
                    {"product_id": name, "quantity": 1, "price_minor": 1} for name in ("p-78", "new", "p-77", "p-78")
                ],
            ),
            CATALOGUE,
        ),
        (event(product={"product_id": "new"}), {}),
        (event("ProductsSearched"), {}),
    ],
)
def test_catalogue_adds_what_it_knows(value: dict[str, object], known: dict[str, Known]) -> None:
    """The record carries the catalogue's entry of each product of the event, as it is at this moment."""
    assert known == record(value).known


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("/pasta", "/pasta"),
        ("/pasta?email=jean@example.org", "/pasta"),
        ("/pasta#top", "/pasta"),
        ("https://shop.example/pasta?a=1#b?c", "https://shop.example/pasta"),
        ("?q=1", ""),
    ],
)
def test_page_path_loses_its_query(path: str, stored: str) -> None:
    """Query string and fragment of a page's path are cut."""
    found = admitted(event("PageViewed", page={"kind": "other", "path": path}))
    assert isinstance(found, PageViewed)
    assert stored == found.page.path


@pytest.mark.parametrize(
    ("target", "stored"),
    [
        ("/promotions?utm=1", "/promotions"),
        ("https://shop.example/a#b", "https://shop.example/a"),
        ("products.html?id=3", "products.html"),
        ("../basket?x", "../basket"),
        ("Any questions? Ask us", "Any questions? Ask us"),
        ("banner#2", "banner#2"),
    ],
)
def test_target_loses_its_query_if_it_is_an_address(target: str, stored: str) -> None:
    """Query string and fragment of a link's target are cut where the target is a URL or path."""
    found = admitted(event("LinkClicked", target=target))
    assert isinstance(found, LinkClicked)
    assert stored == found.target


def test_personal_data_in_texts_is_redacted_and_counted() -> None:
    """Query, label, target and path are stored with the kind in place of the data; the outcome tells which kinds."""
    search = outcome(event("ProductsSearched", query="4111 1111 1111 1111 or call 06 12 34 56 78"))
    assert isinstance(search, Accepted)
    assert ("card", "phone") == search.redacted
    assert isinstance(search.records[0].event, ProductsSearched)
    assert "[card] or call [phone]" == search.records[0].event.query
    click = outcome(event("LinkClicked", target="/to/jean@example.org", label="06.12.34.56.78"))
    assert isinstance(click, Accepted)
    assert ("email", "phone") == click.redacted
    view = outcome(event("PageViewed", page={"kind": "other", "path": "/u/jean%40example.org"}))
    assert isinstance(view, Accepted)
    assert ("email",) == view.redacted
    assert b"example.org" not in b"".join(map(encode, click.records + view.records))


def test_redacted_text_keeps_its_bound() -> None:
    """A query full of addresses, shorter than their marks, still fits its 200 characters when stored."""
    found = admitted(event("ProductsSearched", query="a@b.co " * 28))
    assert isinstance(found, ProductsSearched)
    assert 200 == len(found.query)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (event("ProductsSearched", query="4111111111111111"), "$.query"),
        (event("LinkClicked", target="/a", label="+33 6 12 34 56 78"), "$.label"),
        (event("LinkClicked", target="mailto:jean@example.org"), "$.target"),
        (event("PageViewed", page={"kind": "other", "path": "/jean@example.org"}), "$.page.path"),
    ],
)
def test_retailer_may_refuse_what_others_redact(value: dict[str, object], path: str) -> None:
    """With `refuse` personal data in a text rejects the event, and the path says in which."""
    found = outcome(value, door(pii="refuse"))
    assert isinstance(found, Rejected)
    assert ("personal_data", path) == (found.reason, found.path)


def test_ids_are_never_searched_for_personal_data() -> None:
    """A loyalty number looks like a card number, and is taken as it is."""
    card = "4111111111111111"
    found = outcome(event(shopper_id=card, session_id=card, product={"product_id": card, "brand": card}))
    assert isinstance(found, Accepted)
    assert () == found.redacted


def test_harmless_whitespace_stays_in_texts() -> None:
    """A pasted line break or tab in a query is no fault."""
    found = admitted(event("ProductsSearched", query="pasta\n\trice"))
    assert isinstance(found, ProductsSearched)
    assert "pasta\n\trice" == found.query


def test_identifiers_may_be_of_any_script() -> None:
    """Printable characters of any script are identifiers, escaped in JSON or not."""
    value = event(shopper_id="client-é-日本", product={"product_id": "crème brûlée"})
    assert record(value) == record(json.dumps(value, ensure_ascii=False).encode())


def test_event_of_the_largest_size_is_taken() -> None:
    """An event of exactly the permitted bytes is taken, alone and in a batch; one byte more is not."""
    small = body(event())
    exact = small[:-1] + b" " * (32_768 - len(small)) + b"}"
    assert 32_768 == len(exact)
    assert isinstance(outcome(exact), Accepted)
    assert isinstance(outcome(b'{"events":[' + exact + b"]}"), Accepted)
    for larger in (exact[:-1] + b" }", b'{"events":[' + exact[:-1] + b" }]}"):
        found = outcome(larger)
        assert isinstance(found, Rejected)
        assert ("too_large", UUID(EVENT_ID)) == (found.reason, found.event_id)


def test_order_keeps_its_lines() -> None:
    """A paid order is one record with all its lines."""
    found = admitted(event("OrderPaid"))
    assert isinstance(found, OrderPaid)
    assert [("p-77", 2, 129)] == [(line.product_id, line.quantity, line.price_minor) for line in found.lines]
