"""One simulated shopper of the crowd: goes on trips, sees what the page shows, and takes up some of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final
from uuid import uuid4

from deploy.demo.goods import Goods
from deploy.demo.habits import Shopper
from deploy.demo.past import season
from deploy.demo.trip import Basket, Event, Line, described, trip
from domain.contents import product_of

PAYS: Final = 0.8
"""How probably a trip ends with a paid order, and not with leaving."""
TEMPTED: Final = {"personalised_promotion": 0.5, "recommendation": 0.15}
"""How probably a product that is shown, and was not in the basket, is put there."""
PLAYS: Final = 0.8


class Buyer:
    """A shopper with a basket, who may come many times.

    Args:
        shopper_id: technical id; what this shopper likes is what it always was.
        goods: what there is to buy.
        lots: this shopper's own source of chance.
    """

    def __init__(self, shopper_id: str, goods: Goods, lots: Random) -> None:
        self._shopper = Shopper(shopper_id, goods)
        self._goods = goods
        self._by_id = {good.product_id: good for good in goods.products}
        self._lots = lots
        self._basket: Basket = {}
        self._trip: Iterator[Event] = iter(())
        self._reactions: deque[tuple[str, dict[str, Any]]] = deque()
        self._has_paid = False
        self._has_seen_tension = False

    def enter(self) -> None:
        """Begins a trip; the basket is as it was left."""
        order_id = f"crowd-{uuid4().hex[:12]}" if self._lots.random() < PAYS else None
        wants = self._shopper.wants(self._lots, {}, datetime.now(UTC).date(), season(self._goods))
        self._trip = trip(wants, self._basket, self._lots, self._write, {}, order_id)
        self._has_paid = self._has_seen_tension = False

    def next(self) -> Event | None:
        """Gives what the shopper does next; None when the trip is over."""
        if self._reactions:
            kind, fields = self._reactions.popleft()
            return self._write(kind, **fields)
        event = next(self._trip, None)
        self._has_paid = self._has_paid or (event is not None and event["type"] == "OrderPaid")
        return event

    def hear(self, experiences: Sequence[Mapping[str, Any]]) -> None:
        """Sees what the page shows: what is done about it comes next, before the trip goes on."""
        for shown in experiences:
            kind, content = shown["kind"], shown["content"]
            if kind == "basket_tension":
                # The bar on the page changes with each product; it is looked at once.
                if self._has_seen_tension:
                    continue
                self._has_seen_tension = True
            about: dict[str, Any] = {"experience_id": shown["experience_id"]}
            self._reactions.append(("ExperienceShown", about))
            if kind == "gamified_promotion":
                if "outcome" not in content and "state" not in content and self._lots.random() < PLAYS:
                    self._reactions.append(("ExperienceClicked", about))
            elif self._lots.random() < TEMPTED.get(kind, 0.0) and not self._has_paid:
                self._take_up(product_of(content["products"][0]), about)

    def _take_up(self, product_id: str, about: dict[str, Any]) -> None:
        good = self._by_id.get(product_id)
        if good is None or product_id in self._basket:
            return
        self._basket[product_id] = Line(good, 1, good.price_minor)
        self._reactions.append(("ExperienceClicked", about))
        self._reactions.append(("AddedToBasket", {"product": described(good, good.price_minor), "quantity": 1}))

    def _write(self, kind: str, **fields: Any) -> Event:
        occurred_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        common = {
            "event_id": str(uuid4()),
            "type": kind,
            "occurred_at": occurred_at,
            "shopper_id": self._shopper.shopper_id,
        }
        return common | {"consent": "granted"} | fields
