"""A shopper's story in a tree whose proposals campaigns may take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from adapters.zones import zone_of
from domain.arbitration import Market
from domain.campaigns import Campaign, Definition
from domain.campaigns_in_force import InForce
from domain.decide import adopt, decide
from domain.fold import Applied, apply
from domain.ids import Position
from domain.records import Decided, Record
from domain.reservations import Reservation
from domain.what_if import Bottomless
from tests.story import NOON_MS, RETAILER, TreeStory, record

Json = dict[str, Any]

STARTS = datetime.fromtimestamp(NOON_MS / 1_000, UTC) - timedelta(days=1)
ENDS = STARTS + timedelta(days=100)
ADDED: Json = {"kind": "event", "types": ["AddedToBasket"]}
ALWAYS: Json = {"kind": "basket_lines", "at_least": 0}


def campaign(campaign_id: str, **fields: Any) -> Campaign:
    """A campaign in force, ten percent on pasta unless told otherwise."""
    definition: Json = {
        "name": campaign_id,
        "kind": "personalised_promotion",
        "starts_at": STARTS.isoformat(),
        "ends_at": ENDS.isoformat(),
        "percent": {"usual": 10},
        "max_discount_minor": 500,
    }
    if fields.get("kind", definition["kind"]) == "recommendation":
        del definition["percent"], definition["max_discount_minor"]
    return Campaign(
        retailer_id=RETAILER,
        campaign_id=campaign_id,
        version=1,
        state="scheduled",
        definition=msgspec.convert({n: v for n, v in (definition | fields).items() if v is not None}, Definition),
        changed_at_ms=0,
    )


def market(campaigns: Sequence[Campaign]) -> Market:
    """The campaigns with budgets that never end."""
    return Market({RETAILER: InForce(campaigns, {}, zone_of, "UTC")}, Bottomless())


def promotion(slot: str, campaign_id: str, *products: str, ttl_s: int = 600) -> Json:
    """A promotion as a tree proposes it."""
    content = {"products": list(products), "generosity": {"type": "percent", "value": 10}}
    return _proposed(slot, "personalised_promotion", campaign_id, content, ttl_s)


def tension(slot: str, campaign_id: str, threshold_minor: int, reward: Json, ttl_s: int = 600) -> Json:
    """A basket tension as a tree proposes it."""
    content = {"threshold_minor": threshold_minor, "reward": reward}
    return _proposed(slot, "basket_tension", campaign_id, content, ttl_s)


def recommendation(slot: str, campaign_id: str | None, *products: str, ttl_s: int = 600) -> Json:
    """A recommendation as a tree proposes it."""
    return _proposed(slot, "recommendation", campaign_id, {"products": list(products)}, ttl_s)


def _proposed(slot: str, kind: str, campaign_id: str | None, content: Json, ttl_s: int) -> Json:
    proposed = {"slot": slot, "kind": kind, "ttl_s": ttl_s, "content": content}
    return proposed if campaign_id is None else {**proposed, "campaign_id": campaign_id}


def edge(to: str, when: Json) -> Json:
    """An edge as a tree has it."""
    return {"to": to, "when": when}


class MarketStory(TreeStory):
    """A shopper in a tree with campaigns.

    Attributes:
        records: every event.
        told: every record of the experience log.
    """

    def __init__(self, tree: Json, *campaigns: Campaign) -> None:
        super().__init__(tree, market=market(campaigns))
        self.records: list[Record] = []
        self.told: list[Decided] = []

    def tell(self, kind: str, at_s: float = 0, **fields: Any) -> Applied:
        """Applies and decides the next event."""
        self.offset += 1
        return self.take(record(kind, at_s, fields.pop("number", self.offset), **fields))

    def take(self, told: Record) -> Applied:
        """Applies and decides an event that was made elsewhere."""
        self.records.append(told)
        applied = self.applied = apply(self.state, told, Position(1, len(self.records)))
        self.decided = None
        self.state = applied.state
        if not applied.repeat:
            self.state, self.decided = decide(applied, told, self.tree, 0, self.market)
        if self.decided is not None:
            assert self.state == adopt(applied.state, self.decided)
            self.told.append(self.decided)
        return applied

    def order(self, order_id: str, at_s: float, **lines: tuple[int, int]) -> Applied:
        """A verified order; each line is quantity and unit price."""
        sold = [{"product_id": name, "quantity": of[0], "price_minor": of[1]} for name, of in lines.items()]
        return self.tell("OrderPaid", at_s, order_id=order_id, lines=sold, total_minor=0, currency="EUR", verified=True)

    def open(self) -> tuple[Reservation, ...]:
        """The promises that are open."""
        return tuple(one for one in self.state.reservations if one.is_open)
