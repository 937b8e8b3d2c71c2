"""Campaigns over HTTP: written, looked at and run with the secret key, by their own retailer alone."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from domain.errors import PortError
from domain.ports.budget_ledger import Ask
from domain.purse import Amounts, Balance, CampaignKey
from domain.timestamps import rfc3339
from gateway.app import Gateway
from tests.gateway.desk import AFTER, BEFORE, PASTA, WITHIN, Desk
from tests.gateway.standing import ORIGIN, Standing, digest

DAY_MS = 86_400_000


async def test_a_campaign_is_written_and_read(desk: Desk) -> None:
    """What was posted comes back as it was, as a draft of version 1; the address says where."""
    answer = await desk.ask("POST", "", PASTA | {"campaign_id": "pasta"})
    assert (201, "/v1/campaigns/pasta") == (answer.status_code, answer.headers["location"])
    read = (await desk.ask("GET", "/pasta")).json()
    status = read.pop("status")
    assert {"campaign_id": "pasta", "version": 1} | PASTA == read
    assert ("draft", "draft") == (status["state"], status["stage"])
    assert (100_000, 2_000, 0, 0, 0) == tuple(
        status[name] for name in ("budget_minor", "budget_count", "leased_minor", "reserved_minor", "committed_minor")
    )


async def test_an_id_is_made_from_the_name(desk: Desk) -> None:
    """People recognise it, and two campaigns of one name don't meet."""
    ids = {(await desk.ask("POST", "", PASTA)).json()["campaign_id"] for _ in range(2)}
    assert 2 == len(ids)
    assert {"creme-fraiche-10"} == {campaign_id.rpartition("-")[0] for campaign_id in ids}


@pytest.mark.parametrize("campaign_id", ["a/b", "a/pause", "100 %", "crème", "?now=1", "...", "x" * 128, "history"])
async def test_any_printable_id_has_an_address(desk: Desk, campaign_id: str) -> None:
    """Slashes, percent signs and words of the interface in an id lead to that campaign and nowhere else."""
    answer = await desk.ask("POST", "", PASTA | {"campaign_id": campaign_id})
    path = answer.headers["location"].removeprefix("/v1/campaigns")
    assert "/" + quote(campaign_id, safe="") == path
    assert campaign_id == (await desk.ask("GET", path)).json()["campaign_id"]
    assert "scheduled" == (await desk.ask("POST", f"{path}/schedule")).json()["status"]["stage"]
    assert 2 == len((await desk.ask("GET", f"{path}/history")).json()["history"])


async def test_the_list_is_short(desk: Desk) -> None:
    """Each campaign in few words, by id, at the stage it has at a moment."""
    await desk.made("b")
    await desk.made("a", name="Sauce")
    await desk.ask("POST", "/a/schedule")
    listed = (await desk.ask("GET", "", now=WITHIN)).json()["campaigns"]
    assert [("a", "Sauce", "live", 2), ("b", PASTA["name"], "draft", 1)] == [
        (one["campaign_id"], one["name"], one["stage"], one["version"]) for one in listed
    ]
    assert {"personalised_promotion"} == {one["kind"] for one in listed}
    assert [100_000, 100_000] == [one["budget_minor"] for one in listed]


async def test_a_campaigns_life(desk: Desk) -> None:
    """From draft to ended, and at any moment asked; what can't be done from where it stands is refused."""
    await desk.made()
    assert "draft" == await desk.stage("pasta", now=WITHIN)
    assert (200, "scheduled") == await _moved(desk, "schedule")
    assert ["scheduled", "live", "ended"] == [await desk.stage("pasta", now=now) for now in (BEFORE, WITHIN, AFTER)]
    assert (200, "paused") == await _moved(desk, "pause")
    assert "paused" == await desk.stage("pasta", now=WITHIN)
    assert (409, "wrong_stage") == await _moved(desk, "schedule")
    assert (200, "scheduled") == await _moved(desk, "resume")
    assert (200, "ended") == await _moved(desk, "end")
    refused = await desk.ask("POST", "/pasta/resume")
    assert (409, "wrong_stage", "pasta is ended: resume needs one that is paused") == (
        refused.status_code,
        refused.json()["error"],
        refused.json()["detail"],
    )


async def _moved(desk: Desk, verb: str) -> tuple[int, str]:
    """Moves the campaign on; gives the status, and its stage or the error."""
    answer = await desk.ask("POST", f"/pasta/{verb}")
    body = answer.json()
    return answer.status_code, body["error"] if "error" in body else body["status"]["stage"]


