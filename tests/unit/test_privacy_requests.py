"""Privacy requests as values: what stands in the log for them, and when every gateway goes by the list."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import replace

from domain.events import ShopperSuppressed, ShopperUnsuppressed
from domain.ids import ShopperHash
from domain.ports.privacy_requests import Confirmation
from domain.privacy import GATEWAY_GONE_MS, SPEAKS_UP_MS, asked, is_in_force, record_of, told, unconfirmed
from domain.records import decode_record, encode
from tests.story import NOON_MS, RETAILER

ID = UUID("0192f0c1-2c4e-7a10-9c53-1f0e6f6a2b11")
REQUEST = replace(asked(ID, RETAILER, "suppress", NOON_MS, due_days=30), list_version=7, shoppers=1)
LATER_MS = NOON_MS + SPEAKS_UP_MS
DIGEST, SHOPPER = "d" * 64, ShopperHash("ab" * 32)


def test_a_record_has_the_same_id_whenever_it_is_made() -> None:
    """So that one that is appended again is absorbed; another shopper's and another request's are others."""
    first, again = (record_of(REQUEST, DIGEST, SHOPPER, at_ms) for at_ms in (NOON_MS, NOON_MS + 9_000))
    assert first.event.event_id == again.event.event_id
    assert (NOON_MS, NOON_MS, SHOPPER) == (first.received_at_ms, first.event_time_ms, first.event.shopper_id)
    others = {
        record_of(REQUEST, "e" * 64, SHOPPER, NOON_MS).event.event_id,
        record_of(replace(REQUEST, request_id="another"), DIGEST, SHOPPER, NOON_MS).event.event_id,
    }
    assert 2 == len(others - {first.event.event_id})
    assert first == decode_record(encode(first))


def test_each_kind_has_its_event() -> None:
    """Of the type that the fold knows."""
    back = replace(REQUEST, kind="unsuppress")
    kinds = [type(record_of(one, DIGEST, SHOPPER, NOON_MS).event) for one in (REQUEST, back)]
    assert [ShopperSuppressed, ShopperUnsuppressed] == kinds


def test_a_gateway_with_an_older_list_is_waited_for() -> None:
    """By the list that came with the request, or a later one; whoever is silent for long is not waited for."""
    words = [
        Confirmation("current", 7, LATER_MS - GATEWAY_GONE_MS * 2),
        Confirmation("newer", 9, LATER_MS),
        Confirmation("behind", 6, LATER_MS - GATEWAY_GONE_MS + 1),
        Confirmation("gone", 6, LATER_MS - GATEWAY_GONE_MS),
    ]
    assert ["behind"] == unconfirmed(REQUEST, words, LATER_MS)
    assert not is_in_force(REQUEST, words, LATER_MS)
    assert is_in_force(REQUEST, words, LATER_MS + 1)


def test_a_gateway_that_just_starts_has_the_time_to_speak() -> None:
    """Without any word nothing is in force at once."""
    assert [False, True] == [is_in_force(REQUEST, [], at_ms) for at_ms in (LATER_MS - 1, LATER_MS)]


def test_a_request_is_told_without_its_shoppers() -> None:
    """How far it is, until when it has to be done, and since when it is."""
    done = replace(REQUEST, stage="done", stage_at_ms=NOON_MS + 5_000)
    assert ("open", "log", None) == tuple(told(REQUEST)[name] for name in ("state", "waits_for", "done_at"))
    assert ("done", None) == tuple(told(done)[name] for name in ("state", "waits_for"))
    assert told(done)["done_at"] > told(done)["opened_at"]
    assert {"request_id": str(ID), "kind": "suppress", "shoppers": 1}.items() <= told(done).items()
