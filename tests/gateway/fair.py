"""A shop with games: a wheel whose prizes have stocks, a draw for the whole basket, and shoppers who play and pay."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from domain.timestamps import rfc3339
from domain.tree_faults import read_trees
from tests.gateway.desk import Desk
from tests.gateway.standing import Standing, until

DAY_MS = 86_400_000
COFFEES = 2
WHEEL: dict[str, Any] = {
    "name": "The wheel",
    "kind": "gamified_promotion",
    "products": ["p-pasta"],
    "game": "wheel",
    "prizes": [
        {
            "prize_id": "coffee",
            "reward": {"type": "product", "product_id": "p-coffee", "label": "A pack of coffee"},
            "chance_ppm": 500_000,
            "stock": COFFEES,
            "cost_minor": 400,
        },
        {
            "prize_id": "voucher",
            "reward": {"type": "amount", "value_minor": 500, "label": "5.00 off"},
            "chance_ppm": 400_000,
            "cost_minor": 500,
        },
    ],
    "budget": {"money_minor": 1_000_000},
}
BASKET: dict[str, Any] = {
    "name": "Your basket for nothing",
    "kind": "gamified_promotion",
    "products": ["p-wine"],
    "game": "scratch",
    "reward": {"chance_ppm": 1_000_000, "at_most_minor": 20_000},
    "budget": {"money_minor": 1_000_000},
}
_PRIZE = {"type": "own"}


def _proposes(campaign_id: str, product: str) -> dict[str, Any]:
    return {
        "experiences": [
            {
                "slot": "main",
                "kind": "gamified_promotion",
                "campaign_id": campaign_id,
                "ttl_s": 1_800,
                "content": {"game": "scratch", "products": [product], "prize": _PRIZE},
            }
        ]
    }


TREE: dict[str, Any] = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [
                {"to": "wheel", "when": {"kind": "product", "action": "added", "category_ids": ["pasta"]}},
                {"to": "basket", "when": {"kind": "product", "action": "added", "category_ids": ["wine"]}},
            ]
        },
        "wheel": _proposes("wheel", "p-pasta"),
        "basket": _proposes("basket", "p-wine"),
    },
}
"""Pasta brings the wheel, wine the draw for the basket."""


class Fair:
    """The shop and its shoppers."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.desk = Desk(standing)

    @property
    def retailer_id(self) -> str:
        """The shop's."""
        return self.standing.shop.retailer.retailer_id

    async def open(self, starts_at_ms: int | None = None) -> None:
        """Starts a worker, puts both campaigns in force and waits until rights may be given."""
        standing = self.standing
        await standing.work()
        await standing.ports.trees.push(self.retailer_id, read_trees(json.dumps(TREE).encode()))
        now_ms = standing.clock.now_ms()
        starts_at_ms = now_ms - DAY_MS // 2 if starts_at_ms is None else starts_at_ms
        dates = {"starts_at": rfc3339(starts_at_ms), "ends_at": rfc3339(starts_at_ms + 100 * DAY_MS)}
        for campaign_id, fields in (("wheel", WHEEL), ("basket", BASKET)):
            made = await self.desk.ask("POST", "", fields | dates | {"campaign_id": campaign_id})
            assert 201 == made.status_code, made.text
            assert 200 == (await self.desk.ask("POST", f"/{campaign_id}/schedule")).status_code

        async def is_leased() -> bool:
            totals = await standing.ports.ledger.totals(self.retailer_id)
            return {"wheel", "basket"} <= {total.campaign_id for total in totals if total.leased.minor}

        await until(is_leased, "the worker has leases of both budgets")

    async def shown(self, shopper_id: str, category: str = "pasta") -> dict[str, Any]:
        """Adds a product and gives the game that it brings; the lease has to reach the log first."""
        while True:
            product = {"product_id": f"p-{category}", "category_id": category, "price_minor": 1_000}
            found = await self.tell("AddedToBasket", shopper_id, product=product)
            if found:
                return found[0]
            shopper_id = f"{shopper_id}'"

    async def play(self, shopper_id: str, experience_id: str) -> dict[str, Any]:
        """Clicks, and gives what the page is told at once."""
        (answer,) = await self.tell("ExperienceClicked", shopper_id, experience_id=experience_id)
        return answer

    async def pay(self, shopper_id: str, order_id: str, total_minor: int = 4_723) -> list[dict[str, Any]]:
        """Pays a verified order of two products, and gives what that brings."""
        lines = [
            {"product_id": "p-wine", "quantity": 1, "price_minor": 1_000},
            {"product_id": "p-bread", "quantity": 1, "price_minor": total_minor - 1_000},
        ]
        return await self.tell(
            "OrderPaid", shopper_id, order_id=order_id, lines=lines, total_minor=total_minor, currency="EUR"
        )

    async def tell(self, kind: str, shopper_id: str, **fields: Any) -> list[dict[str, Any]]:
        """Posts an event as the shop's server does, and gives what it brought once it is processed."""
        event = {
            "type": kind,
            "event_id": str(uuid4()),
            "occurred_at": rfc3339(self.standing.clock.now_ms()),
            "shopper_id": shopper_id,
            **fields,
        }
        answer = await self.standing.post(event, self.standing.shop.secret | {"prefer": "wait=2"})
        assert 200 == answer.status_code, answer.text
        assert ["stored"] == [result["status"] for result in answer.json()["results"]], answer.text
        experiences: list[dict[str, Any]] = answer.json()["experiences"]
        return experiences
