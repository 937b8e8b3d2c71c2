"""The application itself: its lifecycle, what is none of its business, and what a bug does."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gateway.app import Gateway
from gateway.stores import Stores
from tests.gateway.standing import ORIGIN, Standing, added, until


def stores_of(standing: Standing, **changes: Any) -> Stores:
    """Gives the ports of a gateway, some replaced."""
    ports = standing.ports
    stores = Stores(
        ports.events,
        ports.experiences,
        ports.snapshots,
        ports.trees,
        ports.retailers,
        standing.clock,
        standing.metrics,
    )
    return stores._replace(**changes)


def client(gateway: Gateway) -> httpx.AsyncClient:
    """Gives a client of a gateway."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://gateway")


async def test_it_starts_and_stops_with_its_server(standing: Standing) -> None:
    """Under the lifespan protocol it becomes ready by itself, and ends when told."""
    gateway = standing.another()
    asked: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    told: list[str] = []

    async def send(message: Any) -> None:
        told.append(message["type"])

    living = asyncio.create_task(gateway({"type": "lifespan"}, asked.get, send))
    await asked.put({"type": "lifespan.startup"})
    async with client(gateway) as http:

        async def is_ready() -> bool:
            return (await http.get("/health/ready")).status_code == 200

        await until(is_ready, "the gateway is ready")
    await asked.put({"type": "lifespan.shutdown"})
    await living
    assert ["lifespan.startup.complete", "lifespan.shutdown.complete"] == told


async def test_it_speaks_no_websocket(standing: Standing) -> None:
    """Another protocol is closed at once."""
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        told.append(message)

    await standing.gateway({"type": "websocket", "path": "/v1/experiences", "headers": []}, receive, send)
    assert ["websocket.close"] == [message["type"] for message in told]


async def test_extra_routes_stand_beside_its_own(standing: Standing) -> None:
    """An entry point may add pages; they never hide what is the gateway's."""

    async def hello(_: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    routes = [Route("/shop", hello), Route("/health/live", hello)]
    async with client(Gateway(stores_of(standing), standing.keys, standing.settings, routes)) as http:
        shop, live, nothing = [await http.get(path) for path in ("/shop", "/health/live", "/else")]
    assert ("hello", {"status": "live"}, 404) == (shop.text, live.json(), nothing.status_code)
    assert "not_found" == nothing.json()["error"]


class Broken:
    """Retailers that can't be asked."""

    def current(self) -> Any:
        """Fails as only a bug does."""
        raise RuntimeError("a bug")


async def test_a_bug_is_one_requests_answer(standing: Standing, caplog: pytest.LogCaptureFixture) -> None:
    """What nobody expected is 500 for that request, in the log with its traceback, and counted; others are served."""
    gateway = Gateway(stores_of(standing, retailers=Broken()), standing.keys, standing.settings)
    async with client(gateway) as http:
        answer = await http.post("/v1/events", json=added(), headers=standing.shop.write)
        live = await http.get("/health/live")
    assert (500, "internal", 200) == (answer.status_code, answer.json()["error"], live.status_code)
    assert 1 == standing.counted("gateway_errors_total", what="request")
    assert "RuntimeError: a bug" in caplog.text
    assert "c-1842" not in caplog.text


async def test_nothing_of_a_shopper_reaches_a_log(standing: Standing, caplog: pytest.LogCaptureFixture) -> None:
    """Stored, refused or looked up: neither ids nor tokens nor keys are written anywhere."""
    caplog.set_level("DEBUG", logger="hotbasket")
    await standing.work()
    token = await standing.subscription("a-raw-shopper-id")
    await standing.post(added(shopper_id="a-raw-shopper-id"))
    await standing.post(added(shopper_id="a-raw-shopper-id", quantity=0))
    await standing.ask("/v1/shoppers/lookup", "a-raw-shopper-id")
    await standing.http.get("/v1/experiences", params={"subscription": token + "x"}, headers={"origin": ORIGIN})
    for secret in ("a-raw-shopper-id", token, standing.shop.secret_key, standing.shop.write_key):
        assert secret not in caplog.text
