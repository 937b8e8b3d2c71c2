"""Claims in tests: tokens as a gateway issues them, and the page that sends one back with an address."""

from __future__ import annotations

from typing import Any

import httpx
import jwt

from gateway.access import Doorkeeper
from gateway.body import Bodies
from gateway.claims import BODY_BYTES_MAX, Claims
from gateway.deadlines import Deadlines
from gateway.load import Load
from tests.gateway.standing import Shop, Standing

EMAIL = "winner@post.example"
PATH = "/v1/rewards/claims"


def claims_of(standing: Standing) -> Claims:
    """Gives what issues tokens, as a gateway makes it."""
    settings, stores = standing.settings, standing.stores()
    deadlines = Deadlines(settings.body_idle_s)
    bodies = Bodies(settings, deadlines, Load(settings.requests_max), bytes_max=BODY_BYTES_MAX)
    doorkeeper = Doorkeeper(stores, standing.keys, settings)
    return Claims(standing.vault.vault, standing.vault.keys.claims, stores, doorkeeper, bodies, settings)


def token(standing: Standing, experience_id: str = "e-1", shop: Shop | None = None, value_minor: int = 4_723) -> str:
    """Gives the token of a winner, of 47.23 euros unless told otherwise."""
    retailer_id = (shop or standing.shop).retailer.retailer_id
    return claims_of(standing).token_for(experience_id, retailer_id, "spring", value_minor, "EUR")


def forged(standing: Standing, key: bytes | None = None, **changes: Any) -> str:
    """Gives a token that says something else, under the right key unless told otherwise; None takes a field away."""
    fields = jwt.decode(token(standing), options={"verify_signature": False}) | changes
    kept = {name: value for name, value in fields.items() if value is not None}
    return jwt.encode(kept, key or standing.vault.keys.claims.tokens)


async def claim(
    standing: Standing, claimed: Any, email: Any = EMAIL, headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    """Posts a claim as the shop's page does."""
    sent = standing.shop.write if headers is None else headers
    return await standing.http.post(PATH, json={"claim": claimed, "email": email}, headers=sent, **more)


async def emails(standing: Standing, shop: Shop | None = None) -> list[str | None]:
    """Gives the addresses in the vault."""
    retailer_id = (shop or standing.shop).retailer.retailer_id
    return [payout.email for payout in await standing.vault.vault.payouts(retailer_id)]
