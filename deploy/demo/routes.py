"""The demo shop's own server: its pages, and the few answers for which a retailer's server needs the secret key.

It talks to hotbasket as any retailer's server would, over HTTP with its keys; only the tree on the panel comes from the
store, since no endpoint shows one.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deploy.demo.answers import answer_file, answer_headers, answer_json, read_body
from deploy.demo.campaign_desk import CampaignDesk
from deploy.demo.crowd import Tally
from deploy.demo.goods import Goods, page_data
from deploy.demo.keys import DemoKeys
from deploy.demo.night_desk import NightDesk
from deploy.demo.pictures import Studio
from deploy.demo.tastes import PERSONAS
from deploy.demo.till import TillDesk
from domain.tree import to_json

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
SHOPPER_ID = re.compile(r"demo-[a-z0-9-]{1,40}")
BODY_BYTES_MAX = 1_024
# A page is the document itself: it says which scripts and styles belong to it, so it is asked for every time.
PAGES = ("/", "/c/{category}", "/p/{product}", "/search", "/checkout", "/thanks/{order}")


class Desks(NamedTuple):
    """Parts of the shop's server side."""

    night: NightDesk
    till: TillDesk
    campaigns: CampaignDesk


class Counter:
    """The shop's server side: what pages ask for, and what it asks hotbasket for.

    Args:
        hotbasket: asks with the secret key.
        keys: the demo retailer's; pages keep what they keep under its id.
        tree_of: gives a shopper's tree and its generation, by raw shopper id.
        tally: of the simulated shoppers.
        desks: where pages ask for the rest.
    """

    def __init__(
        self,
        hotbasket: httpx.AsyncClient,
        keys: DemoKeys,
        tree_of: Callable[[str], Awaitable[tuple[int, bytes] | None]],
        tally: Tally,
        desks: Desks,
    ) -> None:
        self.desks = desks
        self._keys = keys
        self._tree_of = tree_of
        self._tally = tally
        self._hotbasket = hotbasket

    async def close(self) -> None:
        """Ends a night that runs, and closes its connections."""
        await self.desks.night.close()
        await self._hotbasket.aclose()

    async def session(self, _: Request) -> Response:
        """Gives what a page needs to start: the public key and who may shop."""
        personas = [{"id": taste.shopper, "title": {"fr": taste.title_fr, "en": taste.title_en}} for taste in PERSONAS]
        body = {"write_key": self._keys.write_key, "retailer_id": self._keys.retailer_id, "personas": personas}
        return answer_json(body)

    async def subscription(self, request: Request) -> Response:
        """Gives a token for one of the demo's shoppers; a real shop would look at who is logged in."""
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return answer_json({"error": "too_large"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            shopper_id = msgspec.json.decode(body, type=dict[str, str])["shopper_id"]
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            return answer_json({"error": "unreadable"}, HTTPStatus.BAD_REQUEST)
        if not SHOPPER_ID.fullmatch(shopper_id):
            return answer_json({"error": "no_demo_shopper"}, HTTPStatus.FORBIDDEN)
        return await self._passed_on("/v1/subscriptions", shopper_id)

    async def glass(self, request: Request) -> Response:
        """Gives what hotbasket knows of a shopper, and the tree unless the page has that generation already."""
        shopper_id = request.query_params.get("shopper", "")
        if not SHOPPER_ID.fullmatch(shopper_id):
            return answer_json({"error": "no_demo_shopper"}, HTTPStatus.FORBIDDEN)
        answer = await self._ask("/v1/shoppers/lookup", shopper_id)
        if answer is None or answer.status_code not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return answer_json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
        shopper: Any = answer.json() if answer.status_code == HTTPStatus.OK else None
        tree = await self._tree(shopper_id, request.query_params.get("generation", ""))
        return answer_json({"shopper": shopper, "tree": tree, "crowd": self._tally.summary()})

    async def _tree(self, shopper_id: str, generation_known: str) -> dict[str, Any] | None:
        found = await self._tree_of(shopper_id)
        if found is None or str(found[0]) == generation_known:
            return None
        generation, blob = found
        return {"generation": generation, **to_json(blob)}

    async def _passed_on(self, path: str, shopper_id: str) -> Response:
        answer = await self._ask(path, shopper_id)
        if answer is None:
            return answer_json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(answer.content, answer.status_code, answer_headers("no-store"), "application/json")

    async def _ask(self, path: str, shopper_id: str) -> httpx.Response | None:
        """Gives hotbasket's answer; None where there is none."""
        try:
            return await self._hotbasket.post(path, json={"shopper_id": shopper_id})
        except httpx.HTTPError:
            return None


def routes(counter: Counter, goods: Goods, studio: Studio) -> tuple[BaseRoute, ...]:
    """Gives every path of the shop."""
    pictures = {good.product_id: studio.draw(good).encode() for good in goods.products}
    shelves = msgspec.json.encode(page_data(goods))
    desks = counter.desks
    files = {file.name: file.read_bytes() for file in STATIC.iterdir() if file.suffix in TYPES}

    async def page(request: Request) -> Response:
        return answer_file(request, files["index.html"], TYPES[".html"])

    async def campaigns(request: Request) -> Response:
        return answer_file(request, files["campaigns.html"], TYPES[".html"])

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return answer_json({"error": "not_found"}, HTTPStatus.NOT_FOUND)
        return answer_file(request, files[name], TYPES[Path(name).suffix])

    async def picture(request: Request) -> Response:
        drawn = pictures.get(request.path_params["product_id"])
        if drawn is None:
            return answer_json({"error": "not_found"}, HTTPStatus.NOT_FOUND)
        return answer_file(request, drawn, TYPES[".svg"], fresh_s=300)

    async def shelf_list(request: Request) -> Response:
        return answer_file(request, shelves, "application/json")

    return (
        *(Route(path, page) for path in PAGES),
        Route("/demo/static/{name}", static),
        Route("/demo/pictures/{product_id}.svg", picture),
        Route("/demo/goods", shelf_list),
        Route("/demo/session", counter.session),
        Route("/demo/subscription", counter.subscription, methods=["POST"]),
        Route("/demo/glass", counter.glass),
        Route("/demo/night", desks.night.show),
        Route("/demo/night", desks.night.start, methods=["POST"]),
        Route("/demo/quote", desks.till.quote, methods=["POST"]),
        Route("/demo/order", desks.till.pay, methods=["POST"]),
        Route("/demo/campaigns", campaigns),
        Route("/demo/campaigns/now", desks.campaigns.show),
        Route("/demo/campaigns/{campaign_id}/{verb}", desks.campaigns.move, methods=["POST"]),
    )
