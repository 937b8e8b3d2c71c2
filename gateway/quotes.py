"""`POST /v1/quotes`: what a retailer's till may deduct now, with a server key.

From snapshots and what the gateway followed since; nothing is written, so a till may ask as often as it likes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct
from starlette.types import Receive, Scope, Send

from domain.errors import PortError
from domain.events import OrderLine
from domain.faults import of_message
from domain.ids import BEGINNING, Position, ShopperKey, bucket
from domain.quotes import Quoted, quote
from domain.reservations import Reservation
from domain.shopper import decode
from domain.timestamps import rfc3339
from gateway.access import Doorkeeper
from gateway.answers import Headers, Refusal, answer_json
from gateway.body import Bodies, RequestHeaders
from gateway.fields import read_fields
from gateway.recent import Recent, reservations_of
from gateway.shopper_named import shopper_in
from gateway.stores import Stores

LINES_MAX: Final = 5_000
"""Lines of one quote, as of an order."""
_EXAMPLE: Final = '{"shopper_id": ..., "lines": [{"product_id", "category_id"?, "quantity", "price_minor"}]}'
_STORES_WITHIN_S: Final = 2.0
_FOLLOWED_WITHIN_S: Final = 1.0
_RETRY_AFTER_S: Final = 1
_encode = msgspec.json.Encoder().encode
_log = logging.getLogger("hotbasket.gateway")


class _Basket(Struct, frozen=True, forbid_unknown_fields=True):
    """What a till sends."""

    shopper_id: Any
    lines: Annotated[tuple[OrderLine, ...], Meta(max_length=LINES_MAX)]


class Quotes:
    """Answers tills.

    Args:
        stores: the snapshots, the log's commits and the clock.
        doorkeeper: asks for a key that may quote.
        bodies: reads bodies.
        recent: what was decided lately.
        until_current: waits until this gateway has followed all that a partition of the log holds now, a number of
            seconds at most, and tells whether it has.
    """

    def __init__(
        self,
        stores: Stores,
        doorkeeper: Doorkeeper,
        bodies: Bodies,
        recent: Recent,
        until_current: Callable[[int, float], Awaitable[bool]],
    ) -> None:
        self._stores = stores
        self._doorkeeper = doorkeeper
        self._bodies = bodies
        self._recent = recent
        self._until_current = until_current
        self._saved: dict[int, Position] = {}

    async def post(self, _: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """`POST /v1/quotes`: answers with what a paid order of these lines would be granted now.

        A shopper who was never seen gets no discounts, and no error.

        Raises:
            Refusal: 400, or 503 where it can't be told what was promised, or what of it was redeemed meanwhile.
        """
        access = self._doorkeeper.for_action(headers, "quote")
        self._bodies.check_type(headers)
        basket = _read(await self._bodies.read(receive, headers))
        shopper = shopper_in({"shopper_id": basket.shopper_id}, access.door)
        promises = await self._promises(ShopperKey(access.door.retailer_id, shopper))
        now_ms = self._stores.clock.now_ms()
        body = _encode(_answer(quote(promises, basket.lines, now_ms), now_ms))
        await answer_json(send, 200, body, cors)

    async def _promises(self, key: ShopperKey) -> Sequence[Reservation]:
        """Gives the shopper's open promises as of now.

        Raises:
            Refusal: 503.
        """
        number = bucket(key.shopper) % self._stores.events.partitions
        if not await self._until_current(number, _FOLLOWED_WITHIN_S):
            raise _unavailable("this gateway has not followed all decisions yet")
        try:
            async with asyncio.timeout(_STORES_WITHIN_S):
                if self._is_lacking(key, number):
                    # Asked before the snapshot is read, so that the snapshot is at least as new.
                    await self._look_how_far_saved(number)
                payload = (await self._stores.snapshots.load([key])).get(key)
            state = None if payload is None else decode(payload)
        except (PortError, TimeoutError, msgspec.MsgspecError) as error:
            self._stores.metrics.gateway_errors.labels("snapshot").inc()
            _log.warning("no quote without the shopper's snapshot: %s", error)
            raise _unavailable("the shopper's promises can't be read now") from None
        if self._is_lacking(key, number):
            raise _unavailable("decisions are not saved in time")
        return reservations_of(state, self._recent.page(key))

    def _is_lacking(self, key: ShopperKey, number: int) -> bool:
        """Tells whether a promise may be neither in a snapshot nor, any more, in memory."""
        return self._recent.forgotten(key.shopper) > self._saved.get(number, BEGINNING)

    async def _look_how_far_saved(self, number: int) -> None:
        committed = await self._stores.events.committed(number)
        if committed is not None:
            self._saved[number] = committed.through


def _read(body: bytes) -> _Basket:
    """Gives the basket that a body holds.

    Raises:
        Refusal: 400, the first fault and where it is.
    """
    fields = read_fields(body, _EXAMPLE)
    try:
        return msgspec.convert(fields, _Basket)
    except msgspec.ValidationError as error:
        fault = of_message(str(error))
        raise Refusal(fault.reason, fault.detail, fault.path) from None


def _answer(quoted: Sequence[Quoted], now_ms: int) -> dict[str, Any]:
    return {
        "discounts": [_discount(one) for one in quoted],
        "total_minor": sum(one.redemption.discount_minor for one in quoted),
        "as_of": rfc3339(now_ms),
    }


def _discount(one: Quoted) -> dict[str, Any]:
    told: dict[str, Any] = {
        "experience_id": one.promise.experience_id,
        "campaign_id": one.promise.campaign_id,
        "amount_minor": one.redemption.discount_minor,
    }
    return told if one.reward is None else {**told, "reward": one.reward}


def _unavailable(detail: str) -> Refusal:
    return Refusal("store_unavailable", f"{detail}: ask again", retry_after_s=_RETRY_AFTER_S)
