"""Each scope of a key on every route; the table is held against the gateway's own routes, so that none is forgotten."""

from __future__ import annotations

from collections.abc import Iterable

import httpx
import pytest

from domain.permissions import SCOPES, Scope
from gateway.scripts import scripts
from tests.gateway.standing import ORIGIN, Standing, added, basic, digest

HOUR_MS = 3_600_000
POSTS: tuple[Scope, ...] = ("write", "secret", "server")
SERVES: tuple[Scope, ...] = ("secret", "server")
OPERATES: tuple[Scope, ...] = ("secret", "operator")
GUARDS: tuple[Scope, ...] = ("secret", "privacy")
OPEN_TO: dict[tuple[str, str], tuple[Scope, ...]] = {
    ("POST", "/v1/events"): POSTS,
    ("POST", "/v1/rewards/claims"): POSTS,
    ("POST", "/v1/subscriptions"): SERVES,
    ("POST", "/v1/shoppers/lookup"): SERVES,
    ("POST", "/v1/quotes"): SERVES,
    ("GET", "/v1/audit"): GUARDS,
    ("POST", "/v1/privacy/requests"): GUARDS,
    ("GET", "/v1/privacy/requests/{request_id}"): GUARDS,
    ("POST", "/v1/privacy/requests/{request_id}/export"): GUARDS,
    ("GET", "/v1/campaigns"): OPERATES,
    ("POST", "/v1/campaigns"): OPERATES,
    ("GET", "/v1/campaigns/{campaign_id}"): OPERATES,
    ("PUT", "/v1/campaigns/{campaign_id}"): OPERATES,
    ("GET", "/v1/campaigns/{campaign_id}/history"): OPERATES,
    ("GET", "/v1/campaigns/{campaign_id}/draw"): OPERATES,
    ("POST", "/v1/campaigns/{campaign_id}/schedule"): OPERATES,
    ("POST", "/v1/campaigns/{campaign_id}/pause"): OPERATES,
    ("POST", "/v1/campaigns/{campaign_id}/resume"): OPERATES,
    ("POST", "/v1/campaigns/{campaign_id}/end"): OPERATES,
}
"""Routes that take a key, and the scopes that they are open to."""
OF_A_TOKEN = {("GET", "/v1/experiences")}
"""Opened by a subscription: no key is any."""
OF_EVERYBODY = ("/health/live", "/health/ready", "/openapi.json")


def key(scope: Scope) -> str:
    """Gives the shop's key of a scope."""
    return f"shop-{scope}-key"


@pytest.fixture
async def shop(standing: Standing) -> Standing:
    """A gateway whose shop has a key of every scope."""
    for scope in SCOPES:
        if scope not in ("write", "secret"):
            await standing.ports.retailers.rotate_key("r-shop", scope, digest(key(scope)), old_until_ms=None)
    return standing


def routes(standing: Standing) -> set[tuple[str, str]]:
    """Gives the gateway's routes, as method and path."""
    return {(method, path) for path, methods in standing.gateway.routes.items() for method in methods}


async def ask(standing: Standing, route: tuple[str, str], headers: Iterable[tuple[str, str]]) -> httpx.Response:
    """Sends a request of which nothing but its key could be right."""
    method, path = route
    sent = {"content-type": "application/json", **dict(headers)}
    body = b"{" if method in ("POST", "PUT") else None
    return await standing.http.request(
        method, path.replace("{campaign_id}", "x").replace("{request_id}", "x"), content=body, headers=sent
    )


async def test_every_route_has_its_row(standing: Standing) -> None:
    """A route that nobody decided about fails here; so does a row of a route that is gone."""
    public = {(method, path) for path in (*OF_EVERYBODY, *scripts()) for method in ("GET", "HEAD")}
    assert {*OPEN_TO, *OF_A_TOKEN, *public} == routes(standing)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("route", OPEN_TO, ids=" ".join)
