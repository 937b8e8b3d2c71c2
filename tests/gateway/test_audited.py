"""Which routes leave an entry in the audit trail: held against the gateway's own routes, so that none is forgotten."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.ids import shopper_digest
from domain.permissions import Scope
from domain.privacy import request_target
from domain.timestamps import rfc3339
from gateway.scripts import scripts
from tests.gateway.claiming import EMAIL, token
from tests.gateway.desk import PASTA
from tests.gateway.fair import WHEEL
from tests.gateway.standing import Standing, added, basic, digest
from tests.gateway.test_authorisation import GUARDS, OF_A_TOKEN, OF_EVERYBODY, OPEN_TO, OPERATES, key, routes

Route = tuple[str, str]
CAMPAIGN = "/v1/campaigns/{campaign_id}"
REQUESTS = "/v1/privacy/requests"
EXPORT: Route = ("POST", f"{REQUESTS}/{{request_id}}/export")
LOOKUP: Route = ("POST", "/v1/shoppers/lookup")
DAY_MS = 86_400_000


NOTED: dict[Route, str] = {
    LOOKUP: "lookup",
    ("POST", REQUESTS): "privacy.suppress",
    EXPORT: "privacy.export",
    ("POST", "/v1/campaigns"): "campaigns.create",
    ("PUT", CAMPAIGN): "campaigns.change",
    ("GET", f"{CAMPAIGN}/draw"): "campaigns.draw",
    **{("POST", f"{CAMPAIGN}/{verb}"): f"campaigns.{verb}" for verb in ("schedule", "pause", "resume", "end")},
}
"""By route, the action that stands in the trail."""
IN_VAIN = (LOOKUP, EXPORT)
"""Asked for a shopper whom nobody has seen, and for a document that was not made: who asks in vain has asked."""
NOT_NOTED: dict[Route, str] = {
    (
        "POST",
        "/v1/events",
    ): "nothing on an event's way waits for the trail; erasures by withdrawal are noted apart",
    ("POST", "/v1/rewards/claims"): "the winner; who reads the address is noted",
    ("POST", "/v1/subscriptions"): "opens a shopper's page its own stream, many times a day",
    ("GET", "/v1/experiences"): "a shopper's own page",
    ("POST", "/v1/quotes"): "a till, which waits for nothing; it is told of offers, not of the shopper",
    ("GET", "/v1/audit"): "names shoppers by digests alone, and changes nothing",
    ("GET", f"{REQUESTS}/{{request_id}}"): "how far a request is; no shopper is named",
    ("GET", "/v1/campaigns"): "no shopper, and nothing changes",
    ("GET", CAMPAIGN): "no shopper, and nothing changes",
    ("GET", f"{CAMPAIGN}/history"): "no shopper, and nothing changes",
}
PUBLIC = {(method, path) for path in (*OF_EVERYBODY, *scripts()) for method in ("GET", "HEAD")}
"""Documents, scripts and the health, the same for everybody."""
PREPARED: dict[str, tuple[str, ...]] = {
    "pause": ("schedule",),
    "resume": ("schedule", "pause"),
    "end": ("schedule",),
    "draw": ("schedule",),
}
"""What a campaign has to go through before."""


class Shop:
    """A retailer with a key of each scope, a campaign and a request."""

    def __init__(self, standing: Standing) -> None:
        now_ms = standing.clock.now_ms()
        dates = {"starts_at": rfc3339(now_ms - DAY_MS), "ends_at": rfc3339(now_ms + DAY_MS)}
        self.standing = standing
        self.wheel = WHEEL | dates | {"campaign_id": "wheel"}
        self.request_id = str(uuid4())

    async def send(self, route: Route, headers: dict[str, str]) -> httpx.Response:
        """Sends a request that is granted."""
        method, path = route
        path = path.replace("{campaign_id}", "wheel").replace("{request_id}", self.request_id)
        body = self._body(route)
        more: dict[str, Any] = {} if body is None else {"json": body}
        query = {"since": "2026-01-01"} if path == "/v1/audit" else None
        return await self.standing.http.request(method, path, params=query, headers=headers, **more)

    def _body(self, route: Route) -> Any:
        requests = {"kind": "suppress", "shopper_ids": ["c-1"], "request_id": self.request_id}
        return {
            ("POST", "/v1/events"): added(),
            LOOKUP: {"shopper_id": "c-1"},
            EXPORT: {"shopper_id": "c-1"},
            ("POST", "/v1/subscriptions"): {"shopper_id": "c-1"},
            ("POST", "/v1/quotes"): {"shopper_id": "c-1", "lines": []},
            ("POST", "/v1/rewards/claims"): {"claim": token(self.standing), "email": EMAIL},
            ("POST", REQUESTS): requests,
            ("POST", "/v1/campaigns"): self.wheel,
            ("PUT", CAMPAIGN): self.wheel | {"version": 1, "name": "Another wheel"},
        }.get(route)

    async def prepare(self, route: Route) -> None:
        """Brings about what a request is about."""
        if CAMPAIGN in route[1]:
            await self._must(("POST", "/v1/campaigns"))
            for verb in PREPARED.get(route[1].rpartition("/")[2], ()):
                await self._must(("POST", f"{CAMPAIGN}/{verb}"))
        elif route[1].startswith(f"{REQUESTS}/"):
            await self._must(("POST", REQUESTS))

    def target(self, route: Route) -> str:
        """Gives how the trail names what a route's request is about."""
        identity, shopper = self.standing.ports.identity, self.standing.key("c-1").shopper
        if route in IN_VAIN:
            return shopper_digest(identity.privacy_key("r-shop"), shopper)
        return "wheel" if "/campaigns" in route[1] else request_target(self.request_id)

    async def _must(self, route: Route) -> None:
        answer = await self.send(route, self.standing.shop.secret)
        assert answer.is_success, answer.text

    async def count(self) -> int:
        """How many entries there are."""
        return len(await self.standing.ports.audit.read("r-shop", 0, 1_000))


