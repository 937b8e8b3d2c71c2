"""A retailer's server that works with its campaigns, for the tests of their routes."""

from __future__ import annotations

from typing import Any

import httpx

from tests.gateway.standing import Shop, Standing

STARTS, ENDS = "2030-06-03T08:00:00+02:00", "2030-07-01T00:00:00Z"
BEFORE, WITHIN, AFTER = "2030-06-03T05:59:59.999Z", "2030-06-03T06:00:00Z", "2030-07-01T00:00:00Z"
PASTA: dict[str, Any] = {
    "name": "Crème fraîche: 10 %!",
    "kind": "personalised_promotion",
    "starts_at": STARTS,
    "ends_at": ENDS,
    "products": ["p-1"],
    "percent": {"usual": 10, "at_least": 5, "at_most": 20},
    "max_discount_minor": 500,
    "budget": {"money_minor": 100_000, "count": 2_000},
}


class Desk:
    """A retailer's server that works with its campaigns."""

    def __init__(self, standing: Standing, shop: Shop | None = None) -> None:
        self._http = standing.http
        self.shop = shop or standing.shop

    async def ask(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        """Sends a request below `/v1/campaigns`."""
        more: dict[str, Any] = {} if body is None else {"json": body}
        return await self._http.request(method, f"/v1/campaigns{path}", params=query, headers=self.shop.secret, **more)

    async def made(self, campaign_id: str = "pasta", **fields: Any) -> Any:
        """Creates a campaign, and gives the answer."""
        answer = await self.ask("POST", "", PASTA | {"campaign_id": campaign_id} | fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def stage(self, campaign_id: str, **query: str) -> str:
        """Gives a campaign's stage."""
        stage: str = (await self.ask("GET", f"/{campaign_id}", **query)).json()["status"]["stage"]
        return stage
