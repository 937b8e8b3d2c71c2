"""The demo shop's past: the same every time, true to tastes that nobody is told, and posted once."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo import past
from deploy.demo.goods import read_goods
from deploy.demo.past import DAYS, SEED, SHOPPERS, Past, promotions, taste_of, trips
from deploy.demo.tastes import PERSONAS
from domain.door import Accepted
from tests.unit.doorstep import door, outcome

GOODS = read_goods()
SHELF_OF = {good.product_id: good.category_id for good in GOODS.products}
PRICE_OF = {good.product_id: good.price_minor for good in GOODS.products}
END = datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
RETAILER = "r-1"


@cache
def told() -> tuple[dict[str, Any], ...]:
    """The past that a demo started at END tells."""
    return tuple(trips(GOODS, SHOPPERS, DAYS, END, SEED))


def by_shopper() -> dict[str, list[dict[str, Any]]]:
    """Each shopper's events, in the order in which they are told."""
    events = defaultdict(list)
    for event in told():
        events[event["shopper_id"]].append(event)
    return events


def journeys() -> Iterator[tuple[str, list[str]]]:
    """Every trip: whose, and the products in the order in which they came into the basket."""
    for shopper_id, events in by_shopper().items():
        added: list[str] = []
        for event in events:
            match event["type"]:
                case "AddedToBasket":
                    added.append(event["product"]["product_id"])
                case "PageViewed" if event["page"]["kind"] == "home":
                    added = []
                case "PageViewed" if event["page"]["kind"] == "checkout":
                    yield shopper_id, added


def test_equal_arguments_give_equal_events() -> None:
    """Ids included, so that a second telling adds nothing; no id stands for two events."""
    assert list(told()) == list(trips(GOODS, SHOPPERS, DAYS, END, SEED))
    assert len(told()) == len({event["event_id"] for event in told()})


def test_the_past_has_the_size_of_a_first_night() -> None:
    """Thirty days of five personas, the crowd and two hundred others are some forty thousand events."""
    assert 30_000 <= len(told()) <= 50_000
    assert set(SHOPPERS) == by_shopper().keys()


def test_every_event_is_accepted() -> None:
    """The door takes each of them."""
    received_at_ms = int(END.timestamp() * 1_000)
    for event in told():
        now = outcome(event, door(), received_at_ms=received_at_ms)
        assert isinstance(now, Accepted), now


def test_it_all_happened_in_order_within_the_days_before() -> None:
    """Each shopper's events follow one another, on thirty whole days before the one of the end."""
    midnight = END.replace(hour=0, minute=0)
    for events in by_shopper().values():
        times = [datetime.fromisoformat(event["occurred_at"]) for event in events]
        assert times == sorted(times)
        assert midnight - timedelta(days=DAYS) <= times[0]
        assert times[-1] < midnight


def test_the_usual_sauce_follows_pasta_later_in_the_same_trip() -> None:
    """For the personas and for everybody, in about four of five trips with pasta; no other sauce comes near."""
    with_pasta: dict[bool, list[bool]] = {True: [], False: []}
    other: list[bool] = []
    for shopper_id, added in journeys():
        pasta = next((at for at, product_id in enumerate(added) if SHELF_OF[product_id] == "pasta"), None)
        if pasta is not None:
            after = [product_id for product_id in added[pasta:] if SHELF_OF[product_id] == "sauces"]
            sauce = taste_of(shopper_id).sauce
            with_pasta[shopper_id in {taste.shopper for taste in PERSONAS}].append(sauce in after)
            other.append(any(product_id != sauce for product_id in after))
    for follows in with_pasta.values():
        assert 0.7 <= sum(follows) / len(follows) <= 0.95
    assert sum(other) / len(other) <= 0.2


def test_personas_shop_by_their_own_tastes() -> None:
    """What is hidden about a persona is what the demo says of them; whoever else shops has a taste too."""
    for persona in PERSONAS:
        habit = taste_of(persona.shopper)
        assert (persona.sauces[0], persona.pairing[0]) == (habit.sauce, habit.pairing)
    assert len({taste_of(shopper).sauce for shopper in SHOPPERS[5:]}) == 6


def test_orders_pay_for_what_is_in_the_basket() -> None:
    """An order's lines are what was added and not put back since the last one, and its total is their sum."""
    for events in by_shopper().values():
        basket: dict[str, int] = {}
        for event in events:
            match event["type"]:
                case "AddedToBasket":
                    bought = event["product"]["product_id"]
                    basket[bought] = basket.get(bought, 0) + event["quantity"]
                case "RemovedFromBasket":
                    assert event["quantity"] == basket.pop(event["product"]["product_id"])
                case "OrderPaid":
                    assert basket == {line["product_id"]: line["quantity"] for line in event["lines"]}
                    assert event["total_minor"] == sum(
                        line["quantity"] * line["price_minor"] for line in event["lines"]
                    )
                    basket = {}
        assert {} == basket


