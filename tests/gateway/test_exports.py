"""Exports at the gateway: asked for, made, fetched one by one, and every way in which that is refused."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.errors import PortError
from domain.ids import shopper_digest
from domain.ports.exports import Export
from gateway.app import Gateway
from gateway.exports import AT_ONCE_MAX
from tests.gateway.standing import Shop, Standing, added, until
from tests.gateway.test_app import client
from tests.gateway.test_privacy import PATH, asked, worked

DAY_MS = 86_400_000


async def fetched(standing: Standing, request_id: str, shopper_id: str, shop: Shop | None = None) -> httpx.Response:
    """Fetches one document."""
    return await standing.ask(f"{PATH}/{request_id}/export", shopper_id, (shop or standing.shop).secret)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """What was said instead."""
    return answer.status_code, answer.json()["error"]


async def test_a_document_is_asked_for_and_fetched(standing: Standing) -> None:
    """It holds what the shopper did and nobody else's doing; who fetched it stands in the trail, without the id."""
    await standing.post({"events": [added("quillonaut", "c-7"), added("stayer", "c-8")]})
    answer = await asked(standing, "export", "c-7", "c-never-seen")
    told = answer.json()
    assert (202, "open", "stores", 0, None) == (
        answer.status_code,
        *(told[name] for name in ("state", "waits_for", "documents_ready", "expires_at")),
    )
    request_id = told["request_id"]
    assert (409, "not_made_yet") == refusal(await fetched(standing, request_id, "c-7"))
    await worked(standing)
    told = (await standing.http.get(answer.headers["location"], headers=standing.shop.secret)).json()
    assert ("done", None, 2) == tuple(told[name] for name in ("state", "waits_for", "documents_ready"))
    assert told["expires_at"] > told["done_at"]
    document = await fetched(standing, request_id, "c-7")
    assert (200, "no-store") == (document.status_code, document.headers["cache-control"])
    assert standing.key("c-7").shopper == document.json()["shopper"]
    assert ["p-quillonaut"] == [one["event"]["product"]["product_id"] for one in document.json()["events"]["held"]]
    assert "stayer" not in document.text
    stranger = (await fetched(standing, request_id, "c-never-seen")).json()
    assert (None, []) == (stranger["state"]["held"], stranger["events"]["held"])
    entries = await standing.ports.audit.read("r-shop", 0, 10)
    digest = shopper_digest(standing.ports.identity.privacy_key("r-shop"), standing.key("c-7").shopper)
    assert [("privacy.export", "refused"), ("privacy.export", "done")] == [
        (one.action, one.outcome) for one in entries if one.target == digest
    ]
    assert "c-7" not in str(entries)


async def test_what_is_kept_holds_neither_hash_nor_words(standing: Standing) -> None:
    """The store's bytes can't be read; the list of suppressed shoppers stays as it was."""
    before = standing.ports.privacy.suppressed()
    await standing.post(added("quillonaut", "c-7"))
    request_id = (await asked(standing, "export", "c-7")).json()["request_id"]
    await worked(standing)
    (made,) = await standing.ports.exports.made(request_id)
    kept = await standing.ports.exports.get("r-shop", request_id, made.digest)
    assert kept is not None
    hashed = standing.key("c-7").shopper
    needles = (b"quillonaut", b"c-7", hashed.encode(), bytes.fromhex(hashed), b"events")
    assert [] == [needle for needle in needles if needle in kept.sealed]
    assert before is standing.ports.privacy.suppressed()


async def test_who_is_not_of_the_request_is_not_told(standing: Standing) -> None:
    """Another shopper, another retailer, another kind of request, and one that nobody made: 404."""
    request_id = (await asked(standing, "export", "c-7")).json()["request_id"]
    objection = (await asked(standing, "suppress", "c-7")).json()["request_id"]
    await worked(standing)
    assert (404, "unknown_shopper") == refusal(await fetched(standing, request_id, "c-8"))
    unknown = (404, "unknown_request")
    assert unknown == refusal(await fetched(standing, request_id, "c-7", standing.other))
    assert unknown == refusal(await fetched(standing, objection, "c-7"))
    assert unknown == refusal(await fetched(standing, str(uuid4()), "c-7"))
    nothing = await standing.ask(f"{PATH}/{request_id}/import", "c-7")
    assert (404, "not_found") == refusal(nothing)
    wrong = await standing.http.get(f"{PATH}/{request_id}/export", headers=standing.shop.secret)
    assert (405, "POST") == (wrong.status_code, wrong.headers["allow"])


