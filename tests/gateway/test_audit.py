"""The audit trail: what leaves an entry, what leaves none, who reads it, and that nothing is told without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.errors import PortError
from domain.ids import shopper_digest
from domain.ports.audit_trail import AuditEntry
from gateway.app import Gateway
from tests.gateway.desk import PASTA, Desk
from tests.gateway.standing import Standing, added, basic, digest, until
from tests.gateway.test_app import client
from tests.gateway.test_claims import bytes_in

LOOKUP = "/v1/shoppers/lookup"


class Broken:
    """A trail that can't be used."""

    async def append(self, _: AuditEntry) -> None:
        """Fails, as a port does."""
        raise PortError("Postgres at 10.0.0.7:5432/control: it can't be used now", retriable=True)

    async def read(self, *_: object) -> list[AuditEntry]:
        """Fails, as a port does."""
        raise PortError("Postgres at 10.0.0.7:5432/control: it can't be used now", retriable=True)


class Away:
    """Snapshots that can't be read."""

    async def load(self, *_: object) -> Any:
        """Fails, as a port does."""
        raise PortError("ScyllaDB is away", retriable=True)


async def trail(standing: Standing, retailer_id: str = "r-shop") -> list[tuple[str, str | None, str]]:
    """Gives what the trail holds: action, target and outcome."""
    return [(one.action, one.target, one.outcome) for one in await standing.ports.audit.read(retailer_id, 0, 1_000)]


def target(standing: Standing, shopper_id: str) -> str:
    """Gives how the trail names a shopper."""
    return shopper_digest(standing.ports.identity.privacy_key("r-shop"), standing.key(shopper_id).shopper)


async def seen(standing: Standing, shopper_id: str) -> None:
    """Lets a shopper be seen, and saved."""
    await standing.work()
    await standing.post(added("pasta", shopper_id))

    async def is_saved() -> bool:
        key = standing.key(shopper_id)
        return key in await standing.ports.snapshots.load([key])

    await until(is_saved, "a checkpoint has the event")


async def test_a_lookup_leaves_an_entry(standing: Standing) -> None:
    """Who looked at whom, and when: by the key's name, and by a digest that is neither the id nor the hash."""
    await seen(standing, "loyalty-no-9")
    before_ms = standing.clock.now_ms()
    assert 200 == (await standing.ask(LOOKUP, "loyalty-no-9")).status_code
    (entry,) = await standing.ports.audit.read("r-shop", 0, 10)
    assert (f"key {digest(standing.shop.secret_key)[:8]}", "lookup", target(standing, "loyalty-no-9"), "done") == (
        entry.who,
        entry.action,
        entry.target,
        entry.outcome,
    )
    assert before_ms <= entry.at_ms <= standing.clock.now_ms()
    kept = str(entry)
    assert [] == [name for name in ("loyalty-no-9", standing.key("loyalty-no-9").shopper) if name in kept]


async def test_looking_in_vain_leaves_an_entry_too(standing: Standing) -> None:
    """A shopper never seen was asked for all the same; each retailer has a trail of its own."""
    assert 404 == (await standing.ask(LOOKUP, "loyalty-no-9")).status_code
    assert 404 == (await standing.ask(LOOKUP, "loyalty-no-9", standing.other.secret)).status_code
    assert [("lookup", target(standing, "loyalty-no-9"), "refused")] == await trail(standing)
    ((_, theirs, _),) = await trail(standing, "r-other")
    assert theirs != target(standing, "loyalty-no-9")


async def test_what_fails_leaves_an_entry(standing: Standing) -> None:
    """A lookup that the stores could not answer may have told something: it is kept as failed."""
    away: Any = Away()
    gateway = Gateway(standing.stores()._replace(snapshots=away), standing.keys, standing.settings)
    async with client(gateway) as http:
        answer = await http.post(LOOKUP, json={"shopper_id": "c-1"}, headers=standing.shop.secret)
    assert (503, "store_unavailable") == (answer.status_code, answer.json()["error"])
    assert [("lookup", target(standing, "c-1"), "failed")] == await trail(standing)


async def test_what_changes_a_campaign_leaves_an_entry(standing: Standing, desk: Desk) -> None:
    """From the draft to the end, by the campaign's id, in the order in which it was done; a draw that is shown too."""
    made = await desk.made()
    await desk.ask("PUT", "/pasta", {**made, "name": "Noodles"})
    for verb in ("schedule", "pause", "resume", "end"):
        await desk.ask("POST", f"/pasta/{verb}")
    await desk.ask("GET", "/pasta/draw")
    actions = ("create", "change", "schedule", "pause", "resume", "end")
    assert [
        *((f"campaigns.{action}", "pasta", "done") for action in actions),
        ("campaigns.draw", "pasta", "refused"),
    ] == await trail(standing)
    history = (await desk.ask("GET", "/pasta/history")).json()["history"]
    entries = await standing.ports.audit.read("r-shop", 0, 10)
    assert [line["by"] for line in history] == [one.who for one in entries[:-1]]


async def test_a_made_up_id_is_that_of_the_entry(standing: Standing, desk: Desk) -> None:
    """A campaign without an id is named by the one that it got."""
    made = (await desk.ask("POST", "", PASTA)).json()["campaign_id"]
    assert [("campaigns.create", made, "done")] == await trail(standing)


