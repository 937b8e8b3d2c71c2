"""Campaigns over HTTP before they are kept: faults, warnings, dry runs, and requests that mean nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.gateway.desk import AFTER, BEFORE, PASTA, STARTS, WITHIN, Desk
from tests.gateway.standing import Standing

MORNINGS: dict[str, Any] = {
    "hours": [{"from_time": "08:00", "until_time": "10:00"}],
    "weekdays": ["monday", "friday"],
    "time_zone": "Europe/Paris",
}


BAD: list[tuple[Mapping[str, Any], list[tuple[str, str]]]] = [
    (
        {"budget": {"money_minor": 0}},
        [("$.budget.money_minor", "expected 1 to 1,000,000,000,000,000 in minor units, found 0")],
    ),
    (
        {"budget": {"money_minor": -1}, "ends_at": STARTS},
        [
            ("$.budget.money_minor", "expected 1 to 1,000,000,000,000,000 in minor units, found -1"),
            ("$.ends_at", f'"{STARTS}" is not after starts_at, "{STARTS}"'),
        ],
    ),
    (
        {"budget": {"money_minor": 10**40}},
        [("$.budget.money_minor", f"expected 1 to 1,000,000,000,000,000 in minor units, found {10**40}")],
    ),
    (
        {"time_zone": "Mars/Base"},
        [("$.time_zone", '"Mars/Base" is no IANA time zone, give a name like Europe/Paris')],
    ),
    (
        {"percent": {"usual": 30, "at_most": 20}},
        [("$.percent.usual", "30 is above at_most 20")],
    ),
    ({"campaign_id": "*"}, [("$.campaign_id", '"*" stands for any campaign, choose another id')]),
    ({"campaign_id": ".."}, [("$.campaign_id", '".." is a step in an address, choose another id')]),
    ({"version": 1}, [("$.version", 'unknown field "version", known here are name, kind, starts_at, ends_at')]),
]


@pytest.mark.parametrize(("fields", "faults"), BAD)
@pytest.mark.parametrize("dry_run", ["true", "false"])
async def test_every_fault_is_told(
    desk: Desk, fields: Mapping[str, Any], faults: list[tuple[str, str]], dry_run: str
) -> None:
    """A bad campaign is refused with each fault and its place; a dry run tells the same, and neither writes."""
    answer = await desk.ask("POST", "", {**PASTA, **fields}, dry_run=dry_run)
    body = answer.json()
    for (path, detail), fault in zip(faults, body["faults"], strict=True):
        assert path == fault["path"]
        assert fault["detail"].startswith(detail)
    if dry_run == "true":
        assert (200, None, True) == (answer.status_code, body["campaign"], body["dry_run"])
    else:
        assert (400, "invalid_campaign") == (answer.status_code, body["error"])
        assert (body["path"], body["detail"]) == (body["faults"][0]["path"], body["faults"][0]["detail"])
    assert [] == (await desk.ask("GET", "")).json()["campaigns"]


async def test_an_unknown_product_is_a_warning(desk: Desk) -> None:
    """The campaign is kept, and whoever wrote it is told which product the catalogue doesn't know."""
    made = await desk.made(products=["p-1", "p-9"])
    expected = [{"path": "$.products[1]", "detail": 'the catalogue knows no product "p-9"'}]
    assert expected == made["status"]["warnings"]
    tried = await desk.ask("POST", "", PASTA | {"products": ["p-1", "p-9"]}, dry_run="true")
    assert expected == tried.json()["warnings"]


async def test_a_dry_run_writes_nothing(desk: Desk) -> None:
    """Creating, changing and scheduling can be tried: the answer is as if, and nothing is different afterwards."""
    tried = (await desk.ask("POST", "", PASTA | {"campaign_id": "other"}, dry_run="true")).json()
    assert (True, [], [], "draft") == (
        tried["dry_run"],
        tried["faults"],
        tried["warnings"],
        tried["campaign"]["status"]["stage"],
    )
    assert None is tried["would_reach"]
    assert "hotbasket campaign dry-run" in tried["would_reach_note"]
    made = await desk.made()
    changed = (await desk.ask("PUT", "/pasta", made | {"name": "New"}, dry_run="true")).json()
    assert ("New", 2) == (changed["campaign"]["name"], changed["campaign"]["version"])
    scheduled = (await desk.ask("POST", "/pasta/schedule", dry_run="true", now=WITHIN)).json()
    assert "live" == scheduled["campaign"]["status"]["stage"]
    late = (await desk.ask("POST", "/pasta/schedule", dry_run="true", now=AFTER)).json()
    assert ([("$.ends_at", "pasta would be over already: give it a later end")], None) == (
        [(fault["path"], fault["detail"]) for fault in late["faults"]],
        late["campaign"],
    )
    assert 1 == len((await desk.ask("GET", "/pasta/history")).json()["history"])
    assert ["pasta"] == [one["campaign_id"] for one in (await desk.ask("GET", "")).json()["campaigns"]]


