"""Privacy requests at the gateway: who is suppressed is dropped, wherever and however the events come."""

from __future__ import annotations

import gzip
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deploy.privacy_worker import privacy_worker
from domain.errors import PortError
from domain.events import ShopperSuppressed, ShopperUnsuppressed
from domain.ids import shopper_digest
from gateway.app import Gateway
from tests.gateway.standing import Standing, added, basic, digest, until
from tests.gateway.test_app import client

PATH = "/v1/privacy/requests"
AWAY = PortError("Postgres at 10.0.0.7:5432/control: it can't be used now", retriable=True)


async def asked(standing: Standing, kind: str, *shopper_ids: str, **fields: Any) -> httpx.Response:
    """Posts a request with the secret key."""
    body = {"kind": kind, "shopper_ids": list(shopper_ids), **fields}
    return await standing.http.post(PATH, json=body, headers=standing.shop.secret)


async def worked(standing: Standing) -> None:
    """Lets a privacy worker look once, when gateways that just start have had the time to speak up."""
    standing.clock.shift_ms += 5_000
    await privacy_worker(standing.ports, standing.settings, standing.clock, standing.metrics).look()


async def state_of(standing: Standing, answer: httpx.Response) -> tuple[str, str | None]:
    """Gives how far a request is."""
    told = (await standing.http.get(answer.headers["location"], headers=standing.shop.secret)).json()
    return told["state"], told["waits_for"]


def statuses(answer: httpx.Response) -> list[tuple[str, str | None]]:
    """Gives what became of each event."""
    return [(one["status"], one.get("reason")) for one in answer.json()["results"]]


async def test_events_of_a_suppressed_shopper_are_dropped(standing: Standing) -> None:
    """From the answer on, whoever posts them and in whatever vocabulary, and nothing of them is stored."""
    answer = await asked(standing, "suppress", "c-7")
    assert 202 == answer.status_code
    told = answer.json()
    assert ("suppress", "open", 1, None) == (told["kind"], told["state"], told["shoppers"], told["done_at"])
    segment = {
        "type": "track",
        "event": "Products Searched",
        "messageId": "m-1",
        "timestamp": added()["occurred_at"],
        "userId": "c-7",
        "properties": {"query": "wine"},
    }
    denied = {**added("pasta", "c-7"), "consent": "denied"}
    for headers in (standing.shop.write, standing.shop.secret):
        body = {"events": [added("pasta", "c-7"), added("pasta", "c-8"), segment, denied]}
        dropped = ("dropped", "suppressed")
        assert [dropped, ("stored", None), dropped, dropped] == statuses(await standing.post(body, headers=headers))
    stored = await standing.stored()
    assert {standing.key("c-8").shopper} == {record.event.shopper_id for record in stored}
    dropped_events = standing.metrics.registry.get_sample_value(
        "hotbasket_events_total", {"type": "unknown", "outcome": "dropped"}
    )
    assert 6 == dropped_events


async def test_a_request_goes_through_the_log_and_is_done(standing: Standing) -> None:
    """The record is appended once, then the gateway's word is waited for; the second look finds nothing to do."""
    answer = await asked(standing, "suppress", "c-7", "c-8")
    await worked(standing)
    await until(lambda: _has_said(standing), "the gateway confirmed")
    await worked(standing)
    assert ("done", None) == await state_of(standing, answer)
    await worked(standing)
    events = [record.event for record in await standing.stored()]
    assert [ShopperSuppressed] * 2 == [type(event) for event in events]
    assert {standing.key(one).shopper for one in ("c-7", "c-8")} == {event.shopper_id for event in events}


async def _has_said(standing: Standing) -> bool:
    version = standing.ports.privacy.suppressed().version
    words = await standing.ports.words.confirmations()
    return [version] == [word.version for word in words]


async def test_a_request_waits_for_every_gateway(standing: Standing) -> None:
    """One that goes by an older list keeps a request open, until it has confirmed, has left, or was silent for long."""
    words, now_ms = standing.ports.words, standing.clock.now_ms()
    await words.confirm("behind", standing.ports.privacy.suppressed().version, now_ms)
    answer = await asked(standing, "suppress", "c-7")
    await until(lambda: _has_said_beside(standing), "the gateway confirmed")
    await worked(standing)
    assert ("open", "gateways") == await state_of(standing, answer)
    standing.clock.shift_ms += 10 * 60 * 1_000
    await worked(standing)
    assert ("done", None) == await state_of(standing, answer)


async def _has_said_beside(standing: Standing) -> bool:
    version = standing.ports.privacy.suppressed().version
    return version in {word.version for word in await standing.ports.words.confirmations()}


