"""Every answer that is no stream: JSON with its headers, and the one table that turns an error into a status."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, Literal

import msgspec
from starlette.types import Send

from domain.errors import HotbasketError

Headers = tuple[tuple[bytes, bytes], ...]

STATUS: Final = MappingProxyType(
    {
        "not_found": 404,
        "unknown_shopper": 404,
        "unknown_campaign": 404,
        "unknown_request": 404,
        "no_draw": 404,
        "method_not_allowed": 405,
        "unauthorized": 401,
        "invalid_claim": 401,
        "expired_claim": 401,
        "origin_not_listed": 403,
        "key_not_allowed": 403,
        "secret_key_in_browser": 403,
        "unsupported_content_type": 415,
        "unsupported_content_encoding": 415,
        "claimed_already": 409,
        "campaign_exists": 409,
        "request_exists": 409,
        "changed_meanwhile": 409,
        "wrong_stage": 409,
        "not_made_yet": 409,
        "budget_leased": 409,
        "withdrawn": 410,
        "expired_export": 410,
        "body_too_large": 413,
        "body_timeout": 408,
        "rate_limited": 429,
        "too_many_streams_of_retailer": 429,
        "too_many_streams": 503,
        "too_many_requests_in_flight": 503,
        "log_full": 503,
        "log_unavailable": 503,
        "erasure_unavailable": 503,
        "store_unavailable": 503,
        "vault_unavailable": 503,
        "control_unavailable": 503,
        "audit_unavailable": 503,
        "requests_unavailable": 503,
        "not_ready": 503,
        "draining": 503,
        "internal": 500,
    }
)
"""HTTP status by error; what is not named here is a fault of the request's content: 400."""

JSON: Final = (b"content-type", b"application/json")
NO_STORE: Final = (b"cache-control", b"no-store")
_CLOSE: Final = (b"connection", b"close")
_encode = msgspec.json.Encoder().encode


class Refusal(HotbasketError):
    """A request that is answered with an error; raised anywhere on its way, answered in one place.

    Attributes:
        error: a short stable name, a key of `STATUS` or the reason of a 400.
        detail: one sentence, without payload.
        path: the faulty field, where there is one.
        headers: of the answer, beside the usual ones.
        results: what became of each event, where events were read.
        faults: each fault of a document with its path, where one was read.
        closes: the connection is of no more use: the rest of the body would be taken for a request.
    """

    def __init__(
        self,
        error: str,
        detail: str,
        path: str | None = None,
        *,
        headers: Headers = (),
        retry_after_s: int | None = None,
        results: Sequence[object] | None = None,
        faults: Sequence[object] | None = None,
        closes: bool = False,
    ) -> None:
        super().__init__(detail)
        self.error = error
        self.detail = detail
        self.path = path
        self.headers = headers
        self.results = results
        self.faults = faults
        self.closes = closes
        if retry_after_s is not None:
            self.headers = (*headers, (b"retry-after", b"%d" % retry_after_s))

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS.get(self.error, 400)

    def body(self) -> bytes:
        """The JSON of the answer."""
        fields: dict[str, object] = {"error": self.error, "detail": self.detail}
        if self.path is not None:
            fields["path"] = self.path
        if self.results is not None:
            fields["results"] = self.results
        if self.faults is not None:
            fields["faults"] = self.faults
        return _encode(fields)


def unauthorized(detail: str, scheme: Literal["Basic", "Bearer"]) -> Refusal:
    """Gives the refusal of a request without a valid key (Basic) or subscription (Bearer)."""
    return Refusal("unauthorized", detail, headers=((b"www-authenticate", b'%b realm="hotbasket"' % scheme.encode()),))


async def refuse(send: Send, refusal: Refusal, cors: Headers) -> None:
    """Answers with an error."""
    headers = (*refusal.headers, _CLOSE) if refusal.closes else refusal.headers
    await answer_json(send, refusal.status, refusal.body(), (*headers, *cors))


async def answer_json(send: Send, status: int, body: bytes, headers: Headers = ()) -> None:
    """Answers with JSON that nobody may keep."""
    length = (b"content-length", b"%d" % len(body))
    await answer(send, status, (JSON, length, NO_STORE, *headers), body)


async def answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    """Answers with these headers and this body, and nothing else."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})
