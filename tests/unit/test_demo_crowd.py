"""The demo's simulated shoppers: what they post is what a real shop's server could post."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from adapters.clock import SystemClock
from deploy.demo import past
from deploy.demo.buyer import Buyer
from deploy.demo.crowd import Crowd, Tally
from deploy.demo.goods import read_goods
from deploy.demo.receipts import Receipts
from deploy.demo.till import Till
from deploy.demo.trip import Event
from domain.door import Accepted
from tests.unit.doorstep import door, outcome

GOODS = read_goods()
EVENTS = 400


SHOWN = {"experience_id": "e-1", "slot": "main"}
PESTO = {"products": [{"product_id": "pesto-basil", "reason": "chosen for you"}]}


def buyer(seed: int = 1) -> Buyer:
    """A shopper of the crowd."""
    return Buyer("demo-crowd-00", GOODS, Random(seed))


def trips(one: Buyer, events: int) -> Iterator[Event]:
    """So many events at least, of whole trips."""
    done = 0
    while done < events:
        one.enter()
        while (event := one.next()) is not None:
            done += 1
            yield event


def reactions(kind: str, content: dict[str, Any], seed: int) -> list[Event]:
    """What a shopper does about an experience that comes with the first page."""
    one = buyer(seed)
    one.enter()
    assert one.next() is not None
    one.hear([SHOWN | {"kind": kind, "content": content}])
    found = []
    while (event := one.next()) is not None and event["type"] not in ("PageViewed", "ProductsSearched"):
        found.append(event)
    return found


def test_every_event_of_the_crowd_is_accepted() -> None:
    """The door takes each of a long row of simulated events."""
    for event in trips(buyer(), EVENTS):
        now = outcome(event, door(), received_at_ms=4_102_444_800_000)
        assert isinstance(now, Accepted), now


def test_the_crowd_does_all_that_shoppers_do() -> None:
    """A long row of events has every action, and an order pays for what is in the basket at catalogue prices."""
    events = list(trips(buyer(), EVENTS))
    kinds = {event["type"] for event in events}
    assert {"PageViewed", "ProductsSearched", "AddedToBasket", "RemovedFromBasket", "OrderPaid"} == kinds
    for order in (event for event in events if event["type"] == "OrderPaid"):
        assert order["total_minor"] == sum(line["price_minor"] * line["quantity"] for line in order["lines"])


def test_equal_lots_give_equal_trips() -> None:
    """Two shoppers with the same chance do the same, under ids of their own."""
    one, other = (list(trips(buyer(5), 50)) for _ in range(2))
    assert [event["type"] for event in one] == [event["type"] for event in other]
    assert set() == {event["event_id"] for event in one} & {event["event_id"] for event in other}


def test_about_half_are_tempted_by_an_offer_and_buy_it() -> None:
    """An offer is seen by all; who takes it up clicks, puts it in the basket, and pays for it in the end."""
    seen = [reactions("personalised_promotion", PESTO, seed) for seed in range(200)]
    kinds = [tuple(event["type"] for event in events) for events in seen]
    tempted = ("ExperienceShown", "ExperienceClicked", "AddedToBasket")
    assert all(found[: len(tempted)] == tempted or found[:1] == ("ExperienceShown",) for found in kinds)
    assert 0.35 < sum(found[:3] == tempted for found in kinds) / len(kinds) < 0.65
    seed = next(seed for seed, found in enumerate(kinds) if found[:3] == tempted)
    added = seen[seed][2]
    assert ("pesto-basil", 1) == (added["product"]["product_id"], added["quantity"])
    assert isinstance(outcome(added, door()), Accepted)


def test_what_was_taken_up_is_in_the_order() -> None:
    """The basket of the trip has what an experience brought."""
    orders = []
    for seed in range(40):
        one = buyer(seed)
        one.enter()
        one.hear([SHOWN | {"kind": "personalised_promotion", "content": PESTO}])
        events = []
        while (event := one.next()) is not None:
            events.append(event)
        is_tempted = any(event["type"] == "ExperienceClicked" for event in events)
        orders += [event for event in events if event["type"] == "OrderPaid" and is_tempted]
    assert orders
    assert all("pesto-basil" in {line["product_id"] for line in order["lines"]} for order in orders)


@pytest.mark.parametrize(
    ("content", "plays"),
    [
        ({"game": "scratch", "products": ["penne"], "prize": {"type": "percent", "value": 5}}, True),
        ({"game": "scratch", "products": ["penne"], "outcome": {"prize_id": None}}, False),
        ({"game": "scratch", "products": ["penne"], "state": "drawing"}, False),
    ],
)
def test_a_game_is_played_once(content: dict[str, Any], plays: bool) -> None:
    """Most play a game that they are given, and nobody what is being drawn or has its outcome."""
    clicks = [
        any(event["type"] == "ExperienceClicked" for event in reactions("gamified_promotion", content, seed))
        for seed in range(100)
    ]
    assert plays == (sum(clicks) > 60)
    assert plays or not any(clicks)


def test_the_bar_is_looked_at_once_a_trip() -> None:
    """A basket tension changes with each product; the crowd reports the first of a trip."""
    one = buyer()
    tension = [SHOWN | {"kind": "basket_tension", "content": {"threshold_minor": 4_000}}]
    for _ in range(2):
        one.enter()
        for _ in range(3):
            one.hear(tension)
        events = []
        while (event := one.next()) is not None:
            events.append(event["type"])
        assert 1 == events.count("ExperienceShown")


def test_the_tally_counts_and_takes_the_median_of_what_triggered() -> None:
    """Only events that triggered an experience count for the milliseconds."""
    tally = Tally()
    assert 0 == tally.summary()["median"]
    for experiences, ms in ((0, 900.0), (1, 10.0), (2, 20.0), (1, 90.0)):
        tally.stored(experiences, ms)
    assert (4, 4, 20) == tuple(tally.summary()[name] for name in ("events", "experiences", "median"))


async def test_those_of_the_past_come_again_once_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places in the shop go by turns to the crowd and to the others; who pays is given what was promised."""
    asked: list[tuple[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked.append((request.url.path, body))
        if request.url.path == "/v1/quotes":
            return httpx.Response(200, json={"discounts": [], "total_minor": 25})
        return httpx.Response(200, json={"results": [], "experiences": []})

    monkeypatch.setattr("deploy.demo.crowd.EVENTS_PER_S", 10_000.0)
    marker = tmp_path / "marker"
    marker.write_text(json.dumps({"retailer_id": "r-1", "end": "2026-11-01T00:00:00Z", "told": 1, "of": 1}))
    told = past.Past("http://hotbasket", "sk", "r-1", GOODS, marker)
    receipts = Receipts(str, 0)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://hotbasket") as hotbasket:
        shopping = asyncio.create_task(Crowd(hotbasket, Till(hotbasket, receipts, SystemClock()), GOODS, told).run())
        deadline = time.monotonic() + 60
        while len({body["shopper_id"] for _, body in asked}) < past.NOW + 5 or len(receipts) < 5:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        shopping.cancel()
        await asyncio.gather(shopping, return_exceptions=True)
    shoppers = {body["shopper_id"] for _, body in asked}
    assert set(past.CROWD) < shoppers
    assert shoppers - set(past.CROWD) < set(past.SHOPPERS[past.NOW :])
    orders = [body for _, body in asked if body.get("type") == "OrderPaid"]
    for order in orders:
        due = sum(line["price_minor"] * line["quantity"] for line in order["lines"]) - 25
        assert max(0, due) == order["total_minor"]
