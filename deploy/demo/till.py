"""The shop's till: asks what was promised, takes it off, and tells hotbasket of the paid order with the secret key.

Only such an order is verified: it redeems promises and spends budgets. What a browser says of an order does neither.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID, uuid5

import httpx
import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from deploy.demo.answers import OwnPages, answer_json, read_body
from deploy.demo.goods import Goods
from deploy.demo.receipts import Receipts
from domain.ports.clock import Clock

SHOPPER_ID: Final = r"^demo-[a-z0-9-]{1,40}\Z"
BODY_BYTES_MAX: Final = 64 * 1_024
LINES_MAX: Final = 200
PAID_KEPT: Final = 200
"""Orders whose answer is remembered for a page that asks again, since the first answer did not arrive."""
_NAMESPACE: Final = UUID("5d0c6f4e-9b1d-5a63-8d55-7a3e5b0f9c22")
Json = dict[str, Any]


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    product_id: str
    quantity: Annotated[int, Meta(ge=1, le=999)]
    price_minor: Annotated[int, Meta(ge=0)]


class _Basket(Struct, frozen=True, forbid_unknown_fields=True):
    """What a page asks a quote for."""

    shopper_id: Annotated[str, Meta(pattern=SHOPPER_ID)]
    lines: Annotated[tuple[_Line, ...], Meta(min_length=1, max_length=LINES_MAX)]


class _Order(_Basket, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a page wants to pay: `total_minor` is what it shows, `reward_minor` what the shop itself had promised."""

    order_id: Annotated[str, Meta(pattern=r"^demo-[0-9a-f]{8}\Z")]
    reward_minor: Annotated[int, Meta(ge=0)]
    total_minor: Annotated[int, Meta(ge=0)]


Asked = TypeVar("Asked", bound=_Basket)


class Till:
    """Quotes and paid orders.

    Args:
        hotbasket: asks with the secret key.
        receipts: keeps what was paid.
        clock: says what now is.
    """

    def __init__(self, hotbasket: httpx.AsyncClient, receipts: Receipts, clock: Clock) -> None:
        self._hotbasket = hotbasket
        self._receipts = receipts
        self._clock = clock

    async def quote(self, shopper_id: str, lines: Sequence[Mapping[str, Any]]) -> Json | None:
        """Gives what may be taken off now, as `/v1/quotes` tells it; None where it can't be told."""
        asked = {"shopper_id": shopper_id, "lines": lines}
        try:
            answer = await self._hotbasket.post("/v1/quotes", json=asked)
            return answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None

    async def post(self, order: Json) -> httpx.Response | None:
        """Tells hotbasket of a paid order and waits for what it brings; None where there is no answer."""
        at_ms = self._clock.now_ms()
        try:
            answer = await self._hotbasket.post("/v1/events", json=order, headers={"prefer": "wait=1"})
        except httpx.HTTPError:
            return None
        if answer.is_success:
            self._receipts.note(order, at_ms)
        return answer


class TillDesk:
    """Where the shop's pages ask what a basket comes to, and pay.

    Args:
        till: does both.
        goods: what a piece costs; a page may know of less, and never of more.
        own: tells the shop's own pages.
        kind_of: gives the kind of a campaign by its id.
    """

    def __init__(self, till: Till, goods: Goods, own: OwnPages, kind_of: Callable[[str], str | None]) -> None:
        self._till = till
        self._kind_of = kind_of
        self._paid: dict[str, Json] = {}
        self._prices = {good.product_id: good.price_minor for good in goods.products}
        self._shelves = {good.product_id: good.category_id for good in goods.products}
        self._own = own

    async def quote(self, request: Request) -> Response:
        """Gives what was promised and counts for a basket now."""
        basket = await self._read(request, _Basket)
        if isinstance(basket, Response):
            return basket
        quoted = await self._quote(basket)
        return _unavailable() if quoted is None else answer_json(quoted)

    async def pay(self, request: Request) -> Response:
        """Takes a paid order: 409 with the quote where it comes to another total than the page shows.

        Sent again, it is the same order.
        """
        order = await self._read(request, _Order)
        if isinstance(order, Response):
            return order
        event_id = str(uuid5(_NAMESPACE, f"{order.shopper_id} {order.order_id}"))
        if event_id in self._paid:
            return answer_json(self._paid[event_id])
        quoted = await self._quote(order)
        if quoted is None:
            return _unavailable()
        sum_minor = sum(line.quantity * line.price_minor for line in order.lines)
        total_minor = max(0, sum_minor - order.reward_minor - quoted["total_minor"])
        if total_minor != order.total_minor:
            return answer_json({"error": "total_changed", "quote": quoted}, HTTPStatus.CONFLICT)
        answer = await self._till.post(
            {
                "event_id": event_id,
                "type": "OrderPaid",
                "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "shopper_id": order.shopper_id,
                "consent": "granted",
                "order_id": order.order_id,
                "lines": self._lines(order),
                "total_minor": total_minor,
                "currency": "EUR",
            }
        )
        if answer is None or not answer.is_success:
            return _unavailable()
        self._paid[event_id] = {"order_id": order.order_id, "event_id": event_id, "total_minor": total_minor}
        if len(self._paid) > PAID_KEPT:
            del self._paid[next(iter(self._paid))]
        return answer_json(self._paid[event_id])

    async def _quote(self, basket: _Basket) -> Json | None:
        """Gives the quote, with the kind of each discount's campaign for the page to say what it is."""
        quoted = await self._till.quote(basket.shopper_id, self._lines(basket))
        if quoted is not None:
            for discount in quoted["discounts"]:
                discount["kind"] = self._kind_of(discount["campaign_id"])
        return quoted

    def _lines(self, basket: _Basket) -> list[Json]:
        return [msgspec.to_builtins(line) | {"category_id": self._shelves[line.product_id]} for line in basket.lines]

    async def _read(self, request: Request, form: type[Asked]) -> Asked | Response:
        refused = self._own.refuse_others(request)
        if refused is not None:
            return refused
        body = await read_body(request, BODY_BYTES_MAX)
        if body is None:
            return answer_json({"error": "too_large"}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            asked = msgspec.json.decode(body, type=form)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return answer_json({"error": "unreadable"}, HTTPStatus.BAD_REQUEST)
        if any(line.price_minor > self._prices.get(line.product_id, -1) for line in asked.lines):
            return answer_json({"error": "no_such_price"}, HTTPStatus.BAD_REQUEST)
        return asked


def _unavailable() -> Response:
    return answer_json({"error": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
