"""The load of the chaos tests: trackers that send until they are answered, and pages that resume where they left off.

Each shopper has one of both. What a tracker made, in its order, is what the system must hold in the end, once each;
what a page was told is what the shopper saw.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from deploy.replay_connection import Address, Answer, Connection
from domain.errors import PortError
from tests.chaos.wire import GONE, get

CATEGORIES = ("pasta", "wine", "cheese", "bread")
PRODUCTS = 12
RETRY_S = 0.03
"""Between two attempts: the trackers of a shop are not polite when it comes back."""
OFTEN_PAUSED_S, IDLE_S = 0.02, 1
ANSWERED_WITHIN_S, SHUNNED_S = 10.0, 1.0
TREE = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [
                {"to": "sauce", "when": {"kind": "product", "action": "added", "category_ids": ["pasta", "wine"]}},
                {"to": "goal", "when": {"kind": "product", "action": "added", "category_ids": ["cheese", "bread"]}},
            ],
            "after": {"idle_s": IDLE_S, "to": "nudge"},
        },
        "sauce": {
            "experiences": [
                {
                    "slot": "main",
                    "kind": "recommendation",
                    "ttl_s": 3_600,
                    "content": {"products": [{"product_id": "s"}]},
                }
            ],
            "edges": [{"to": "goal", "when": {"kind": "event", "types": ["AddedToBasket", "RemovedFromBasket"]}}],
        },
        "goal": {
            "experiences": [
                {
                    "slot": "banner",
                    "kind": "basket_tension",
                    "ttl_s": 3_600,
                    "content": {"threshold_minor": 6_000, "reward": {"type": "amount", "value_minor": 500}},
                }
            ],
            "edges": [{"to": "nudge", "when": {"kind": "basket_total", "at_least_minor": 6_000}}],
            "after": {"idle_s": IDLE_S, "to": "nudge"},
        },
        "nudge": {
            "experiences": [
                {
                    "slot": "corner",
                    "kind": "recommendation",
                    "ttl_s": 3_600,
                    "content": {"products": [{"product_id": "n"}]},
                }
            ]
        },
    },
}


class Shop:
    """Where the system is at the moment, and how to reach it.

    Attributes:
        urls: of the gateways; a restart changes them. Whoever asks takes any.
        is_closing: trackers make no new events.
        slowest_s: the longest that a request waited for its answer, whatever that was.
        refusals: requests that were answered with 503.
    """

    def __init__(self, secret_key: str, *, retry_s: float = RETRY_S) -> None:
        self.urls: Sequence[str] = ()
        self.is_closing = False
        self.slowest_s = 0.0
        self.refusals = 0
        self.retry_s = retry_s
        self._key = secret_key
        self._draw = random.Random(0)
        self._shunned_until_s: dict[str, float] = {}
        self._free: defaultdict[tuple[str, str], list[Connection]] = defaultdict(list)

    def url(self) -> str:
        """Gives some gateway's, as a load balancer would: of one that did not answer a moment ago only in need."""
        now_s = time.monotonic()
        well = [url for url in self.urls if self._shunned_until_s.get(url, 0.0) <= now_s]
        return self._draw.choice(well or self.urls)

    async def post(self, path: str, document: Any) -> tuple[dict[str, Any], int]:
        """Posts until there is a 200, whatever dies meanwhile; gives the answer and how often it had to be sent."""
        body = json.dumps(document).encode()
        sent = 0
        while True:
            sent += 1
            started_s = time.monotonic()
            url = self.url()
            try:
                answer = await self.post_once(url, path, body)
            except PortError:
                self._shunned_until_s[url] = time.monotonic() + SHUNNED_S
                await asyncio.sleep(self.retry_s)
                continue
            finally:
                self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)
            if answer.status == 200:
                said: dict[str, Any] = json.loads(answer.body)
                return said, sent
            assert (503, True) == (answer.status, answer.retry_after_s > 0), answer.body
            self.refusals += 1
            await asyncio.sleep(self.retry_s)

    async def post_once(self, url: str, path: str, body: bytes) -> Answer:
        """Posts to one gateway.

        Raises:
            PortError: it did not answer.
        """
        free = self._free[url, path]
        connection = free.pop() if free else Connection(Address.of(url), path, self._key)
        try:
            return await connection.post(body, ANSWERED_WITHIN_S)
        except asyncio.CancelledError:
            # Its answer may still come, and is nobody else's.
            connection.close()
            raise
        finally:
            free.append(connection)

    def close(self) -> None:
        """Ends every connection."""
        for free in self._free.values():
            for connection in free:
                connection.close()


