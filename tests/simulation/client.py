"""Simulated trackers: shoppers who do things, and devices that post them until they are answered.

A device keeps its queue through its own crashes, sends again what was not answered under the same ids, and has one
request in flight, or several where it is a shop's server.
"""

from __future__ import annotations

import asyncio
import random
from base64 import b64encode
from collections import deque
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from tests.simulation.clock import SimulatedClock
from tests.simulation.control import secret_key, write_key
from tests.simulation.network import Network, Reply
from tests.simulation.shop import CATEGORIES, PRICES

_BATCH_MAX = 8
_RETRIED = frozenset({408, 429, 503})
_FINAL = frozenset({"stored", "rejected", "dropped"})


class Habits(NamedTuple):
    """How a shopper and the device behave.

    Attributes:
        events: how many in all.
        think_s: mean seconds between two of them.
        in_flight: requests at once.
        says_sent_at: whether requests carry `sent_at`.
        waits: of requests, how many ask to wait for their experiences.
        late: of events, how many happened long ago, offline.
        told: of what becomes of orders, how much the shop's server tells; the page tells the rest.
    """

    events: int
    think_s: float
    in_flight: int
    says_sent_at: bool
    waits: float
    late: float
    told: float


def draw_habits(draw: random.Random) -> Habits:
    """Gives one shopper's habits."""
    return Habits(
        events=draw.randint(3, 30),
        think_s=draw.choice((0.1, 0.4, 1.0)),
        in_flight=draw.choice((1, 1, 1, 3)),
        says_sent_at=draw.random() < 0.7,
        waits=draw.choice((0.0, 0.0, 0.5)),
        late=draw.choice((0.0, 0.0, 0.1)),
        told=draw.choice((0.2, 0.7, 1.0)),
    )


