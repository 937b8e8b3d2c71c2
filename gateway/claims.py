"""Rewards: the token that a winner's page gets with its experience, and the e-mail address that it sends back.

From the page straight to the vault: neither token nor address ever meets the event log, a metric or a log line.
"""

from __future__ import annotations

import logging
from typing import Annotated, Any, Final

import jwt
import msgspec
from msgspec import Meta, Struct
from starlette.types import Receive, Scope, Send

from adapters.settings import Settings
from adapters.vault_keys import ClaimKeys
from domain.errors import PortError
from domain.ports.clock import Clock
from domain.ports.reward_vault import Claim, ClaimId, Put, RewardVault
from gateway.access import Access, Doorkeeper
from gateway.answers import Headers, Refusal, answer_json
from gateway.body import Bodies, RequestHeaders
from gateway.fields import read_fields
from gateway.stores import Stores

BODY_BYTES_MAX: Final = 4_096
EMAIL_BYTES_MAX: Final = 254
"""Source: RFC 5321, 4.5.3.1.3, without the angle brackets."""

_AUDIENCE: Final = "hotbasket/claims"
_ALGORITHM: Final = "HS256"
_DAY_S: Final = 86_400
_RETRY_AFTER_S: Final = 2
_FIELDS: Final = ("claim", "email")
_STORED: Final = b'{"status":"stored"}'
_FORMULA: Final = ("=", "+", "-", "@")
"""A spreadsheet, in which payouts end up, takes what begins so for a formula and runs it."""

_log = logging.getLogger("hotbasket.gateway")


class _Token(Struct, frozen=True):
    """What a token holds."""

    jti: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    retailer: str
    campaign: str
    value_minor: int
    currency: str
    exp: int


class Claims:
    """Issues claim tokens and takes claims; any gateway takes those of all.

    Source: RFC 7519 (JWT), with `aud`, `exp`, `jti` (the claim id), `retailer`, `campaign`, `value_minor`, `currency`.

    Args:
        vault: keeps the addresses.
        keys: sign tokens and make claim ids.
        stores: the clock and the metrics.
        doorkeeper: knows keys and origins.
        bodies: reads bodies, of `BODY_BYTES_MAX` at most.
        settings: how long a token lasts, how many claims may wait for the vault.
    """

    def __init__(
        self,
        vault: RewardVault,
        keys: ClaimKeys,
        stores: Stores,
        doorkeeper: Doorkeeper,
        bodies: Bodies,
        settings: Settings,
    ) -> None:
        self._vault = vault
        self._keys = keys
        self._clock: Clock = stores.clock
        self._metrics = stores.metrics
        self._doorkeeper = doorkeeper
        self._bodies = bodies
        self._lasts_s = settings.claim_days * _DAY_S
        self._waiting_max = settings.claims_max
        self._waiting = 0

    def token_for(self, experience_id: str, retailer_id: str, campaign_id: str, value_minor: int, currency: str) -> str:
        """Gives the token with which the winner of an experience claims; each is as good as the other, and one counts.

        Args:
            experience_id: of the experience that says that the shopper won; whoever has the token can't tell it.
            retailer_id, campaign_id: whose reward it is.
            value_minor: what is paid, in minor units of `currency`.
            currency: ISO 4217.
        """
        return jwt.encode(
            {
                "aud": _AUDIENCE,
                "jti": self._keys.claim_id(experience_id),
                "retailer": retailer_id,
                "campaign": campaign_id,
                "value_minor": value_minor,
                "currency": currency,
                "exp": self._clock.now_ms() // 1_000 + self._lasts_s,
            },
            self._keys.tokens,
            algorithm=_ALGORITHM,
        )

    async def post(self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """`POST /v1/rewards/claims`: keeps the address of a winner, once.

        Raises:
            Refusal: nothing was kept; after `vault_unavailable` it may have been, and who asks again is told so.
        """
        access = self._doorkeeper.for_events(headers, scope["query_string"])
        self._bodies.check_type(headers)
        token, email = _read(await self._bodies.read(receive, headers))
        claim = self._claim(token, access.door.retailer_id)
        email = _checked(email)
        self._check_rate(access)
        match await self._put(claim, email):
            case "stored":
                await answer_json(send, 200, _STORED, cors)
            case "claimed_already":
                raise Refusal("claimed_already", "an address was left for this reward before; it stays as it is")
            case "withdrawn":
                raise Refusal("withdrawn", "the right to this reward was withdrawn")

    def _claim(self, token: str, retailer_id: str) -> Claim:
        """Gives what a token of this retailer says.

        Raises:
            Refusal: 401, it is none of ours, another retailer's, or has expired.
        """
        try:
            fields = jwt.decode(
                token,
                self._keys.tokens,
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                # Times are compared below, by the gateway's own clock.
                options={"require": ["aud", "exp", "jti"], "verify_exp": False, "verify_iat": False},
            )
            said = msgspec.convert(fields, _Token)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError):
            raise _unauthorized("invalid_claim", "the claim is none of ours") from None
        if said.retailer != retailer_id:
            raise _unauthorized("invalid_claim", "the claim is of another retailer than the key")
        if said.exp * 1_000 <= self._clock.now_ms():
            raise _unauthorized("expired_claim", "the time to claim this reward is over")
        return Claim(
            claim_id=ClaimId(said.jti),
            retailer_id=said.retailer,
            campaign_id=said.campaign,
            value_minor=said.value_minor,
            currency=said.currency,
        )

    def _check_rate(self, access: Access) -> None:
        wait_s = access.bucket.take(1, self._clock.monotonic_s())
        if wait_s:
            detail = "too many requests a second with this key"
            raise Refusal("rate_limited", detail, retry_after_s=max(1, round(wait_s + 0.5)))

    async def _put(self, claim: Claim, email: str) -> Put:
        if self._waiting >= self._waiting_max:
            # A vault that is slow must not fill the gateway: events have no part in it.
            raise _unavailable("too many claims wait for the vault")
        self._waiting += 1
        try:
            return await self._vault.put(claim, email)
        except PortError as error:
            self._metrics.gateway_errors.labels("vault").inc()
            _log.warning("a claim was not taken: %s", error)
            raise _unavailable("the vault does not take claims now") from None
        finally:
            self._waiting -= 1