async def test_a_gateway_that_stops_is_not_waited_for(standing: Standing) -> None:
    """It takes its leave."""
    other = standing.another()
    await other.start()

    async def both() -> bool:
        return 2 == len(await standing.ports.words.confirmations())

    await until(both, "both gateways have spoken")
    await other.stop()
    assert 1 == len(await standing.ports.words.confirmations())


async def test_events_are_taken_again(standing: Standing) -> None:
    """After the opposite request, whose record follows the first one's in the log."""
    await asked(standing, "suppress", "c-7")
    await worked(standing)
    await asked(standing, "unsuppress", "c-7")
    assert [("stored", None)] == statuses(await standing.post(added("pasta", "c-7")))
    await worked(standing)
    kinds = [type(record.event) for record in await standing.stored()]
    assert [ShopperSuppressed, ShopperUnsuppressed] == [kind for kind in kinds if kind.__name__.startswith("Shopper")]


async def test_the_page_is_cleared_and_later_events_change_nothing(standing: Standing) -> None:
    """What a gateway took before it knew finds an actor that passes it over."""
    await standing.work()
    waits = {**standing.shop.secret, "prefer": "wait=2"}
    assert 1 == len((await standing.post(added("pasta", "c-9"), headers=waits)).json()["experiences"])
    await asked(standing, "suppress", "c-9")
    await worked(standing)
    late = Gateway(standing.stores()._replace(privacy=None), standing.keys, standing.settings)
    await late.start()
    async with client(late) as http:
        answer = await http.post("/v1/events", json=added("wine", "c-9"), headers=standing.shop.secret)
        assert [("stored", None)] == statuses(answer)
    await late.stop()

    async def is_passed_over() -> bool:
        labels = {"fault": "suppressed"}
        return standing.metrics.registry.get_sample_value("hotbasket_meaning_faults_total", labels) == 1

    async def is_saved() -> bool:
        return (await standing.ask("/v1/shoppers/lookup", "c-9")).status_code == 200

    await until(is_passed_over, "the late event was passed over")
    await until(is_saved, "a checkpoint has the shopper")
    looked = (await standing.ask("/v1/shoppers/lookup", "c-9")).json()
    assert ["p-pasta"] == [line["product_id"] for line in looked["basket"]["lines"]]


async def test_the_same_request_changes_nothing(standing: Standing) -> None:
    """Sent again under its id it is told as it stands; without an id, the open one about the same shoppers is."""
    first = await asked(standing, "suppress", "c-7", "c-8")
    assert first.json() == (await asked(standing, "suppress", "c-8", "c-7", "c-8")).json()
    named = str(uuid4())
    third = await asked(standing, "suppress", "c-1", request_id=named)
    assert named == third.json()["request_id"]
    await worked(standing)
    await until(lambda: _has_said(standing), "the gateway confirmed")
    await worked(standing)
    again = (await asked(standing, "suppress", "c-1", request_id=named)).json()
    assert (named, "done") == (again["request_id"], again["state"])
    other = await asked(standing, "suppress", "c-2", request_id=named)
    assert (409, "request_exists") == (other.status_code, other.json()["error"])


async def test_another_retailers_shopper_and_request_are_nobodys(standing: Standing) -> None:
    """The same id at another retailer is another shopper, and the request can't be seen there."""
    answer = await asked(standing, "suppress", "c-7")
    body = {**added("pasta", "c-7"), "consent": "granted"}
    assert [("stored", None)] == statuses(await standing.post(body, headers=standing.other.write))
    seen = await standing.http.get(answer.headers["location"], headers=standing.other.secret)
    assert (404, "unknown_request") == (seen.status_code, seen.json()["error"])


async def test_neither_id_nor_hash_is_kept(standing: Standing) -> None:
    """The list, the request and the trail name the shopper by a digest; once it is done, the seal is forgotten."""
    answer = await asked(standing, "suppress", "unmistakable-7")
    request_id = answer.json()["request_id"]
    (subject,) = await standing.ports.privacy.subjects(request_id)
    hashed = standing.key("unmistakable-7").shopper
    named = shopper_digest(standing.ports.identity.privacy_key("r-shop"), hashed)
    assert named == subject.digest
    assert {named} == set(standing.ports.privacy.suppressed().digests["r-shop"])
    await worked(standing)
    await until(lambda: _has_said(standing), "the gateway confirmed")
    await worked(standing)
    assert [b""] == [one.sealed for one in await standing.ports.privacy.subjects(request_id)]
    (entry,) = await standing.ports.audit.read("r-shop", 0, 10)
    assert (f"privacy request {request_id}", "privacy.suppress") == (entry.target, entry.action)
    kept = f"{subject.sealed!r} {entry} {answer.text}"
    assert [] == [name for name in ("unmistakable-7", hashed) if name in kept]