async def test_a_document_whose_time_is_over_is_gone(standing: Standing) -> None:
    """From its moment on, whether or not it was removed by then."""
    request_id = (await asked(standing, "export", "c-7")).json()["request_id"]
    await worked(standing)
    standing.clock.shift_ms += 7 * DAY_MS
    assert (410, "expired_export") == refusal(await fetched(standing, request_id, "c-7"))
    standing.clock.ahead_s += 60
    await worked(standing)
    assert (410, "expired_export") == refusal(await fetched(standing, request_id, "c-7"))
    told = (await standing.http.get(f"{PATH}/{request_id}", headers=standing.shop.secret)).json()
    assert ("done", 0, None) == tuple(told[name] for name in ("state", "documents_ready", "expires_at"))


async def test_a_document_of_somebody_erased_is_gone(standing: Standing) -> None:
    """404, which says so."""
    request_id = (await asked(standing, "export", "c-7")).json()["request_id"]
    await worked(standing)
    (made,) = await standing.ports.exports.made(request_id)
    await standing.ports.exports.forget("r-shop", [made.digest])
    answer = await fetched(standing, request_id, "c-7")
    assert (404, "unknown_shopper", True) == (*refusal(answer), "erased" in answer.json()["detail"])


@pytest.mark.parametrize(
    ("body", "error", "path"),
    [
        ("", "empty_body", None),
        ("[]", "not_an_object", None),
        ("{}", "missing_field", "$.shopper_id"),
        ('{"shopper_id": 7}', "invalid_value", "$.shopper_id"),
        ('{"shopper_id": "ann@example.org"}', "personal_data", "$.shopper_id"),
        ('{"shopper_id": "c-7", "format": "pdf"}', "unknown_field", "$.format"),
    ],
)
async def test_what_can_not_be_asked(standing: Standing, body: str, error: str, path: str | None) -> None:
    """What is wrong is told with its path, and nobody stands in the trail."""
    headers = {**standing.shop.secret, "content-type": "application/json"}
    answer = await standing.http.post(f"{PATH}/{uuid4()}/export", content=body, headers=headers)
    told = answer.json()
    assert (400, error, path) == (answer.status_code, told["error"], told.get("path"))
    assert [] == list(await standing.ports.audit.read("r-shop", 0, 10))


class Away:
    """Exports that can't be read."""

    async def get(self, *_: object) -> None:
        """Fails, as a port does."""
        raise PortError("Postgres at 10.0.0.7:5432/control: it can't be used now", retriable=True)


async def test_a_store_that_is_away_gives_nothing(standing: Standing) -> None:
    """503, with a hint to come again."""
    request_id = (await asked(standing, "export", "c-7")).json()["request_id"]
    gateway = Gateway(standing.stores()._replace(exports=Away()), standing.keys, standing.settings)  # type: ignore[arg-type]
    async with client(gateway) as http:
        body: Any = {"shopper_id": "c-7"}
        answer = await http.post(f"{PATH}/{request_id}/export", json=body, headers=standing.shop.secret)
    assert (503, "requests_unavailable") == refusal(answer)
    assert "10.0.0.7" not in answer.text


async def test_few_documents_are_on_their_way_at_once(standing: Standing) -> None:
    """Who reads slowly is told to read first, and another retailer is not meant."""
    request_id = (await asked(standing, "export", "c-7")).json()["request_id"]
    await worked(standing)
    (made,) = await standing.ports.exports.made(request_id)
    kept = await standing.ports.exports.get("r-shop", request_id, made.digest)
    assert kept is not None
    document: Export = kept
    held, waiting = asyncio.Event(), 0

    class Slow:
        async def get(self, *_: object) -> Export:
            nonlocal waiting
            waiting += 1
            await held.wait()
            return document

    gateway = Gateway(standing.stores()._replace(exports=Slow()), standing.keys, standing.settings)  # type: ignore[arg-type]
    async with client(gateway) as http:

        async def fetch() -> httpx.Response:
            body = {"shopper_id": "c-7"}
            return await http.post(f"{PATH}/{request_id}/export", json=body, headers=standing.shop.secret)

        first = [asyncio.create_task(fetch()) for _ in range(AT_ONCE_MAX)]

        async def are_held() -> bool:
            return waiting == AT_ONCE_MAX

        await until(are_held, "as many as may be are in hand")
        assert (429, "rate_limited") == refusal(await fetch())
        held.set()
        assert [200] * AT_ONCE_MAX == [(await task).status_code for task in first]
        assert 200 == (await fetch()).status_code
    assert json.loads((await fetched(standing, request_id, "c-7")).text)
