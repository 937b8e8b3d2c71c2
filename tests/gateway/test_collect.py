"""`POST /v1/events`: what is stored, and what the sender is told."""

from __future__ import annotations

import gzip
import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from msgspec.structs import replace

from domain.ids import withdrawal_event_id
from tests.gateway.standing import FOREIGN_ORIGIN, ORIGIN, Standing, added, basic, digest, ids


async def test_one_event_is_stored_and_answered(standing: Standing) -> None:
    """A single event is in the log under its id when the answer says `stored`."""
    event = added()
    answer = await standing.post(event)
    assert (200, {"results": [{"event_id": event["event_id"], "status": "stored"}]}) == (
        answer.status_code,
        answer.json(),
    )
    assert "application/json" == answer.headers["content-type"]
    assert [event["event_id"]] == await standing.stored_ids()


async def test_a_batch_is_answered_in_order(standing: Standing) -> None:
    """Each sent event has its result, in order; the bad one alone is rejected, with its place in the request."""
    events = [added(), added(quantity=0), added(consent="denied"), added()]
    answer = await standing.post({"events": events})
    first, bad, unwanted, last = ids(events)
    assert 200 == answer.status_code
    assert [
        {"event_id": first, "status": "stored"},
        {"event_id": bad, "status": "rejected", "reason": "invalid_value", "path": "$.events[1].quantity"},
        {"event_id": unwanted, "status": "dropped", "reason": "no_consent"},
        {"event_id": last, "status": "stored"},
    ] == answer.json()["results"]
    assert [first, str(withdrawal_event_id(UUID(unwanted))), last] == await standing.stored_ids()
    assert 2 == standing.counted("events_total", type="AddedToBasket", outcome="stored")
    assert 1 == standing.counted("events_total", type="unknown", outcome="rejected")
    assert 1 == standing.counted("events_total", type="unknown", outcome="dropped")


async def test_a_refusal_is_stored_once_and_nothing_of_its_events(standing: Standing) -> None:
    """Of three events that refuse there is one record: whose consent ended, and when. A retry says the same again."""
    events = [added(consent="denied"), added(consent="denied"), added(consent="denied", shopper_id="c-2")]
    for _ in range(2):
        answer = await standing.post({"events": events})
        assert {"dropped"} == {result["status"] for result in answer.json()["results"]}
    stored = [record.event for record in await standing.stored()]
    assert {"ConsentWithdrawn"} == {type(event).__name__ for event in stored}
    assert [standing.key("c-1842").shopper, standing.key("c-2").shopper] * 2 == [event.shopper_id for event in stored]
    assert 2 == len({event.event_id for event in stored})


@pytest.mark.parametrize(("signal", "status"), [("1", "dropped"), ("0", "stored")])
async def test_a_browser_that_refuses_is_heard(standing: Standing, signal: str, status: str) -> None:
    """Global Privacy Control stands above what an event says of consent."""
    answer = await standing.post(added(consent="granted"), headers=standing.shop.write | {"sec-gpc": signal})
    assert status == answer.json()["results"][0]["status"]
    stored = [type(record.event).__name__ for record in await standing.stored()]
    assert ["ConsentWithdrawn" if status == "dropped" else "AddedToBasket"] == stored


async def test_a_request_with_bad_events_only_is_refused(standing: Standing) -> None:
    """Where each event is bad the request is, too: 400 with the first one's error and all results."""
    events = [added(quantity=0), added(event_id="nonsense")]
    answer = await standing.post({"events": events})
    told = answer.json()
    assert (400, "invalid_value", "$.events[0].quantity") == (answer.status_code, told["error"], told["path"])
    assert ["rejected", "rejected"] == [result["status"] for result in told["results"]]
    assert None is told["results"][1]["event_id"]
    assert [] == await standing.stored_ids()


async def test_a_dropped_event_is_final(standing: Standing) -> None:
    """A retailer without consent by default gets 200 and `dropped`: the tracker has nothing to send again."""
    event = added()
    answer = await standing.post(event, standing.other.write)
    assert (200, "dropped") == (answer.status_code, answer.json()["results"][0]["status"])
    granted = await standing.post(added(consent="granted"), standing.other.write)
    assert "stored" == granted.json()["results"][0]["status"]
    assert 1 == len(await standing.stored_ids())


async def test_a_repeat_is_stored(standing: Standing) -> None:
    """A retry under the same id answers as the first did."""
    event = added()
    answers = [await standing.post(event), await standing.post(event), await standing.post({"events": [event, event]})]
    assert {"stored"} == {result["status"] for answer in answers for result in answer.json()["results"]}