class Page:
    """One shopper's page, open all the time: it comes back with the last id that it was told.

    Args:
        shop: where it connects.
        shopper_id: whose.
        draw: its lots.
        moves_s: seconds on average until it leaves its gateway for any one; None = it stays while it can.

    Attributes:
        screen: experience id by slot.
        told: every experience that it was told, and when, monotonic.
        faults: what a shopper must never see.
        connections: streams that were opened.
    """

    def __init__(self, shop: Shop, shopper_id: str, draw: random.Random, *, moves_s: float | None = None) -> None:
        self.shopper_id = shopper_id
        self.screen: dict[str, str] = {}
        self.told: dict[str, float] = {}
        self.faults: list[str] = []
        self.connections = 0
        self._shop = shop
        self._draw = draw
        self._moves_s = moves_s
        self._last = ""

    async def live(self) -> None:
        """Listens, for ever; the token of the first time is good for every restart."""
        subscribed, _ = await self._shop.post("/v1/subscriptions", {"shopper_id": self.shopper_id})
        while True:
            stays_s = self._draw.expovariate(1 / self._moves_s) if self._moves_s else None
            try:
                async with asyncio.timeout(stays_s):
                    await self._listen(subscribed["subscription"])
            except TimeoutError:
                continue
            except GONE:
                await asyncio.sleep(self._shop.retry_s)

    async def _listen(self, token: str) -> None:
        fields, headers = {"subscription": token}, {}
        if self._last and self._draw.random() < 0.5:
            headers["last-event-id"] = self._last
        elif self._last:
            fields["after"] = self._last
        target = "/v1/experiences?" + urlencode(fields)
        async with get(self._shop.url(), target, headers) as answer:
            if answer.status != 200:
                # A system that is stopping opens no streams any more.
                if answer.status != 503 or "retry-after" not in answer.headers:
                    self.faults.append(f"a stream was refused with {answer.status}")
                await asyncio.sleep(self._shop.retry_s)
                return
            self.connections += 1
            frame: dict[str, str] = {}
            async for line in answer.lines:
                if line:
                    name, _, value = line.partition(": ")
                    frame[name] = value
                else:
                    self._take(frame)
                    frame = {}

    def _take(self, frame: dict[str, str]) -> None:
        """Does what a whole frame says."""
        if frame.get("event") not in ("experience", "withdrawn"):
            return
        if self._last and _place(frame["id"]) <= _place(self._last):
            self.faults.append(f"told {frame['id']} after {self._last}: {frame['data']}")
        self._last = frame["id"]
        said = json.loads(frame["data"])
        shown = said["experience_id"]
        if frame["event"] == "withdrawn":
            # Whatever is in it: a page that was away may have missed the experience that is withdrawn.
            self.screen.pop(said["slot"], None)
            return
        if shown in self.told:
            self.faults.append(f"shown twice: {shown} in {said['slot']}")
        self.told[shown] = time.monotonic()
        self.screen[said["slot"]] = shown


class Tracker:
    """One shopper's tracker: one request in flight, sent again under the same ids until it is answered.

    Attributes:
        made: every event, in order.
        acknowledged: ids of events that were answered as stored, and when, monotonic.
        repeated: requests that had to be sent more than once.
    """

    def __init__(self, shop: Shop, page: Page, draw: random.Random) -> None:
        self.page = page
        self.made: list[dict[str, Any]] = []
        self.acknowledged: dict[str, float] = {}
        self.repeated = 0
        self._shop = shop
        self._draw = draw

    async def live(self) -> None:
        """Sends until the shop closes; what is in flight then is still brought to its answer."""
        await self._send(self._visit_before())
        while not self._shop.is_closing:
            await self._send([self._next() for _ in range(self._draw.choice((1, 1, 1, 2, 5, 20)))])
            is_idle = self._draw.random() < 0.03
            await asyncio.sleep(IDLE_S * 1.3 if is_idle else self._draw.expovariate(1 / OFTEN_PAUSED_S))

    def _visit_before(self) -> list[dict[str, Any]]:
        """Makes the first event, an hour ago, so that there is a session that ends."""
        return [self._event("PageViewed", page={"kind": "home"}, ago=timedelta(hours=1))]

    async def _send(self, events: list[dict[str, Any]]) -> None:
        is_single = len(events) == 1 and self._draw.random() < 0.7
        answer, sent = await self._shop.post("/v1/events", events[0] if is_single else {"events": events})
        assert [(event["event_id"], "stored") for event in events] == [
            (result["event_id"], result["status"]) for result in answer["results"]
        ]
        self.acknowledged.update((event["event_id"], time.monotonic()) for event in events)
        self.repeated += sent > 1

    def _next(self) -> dict[str, Any]:
        draw = self._draw
        lot = draw.random()
        if lot < 0.70:
            number = draw.randrange(PRODUCTS)
            product = {"product_id": f"p-{number}", "category_id": CATEGORIES[number % 4], "price_minor": 100 + number}
            if lot < 0.50:
                return self._event("AddedToBasket", product=product, quantity=draw.randint(1, 4))
            return self._event("RemovedFromBasket", product=product, quantity=draw.randint(1, 4))
        if lot < 0.78:
            order: dict[str, Any] = {
                "order_id": f"o-{len(self.made)}",
                "lines": [],
                "total_minor": 1,
                "currency": "EUR",
            }
            return self._event("OrderPaid", **order)
        if lot < 0.90 and self.page.screen:
            slot = draw.choice(sorted(self.page.screen))
            if lot < 0.85:
                return self._event("ExperienceShown", experience_id=self.page.screen[slot])
            return self._event("ExperienceDismissed", experience_id=self.page.screen.pop(slot))
        return self._event("PageViewed", page={"kind": "category", "category_id": draw.choice(CATEGORIES)})

    def _event(self, kind: str, ago: timedelta = timedelta(0), **fields: Any) -> dict[str, Any]:
        moment = (datetime.now(UTC) - ago).isoformat(timespec="milliseconds")
        event = {
            "event_id": str(UUID(int=self._draw.getrandbits(128), version=4)),
            "type": kind,
            "occurred_at": moment,
            "shopper_id": self.page.shopper_id,
            **fields,
        }
        self.made.append(event)
        return event


def _place(event_id: str) -> tuple[int, ...]:
    """Gives the order of the ids of one shopper's stream."""
    return tuple(int(part) for part in event_id.split("-"))