def _read(body: bytes) -> tuple[str, str]:
    """Gives the token and the address of a body; what is wrong is told without a word of it.

    Raises:
        Refusal: 400.
    """
    fields = read_fields(body, '{"claim": ..., "email": ...}')
    if any(name not in _FIELDS for name in fields):
        raise Refusal("unknown_field", f"the fields are {' and '.join(_FIELDS)}: leave out what else there is", "$")
    for name in _FIELDS:
        if name not in fields:
            raise Refusal("missing_field", "this field is required", f"$.{name}")
    return _text(fields["claim"], "claim", "invalid_value"), _text(fields["email"], "email", "invalid_email")


def _text(value: Any, name: str, error: str) -> str:  # Any: what JSON can say
    if not isinstance(value, str):
        raise Refusal(error, "this field is a text", f"$.{name}")
    return value


def _checked(email: str) -> str:
    """Gives an address without the spaces around it; whether anybody reads mail there only mail can tell.

    Raises:
        Refusal: 400.
    """
    email = email.strip()
    before, at, behind = email.partition("@")
    if (
        not before
        or not at
        or not behind
        or "@" in behind
        or not email.isprintable()
        or " " in email
        or email.startswith(_FORMULA)
        or len(email.encode()) > EMAIL_BYTES_MAX
    ):
        detail = f"an e-mail address is name@domain in at most {EMAIL_BYTES_MAX} bytes, without spaces"
        raise Refusal("invalid_email", detail, "$.email")
    return email


def _unauthorized(error: str, detail: str) -> Refusal:
    return Refusal(error, detail, headers=((b"www-authenticate", b'Bearer realm="hotbasket"'),))


def _unavailable(detail: str) -> Refusal:
    return Refusal("vault_unavailable", f"{detail}: send the claim again", retry_after_s=_RETRY_AFTER_S)
