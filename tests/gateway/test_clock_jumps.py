"""A wall clock that jumps: what was taken stays, what comes is taken and shown, and a shopper's time goes on."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.gateway.standing import Standing, added, until

HOUR_MS = 3_600_000
WAIT = {"prefer": "wait=20"}
each_way = pytest.mark.parametrize("jump_ms", [-HOUR_MS, HOUR_MS], ids=["back", "ahead"])


@pytest.fixture
async def working(standing: Standing) -> Standing:
    """A gateway with a worker."""
    await standing.work()
    return standing


async def shown(standing: Standing, event: Any) -> list[str]:
    """Posts an event as the shop's server does, and gives the nodes of what it brought to the page."""
    answer = await standing.post(event, WAIT | standing.shop.secret)
    assert (200, ["stored"]) == (answer.status_code, [one["status"] for one in answer.json()["results"]])
    return [one["node_id"] for one in answer.json()["experiences"]]


def now(standing: Standing, category: str) -> Any:
    """An event that happens now, by the gateway's clock, which is the shopper's too."""
    at = time.gmtime(standing.clock.now_ms() // 1_000)
    return added(category, occurred_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", at))


async def looked_up(standing: Standing, *products: str) -> Any:
    """What is known of the shopper, once a checkpoint has these products in the basket."""
    seen: list[Any] = []

    async def is_saved() -> bool:
        answer = await standing.ask("/v1/shoppers/lookup", "c-1842")
        seen.append(answer.json())
        lines = seen[-1]["basket"]["lines"] if answer.status_code == 200 else []
        return set(products) == {line["product_id"] for line in lines}

    await until(is_saved, f"a checkpoint has {products}")
    return seen[-1]


@pytest.mark.parametrize(
    ("jump_ms", "category", "node"),
    [(-HOUR_MS, "cheese", "cheese"), (HOUR_MS, "wine", "tension")],
    ids=["back", "ahead"],
)
async def test_events_and_experiences_go_on(working: Standing, jump_ms: int, category: str, node: str) -> None:
    """Events before, after and when it is put right are stored, and bring what they should; ahead is another visit."""
    assert ["sauce"] == await shown(working, now(working, "pasta"))
    working.clock.shift_ms += jump_ms
    assert [node] == await shown(working, now(working, category))
    assert await working.is_ready()
    working.clock.shift_ms -= jump_ms
    assert 200 == (await working.post(now(working, "bread"))).status_code
    await looked_up(working, "p-pasta", f"p-{category}", "p-bread")


@each_way
async def test_a_repeat_across_a_jump_is_absorbed(working: Standing, jump_ms: int) -> None:
    """What the tracker sends again is known by its id, whatever the clock says meanwhile."""
    event = now(working, "pasta")
    assert ["sauce"] == await shown(working, event)
    working.clock.shift_ms += jump_ms
    assert 200 == (await working.post(event)).status_code
    await shown(working, now(working, "bread"))
    lines = (await looked_up(working, "p-pasta", "p-bread"))["basket"]["lines"]
    assert [1, 1] == [line["quantity"] for line in lines]


async def test_a_shoppers_time_does_not_go_back(working: Standing) -> None:
    """After a jump back the visit is the one before, since the shopper's time is the latest that was seen."""
    await shown(working, now(working, "pasta"))
    before = (await looked_up(working, "p-pasta"))["session"]
    working.clock.shift_ms -= HOUR_MS
    await shown(working, now(working, "wine"))
    after = (await looked_up(working, "p-pasta", "p-wine"))["session"]
    assert (before["visits"], before["started_at"]) == (after["visits"], after["started_at"])


async def test_a_page_that_lost_its_hour_gets_another(working: Standing) -> None:
    """A token that a jump ahead ended is refused in a way that the tracker knows: it fetches the next."""
    token = await working.subscription("c-1842")
    working.clock.shift_ms += HOUR_MS + 1_000
    refused = await working.http.get("/v1/experiences", params={"subscription": token})
    assert 401 == refused.status_code
    assert token != await working.subscription("c-1842")