@pytest.mark.parametrize(
    ("body", "error", "path"),
    [
        (b"", "empty_body", None),
        (b"[]", "not_an_object", None),
        ({"shopper_ids": ["c-1"]}, "missing_field", "$.kind"),
        ({"kind": "rectify", "shopper_ids": ["c-1"]}, "invalid_value", "$.kind"),
        ({"kind": ["suppress"], "shopper_ids": ["c-1"]}, "invalid_value", "$.kind"),
        ({"kind": "suppress"}, "missing_field", "$.shopper_ids"),
        ({"kind": "suppress", "shopper_ids": []}, "invalid_value", "$.shopper_ids"),
        ({"kind": "suppress", "shopper_ids": "c-1"}, "invalid_value", "$.shopper_ids"),
        ({"kind": "suppress", "shopper_ids": ["c-1", ""]}, "invalid_value", "$.shopper_ids[1]"),
        ({"kind": "suppress", "shopper_ids": ["x" * 129]}, "invalid_value", "$.shopper_ids[0]"),
        ({"kind": "suppress", "shopper_ids": [7]}, "invalid_value", "$.shopper_ids[0]"),
        ({"kind": "suppress", "shopper_ids": ["a\nb"]}, "invalid_value", "$.shopper_ids[0]"),
        ({"kind": "suppress", "shopper_ids": ["ann@example.org"]}, "personal_data", "$.shopper_ids[0]"),
        ({"kind": "suppress", "shopper_ids": ["c"] * 5_001}, "invalid_value", "$.shopper_ids"),
        ({"kind": "suppress", "shopper_ids": ["c"], "request_id": "7"}, "invalid_value", "$.request_id"),
        ({"kind": "suppress", "shopper_ids": ["c"], "request_id": 7}, "invalid_value", "$.request_id"),
        ({"kind": "suppress", "shopper_ids": ["c"], "reason": "x"}, "unknown_field", "$.reason"),
    ],
)
async def test_what_can_not_be_asked(standing: Standing, body: Any, error: str, path: str | None) -> None:
    """Nothing of it is taken, and what is wrong is told with its path, without the ids."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {**standing.shop.secret, "content-type": "application/json"}
    answer = await standing.http.post(PATH, content=content, headers=headers)
    told = answer.json()
    assert (400, error, path) == (answer.status_code, told["error"], told.get("path"))
    assert "example.org" not in answer.text
    assert () == tuple(await standing.ports.privacy.pending())


async def test_five_thousand_long_ids_fit(standing: Standing) -> None:
    """In one request, written in whatever way JSON allows, compressed or not."""
    shopper_ids = [f"{number:05d}" + "é" * 123 for number in range(5_000)]
    body = json.dumps({"kind": "suppress", "shopper_ids": shopper_ids}).encode()
    headers = {**standing.shop.secret, "content-type": "application/json"}
    first = await standing.http.post(PATH, content=body, headers=headers)
    assert (202, 5_000) == (first.status_code, first.json()["shoppers"])
    zipped = {**headers, "content-encoding": "gzip"}
    assert first.json() == (await standing.http.post(PATH, content=gzip.compress(body), headers=zipped)).json()


class Away:
    """Requests that can't be read or written; the list is known."""

    def __init__(self, standing: Standing) -> None:
        self.suppressed = standing.ports.privacy.suppressed

    async def open(self, *_: object) -> None:
        """Fails, as a port does."""
        raise AWAY

    async def get(self, *_: object) -> None:
        """Fails, as a port does."""
        raise AWAY


async def test_a_store_that_is_away_takes_no_request(standing: Standing) -> None:
    """503 with a hint to send it again under its id, and events go on."""
    stores = standing.stores()._replace(privacy=Away(standing))  # type: ignore[arg-type]  # only what is asked
    gateway = Gateway(stores, standing.keys, standing.settings)
    async with client(gateway) as http:
        body = {"kind": "suppress", "shopper_ids": ["c-7"]}
        for answer in (
            await http.post(PATH, json=body, headers=standing.shop.secret),
            await http.get(f"{PATH}/{uuid4()}", headers=standing.shop.secret),
        ):
            assert (503, "requests_unavailable") == (answer.status_code, answer.json()["error"])
            assert "10.0.0.7" not in answer.text
        stored = await http.post("/v1/events", json=added(), headers=standing.shop.secret)
        assert [("stored", None)] == statuses(stored)


async def test_a_privacy_key_is_enough(standing: Standing) -> None:
    """Who keeps to this work needs no key that does more."""
    await standing.ports.retailers.rotate_key("r-shop", "privacy", digest("pvk"), old_until_ms=None)
    body = {"kind": "suppress", "shopper_ids": ["c-7"]}
    answer = await standing.http.post(PATH, json=body, headers=basic("pvk"))
    assert 202 == answer.status_code
    assert 200 == (await standing.http.get(answer.headers["location"], headers=basic("pvk"))).status_code
