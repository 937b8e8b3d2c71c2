"""The demo shop's till: what it asks hotbasket, what it takes off, and which orders it tells of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.routing import Route, Router

from adapters.clock import SystemClock
from deploy.demo.answers import OwnPages
from deploy.demo.goods import read_goods
from deploy.demo.receipts import Receipts
from deploy.demo.till import PAID_KEPT, Till, TillDesk
from domain.door import Accepted
from tests.unit.doorstep import door, outcome

SHOP = "http://127.0.0.1:9"
OWN = {"origin": SHOP, "content-type": "application/json"}
LINES = [{"product_id": "penne", "quantity": 2, "price_minor": 149}]
BASKET = {"shopper_id": "demo-1", "lines": LINES}
ORDER = BASKET | {"order_id": "demo-0123abcd", "reward_minor": 0, "total_minor": 268}
DISCOUNT: dict[str, Any] = {"experience_id": "e-1", "campaign_id": "pasta", "amount_minor": 30}


class Hotbasket:
    """A scripted hotbasket that remembers what it was told.

    Attributes:
        asked: path and body of each request.
        status: of its answers.
        discounts: that it quotes.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.status = 200
        self.discounts: list[dict[str, Any]] = [DISCOUNT]

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answers as the gateway does."""
        path, body = request.url.path, json.loads(request.content)
        self.asked.append((path, body))
        if path == "/v1/quotes":
            total_minor = sum(one["amount_minor"] for one in self.discounts)
            return httpx.Response(self.status, json={"discounts": self.discounts, "total_minor": total_minor})
        return httpx.Response(self.status, json={"results": [{"event_id": body["event_id"], "status": "stored"}]})

    @property
    def orders(self) -> list[Any]:
        """The orders that it was told of."""
        return [body for path, body in self.asked if path == "/v1/events"]


@pytest.fixture
def hotbasket() -> Hotbasket:
    """What stands behind the shop."""
    return Hotbasket()


@pytest.fixture
def receipts() -> Receipts:
    """The cash book."""
    return Receipts(lambda shopper_id: f"hash of {shopper_id}", 0)


@pytest.fixture
async def page(hotbasket: Hotbasket, receipts: Receipts) -> AsyncIterator[httpx.AsyncClient]:
    """Asks the till as a page does."""
    behind = httpx.AsyncClient(transport=httpx.MockTransport(hotbasket.answer), base_url="http://hotbasket")
    desk = TillDesk(
        Till(behind, receipts, SystemClock()),
        read_goods(),
        OwnPages([SHOP]),
        {"pasta": "personalised_promotion"}.get,
    )
    routes = [Route("/quote", desk.quote, methods=["POST"]), Route("/order", desk.pay, methods=["POST"])]
    transport = httpx.ASGITransport(app=Router(routes=routes))
    async with behind, httpx.AsyncClient(transport=transport, base_url=SHOP, headers=OWN) as client:
        yield client


async def test_a_quote_says_what_is_taken_off_and_why(page: httpx.AsyncClient, hotbasket: Hotbasket) -> None:
    """Lines go to hotbasket with their categories; discounts come back with the kind of their campaign."""
    answer = await page.post("/quote", json=BASKET)
    assert 200 == answer.status_code
    assert [DISCOUNT | {"kind": "personalised_promotion"}] == answer.json()["discounts"]
    assert [("/v1/quotes", BASKET | {"lines": [LINES[0] | {"category_id": "pasta"}]})] == hotbasket.asked


async def test_paying_posts_the_order_less_what_was_promised(
    page: httpx.AsyncClient, hotbasket: Hotbasket, receipts: Receipts
) -> None:
    """The order that hotbasket is told of passes its door, and is in the cash book."""
    answer = await page.post("/order", json=ORDER)
    assert (200, 268) == (answer.status_code, answer.json()["total_minor"])
    (order,) = hotbasket.orders
    assert isinstance(outcome(order, door(), verified=True), Accepted)
    assert ("OrderPaid", "demo-1", "demo-0123abcd", 268, answer.json()["event_id"]) == tuple(
        order[name] for name in ("type", "shopper_id", "order_id", "total_minor", "event_id")
    )
    (receipt,) = receipts
    assert ("hash of demo-1", 268, frozenset({"penne"})) == (receipt.shopper, receipt.total_minor, receipt.products)


async def test_what_the_shop_itself_promised_is_taken_off_too(page: httpx.AsyncClient, hotbasket: Hotbasket) -> None:
    """The shop's own reward comes beside the quote, and a total never falls below nothing."""
    assert 200 == (await page.post("/order", json=ORDER | {"reward_minor": 68, "total_minor": 200})).status_code
    much = {"order_id": "demo-0123abce", "reward_minor": 5_000, "total_minor": 0}
    assert 200 == (await page.post("/order", json=ORDER | much)).status_code
    assert [200, 0] == [order["total_minor"] for order in hotbasket.orders]


