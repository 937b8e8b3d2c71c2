"""`Prefer: wait`: the answer that carries what the events brought, for those who may see it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gateway.waits import read_prefer
from tests.gateway.conftest import Stand
from tests.gateway.standing import Standing, added, until

WAIT = {"prefer": "wait=2"}


@pytest.fixture
async def working(standing: Standing) -> Standing:
    """A gateway with a worker."""
    await standing.work()
    return standing


async def test_the_secret_key_sees_what_its_events_brought(working: Standing) -> None:
    """A server gets the experiences that its events triggered, of every shopper among them, in order."""
    events = [added("pasta", "c-1"), added("wine", "c-2"), added("bread", "c-3"), added("cheese", "c-1")]
    answer = await working.post({"events": events}, WAIT | working.shop.secret)
    shown = answer.json()["experiences"]
    assert sorted([events[0]["event_id"], events[1]["event_id"], events[3]["event_id"]]) == sorted(
        one["trigger_event_id"] for one in shown
    )
    assert ["sauce", "cheese"] == [one["node_id"] for one in shown if one["slot"] == "main"]


async def test_a_token_sees_its_own_shopper(working: Standing) -> None:
    """With the write key and a token only that shopper's experiences are in the answer."""
    token = {"x-hotbasket-subscription": await working.subscription("c-1")}
    events = [added("pasta", "c-1"), added("pasta", "c-2")]
    answer = await working.post({"events": events}, WAIT | token | working.shop.write)
    assert [events[0]["event_id"]] == [one["trigger_event_id"] for one in answer.json()["experiences"]]
    other = await working.post(added("pasta", "c-3"), WAIT | token | working.shop.write)
    assert [] == other.json()["experiences"]


async def test_the_write_key_alone_sees_nothing(working: Standing) -> None:
    """Anybody has the write key: its answer waits, and leaves the experiences out."""
    answer = await working.post(added("pasta"), WAIT | working.shop.write)
    assert {"results"} == set(answer.json())
    assert 1 == working.counted("processed_events_total", type="AddedToBasket")


async def test_events_that_bring_nothing_end_the_wait_too(working: Standing) -> None:
    """The wait ends when the events are processed; what they brought may be nothing."""
    started_s = time.monotonic()
    answer = await working.post(added("bread"), WAIT | working.shop.secret)
    assert [] == answer.json()["experiences"]
    assert time.monotonic() - started_s < 1.9


async def test_a_repeat_gets_what_the_first_brought(working: Standing) -> None:
    """A retry whose first answer was lost gets the same experience."""
    event = added("pasta")
    answers = [(await working.post(event, WAIT | working.shop.secret)).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert 1 == len(answers[0]["experiences"])


async def test_what_left_the_page_is_left_out(working: Standing) -> None:
    """An experience that the same request withdraws again is not in its answer."""
    events = [added("wine"), added("bread", quantity=60)]
    answer = await working.post({"events": events}, WAIT | working.shop.secret)
    assert [] == answer.json()["experiences"]


async def test_what_is_born_expired_is_left_out(working: Standing) -> None:
    """An event from long ago triggers, and nobody is shown what is over."""
    answer = await working.post(added("pasta", occurred_at="2020-01-01T00:00:00Z"), WAIT | working.shop.secret)
    assert [] == answer.json()["experiences"]
    assert 1 == working.counted("decided_experiences_total", kind="recommendation")


async def test_without_a_worker_the_wait_ends_by_itself(standing: Standing) -> None:
    """The events are stored whatever becomes of the wait."""
    answer = await standing.post(added("pasta"), {"prefer": "wait=0.1"} | standing.shop.secret)
    assert (200, []) == (answer.status_code, answer.json()["experiences"])
    assert 1 == len(await standing.stored_ids())


async def test_refused_events_have_nothing_to_wait_for(standing: Standing) -> None:
    """Where nothing was stored the answer comes at once."""
    answer = await standing.post(added(consent="denied"), WAIT | standing.shop.secret)
    assert ("dropped", []) == (answer.json()["results"][0]["status"], answer.json()["experiences"])


async def test_too_many_waits_are_answered_at_once(stand: Stand) -> None:
    """Beyond the bound a request is answered without its wait, and counted."""
    standing = await stand(waits_max=1, wait_max_s=30)
    first = asyncio.create_task(standing.post(added(), {"prefer": "wait=30"} | standing.shop.secret))

    async def waits() -> bool:
        return standing.gateway.waiting == 1

    await until(waits, "the first request waits")
    second = await standing.post(added(), {"prefer": "wait=30"} | standing.shop.secret)
    assert (200, []) == (second.status_code, second.json()["experiences"])
    assert 1 == standing.counted("waits_refused_total")
    assert not first.done()
    await standing.work()
    assert 200 == (await first).status_code


PREFERENCES: list[tuple[bytes, Any]] = [
    (b"wait=1", 1.0),
    (b"wait=0.25", 0.25),
    (b"wait=.5", 0.5),
    (b"wait=1.", 1.0),
    (b"wait=0", 0.0),
    (b"wait=99", 2.0),
    (b'wait="1"', 1.0),
    (b"Wait = 1", 1.0),
    (b"respond-async, wait=1", 1.0),
    (b"respond-async; x=1, wait=1; y", 1.0),
    (b"wait=1, wait=2", 1.0),
    (b"", None),
    (b"wait", None),
    (b"wait=", None),
    (b"wait=-1", None),
    (b"wait=1e3", None),
    (b"wait=soon", None),
    (b"await=1", None),
    (b"wait=1s", None),
    (b"wait=nan", None),
    (b"wait=" + b"9" * 400, None),
]


@pytest.mark.parametrize(("header", "seconds"), PREFERENCES)
def test_prefer_is_read_with_tolerance(header: bytes, seconds: float | None) -> None:
    """Decimals, quotes and neighbours are understood, too long a wait is clamped, anything else is no wish."""
    assert seconds == read_prefer(header, 2.0)