async def test_the_secret_key_makes_an_order_verified(standing: Standing) -> None:
    """Only an order that a server posted with the secret key counts as verified."""
    order = {key: value for key, value in added().items() if key != "product"} | {
        "type": "OrderPaid",
        "order_id": "o-1",
        "lines": [],
        "total_minor": 0,
        "currency": "EUR",
    }
    await standing.post(order)
    await standing.post(order | {"event_id": str(uuid4())}, standing.shop.secret)
    assert [False, True] == [record.verified for record in await standing.stored()]


async def test_the_raw_shopper_id_is_not_stored(standing: Standing) -> None:
    """The log knows a shopper by the keyed hash alone, another one at each retailer."""
    await standing.post(added(shopper_id="c-7"))
    await standing.post(added(shopper_id="c-7", consent="granted"), standing.other.write)
    keys = [record.key for record in await standing.stored()]
    assert [standing.key("c-7"), standing.key("c-7", standing.other)] == keys
    assert keys[0].shopper != keys[1].shopper


async def test_the_catalogue_completes_an_event(standing: Standing) -> None:
    """What the catalogue knows of a product at that moment is stored with the event."""
    await standing.post(added() | {"product": {"product_id": "p-1"}})
    (record,) = await standing.stored()
    assert ("pasta", 129) == (record.known["p-1"].category_id, record.known["p-1"].price_minor)


async def test_bodies_may_be_text_or_gzip(standing: Standing) -> None:
    """Beacons send text/plain, servers gzip, in one member or several; all are stored."""
    events = [added() for _ in range(4)]
    plain, other, whole, parts = (json.dumps(event).encode() for event in events)
    zipped = {"content-encoding": "gzip"} | standing.shop.write
    in_parts = gzip.compress(parts[:40]) + gzip.compress(parts[40:])
    answers = [
        await standing.post(plain, {"content-type": "text/plain;charset=UTF-8"} | standing.shop.write),
        await standing.post(other, {"content-encoding": "identity"} | standing.shop.write),
        await standing.post(gzip.compress(whole), zipped),
        await standing.post(in_parts, zipped),
    ]
    assert [200] * 4 == [answer.status_code for answer in answers]
    assert ids(events) == await standing.stored_ids()


async def test_the_write_key_may_stand_in_the_address(standing: Standing) -> None:
    """A beacon can't set headers: `?write_key=` does; a key in the header is stronger."""
    key = {"write_key": standing.shop.write_key}
    beacon: dict[str, Any] = {"headers": {"content-type": "text/plain"}, "params": key}
    assert 200 == (await standing.post(added(), **beacon)).status_code
    assert 200 == (await standing.post(added(), **beacon)).status_code
    wrong = await standing.post(added(), basic("nobody's"), params=key)
    assert 401 == wrong.status_code


async def test_keys_change_while_the_gateway_runs(standing: Standing) -> None:
    """A new key is valid for the next request; the old one until its end, and then no more."""
    assert 200 == (await standing.post(added())).status_code
    soon_ms = standing.clock.now_ms() + 60_000
    await standing.ports.retailers.rotate_key("r-shop", "write", digest("a-new-key"), old_until_ms=soon_ms)
    assert [200, 200] == [(await standing.post(added(), key)).status_code for key in (basic("a-new-key"), None)]
    standing.clock.shift_ms = 61_000
    assert [200, 401] == [(await standing.post(added(), key)).status_code for key in (basic("a-new-key"), None)]


async def test_origins_change_while_the_gateway_runs(standing: Standing) -> None:
    """An origin that was added may post at once, and one that was taken away no more."""
    elsewhere = standing.shop.write | {"origin": FOREIGN_ORIGIN}
    here = standing.shop.write | {"origin": ORIGIN}
    assert [403, 200] == [(await standing.post(added(), headers)).status_code for headers in (elsewhere, here)]
    await standing.ports.retailers.change(replace(standing.shop.retailer, origins=(FOREIGN_ORIGIN,)))
    assert [200, 403] == [(await standing.post(added(), headers)).status_code for headers in (elsewhere, here)]


async def test_a_segment_batch_has_one_result_for_each_message(standing: Standing) -> None:
    """A message with several items is one result, and several events in the log."""
    message = {
        "type": "track",
        "event": "Product Added",
        "messageId": str(uuid4()),
        "timestamp": added()["occurred_at"],
        "userId": "c-1",
        "properties": {"product_id": "p-1", "quantity": 1},
    }
    answer = await standing.post({"batch": [message, message | {"messageId": str(uuid4()), "event": "Unheard Of"}]})
    assert ["stored", "rejected"] == [result["status"] for result in answer.json()["results"]], answer.text
    assert [message["messageId"]] == await standing.stored_ids()
