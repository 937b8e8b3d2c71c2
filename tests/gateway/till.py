"""A shop with a till, for the tests of quotes: a campaign in force, a tree that proposes it, and a worker."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx

from domain.purse import CampaignKey
from domain.timestamps import rfc3339
from domain.tree_faults import read_trees
from tests.gateway.desk import Desk
from tests.gateway.standing import Shop, Standing, added, until

Lines = Mapping[str, tuple[int, int]]
"""Quantity and unit price by product."""

DAY_MS = 86_400_000
TEN: dict[str, Any] = {
    "name": "Ten percent on pasta",
    "kind": "personalised_promotion",
    "products": ["p-pasta"],
    "percent": {"usual": 10},
    "max_discount_minor": 500,
    "budget": {"money_minor": 100_000},
}
TREE: dict[str, Any] = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {
            "edges": [
                {"to": "ten", "when": {"kind": "product", "action": "added", "category_ids": ["pasta"]}},
                {"to": "free", "when": {"kind": "product", "action": "added", "category_ids": ["wine"]}},
            ]
        },
        "ten": {
            "experiences": [
                {
                    "slot": "main",
                    "kind": "personalised_promotion",
                    "campaign_id": "ten",
                    "ttl_s": 1_800,
                    "content": {"products": ["p-pasta"], "generosity": {"type": "percent", "value": 10}},
                }
            ]
        },
        "free": {
            "experiences": [
                {
                    "slot": "bar",
                    "kind": "basket_tension",
                    "campaign_id": "free",
                    "ttl_s": 1_800,
                    "content": {"threshold_minor": 5_000, "reward": {"type": "delivery", "label": "free delivery"}},
                }
            ]
        },
    },
}
"""Pasta brings ten percent off it, wine free delivery from 50.00 on."""
FREE: dict[str, Any] = {
    "name": "Free delivery",
    "kind": "basket_tension",
    "max_discount_minor": 390,
    "budget": {"money_minor": 100_000},
}


class Till:
    """The shop's till, and the page of its shoppers."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    async def open(self) -> None:
        """Starts a worker, puts both campaigns in force and waits until promises may be made."""
        standing = self._standing
        self.worker = await standing.work()
        retailer_id = standing.shop.retailer.retailer_id
        await standing.ports.trees.push(retailer_id, read_trees(json.dumps(TREE).encode()))
        desk = Desk(standing)
        now_ms = standing.clock.now_ms()
        dates = {"starts_at": rfc3339(now_ms - DAY_MS), "ends_at": rfc3339(now_ms + 100 * DAY_MS)}
        for campaign_id, fields in (("ten", TEN), ("free", FREE)):
            body = fields | dates | {"campaign_id": campaign_id}
            assert 201 == (await desk.ask("POST", "", body)).status_code
            assert 200 == (await desk.ask("POST", f"/{campaign_id}/schedule")).status_code

        async def is_leased() -> bool:
            totals = await standing.ports.ledger.totals(retailer_id)
            return {"ten", "free"} <= {total.campaign_id for total in totals if total.leased.minor}

        await until(is_leased, "the worker has leases of both budgets")

    async def promised(self, shopper_id: str, category: str = "pasta", **more: Any) -> Any:
        """Adds a product and gives the experience that it brings, once it is decided."""
        answer = await self._post(added(category, shopper_id, **more))
        (experience,) = answer["experiences"]
        return experience

    async def order(self, shopper_id: str, order_id: str, lines: Lines, at_ms: int | None = None) -> None:
        """Pays a verified order. Returns when it is processed."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) if at_ms is None else rfc3339(at_ms)
        await self._post(
            {
                "type": "OrderPaid",
                "event_id": str(uuid4()),
                "occurred_at": at,
                "shopper_id": shopper_id,
                "order_id": order_id,
                "lines": _lines(lines),
                "total_minor": 1,
                "currency": "EUR",
            }
        )

    async def ask(
        self, shopper_id: str, lines: Lines, shop: Shop | None = None, http: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        """Asks for a quote."""
        body = {"shopper_id": shopper_id, "lines": _lines(lines)}
        headers = (shop or self._standing.shop).secret
        return await (http or self._standing.http).post("/v1/quotes", json=body, headers=headers)

    async def discounts(self, shopper_id: str, lines: Lines) -> Any:
        """Asks for a quote, which has to be answered."""
        answer = await self.ask(shopper_id, lines)
        assert 200 == answer.status_code, answer.text
        return answer.json()["discounts"]

    async def committed(self, campaign_id: str = "ten") -> int:
        """Gives what orders have cost a campaign by the worker's own records."""
        standing = self._standing
        key = CampaignKey(standing.shop.retailer.retailer_id, campaign_id)
        totals = await standing.ports.ledger.totals(key.retailer_id)
        return next(total.committed.minor for total in totals if total.campaign_id == campaign_id)

    async def _post(self, event: Any) -> Any:
        headers = {"content-type": "application/json", "prefer": "wait=2"} | self._standing.shop.secret
        answer = await self._standing.http.post("/v1/events", json=event, headers=headers)
        assert 200 == answer.status_code, answer.text
        return answer.json()


def _lines(lines: Lines) -> list[dict[str, Any]]:
    return [{"product_id": name, "quantity": of[0], "price_minor": of[1]} for name, of in lines.items()]
