"""A shopper's story in few words: builders of records for tests that read like what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from domain.arbitration import Market
from domain.decide import adopt, decide
from domain.events import AnyEvent
from domain.experiences import Experience
from domain.fold import Applied, apply
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Decided, Known, Record
from domain.shopper import Shopper
from domain.tree import Tree
from domain.tree import encode as encode_tree
from domain.tree_faults import read_tree

NOON_MS = 1_790_000_000_000
SHOPPER = "0a" * 32
RETAILER = "r-1"


def record(kind: str, at_s: float, number: int, received_s: float | None = None, **fields: Any) -> Record:
    """One event `at_s` seconds after noon; `number` makes its id."""
    at_ms = NOON_MS + int(at_s * 1_000)
    known = fields.pop("known", {})
    flags = {name: fields.pop(name, False) for name in ("verified", "presumed")}
    event = {
        "type": kind,
        "event_id": str(UUID(int=number + 1)),
        "occurred_at": datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(),
        "shopper_id": SHOPPER,
        **fields,
    }
    return Record(
        schema_version=SCHEMA_VERSION,
        retailer_id=RETAILER,
        received_at_ms=at_ms if received_s is None else NOON_MS + int(received_s * 1_000),
        event_time_ms=at_ms,
        event=msgspec.convert(event, AnyEvent),
        **flags,
        known={product: Known(**facts) for product, facts in known.items()},
    )


@dataclass
class Story:
    """Folds events one after the other and keeps what came of the last."""

    state: Shopper = field(default_factory=lambda: Shopper(retailer_id=RETAILER, shopper=SHOPPER))
    applied: Applied | None = None
    decided: Decided | None = None
    offset: int = -1

    def tell(self, kind: str, at_s: float = 0, **fields: Any) -> Applied:
        """Applies the next event, without a tree."""
        self.offset += 1
        number = fields.pop("number", self.offset)
        self.applied = apply(self.state, record(kind, at_s, number, **fields), Position(1, self.offset))
        self.state = self.applied.state
        return self.applied

    def add(self, product: str, at_s: float = 0, quantity: int = 1, **facts: Any) -> Applied:
        """Adds a product."""
        extra = {name: facts.pop(name) for name in ("known", "number", "received_s", "presumed") if name in facts}
        return self.tell("AddedToBasket", at_s, product={"product_id": product, **facts}, quantity=quantity, **extra)

    def remove(self, product: str, at_s: float = 0, quantity: int = 1) -> Applied:
        """Removes a product."""
        return self.tell("RemovedFromBasket", at_s, product={"product_id": product}, quantity=quantity)

    def pay(self, order_id: str = "o-1", at_s: float = 0, **fields: Any) -> Applied:
        """Pays an order."""
        return self.tell("OrderPaid", at_s, order_id=order_id, lines=[], total_minor=0, currency="EUR", **fields)


class TreeStory(Story):
    """A shopper in a tree: every event is applied and decided, with a market campaigns are asked."""

    def __init__(self, tree: dict[str, Any], generation: int = 1, market: Market | None = None) -> None:
        super().__init__()
        self.market = market
        self.plant(tree, generation)

    def plant(self, tree: dict[str, Any], generation: int) -> None:
        """Puts a tree in force from the next event on."""
        _, read = read_tree({"schema_version": 1, "shopper": "default", "root": "start", "nodes": tree})
        self.tree: Tree | None = Tree(encode_tree(read), generation)

    def tell(self, kind: str, at_s: float = 0, **fields: Any) -> Applied:
        """Applies and decides the next event; `decided` is its record."""
        self.offset += 1
        number = fields.pop("number", self.offset)
        told = record(kind, at_s, number, **fields)
        before = self.state
        self.applied = apply(before, told, Position(1, self.offset))
        self.decided = None
        self.state = self.applied.state
        if not self.applied.repeat:
            self.state, self.decided = decide(self.applied, told, self.tree, token=0, market=self.market)
            if self.decided is not None and self.market is not None:
                self.market.purse.take(self.decided)
            # The next owner of the partition reaches the same state from the log, without a tree.
            adopted = self.applied.state if self.decided is None else adopt(self.applied.state, self.decided)
            assert self.state == adopted
        return self.applied

    def idle(self, at_s: float) -> Applied:
        """The pending timer elapses."""
        timer = self.state.timer
        assert timer is not None
        return self.tell("IdleElapsed", at_s, after_event_id=str(timer.after_event_id), node_id=timer.node_id)

    def shown(self) -> dict[str, Experience]:
        """What the last event emitted, by slot."""
        if self.decided is None:
            return {}
        return {one.experience.slot: one.experience for one in self.decided.decisions}
