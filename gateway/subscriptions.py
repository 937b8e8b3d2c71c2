"""Subscription tokens: what a retailer's server fetches for a page, so that it hears of its own shopper alone."""

from __future__ import annotations

from typing import Final, NamedTuple

import jwt

from adapters.settings import Settings
from domain.ids import ShopperHash, ShopperKey
from domain.ports.clock import Clock
from gateway.answers import Refusal, unauthorized
from gateway.stores import Keys

_AUDIENCE: Final = "hotbasket/experiences"
_ALGORITHM: Final = "HS256"
_TOKEN_CHARACTERS_MAX: Final = 4_096


class Subscription(NamedTuple):
    """What a token says: whose experiences, until when (Unix milliseconds)."""

    key: ShopperKey
    until_ms: int


class Subscriptions:
    """Issues and reads tokens; any gateway reads those of all.

    Source: RFC 7519 (JWT), with `aud`, `exp`, `iat`, `sub` (the shopper's hash) and `retailer`.
    """

    def __init__(self, keys: Keys, settings: Settings, clock: Clock) -> None:
        self._secret = keys.subscription
        self._lasts_s = settings.subscription_s
        self._clock = clock

    def issue(self, retailer_id: str, shopper: ShopperHash) -> tuple[str, int]:
        """Gives a token for one shopper of one retailer, and when it ends (Unix milliseconds)."""
        now_s = self._clock.now_ms() // 1_000
        until_s = now_s + self._lasts_s
        claims = {"aud": _AUDIENCE, "sub": shopper, "retailer": retailer_id, "iat": now_s, "exp": until_s}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM), until_s * 1_000

    def read(self, token: str) -> Subscription:
        """Gives what a token says.

        Raises:
            Refusal: 401, it is none of ours or has expired.
        """
        if not token or len(token) > _TOKEN_CHARACTERS_MAX:
            raise _unauthorized("no subscription: fetch one with POST /v1/subscriptions")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                # Times are compared below, by the gateway's own clock.
                options={"require": ["aud", "exp", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise _unauthorized("the subscription is none of ours: fetch a new one") from None
        until_s, shopper, retailer_id = claims["exp"], claims["sub"], claims.get("retailer")
        if not isinstance(until_s, int) or not isinstance(shopper, str) or not isinstance(retailer_id, str):
            raise _unauthorized("the subscription is none of ours: fetch a new one")
        if until_s * 1_000 <= self._clock.now_ms():
            raise _unauthorized("the subscription has expired: fetch a new one")
        return Subscription(ShopperKey(retailer_id, shopper), until_s * 1_000)


def _unauthorized(detail: str) -> Refusal:
    return unauthorized(detail, "Bearer")
