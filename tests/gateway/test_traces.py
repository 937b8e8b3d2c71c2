"""One event's trace: from the header through the record to the experience, and the lines that tell of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from domain.traces import traceparent
from tests.gateway.conftest import Stand
from tests.gateway.page import listening
from tests.gateway.standing import Standing, added, until

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SHOPPER = "c-1842"


def sent(flags: str = "01") -> dict[str, str]:
    """The header of a traced request."""
    return {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-{flags}"}


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of the lines about traces."""
    usual = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
    lines = [line for line in caplog.records if line.name == "hotbasket.trace"]
    return [{name: value for name, value in vars(line).items() if name not in usual} for line in lines]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The log of what hotbasket says, from INFO on."""
    caplog.set_level(logging.INFO, logger="hotbasket")
    return caplog


async def test_a_request_names_the_trace_of_all_its_events(standing: Standing) -> None:
    """One header, one trace; a header that is not in form is passed over, and refuses nothing."""
    answer = await standing.post({"events": [added(), added("wine")]}, sent() | standing.shop.write)
    assert 200 == answer.status_code
    for headers in (sent("1"), {"traceparent": "nonsense"}, {}):
        assert 200 == (await standing.post(added(), headers | standing.shop.write)).status_code
    assert [f"{TRACE_ID}-01"] * 2 + [""] * 3 == [record.trace for record in await standing.stored()]


async def test_an_experience_goes_on_with_its_trace(standing: Standing) -> None:
    """On the stream, in an answer, and after a resume from the snapshot: the same trace, a span of its own."""
    await standing.work()
    address, token = await standing.listen(), await standing.subscription(SHOPPER)
    async with listening(address, token) as page:
        await standing.post(added("wine"), sent("00") | standing.shop.write)
        first = await page.experience()
        await standing.post(added("bread"))
        again = await page.experience()
    assert traceparent(f"{TRACE_ID}-00", first["experience_id"]) == first["traceparent"]
    assert ("basket_tension", False) == (again["kind"], "traceparent" in again)
    answer = await standing.post(added("pasta", "c-2"), {"prefer": "wait=2"} | sent() | standing.shop.secret)
    (shown,) = answer.json()["experiences"]
    assert traceparent(f"{TRACE_ID}-01", shown["experience_id"]) == shown["traceparent"]

    async def is_saved() -> bool:
        return standing.key("c-2") in await standing.ports.snapshots.load([standing.key("c-2")])

    await until(is_saved, "the shopper is saved")
    # So much later the gateway's own memory has nothing of it, and the snapshot alone is asked.
    standing.clock.ahead_s += 100
    await standing.post(added("wine", "c-3"), {"prefer": "wait=2"} | standing.shop.secret)
    assert 1 == standing.gateway.remembered
    async with listening(address, await standing.subscription("c-2")) as page:
        assert shown == await page.experience()


async def test_a_sampled_event_leaves_a_line_a_step(standing: Standing, lines: pytest.LogCaptureFixture) -> None:
    """Stored, decided, delivered: by event id and trace id, in milliseconds since it was received; no shopper."""
    await standing.work()
    address, token = await standing.listen(), await standing.subscription(SHOPPER)
    event = added("pasta")
    async with listening(address, token) as page:
        await standing.post(event, sent() | standing.shop.write)
        shown = await page.experience()
    found = told(lines)
    assert sorted(["stored", "decided", "delivered"]) == sorted(line["what"] for line in found)
    assert {(event["event_id"], TRACE_ID)} == {(line["event_id"], line["trace_id"]) for line in found}
    assert all(0 <= line["ms"] < 60_000 for line in found)
    by_step = {line["what"]: line for line in found}
    assert (0, 0) == (by_step["stored"]["partition"], by_step["stored"]["offset"])
    assert (1, "sauce") == (by_step["decided"]["experiences"], by_step["decided"]["node_id"])
    assert shown["experience_id"] == by_step["delivered"]["experience_id"]
    key = standing.key(SHOPPER)
    assert [False, False] == [name in repr(found) for name in (SHOPPER, key.shopper)]


async def test_what_nobody_samples_leaves_no_line(standing: Standing, lines: pytest.LogCaptureFixture) -> None:
    """With the flag down, or without a trace, the log is silent."""
    await standing.work()
    for headers in (sent("00"), {}):
        answer = await standing.post(added(), headers | {"prefer": "wait=2"} | standing.shop.secret)
        assert 1 == len(answer.json()["results"])
    assert [] == told(lines)


async def test_nobody_floods_the_log(stand: Stand, lines: pytest.LogCaptureFixture) -> None:
    """Beyond so many lines a second none is written; the next one says how many were not."""
    standing = await stand(trace_lines_per_s=2)
    await standing.post({"events": [added() for _ in range(5)]}, sent() | standing.shop.write)
    assert 2 == len(told(lines))
    standing.clock.ahead_s += 1
    await standing.post(added(), sent() | standing.shop.write)
    assert [None, None, 3] == [line.get("suppressed") for line in told(lines)]
    silent = await stand(trace_lines_per_s=0)
    await silent.post(added(), sent() | silent.shop.write)
    assert 3 == len(told(lines))
