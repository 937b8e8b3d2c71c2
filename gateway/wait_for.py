"""`Prefer: wait`: what a request's events brought, in the request's own answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from adapters.settings import Settings
from domain.ids import ShopperKey
from domain.ports.event_log import Place
from domain.records import Record
from gateway.access import Access
from gateway.answers import Refusal
from gateway.body import RequestHeaders
from gateway.recent import Recent
from gateway.stores import Stores
from gateway.subscriptions import Subscriptions
from gateway.traced import Traced
from gateway.waits import Waits, read_prefer
from gateway.winners import Winners

Experiences: TypeAlias = list[msgspec.Raw] | None


class WaitFor:
    """Waits for a request's events and gives the experiences that its sender may see.

    Args:
        stores: the clock and the metrics.
        waits: wakes when events are processed.
        recent: what they brought.
        subscriptions: reads the token that says whose experiences are wanted.
        settings: the bounds.
        winners: adds claims to what was won.
        traced: tells in the log of what is sampled.
    """

    def __init__(
        self,
        stores: Stores,
        waits: Waits,
        recent: Recent,
        subscriptions: Subscriptions,
        settings: Settings,
        winners: Winners,
        traced: Traced,
    ) -> None:
        self._clock = stores.clock
        self._refused = stores.metrics.waits_refused
        self._waits = waits
        self._recent = recent
        self._subscriptions = subscriptions
        self._winners = winners
        self._traced = traced
        self._wait_max_s = settings.wait_max_s
        self._waits_max = settings.waits_max

    async def experiences(
        self, headers: RequestHeaders, access: Access, records: Sequence[Record], places: Sequence[Place]
    ) -> Experiences:
        """Waits as long as the request wants to.

        Args:
            headers: with `Prefer`.
            access: of the request's key.
            records: what was stored.
            places: where.

        Returns:
            JSON of the experiences that these events brought, in order, for the secret key all, for a token those of
            its shopper; None where the sender may see none or did not ask.
        """
        wait_s = read_prefer(headers[b"prefer"], self._wait_max_s)
        if wait_s is None:
            return None
        if self._waits.open >= self._waits_max:
            self._refused.inc()
        else:
            await self._waits.until_processed(places, wait_s)
        if access.is_secret:
            keys = dict.fromkeys(record.key for record in records)
        else:
            key = self._key_of_token(headers, access)
            if key is None:
                return None
            keys = {key: None}
        now_ms = self._clock.now_ms()
        found = [
            delivery
            for key in keys
            for delivery in self._recent.triggered(
                key, (record.event.event_id for record in records if record.key == key), now_ms
            )
        ]
        self._winners.attach(found)
        self._traced.delivered(found, now_ms)
        return [msgspec.Raw(delivery.json) for delivery in found]

    def _key_of_token(self, headers: RequestHeaders, access: Access) -> ShopperKey | None:
        """Gives whose experiences may be seen; a token that is bad never refuses events."""
        token = headers.get(b"x-hotbasket-subscription")
        if token is None:
            return None
        try:
            key = self._subscriptions.read(token.decode("latin-1")).key
        except Refusal:
            return None
        return key if key.retailer_id == access.grant.retailer.retailer_id else None