async def test_another_total_than_the_page_shows_is_not_paid(page: httpx.AsyncClient, hotbasket: Hotbasket) -> None:
    """A promise that came or went meanwhile: 409 with the quote, and nothing is paid."""
    answer = await page.post("/order", json=ORDER | {"total_minor": 298})
    assert (409, 30) == (answer.status_code, answer.json()["quote"]["total_minor"])
    assert [] == hotbasket.orders


async def test_an_order_that_is_sent_again_is_paid_once(page: httpx.AsyncClient, hotbasket: Hotbasket) -> None:
    """A page whose answer was lost asks again, when its promise is redeemed already, and gets the same answer."""
    first = await page.post("/order", json=ORDER)
    hotbasket.discounts = []
    assert first.json() == (await page.post("/order", json=ORDER)).json()
    assert 1 == len(hotbasket.orders)


async def test_remembered_answers_are_bounded(page: httpx.AsyncClient, hotbasket: Hotbasket) -> None:
    """The oldest answers are forgotten; such an order would be asked for anew, under the same event id."""
    for number in range(PAID_KEPT + 1):
        assert 200 == (await page.post("/order", json=ORDER | {"order_id": f"demo-{number:08x}"})).status_code
    hotbasket.discounts = []
    assert 409 == (await page.post("/order", json=ORDER | {"order_id": "demo-00000000"})).status_code
    assert 200 == (await page.post("/order", json=ORDER | {"order_id": "demo-00000001"})).status_code


@pytest.mark.parametrize("path", ["/quote", "/order"])
async def test_hotbasket_away_is_said_and_nothing_is_noted(
    page: httpx.AsyncClient, hotbasket: Hotbasket, receipts: Receipts, path: str
) -> None:
    """The page is told to try again, and the cash book stays empty."""
    hotbasket.status = 503
    assert 503 == (await page.post(path, json=ORDER if path == "/order" else BASKET)).status_code
    assert 0 == len(receipts)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"shopper_id": "c-1842"}, 400),
        ({"shopper_id": "demo-1\n"}, 400),
        ({"lines": []}, 400),
        ({"lines": [{"product_id": "penne", "quantity": 0, "price_minor": 149}]}, 400),
        ({"lines": [{"product_id": "penne", "quantity": 1, "price_minor": 150}]}, 400),
        ({"lines": [{"product_id": "nothing", "quantity": 1, "price_minor": 0}]}, 400),
        ({"more": 1}, 400),
        ({"shopper_id": "demo-" + "1" * 70_000}, 413),
    ],
)
async def test_what_no_page_of_the_shop_sends_is_refused(
    page: httpx.AsyncClient, hotbasket: Hotbasket, body: dict[str, Any], status: int
) -> None:
    """Strangers, empty baskets, prices above the shelf's and unknown fields never reach hotbasket."""
    assert status == (await page.post("/quote", json=BASKET | body)).status_code
    assert [] == hotbasket.asked


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"origin": "https://elsewhere.example"}, 403), ({"content-type": "text/plain"}, 415)],
)
async def test_another_site_cannot_pay(
    page: httpx.AsyncClient, hotbasket: Hotbasket, headers: dict[str, str], status: int
) -> None:
    """An order that another site sends is refused."""
    content = json.dumps(ORDER).encode()
    assert status == (await page.post("/order", content=content, headers=OWN | headers)).status_code
    assert [] == hotbasket.asked
