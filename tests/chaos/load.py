"""The load of the chaos tests: trackers that send until they are answered, and pages that resume where they left off.

Each shopper has one of both. What a tracker made, in its order, is what the system must hold in the end, once each;
what a page was told is what the shopper saw.
"""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

CATEGORIES = ("pasta", "wine", "cheese", "bread")
PRODUCTS = 12
RETRY_S = 0.03
"""Between two attempts: the trackers of a shop are not polite when it comes back."""
OFTEN_PAUSED_S, IDLE_S = 0.02, 1
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
        url: of the public port; a restart changes it.
        is_closing: trackers make no new events.
    """

    def __init__(self, secret_key: str) -> None:
        self.url = ""
        self.is_closing = False
        self.http = httpx.AsyncClient(
            auth=(secret_key, ""),
            timeout=10,
            trust_env=False,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        )

    async def post(self, path: str, document: Any) -> tuple[dict[str, Any], int]:
        """Posts until there is a 200, whatever dies meanwhile; gives the answer and how often it had to be sent."""
        body = json.dumps(document)
        sent = 0
        while True:
            sent += 1
            try:
                answer = await self.http.post(
                    self.url + path, content=body, headers={"content-type": "application/json"}
                )
            except httpx.TransportError:
                await asyncio.sleep(RETRY_S)
                continue
            if answer.status_code == 200:
                return answer.json(), sent
            assert (503, True) == (answer.status_code, "retry-after" in answer.headers), answer.text
            await asyncio.sleep(RETRY_S)


class Page:
    """One shopper's page, open all the time: it comes back with the last id that it was told.

    Attributes:
        screen: experience id by slot.
        told: every experience that it was told.
        faults: what a shopper must never see.
        connections: streams that were opened.
    """

    def __init__(self, shop: Shop, shopper_id: str, draw: random.Random) -> None:
        self.shopper_id = shopper_id
        self.screen: dict[str, str] = {}
        self.told: set[str] = set()
        self.faults: list[str] = []
        self.connections = 0
        self._shop = shop
        self._draw = draw
        self._last = ""

    async def live(self) -> None:
        """Listens, for ever; the token of the first time is good for every restart."""
        subscribed, _ = await self._shop.post("/v1/subscriptions", {"shopper_id": self.shopper_id})
        while True:
            try:
                await self._listen(subscribed["subscription"])
            except httpx.TransportError:
                await asyncio.sleep(RETRY_S)

    async def _listen(self, token: str) -> None:
        fields, headers = {"subscription": token}, {}
        if self._last and self._draw.random() < 0.5:
            headers["last-event-id"] = self._last
        elif self._last:
            fields["after"] = self._last
        endless = httpx.Timeout(10, read=None)
        url = self._shop.url + "/v1/experiences"
        async with self._shop.http.stream("GET", url, params=fields, headers=headers, timeout=endless) as answer:
            if answer.status_code == 503 and "retry-after" in answer.headers:
                # A system that is stopping opens no streams any more.
                await asyncio.sleep(RETRY_S)
                return
            if answer.status_code != 200:
                self.faults.append(f"a stream was refused with {answer.status_code}")
                await asyncio.sleep(RETRY_S)
                return
            self.connections += 1
            frame: dict[str, str] = {}
            async for line in answer.aiter_lines():
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
        self.told.add(shown)
        self.screen[said["slot"]] = shown


class Tracker:
    """One shopper's tracker: one request in flight, sent again under the same ids until it is answered.

    Attributes:
        made: every event, in order.
        acknowledged: ids of events that were answered as stored.
        repeated: requests that had to be sent more than once.
    """

    def __init__(self, shop: Shop, page: Page, draw: random.Random) -> None:
        self.page = page
        self.made: list[dict[str, Any]] = []
        self.acknowledged: set[str] = set()
        self.repeated = 0
        self._shop = shop
        self._draw = draw

    async def live(self) -> None:
        """Sends until the shop closes; what is in flight then is still brought to its answer."""
        # The visit before this one, so that there is a session that ends.
        await self._send([self._event("PageViewed", page={"kind": "home"}, ago=timedelta(hours=1))])
        while not self._shop.is_closing:
            await self._send([self._next() for _ in range(self._draw.choice((1, 1, 1, 2, 5, 20)))])
            is_idle = self._draw.random() < 0.03
            await asyncio.sleep(IDLE_S * 1.3 if is_idle else self._draw.expovariate(1 / OFTEN_PAUSED_S))

    async def _send(self, events: list[dict[str, Any]]) -> None:
        is_single = len(events) == 1 and self._draw.random() < 0.7
        answer, sent = await self._shop.post("/v1/events", events[0] if is_single else {"events": events})
        assert [(event["event_id"], "stored") for event in events] == [
            (result["event_id"], result["status"]) for result in answer["results"]
        ]
        self.acknowledged.update(event["event_id"] for event in events)
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