async def test_a_dry_run_shows_the_week_to_come(desk: Desk) -> None:
    """Who of the same kind is open when, in the order in which they win; nothing that is paused."""
    await desk.made("rival", priority=5, ends_at="2030-06-05T00:00:00Z")
    await desk.made("paused", priority=9)
    await desk.made("other", kind="recommendation", percent=None, max_discount_minor=None, budget=None)
    for campaign_id in ("rival", "paused", "other"):
        assert 200 == (await desk.ask("POST", f"/{campaign_id}/schedule")).status_code
    await desk.ask("POST", "/paused/pause")
    tried = await desk.ask("POST", "", PASTA | MORNINGS | {"campaign_id": "mine"}, dry_run="true", now=BEFORE)
    week = tried.json()["open_next_7_days"]
    assert [("rival", False, 5), ("mine", True, 0)] == [
        (one["campaign_id"], one["is_this"], one["priority"]) for one in week
    ]
    assert [{"from": "2030-06-03T06:00:00.000Z", "until": "2030-06-05T00:00:00.000Z"}] == week[0]["open"]
    assert [
        {"from": "2030-06-03T06:00:00.000Z", "until": "2030-06-03T08:00:00.000Z"},
        {"from": "2030-06-07T06:00:00.000Z", "until": "2030-06-07T08:00:00.000Z"},
    ] == week[1]["open"]


@pytest.mark.parametrize(
    ("method", "path", "query", "named"),
    [
        ("POST", "", {"dryrun": "true"}, "?dryrun"),
        ("POST", "", {"dry_run": "yes"}, "?dry_run"),
        ("POST", "", {"now": WITHIN}, "?now"),
        ("GET", "", {"now": "yesterday"}, "?now"),
        ("GET", "", {"now": "2030-06-03T06:00:00"}, "?now"),
        ("GET", "", {"now": "9999-12-31T23:59:59-14:00"}, "?now"),
        ("GET", "", {"now": "0001-01-01T00:00:00+14:00"}, "?now"),
        ("GET", "/pasta", {"dry_run": "true"}, "?dry_run"),
        ("POST", "/pasta/pause", {"now": WITHIN, "dry_run": "false"}, "?now"),
    ],
)
async def test_a_query_that_means_nothing(
    desk: Desk, method: str, path: str, query: dict[str, str], named: str
) -> None:
    """What is misspelt could write what was to be tried: it is refused, and nothing is done."""
    await desk.made()
    answer = await desk.ask(method, path, PASTA if method == "POST" and not path else None, **query)
    assert (400, "invalid_parameter", named) == (answer.status_code, answer.json()["error"], answer.json()["path"])
    assert 1 == len((await desk.ask("GET", "")).json()["campaigns"])
    assert "draft" == await desk.stage("pasta")


async def test_a_zone_in_an_address_may_be_plain(standing: Standing, desk: Desk) -> None:
    """The plus sign of a zone that nobody encoded is understood all the same."""
    await desk.made()
    await desk.ask("POST", "/pasta/schedule")
    answer = await standing.http.get("/v1/campaigns/pasta?now=2030-06-03T08:00:00+02:00", headers=standing.shop.secret)
    assert ("live", "2030-06-03T06:00:00.000Z") == (
        answer.json()["status"]["stage"],
        answer.json()["status"]["as_of"],
    )


@pytest.mark.parametrize(
    ("content", "headers", "status", "error"),
    [
        (b"", {}, 400, "empty_body"),
        (b"{", {}, 400, "invalid_json"),
        (b"[]", {}, 400, "not_an_object"),
        (b'{"name": "\xff"}', {}, 400, "invalid_utf8"),
        (b'{"a":' * 60_000 + b"1" + b"}" * 60_000, {}, 413, "body_too_large"),
        (b'{"a":' * 30_000 + b"1" + b"}" * 30_000, {}, 400, "too_deep"),
        (b"{}", {"content-type": "text/html"}, 415, "unsupported_content_type"),
        (b"{}" + b" " * 262_144, {}, 413, "body_too_large"),
    ],
)
async def test_a_body_that_is_none(
    standing: Standing, content: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    """What can't be read is refused as everywhere."""
    sent = {"content-type": "application/json"} | standing.shop.secret | headers
    answer = await standing.http.post("/v1/campaigns", content=content, headers=sent)
    assert (status, error) == (answer.status_code, answer.json()["error"])


async def test_a_verb_takes_no_fields(desk: Desk) -> None:
    """Whoever sends a wish with a verb expects what would not happen; an empty object is nothing."""
    await desk.made()
    refused = await desk.ask("POST", "/pasta/schedule", {"dry_run": True})
    assert (400, "unknown_field") == (refused.status_code, refused.json()["error"])
    assert "draft" == await desk.stage("pasta")
    assert 200 == (await desk.ask("POST", "/pasta/schedule", {})).status_code