class Client:
    """One device of one shopper.

    Attributes:
        queue: events not finally answered yet, oldest first; survives a crash, as a browser's storage does.
        answered: final status by event id.
        made: ids of all events, in order.
        fates: how an event must end, where that is not `stored`.
        posted: how many events were sent, and what the answers said, by status; `lost` where none came.
        known_experiences: ids that the shopper has seen on the page and may click or dismiss.
        token: the page's subscription, "" before it has one.
        brought: ids of the experiences in answers, by the event that brought them.
        faults: what no answer may say.
    """

    def __init__(
        self,
        retailer_id: str,
        shopper_id: str,
        habits: Habits,
        clock: SimulatedClock,
        network: Network,
        draw: random.Random,
    ) -> None:
        self.retailer_id = retailer_id
        self.shopper_id = shopper_id
        self.habits = habits
        self.queue: deque[dict[str, Any]] = deque()
        self.answered: dict[str, str] = {}
        self.made: list[str] = []
        self.fates: dict[str, str] = {}
        self.posted: dict[str, int] = {}
        self.known_experiences: list[str] = []
        self.token = ""
        self.brought: list[tuple[str, str]] = []
        self.faults: list[str] = []
        self._clock = clock
        self._network = network
        self._draw = draw
        self._orders: list[dict[str, Any]] = []
        self._of_server: set[str] = set()
        self._tempted = 0
        self._sending: set[str] = set()
        self._more = asyncio.Event()

    @property
    def is_done(self) -> bool:
        """Whether everything was done and finally answered."""
        return len(self.made) >= self.habits.events and not self.queue

    async def live(self) -> None:
        """Does things and sends them; started again after a crash of the device."""
        self._sending.clear()
        self._more = asyncio.Event()
        senders = [asyncio.ensure_future(self._send()) for _ in range(self.habits.in_flight)]
        while len(self.made) < self.habits.events:
            await asyncio.sleep(self._draw.expovariate(1 / self.habits.think_s))
            for _ in range(self._draw.choice((1, 1, 2, 5))):
                event = self._event()
                self.made.append(event["event_id"])
                self.queue.append(event)
            self._more.set()
        await asyncio.gather(*senders)

    async def _send(self) -> None:
        while True:
            events = [event for event in self.queue if event["event_id"] not in self._sending]
            by_server = bool(events) and self._is_told_by_server(events[0])
            batch = [event for event in events if self._is_told_by_server(event) == by_server]
            batch = batch[: self._draw.randint(1, _BATCH_MAX)]
            if not batch:
                self._more.clear()
                await self._more.wait()
                continue
            ids = {event["event_id"] for event in batch}
            self._sending |= ids
            self._take(batch, await self._post(batch, by_server=by_server))
            self._sending -= ids
            if any(event["event_id"] in ids for event in self.queue):
                await asyncio.sleep(self._draw.uniform(0.05, 0.5))

    def _is_told_by_server(self, event: dict[str, Any]) -> bool:
        """Tells whether an event comes from the shop's server, with the secret key."""
        return self.habits.in_flight > 1 or event["event_id"] in self._of_server

    async def _post(self, batch: list[dict[str, Any]], *, by_server: bool) -> Reply | None:
        """Posts a batch, as a page or as a shop's server, sometimes to wait for what it brings."""
        body: dict[str, Any] = {"events": batch}
        if self.habits.says_sent_at:
            body["sent_at"] = _rfc3339(self._clock.now_ms())
        headers, query = {"Content-Type": "text/plain"}, ""
        if by_server:
            headers["Authorization"] = f"Basic {b64encode(f'{secret_key(self.retailer_id)}:'.encode()).decode()}"
        else:
            query = f"write_key={write_key(self.retailer_id)}"
        if len(batch) % 2:
            trace_id = UUID(batch[0]["event_id"]).hex
            headers["traceparent"] = f"00-{trace_id}-{trace_id[:16]}-01"
        waits = self._draw.random() < self.habits.waits
        if waits:
            headers["Prefer"] = f"wait={self._draw.uniform(0.05, 1.0):.2f}"
            if self.token:
                headers["X-Hotbasket-Subscription"] = self.token
        reply = await self._network.post("/v1/events", body, headers, query)
        if reply is not None and reply.status == 200:
            # A token may have expired by a clock that jumped; it never refuses events.
            allowed = {by_server} if by_server or not self.token else {True, False}
            self._hear(batch, reply, allowed if waits else {False})
        return reply

    def _hear(self, batch: list[dict[str, Any]], reply: Reply, allowed: set[bool]) -> None:
        """Notes the experiences in an answer, and whether they may be there."""
        experiences = reply.document.get("experiences")
        if (experiences is not None) not in allowed:
            self.faults.append(f"experiences in an answer: {experiences}, although that is {allowed}")
        ids = {event["event_id"] for event in batch}
        for experience in experiences or ():
            if experience["trigger_event_id"] not in ids:
                self.faults.append(f"an answer tells of somebody else's event: {experience}")
            self.brought.append((experience["trigger_event_id"], experience["experience_id"]))

    def _take(self, batch: list[dict[str, Any]], reply: Reply | None) -> None:
        """Forgets what was finally answered."""
        results = reply.document.get("results") if reply is not None else None
        if reply is not None and results is None and reply.status not in _RETRIED:
            self.faults.append(f"a good request was refused: {reply}")
        if results is None:
            self._count("lost" if reply is None else "refused", len(batch))
            return
        assert len(batch) == len(results)
        done = set()
        for event, result in zip(batch, results, strict=True):
            assert event["event_id"] == result["event_id"], "results come in the order of the events"
            self._count(result["status"], 1)
            if result["status"] in _FINAL:
                done.add(event["event_id"])
                self.answered[event["event_id"]] = result["status"]
        self.queue = deque(event for event in self.queue if event["event_id"] not in done)

    def _count(self, status: str, events: int) -> None:
        self.posted["sent"] = self.posted.get("sent", 0) + events
        self.posted[status] = self.posted.get(status, 0) + events

    def _event(self) -> dict[str, Any]:
        """Does one thing."""
        draw = self._draw
        occurred_at_ms = self._clock.now_ms()
        if draw.random() < self.habits.late:
            occurred_at_ms -= draw.randint(1, 30) * 3_600_000
        event = {
            "event_id": str(UUID(int=draw.getrandbits(128), version=4)),
            "occurred_at": _rfc3339(occurred_at_ms),
            "shopper_id": self.shopper_id,
        }
        deed = self._deed()
        if deed["type"].startswith("Order") and draw.random() < self.habits.told:
            self._of_server.add(event["event_id"])
        if draw.random() < 0.03:
            deed = {"type": "AddedToBasket", "product": {"product_id": "p-1"}, "quantity": 0}
            self.fates[event["event_id"]] = "rejected"
        elif draw.random() < 0.03:
            deed["consent"] = "denied"
            self.fates[event["event_id"]] = "dropped"
        if event["event_id"] not in self._of_server:
            deed.setdefault("consent", "granted")
        return {**event, **deed}

    def _deed(self) -> dict[str, Any]:
        draw = self._draw
        product_id = draw.choice(tuple(PRICES))
        product: dict[str, Any] = {"product_id": product_id, "category_id": CATEGORIES[product_id]}
        if draw.random() < 0.7:
            product |= {"price_minor": PRICES[product_id], "currency": "USD" if draw.random() < 0.05 else "EUR"}
        shown = draw.choice(self.known_experiences) if self.known_experiences else "not-mine"
        deeds: list[tuple[int, dict[str, Any]]] = [
            (8, {"type": "AddedToBasket", "product": product, "quantity": draw.randint(1, 3)}),
            (3, {"type": "RemovedFromBasket", "product": product, "quantity": draw.choice((1, 1, 9))}),
            (4, {"type": "PageViewed", "page": {"kind": "product", "product_id": product_id}}),
            (2, {"type": "LinkClicked", "target": "/offers"}),
            (2, {"type": "ProductsSearched", "query": draw.choice(("Tomato Sauce", "wine", "soap"))}),
            (8 if len(self.known_experiences) > self._tempted else 2, self._order()),
            (5 if self._orders else 1, self._order_moved()),
            (1, {"type": "ExperienceShown", "experience_id": shown}),
            (2, {"type": "ExperienceDismissed", "experience_id": shown}),
        ]
        deed = draw.choices([deed for _, deed in deeds], [weight for weight, _ in deeds])[0]
        if deed["type"] == "OrderPaid":
            self._orders.append(dict(deed))
            self._tempted = len(self.known_experiences)
        return deed

    def _order(self) -> dict[str, Any]:
        """Pays an order, or tells again of one that was paid: page and server both may, and devices share orders."""
        draw = self._draw
        if self._orders and draw.random() < 0.3:
            return dict(draw.choice(self._orders))
        lines = [
            {"product_id": product_id, "quantity": draw.randint(1, 3), "price_minor": PRICES[product_id]}
            for product_id in draw.sample(tuple(PRICES), draw.choice((0, 2, 3, 4, 5)))
        ]
        order_id = f"o-{draw.randint(1, 20)}"
        return {"type": "OrderPaid", "order_id": order_id, "lines": lines, "total_minor": 999, "currency": "EUR"}

    def _order_moved(self) -> dict[str, Any]:
        """Tells what becomes of an order that was paid, or of one that nobody knows."""
        draw = self._draw
        status = draw.choice(("shipped", "cancelled", "returned", "partially_returned", "partially_returned"))
        order = draw.choice(self._orders[-3:]) if self._orders else {"order_id": "o-1", "lines": []}
        moved: dict[str, Any] = {"type": "OrderStatusChanged", "order_id": order["order_id"], "status": status}
        if status == "partially_returned":
            some = draw.sample(order["lines"], draw.randint(0, len(order["lines"])))
            moved["lines"] = [{**line, "quantity": draw.randint(1, line["quantity"])} for line in some]
        return moved


def _rfc3339(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")