async def test_a_key_opens_the_routes_of_its_scope(shop: Standing, route: tuple[str, str], scope: Scope) -> None:
    """Who may is told what is wrong with the request, who may not is told which scopes may, and nothing else."""
    answer = await ask(shop, route, basic(key(scope)).items())
    if scope in OPEN_TO[route]:
        assert answer.status_code in (200, 400, 404), answer.text
        return
    told = answer.json()
    assert (403, "key_not_allowed") == (answer.status_code, told["error"])
    assert [] == [name for name in OPEN_TO[route] if name not in told["detail"]]


@pytest.mark.parametrize("route", OPEN_TO, ids=" ".join)
async def test_without_a_valid_key_nothing_opens(shop: Standing, route: tuple[str, str]) -> None:
    """No key, nobody's, one in another case, one with a space behind it, and one that has ended."""
    ended = basic("ended")
    await shop.ports.retailers.rotate_key("r-shop", "secret", digest("ended"), old_until_ms=None)
    await shop.ports.retailers.rotate_key("r-shop", "secret", None, old_until_ms=0, only=digest("ended"))
    nobodys = (basic("nobody's"), basic(key("secret").upper()), basic(key("secret") + " "))
    for headers in ({}, *nobodys, ended):
        answer = await ask(shop, route, headers.items())
        assert (401, "unauthorized") == (answer.status_code, answer.json()["error"])


@pytest.mark.parametrize("scope", [scope for scope in SCOPES if scope != "write"])
@pytest.mark.parametrize("route", OPEN_TO, ids=" ".join)
async def test_no_page_sends_any_but_the_write_key(shop: Standing, route: tuple[str, str], scope: Scope) -> None:
    """A key that comes with an origin, though a listed one, has been in a page."""
    answer = await ask(shop, route, {**basic(key(scope)), "origin": ORIGIN}.items())
    assert (403, "secret_key_in_browser") == (answer.status_code, answer.json()["error"])


@pytest.mark.parametrize("scope", SCOPES)
async def test_an_address_carries_the_write_key_alone(shop: Standing, scope: Scope) -> None:
    """Any other key that stands in one is not taken, so that it is noticed and replaced."""
    answer = await shop.post(added(), headers={}, params={"write_key": key(scope)})
    assert (200 if scope == "write" else 401) == answer.status_code


@pytest.mark.parametrize("scope", SCOPES)
async def test_keys_of_servers_make_events_verified(shop: Standing, scope: Scope) -> None:
    """What a page posts is not verified, what a server posts is, and nobody else posts."""
    answer = await shop.post(added(), headers=basic(key(scope)))
    verified = {"write": [False], "server": [True], "secret": [True]}.get(scope, [])
    assert (200 if verified else 403) == answer.status_code
    assert verified == [record.verified for record in await shop.stored()]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("path", ["/v1/experiences", *OF_EVERYBODY])
async def test_a_key_changes_nothing_where_none_is_asked_for(shop: Standing, path: str, scope: Scope) -> None:
    """Streams are opened by a subscription alone, and health and documents by everybody."""
    with_key, without = [await ask(shop, ("GET", path), headers) for headers in (basic(key(scope)).items(), ())]
    assert (with_key.status_code, with_key.content) == (without.status_code, without.content)
    assert (401 if path == "/v1/experiences" else 200) == without.status_code


async def test_a_revoked_key_is_out_at_once(shop: Standing) -> None:
    """The other key of its scope goes on; one that is about to end ends at its moment."""
    retailers, soon_ms = shop.ports.retailers, shop.clock.now_ms() + HOUR_MS
    await retailers.rotate_key("r-shop", "operator", digest("second"), old_until_ms=None)
    listing = ("GET", "/v1/campaigns")

    async def statuses() -> list[int]:
        return [(await ask(shop, listing, basic(one).items())).status_code for one in (key("operator"), "second")]

    assert [200, 200] == await statuses()
    await retailers.rotate_key("r-shop", "operator", None, old_until_ms=0, only=digest(key("operator")))
    assert [401, 200] == await statuses()
    await retailers.rotate_key("r-shop", "operator", None, old_until_ms=soon_ms, only=digest("second"))
    assert [401, 200] == await statuses()
    shop.clock.shift_ms += HOUR_MS + 1
    assert [401, 401] == await statuses()