async def test_a_refused_change_leaves_an_entry(standing: Standing, desk: Desk) -> None:
    """An id that is taken, a document with faults, a stage that is wrong, a version that is old."""
    await desk.made()
    assert 409 == (await desk.ask("POST", "", PASTA | {"campaign_id": "pasta"})).status_code
    assert 400 == (await desk.ask("POST", "", PASTA | {"kind": "gift"})).status_code
    assert 409 == (await desk.ask("POST", "/pasta/resume")).status_code
    assert 409 == (await desk.ask("PUT", "/pasta", PASTA | {"version": 7})).status_code
    assert [
        ("campaigns.create", None, "refused"),
        ("campaigns.create", None, "refused"),
        ("campaigns.resume", "pasta", "refused"),
        ("campaigns.change", "pasta", "refused"),
    ] == (await trail(standing))[1:]


async def test_what_changes_nothing_leaves_no_entry(standing: Standing, desk: Desk) -> None:
    """Events, subscriptions, quotes, reading campaigns, dry runs, and whatever the door or the body turned away."""
    await desk.made()
    before = await trail(standing)
    await standing.post(added())
    await standing.subscription("c-1")
    quote = {"shopper_id": "c-1", "lines": []}
    assert 200 == (await standing.http.post("/v1/quotes", json=quote, headers=standing.shop.secret)).status_code
    for path in ("", "/pasta", "/pasta/history", "/rice"):
        await desk.ask("GET", path)
    assert 200 == (await desk.ask("POST", "/pasta/schedule", dry_run="true")).status_code
    assert 404 == (await desk.ask("POST", "/rice/end")).status_code
    assert 403 == (await standing.ask(LOOKUP, "c-1", standing.shop.write)).status_code
    assert 400 == (await standing.ask(LOOKUP, "")).status_code
    assert before == await trail(standing)


@pytest.mark.parametrize("is_there", [True, False])
async def test_nothing_is_told_without_an_entry(standing: Standing, is_there: bool) -> None:
    """A trail that can't be written, or is not there, refuses what has to be kept; events go on."""
    await seen(standing, "c-1")
    stores = standing.stores()._replace(audit=Broken() if is_there else None)
    gateway = Gateway(stores, standing.keys, standing.settings)
    async with client(gateway) as http:

        async def ask(path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
            return await http.post(path, json=body, headers=headers or standing.shop.secret)

        for path, body in ((LOOKUP, {"shopper_id": "c-1"}), ("/v1/campaigns", PASTA)):
            answer = await ask(path, body)
            assert (503, "audit_unavailable") == (answer.status_code, answer.json()["error"])
            assert {"error", "detail"} == set(answer.json())
            assert "10.0.0.7" not in answer.text
            assert "1" == answer.headers["retry-after"]
        assert 200 == (await ask("/v1/events", added(), standing.shop.write)).status_code
        answer = await http.get("/v1/audit", params={"since": "2026-01-01"}, headers=standing.shop.secret)
    expected = (503, "audit_unavailable") if is_there else (404, "not_found")
    assert expected == (answer.status_code, answer.json()["error"])
    assert (2 if is_there else 0) == standing.counted("gateway_errors_total", what="audit")


async def test_a_privacy_key_reads_the_trail(standing: Standing) -> None:
    """Its own retailer's, since a moment, oldest first, in slices that can be gone on from."""
    await standing.ports.retailers.rotate_key("r-shop", "privacy", digest("a-privacy-key"), old_until_ms=None)
    for number in range(3):
        await standing.ask(LOOKUP, f"c-{number}")
        standing.clock.shift_ms += 10
    await standing.ask(LOOKUP, "c-0", standing.other.secret)

    async def read(**params: str) -> Any:
        answer = await standing.http.get("/v1/audit", params=params, headers=basic("a-privacy-key"))
        assert 200 == answer.status_code, answer.text
        return answer.json()

    whole = await read(since="2020-01-01")
    assert (False, [target(standing, f"c-{number}") for number in range(3)]) == (
        whole["more"],
        [entry["target"] for entry in whole["entries"]],
    )
    assert {"at", "retailer_id", "who", "action", "target", "outcome"} == set(whole["entries"][0])
    first = await read(since="2020-01-01", limit="2")
    assert (True, whole["entries"][:2]) == (first["more"], first["entries"])
    rest = await read(since=first["entries"][-1]["at"].replace("Z", "+00:00"))
    assert (False, whole["entries"][1:]) == (rest["more"], rest["entries"])
    assert {"entries": [], "more": False} == await read(since="2090-01-01")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("", "?since"),
        ("since=", "?since"),
        ("since=yesterday", "?since"),
        ("since=2026-11-01T08:00:00", "?since"),
        ("since=2026-11-01&since=2026-11-02", "?since"),
        ("since=2026-11-01&limit=0", "?limit"),
        ("since=2026-11-01&limit=1001", "?limit"),
        ("since=2026-11-01&limit=%C2%B2", "?limit"),
        ("since=2026-11-01&limit=" + "9" * 5_000, "?limit"),
        ("since=2026-11-01&until=2026-11-02", "?until"),
    ],
)
async def test_a_question_that_is_wrong_is_told_where(standing: Standing, query: str, path: str) -> None:
    """Misspelt or implausible parameters are refused by name."""
    answer = await standing.http.get(f"/v1/audit?{query}", headers=standing.shop.secret)
    assert (400, "invalid_parameter", path) == (answer.status_code, answer.json()["error"], answer.json()["path"])


async def test_the_raw_id_is_nowhere_on_disk(standing: Standing, tmp_path: Path) -> None:
    """A lookup writes neither the id nor the hash, in no file; the keyed digest is written."""
    await standing.ask(LOOKUP, "loyalty-no-9")
    kept = b"".join(bytes_in(tmp_path).values())
    assert target(standing, "loyalty-no-9").encode() in kept
    names = ("loyalty-no-9", standing.key("loyalty-no-9").shopper)
    assert [] == [name for name in names if name.encode() in kept]
