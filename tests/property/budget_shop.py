"""Random campaigns, trees and events for `test_budgets`: few products, tight budgets, promises that meet each other."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

from domain.campaigns import Budget, Campaign, Cap, Range
from domain.events import (
    AddedToBasket,
    AnyEvent,
    OrderLine,
    OrderPaid,
    OrderStatus,
    OrderStatusChanged,
    Page,
    PageViewed,
    Product,
    RemovedFromBasket,
    StatusLine,
)
from domain.experiences import Kind
from domain.ids import ShopperKey
from domain.records import SCHEMA_VERSION, Record
from domain.timestamps import from_unix_ms
from domain.tree import encode as encode_tree
from domain.tree_faults import read_tree
from tests.market import campaign
from tests.story import NOON_MS, RETAILER

KINDS: tuple[Kind, ...] = ("personalised_promotion",) * 4 + ("basket_tension",) * 3 + ("recommendation",)
PRODUCTS = ("p-0", "p-1", "p-2")
SLOTS = ("s-0", "s-1", "s-2")
MINUTE_MS = 60_000
_PAGES = ("a", "b", "c")
_BACK: tuple[OrderStatus, ...] = ("cancelled", "returned", "delivered") + ("partially_returned",) * 4


def draw_campaigns(rng: Random) -> list[Campaign]:
    """Some campaigns that run for a year, with budgets for few promises."""
    return [_campaign(rng, f"c-{number}") for number in range(rng.choice((1, 2, 3, 3, 4)))]


def draw_tree(rng: Random, campaigns: list[Campaign]) -> bytes:
    """A tree of some nodes that a shopper passes again after each order, each with proposals for one slot or two."""
    names = [one.campaign_id for one in campaigns]
    path = ["start", *(f"n-{number}" for number in range(5))]
    nodes: dict[str, Any] = {}
    for node, after in pairwise([*path, None]):
        bids = [_bid(rng, campaigns, rng.choice(["*", *names, *names])) for _ in range(rng.randint(1, 4))]
        edges = [] if after is None else [_to(after, rng.choice([_page(rng), _page(rng), _added()]))]
        nodes[str(node)] = {"experiences": bids, "edges": edges}
    _, tree = read_tree({"schema_version": 1, "shopper": "default", "root": "start", "nodes": nodes})
    return encode_tree(tree)


class Crowd:
    """Shoppers whose events are made up one after the other.

    Attributes:
        now_ms: the clock that receives.
    """

    def __init__(self, rng: Random, partitions: int) -> None:
        self._rng = rng
        self.now_ms = NOON_MS
        self._number = 0
        self._orders: dict[ShopperKey, list[OrderPaid]] = {}
        self._settled: dict[ShopperKey, list[OrderPaid]] = {}
        self._early: dict[ShopperKey, list[OrderPaid]] = {}
        self.shoppers = [
            ShopperKey(RETAILER, f"{partition:03x}{stripe:x}{'0' * 60}")
            for partition in range(partitions)
            for stripe in range(rng.randint(1, 2))
        ]

    def act(self) -> Record:
        """Something that some shopper does."""
        rng = self._rng
        key = rng.choice(self.shoppers)
        chance = rng.random()
        if chance < 0.38:
            return self.record(
                key, PageViewed(**self._fields(key), page=Page(kind="category", category_id=rng.choice(_PAGES)))
            )
        if chance < 0.58:
            price_minor = rng.choice([0, 99, 300, 900])
            product = Product(product_id=rng.choice(PRODUCTS), price_minor=price_minor, currency="EUR")
            kind = AddedToBasket if rng.random() < 0.8 else RemovedFromBasket
            return self.record(key, kind(**self._fields(key), product=product, quantity=rng.randint(1, 3)))
        if chance < 0.78:
            return self.pay(key)
        return self._move(key)

    def pay(self, key: ShopperKey, *, at_ms: int | None = None, lines: tuple[OrderLine, ...] | None = None) -> Record:
        """An order: a new one, or one that was told already; without lines and a time, of any and by anybody."""
        rng, told = self._rng, self._orders.setdefault(key, [])
        early = self._early.get(key)
        if lines is None and (early or told) and rng.random() < 0.3:
            before = early.pop() if early else rng.choice(told)
            # The server's copy of what a browser said, said again by the server itself, or overtaken by its end.
            order = OrderPaid(
                **self._fields(key),
                order_id=before.order_id,
                lines=before.lines,
                total_minor=before.total_minor,
                currency="EUR",
            )
        else:
            order = OrderPaid(
                **self._fields(key),
                order_id=f"{'o' if lines is None else 'last'}-{self._number}",
                lines=_lines(rng) if lines is None else lines,
                total_minor=0,
                currency="EUR",
            )
            told.append(order)
        verified = lines is not None or rng.random() < 0.8
        if verified:
            self._settled.setdefault(key, []).append(order)
        return self.record(key, order, verified=verified, at_ms=at_ms)

    def record(self, key: ShopperKey, event: AnyEvent, *, verified: bool = False, at_ms: int | None = None) -> Record:
        """The stored form of an event that is received now, and happened a while ago."""
        late_ms = self._rng.choice([0, 0, 0, 0, 0, 1_000, MINUTE_MS, 40 * MINUTE_MS])
        return Record(
            schema_version=SCHEMA_VERSION,
            retailer_id=key.retailer_id,
            received_at_ms=self.now_ms,
            event_time_ms=self.now_ms - late_ms if at_ms is None else at_ms,
            event=event,
            verified=verified,
        )

    def _move(self, key: ShopperKey) -> Record:
        """An order's status changes, perhaps before the order is told."""
        rng, told = self._rng, self._settled.get(key, [])
        if told and rng.random() < 0.85:
            order = rng.choice(told[-2:])
        else:
            order = OrderPaid(
                **self._fields(key), order_id=f"early-{self._number}", lines=_lines(rng), total_minor=0, currency="EUR"
            )
            self._early.setdefault(key, []).append(order)
        status = rng.choice(_BACK)
        some = tuple(
            StatusLine(product_id=line.product_id, quantity=rng.randint(1, line.quantity))
            for line in order.lines
            if rng.random() < 0.6
        )
        event = OrderStatusChanged(**self._fields(key), order_id=order.order_id, status=status, lines=some)
        return self.record(key, event, verified=rng.random() < 0.85)

    def _fields(self, key: ShopperKey) -> dict[str, Any]:
        self._number += 1
        return {
            "event_id": UUID(int=self._number),
            "occurred_at": from_unix_ms(self.now_ms),
            "shopper_id": key.shopper,
        }


