"""The demo shop's own server: its pages, and the few answers for which a retailer's server needs the secret key.

It talks to hotbasket as any retailer's server would, over HTTP with its keys; only the tree on the panel comes from the
store, since no endpoint shows one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from deploy.demo.crowd import Tally
from deploy.demo.goods import Goods, page_data
from deploy.demo.pictures import Studio
from deploy.demo.tastes import PERSONAS
from domain.tree import to_json

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; "
    "require-trusted-types-for 'script'"
)
SHOPPER_ID = re.compile(r"demo-[a-z0-9-]{1,40}")
BODY_BYTES_MAX = 1_024
ASK_TIMEOUT_S = 5.0
# A page is the document itself: it says which scripts and styles belong to it, so it is asked for every time.
PAGES = ("/", "/c/{category}", "/p/{product}", "/search", "/checkout", "/thanks/{order}")


class Counter:
    """The shop's server side: what pages ask for, and what it asks hotbasket for.

    Args:
        base_url: where hotbasket answers.
        write_key, secret_key: the demo retailer's.
        retailer_id: pages keep what they keep under it.
        tree_of: gives a shopper's tree and its generation, by raw shopper id.
        tally: of the simulated shoppers.
    """

    def __init__(
        self,
        base_url: str,
        write_key: str,
        secret_key: str,
        retailer_id: str,
        tree_of: Callable[[str], Awaitable[tuple[int, bytes] | None]],
        tally: Tally,
    ) -> None:
        self._write_key = write_key
        self._retailer_id = retailer_id
        self._tree_of = tree_of
        self._tally = tally
        self._hotbasket = httpx.AsyncClient(
            base_url=base_url, auth=(secret_key, ""), timeout=ASK_TIMEOUT_S, trust_env=False
        )

    async def close(self) -> None:
        """Closes its connections."""
        await self._hotbasket.aclose()

    async def session(self, _: Request) -> Response:
        """Gives what a page needs to start: the public key and who may shop."""
        personas = [{"id": taste.shopper, "title": {"fr": taste.title_fr, "en": taste.title_en}} for taste in PERSONAS]
        body = {"write_key": self._write_key, "retailer_id": self._retailer_id, "personas": personas}
        return _json(body)

    async def subscription(self, request: Request) -> Response:
        """Gives a token for one of the demo's shoppers; a real shop would look at who is logged in."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                return _json({"error": "too_large"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            shopper_id = msgspec.json.decode(bytes(body), type=dict[str, str])["shopper_id"]
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            return _json({"error": "unreadable"}, HTTPStatus.BAD_REQUEST)
        if not SHOPPER_ID.fullmatch(shopper_id):
            return _json({"error": "no_demo_shopper"}, HTTPStatus.FORBIDDEN)
        return await self._passed_on("/v1/subscriptions", shopper_id)

    async def glass(self, request: Request) -> Response:
        """Gives what hotbasket knows of a shopper, and the tree unless the page has that generation already."""
        shopper_id = request.query_params.get("shopper", "")
        if not SHOPPER_ID.fullmatch(shopper_id):
            return _json({"error": "no_demo_shopper"}, HTTPStatus.FORBIDDEN)
        answer = await self._ask("/v1/shoppers/lookup", shopper_id)
        if answer is None or answer.status_code not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return _json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
        shopper: Any = answer.json() if answer.status_code == HTTPStatus.OK else None
        tree = await self._tree(shopper_id, request.query_params.get("generation", ""))
        return _json({"shopper": shopper, "tree": tree, "crowd": self._tally.summary()})

    async def _tree(self, shopper_id: str, generation_known: str) -> dict[str, Any] | None:
        found = await self._tree_of(shopper_id)
        if found is None or str(found[0]) == generation_known:
            return None
        generation, blob = found
        return {"generation": generation, **to_json(blob)}

    async def _passed_on(self, path: str, shopper_id: str) -> Response:
        answer = await self._ask(path, shopper_id)
        if answer is None:
            return _json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return Response(answer.content, answer.status_code, _headers("no-store"), "application/json")

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
    files = {file.name: file.read_bytes() for file in STATIC.iterdir() if file.suffix in TYPES}

    async def page(request: Request) -> Response:
        return _file(request, files["index.html"], TYPES[".html"])

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in files:
            return _json({"error": "not_found"}, HTTPStatus.NOT_FOUND)
        return _file(request, files[name], TYPES[Path(name).suffix])

    async def picture(request: Request) -> Response:
        drawn = pictures.get(request.path_params["product_id"])
        if drawn is None:
            return _json({"error": "not_found"}, HTTPStatus.NOT_FOUND)
        return _file(request, drawn, TYPES[".svg"], fresh_s=300)

    async def shelf_list(request: Request) -> Response:
        return _file(request, shelves, "application/json")

    return (
        *(Route(path, page) for path in PAGES),
        Route("/demo/static/{name}", static),
        Route("/demo/pictures/{product_id}.svg", picture),
        Route("/demo/goods", shelf_list),
        Route("/demo/session", counter.session),
        Route("/demo/subscription", counter.subscription, methods=["POST"]),
        Route("/demo/glass", counter.glass),
    )


def _file(request: Request, body: bytes, media_type: str, *, fresh_s: int = 0) -> Response:
    """Answers with a file, or that the browser has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = _headers(f"max-age={fresh_s}" if fresh_s else "no-cache") | {"etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def _json(body: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(msgspec.json.encode(body), status, _headers("no-store"), "application/json")


def _headers(caching: str) -> dict[str, str]:
    return {
        "cache-control": caching,
        "content-security-policy": POLICY,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