async def test_the_history_names_who_did_what(desk: Desk, standing: Standing) -> None:
    """Every version stays, with the first digits of the key's digest, and only what it changed."""
    made = await desk.made()
    changed = made | {"percent": {"usual": 15}}
    del changed["products"]
    await desk.ask("PUT", "/pasta", changed)
    await desk.ask("POST", "/pasta/schedule")
    lines = (await desk.ask("GET", "/pasta/history")).json()["history"]
    assert ["create", "change", "schedule"] == [line["action"] for line in lines]
    assert [(1, "draft"), (2, "draft"), (3, "scheduled")] == [(line["version"], line["state"]) for line in lines]
    assert [PASTA, {"products": None, "percent": {"usual": 15}}, {}] == [line["changed"] for line in lines]
    by = {line["by"] for line in lines}
    assert {f"key {digest(standing.shop.secret_key)[:8]}"} == by


async def test_who_was_slower_is_told(desk: Desk) -> None:
    """A change needs the version that was read; somebody else's change in between is not overwritten."""
    made = await desk.made()
    first = await desk.ask("PUT", "/pasta", made | {"name": "First"})
    assert (200, 2, "First") == (first.status_code, first.json()["version"], first.json()["name"])
    second = await desk.ask("PUT", "/pasta", made | {"name": "Second"})
    assert (409, "changed_meanwhile", "$.version") == (
        second.status_code,
        second.json()["error"],
        second.json()["path"],
    )
    without = await desk.ask("PUT", "/pasta", PASTA)
    assert (400, "$.version", "missing, the version that was read") == (
        without.status_code,
        without.json()["path"],
        without.json()["detail"],
    )
    assert "First" == (await desk.ask("GET", "/pasta")).json()["name"]


async def test_of_two_at_once_one_wins(desk: Desk) -> None:
    """Whoever comes second loses in the store itself, whatever was read before."""
    made = await desk.made()
    answers = await asyncio.gather(*(desk.ask("PUT", "/pasta", made | {"name": f"n{n}"}) for n in range(4)))
    assert [200, 409, 409, 409] == sorted(answer.status_code for answer in answers)
    assert {"changed_meanwhile"} == {answer.json()["error"] for answer in answers if answer.status_code == 409}
    posted = await asyncio.gather(*(desk.ask("POST", "", PASTA | {"campaign_id": "one"}) for _ in range(4)))
    assert [201, 409, 409, 409] == sorted(answer.status_code for answer in posted)
    assert {("campaign_exists", "$.campaign_id")} == {
        (answer.json()["error"], answer.json()["path"]) for answer in posted if answer.status_code == 409
    }


async def test_a_scheduled_campaign_keeps_what_was_measured(desk: Desk) -> None:
    """Its budget may be raised; its kind, holdout and start stay, and each fault is told."""
    made = await desk.made()
    version = (await desk.ask("POST", "/pasta/schedule")).json()["version"]
    raised = await desk.ask("PUT", "/pasta", made | {"version": version, "budget": {"money_minor": 200_000}})
    assert (200, 200_000, None) == (
        raised.status_code,
        raised.json()["status"]["budget_minor"],
        raised.json()["status"]["budget_count"],
    )
    wrong = made | {"version": version + 1, "holdout_ppm": 5, "starts_at": WITHIN.replace("06-03", "06-04")}
    refused = await desk.ask("PUT", "/pasta", wrong)
    assert (409, "wrong_stage") == (refused.status_code, refused.json()["error"])
    assert ["$.holdout_ppm", "$.starts_at"] == [fault["path"] for fault in refused.json()["faults"]]


async def test_a_budget_is_not_taken_back_from_partitions(desk: Desk, standing: Standing) -> None:
    """What partitions hold leases of can't be cut; how far it can is told."""
    made = await desk.made()
    version = (await desk.ask("POST", "/pasta/schedule")).json()["version"]
    key = CampaignKey(standing.shop.retailer.retailer_id, "pasta")
    await standing.ports.ledger.settle(0, 1, [Ask(key, Balance(), Amounts(60_000, 100))], partitions=1)
    less = made | {"version": version, "budget": {"money_minor": 50_000, "count": 2_000}}
    for query in ({}, {"dry_run": "true"}):
        answer = await desk.ask("PUT", "/pasta", less, **query)
        faults = answer.json()["faults"]
        assert ["$.budget.money_minor"] == [fault["path"] for fault in faults]
        assert "60000" in faults[0]["detail"]
    refused = await desk.ask("PUT", "/pasta", less)
    assert (409, "budget_leased") == (refused.status_code, refused.json()["error"])
    status = (await desk.ask("GET", "/pasta")).json()["status"]
    assert (60_000, 100_000) == (status["leased_minor"], status["budget_minor"])