def test_prices_move_and_demand_with_them() -> None:
    """Promotions take off what they say, and promoted products sell more than their share of the time."""
    paid = [(event["occurred_at"], line) for event in told() if event["type"] == "OrderPaid" for line in event["lines"]]
    cheap = sum(line["quantity"] for _, line in paid if line["price_minor"] < PRICE_OF[line["product_id"]])
    offered = promotions(GOODS, END.date() - timedelta(days=END.weekday()), SEED)
    assert 0.1 <= len(offered) / len(GOODS.products) <= 0.3
    assert cheap / sum(line["quantity"] for _, line in paid) > 1.15 * 0.2


class Gateway:
    """Answers posts as told, and keeps the events of those that it took."""

    def __init__(self, *refusals: httpx.Response) -> None:
        self.taken: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self._refusals = list(refusals)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        if self._refusals:
            return self._refusals.pop(0)
        events = json.loads(request.content)["events"]
        self.taken += events
        self.batches.append(len(events))
        return httpx.Response(200, json={"results": [{"event_id": e["event_id"], "status": "stored"} for e in events]})


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; gives the waits that were asked for."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("deploy.demo.past.asyncio.sleep", sleep)
    return waits


FEW = SHOPPERS[:8]


def behind(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the past of a few shoppers be posted to this gateway."""
    real = httpx.AsyncClient

    def client(**options: Any) -> httpx.AsyncClient:
        return real(**options, transport=httpx.MockTransport(gateway))

    monkeypatch.setattr("deploy.demo.past.httpx.AsyncClient", client)
    monkeypatch.setattr(past, "SHOPPERS", FEW)


async def test_the_past_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: list[float]) -> None:
    """In batches of at most fifty, in order, all but those who shop now at a bounded rate; a later start posts none."""
    gateway = Gateway()
    behind(gateway, monkeypatch)
    marker = tmp_path / "demo.past"
    first = Past("http://shop", "sk", RETAILER, GOODS, marker)
    await first.tell()
    assert 50 == max(gateway.batches)
    assert first.progress() == {"done": len(gateway.taken), "of": len(gateway.taken)}
    shopping_now = {*FEW[: len(PERSONAS)], *past.CROWD}
    paced = sum(event["shopper_id"] not in shopping_now for event in gateway.taken)
    assert paced / past.EVENTS_PER_S <= sum(at_once) < (paced + past.BATCH) / past.EVENTS_PER_S
    again = Past("http://shop", "sk", RETAILER, GOODS, marker)
    await again.tell()
    assert again.is_told
    assert len({event["event_id"] for event in gateway.taken}) == len(gateway.taken)


async def test_a_telling_that_was_cut_short_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: list[float]
) -> None:
    """The next start goes on with the same past where the last one stopped."""
    del at_once
    gateway = Gateway()
    behind(gateway, monkeypatch)
    marker = tmp_path / "demo.past"

    class Killed(Exception):
        """The process ended."""

    async def dies(seconds: float) -> None:
        if len(gateway.batches) == 4:
            raise Killed

    with monkeypatch.context() as doomed:
        doomed.setattr("deploy.demo.past.asyncio.sleep", dies)
        with pytest.raises(Killed):
            await Past("http://shop", "sk", RETAILER, GOODS, marker).tell()
    assert 200 == len(gateway.taken)
    await Past("http://shop", "sk", RETAILER, GOODS, marker).tell()
    assert len(gateway.taken) == len({event["event_id"] for event in gateway.taken})
    assert set(FEW) == {event["shopper_id"] for event in gateway.taken}


async def test_another_retailers_marker_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: list[float]
) -> None:
    """A demo that was made anew has no past yet, whatever file is left."""
    del at_once
    gateway = Gateway()
    behind(gateway, monkeypatch)
    await Past("http://shop", "sk", RETAILER, GOODS, tmp_path / "demo.past").tell()
    taken = len(gateway.taken)
    await Past("http://shop", "sk", "r-2", GOODS, tmp_path / "demo.past").tell()
    assert 2 * taken == len(gateway.taken)


@pytest.mark.parametrize(
    ("refusal", "wait_s"),
    [
        (httpx.Response(503, headers={"retry-after": "3"}), 3.0),
        (httpx.Response(429, headers={"retry-after": "600"}), past.PAUSE_MAX_S),
        (httpx.Response(500), past.PAUSE_S),
    ],
)
async def test_a_refused_batch_is_posted_again_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: list[float], refusal: httpx.Response, wait_s: float
) -> None:
    """After as long as the answer says, within bounds; nothing is left out."""
    gateway = Gateway(refusal)
    behind(gateway, monkeypatch)
    telling = Past("http://shop", "sk", RETAILER, GOODS, tmp_path / "demo.past")
    await telling.tell()
    assert wait_s == at_once[0]
    assert FEW[0] == gateway.taken[0]["shopper_id"]
    assert telling.progress() == {"done": len(gateway.taken), "of": len(gateway.taken)}