def _campaign(rng: Random, campaign_id: str) -> Campaign:
    kind = rng.choice(KINDS)
    fields: dict[str, Any] = {"kind": kind, "priority": rng.randint(0, 2), "holdout_ppm": rng.choice([0, 0, 300_000])}
    fields["exclusivity_group"] = rng.choice([None, None, None, "g"])
    fields["cap"] = rng.choice([None, None, Cap(times=rng.randint(1, 3), days=rng.randint(1, 2))])
    count = rng.choice([None, None, rng.randint(1, 30)])
    if kind == "recommendation":
        return campaign(campaign_id, budget=None if count is None else Budget(count=count), **fields)
    cost_minor = rng.randint(50, 600)
    gives = rng.choice(["amount", "percent", "tree"])
    if gives == "amount":
        fields["amount_minor"] = Range(usual=cost_minor, at_least=rng.randint(20, 50))
    else:
        fields["max_discount_minor"] = cost_minor
        fields["amount_minor"] = None
        fields["percent"] = Range(usual=20, at_most=rng.randint(20, 100)) if gives == "percent" else None
    if rng.random() < 0.4 and (gives != "tree" or kind != "basket_tension"):
        fields["threshold_minor"] = Range(usual=1_000, at_least=300, at_most=2_500)
    if kind == "personalised_promotion" and rng.random() < 0.4:
        fields["products"] = tuple(rng.sample(PRODUCTS, 2))
    budget = Budget(money_minor=cost_minor * rng.choice((2, 5, 10, 20, 40)) + rng.randint(0, cost_minor), count=count)
    return campaign(campaign_id, budget=budget, **fields)


def _bid(rng: Random, campaigns: list[Campaign], campaign_id: str) -> dict[str, Any]:
    """A proposal, mostly of the kind of the campaign that it names."""
    kinds = [one.definition.kind for one in campaigns if campaign_id in ("*", one.campaign_id)]
    kind = rng.choice(kinds) if rng.random() < 0.95 else rng.choice(KINDS)
    content: dict[str, Any] = {}
    if kind == "basket_tension":
        content = {"threshold_minor": rng.randint(300, 3_000), "reward": _worth(rng, in_kind=True)}
    else:
        content["products"] = [rng.choice([product, {"product_id": product}]) for product in rng.choices(PRODUCTS, k=2)]
        if kind == "personalised_promotion":
            content["generosity"] = _worth(rng, in_kind=False)
    return {
        "slot": rng.choice(SLOTS),
        "kind": kind,
        "ttl_s": rng.choice([30, 300, 300, 900, 7_200]),
        "content": content,
        "campaign_id": campaign_id,
    }


def _worth(rng: Random, *, in_kind: bool) -> dict[str, Any]:
    worths: list[dict[str, Any]] = [
        {"type": "amount", "value_minor": rng.randint(1, 900)},
        {"type": "percent", "value": rng.choice([5, 12.5, 33.33, 100])},
    ]
    return rng.choice([*worths, {"type": "delivery"}] if in_kind else worths)


def _lines(rng: Random) -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(
            product_id=rng.choice(PRODUCTS), quantity=rng.randint(1, 3), price_minor=rng.choice([0, 99, 300, 900])
        )
        for _ in range(rng.randint(2, 5))
    )


def _page(rng: Random) -> dict[str, Any]:
    return {"kind": "page", "category_ids": rng.sample(_PAGES, 2)}


def _added() -> dict[str, Any]:
    return {"kind": "product", "action": "added"}


def _to(node: str, when: dict[str, Any]) -> dict[str, Any]:
    return {"to": node, "when": when}