async def test_another_retailers_campaign_is_not_there(desk: Desk, standing: Standing) -> None:
    """Neither seen, nor changed, nor run, nor in the way: each retailer has ids of its own."""
    made = await desk.made()
    other = Desk(standing, standing.other)
    for method, path, body in (
        ("GET", "/pasta", None),
        ("PUT", "/pasta", made),
        ("GET", "/pasta/history", None),
        *(("POST", f"/pasta/{verb}", None) for verb in ("schedule", "pause", "resume", "end")),
    ):
        answer = await other.ask(method, path, body)
        assert (404, "unknown_campaign") == (answer.status_code, answer.json()["error"])
    assert [] == (await other.ask("GET", "")).json()["campaigns"]
    await other.made("pasta", name="Theirs")
    assert PASTA["name"] == (await desk.ask("GET", "/pasta")).json()["name"]


ROUTES = [
    ("GET", ""),
    ("POST", ""),
    ("GET", "/pasta"),
    ("PUT", "/pasta"),
    ("GET", "/pasta/history"),
    *(("POST", f"/pasta/{verb}") for verb in ("schedule", "pause", "resume", "end")),
]


async def test_the_secret_key_alone_opens_it(standing: Standing, desk: Desk) -> None:
    """No key is 401; the write key, or a page, is 403; nothing is told of what there is, and nothing done."""
    shop = standing.shop
    await desk.made()
    for method, path in ROUTES:
        for headers, status, error in (
            ({}, 401, "unauthorized"),
            (shop.write, 403, "key_not_allowed"),
            (shop.secret | {"origin": ORIGIN}, 403, "secret_key_in_browser"),
        ):
            answer = await standing.http.request(method, f"/v1/campaigns{path}", json=PASTA, headers=headers)
            assert (method, path, status, error) == (method, path, answer.status_code, answer.json()["error"])
    assert 1 == len((await desk.ask("GET", "/pasta/history")).json()["history"])


async def test_what_is_not_there(desk: Desk) -> None:
    """Other methods say which there are; other paths, and ids that nobody has, are 404."""
    for method, path, status, allow in (
        ("DELETE", "/pasta", 405, "GET, PUT"),
        ("PUT", "", 405, "GET, POST"),
        ("GET", "/pasta/pause", 405, "POST"),
        ("POST", "/pasta/history", 405, "GET"),
        ("GET", "/", 404, None),
        ("GET", "/pasta/", 404, None),
        ("POST", "/pasta/delete", 404, None),
        ("GET", "/pasta/history/1", 404, None),
        ("GET", "/%ff", 404, None),
        ("GET", "/pasta", 404, None),
    ):
        answer = await desk.ask(method, path)
        assert (method, path, status, allow) == (method, path, answer.status_code, answer.headers.get("allow"))


class Away:
    """A control plane that can't be reached."""

    async def _fail(self, *_: object) -> Any:
        raise PortError("Postgres is away", retriable=True)

    get = listed = history = put = totals = _fail


async def test_a_store_that_is_away(standing: Standing) -> None:
    """503 says when to come back, and nothing of what is behind."""
    away: Any = Away()
    gateway = Gateway(standing.stores()._replace(campaigns=away, ledger=away), standing.keys, standing.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway") as http:
        for method, path in ROUTES:
            more: dict[str, Any] = {"json": PASTA} if (method, path) in (("POST", ""), ("PUT", "/pasta")) else {}
            answer = await http.request(method, f"/v1/campaigns{path}", headers=standing.shop.secret, **more)
            assert (503, "store_unavailable", "1") == (
                answer.status_code,
                answer.json()["error"],
                answer.headers["retry-after"],
            )
            assert "Postgres" not in answer.text


async def test_a_gateway_without_campaigns(standing: Standing) -> None:
    """Without the ports there is no such path."""
    gateway = Gateway(standing.stores()._replace(campaigns=None), standing.keys, standing.settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway") as http:
        answers = [await http.get(f"/v1/campaigns{path}", headers=standing.shop.secret) for path in ("", "/pasta")]
    assert [404, 404] == [answer.status_code for answer in answers]


async def test_now_is_the_gateways_clock(desk: Desk, standing: Standing) -> None:
    """Without `now` the stage is that of this moment."""
    await desk.made(
        starts_at=rfc3339(standing.clock.now_ms() + DAY_MS), ends_at=rfc3339(standing.clock.now_ms() + 2 * DAY_MS)
    )
    await desk.ask("POST", "/pasta/schedule")
    stages = [await desk.stage("pasta")]
    for _ in range(2):
        standing.clock.shift_ms += DAY_MS + 1_000
        stages.append(await desk.stage("pasta"))
    assert ["scheduled", "live", "ended"] == stages