@pytest.fixture
async def shop(standing: Standing) -> Shop:
    """A retailer whose routes can all be asked for."""
    for scope in ("server", "privacy", "operator"):
        await standing.ports.retailers.rotate_key("r-shop", scope, digest(key(scope)), old_until_ms=None)
    return Shop(standing)


async def test_every_route_is_decided_about(standing: Standing) -> None:
    """A route that is neither noted nor an exception with a reason fails here, and so does one that is gone."""
    decided = [*NOTED, *NOT_NOTED, *PUBLIC]
    assert sorted(routes(standing)) == sorted(decided)
    assert [] == [route for route, reason in NOT_NOTED.items() if len(reason) < len("no shopper")]


def test_no_change_by_a_privileged_key_is_an_exception() -> None:
    """What operators and whoever answers for privacy can change is always noted; exceptions of theirs only read."""
    assert {"GET"} == {route[0] for route in NOT_NOTED if OPEN_TO.get(route) in (OPERATES, GUARDS)}
    assert NOTED.keys() <= OPEN_TO.keys()


@pytest.mark.parametrize(("route", "scope"), [(route, scope) for route in NOTED for scope in OPEN_TO[route]], ids=str)
async def test_a_privileged_request_leaves_an_entry(shop: Shop, route: Route, scope: Scope) -> None:
    """By a key of each scope that may: one entry, with the key's name, what was done, and to what."""
    await shop.prepare(route)
    before = await shop.count()
    asked_with = key(scope)
    answer = await shop.send(route, basic(asked_with))
    is_in_vain = route in IN_VAIN
    assert answer.status_code == 404 if is_in_vain else answer.is_success, answer.text
    (entry,) = (await shop.standing.ports.audit.read("r-shop", 0, 1_000))[before:]
    expected = (f"key {digest(asked_with)[:8]}", NOTED[route], shop.target(route))
    assert (*expected, "refused" if is_in_vain else "done") == (entry.who, entry.action, entry.target, entry.outcome)


@pytest.mark.parametrize("route", [route for route in NOT_NOTED if route not in OF_A_TOKEN], ids=" ".join)
async def test_an_exception_leaves_none(shop: Shop, route: Route) -> None:
    """Granted, and yet no entry: the documents say so, and whoever reads the trail need not look for it."""
    await shop.prepare(route)
    before = await shop.count()
    answer = await shop.send(route, shop.standing.shop.secret)
    assert 200 == answer.status_code, answer.text
    assert before == await shop.count()


async def test_what_a_campaign_would_do_leaves_none(shop: Shop) -> None:
    """A dry run of a route that is noted changes nothing and is not noted."""
    answer = await shop.standing.http.post(
        "/v1/campaigns", params={"dry_run": "true"}, json=PASTA, headers=shop.standing.shop.secret
    )
    assert (200, 0) == (answer.status_code, await shop.count())
