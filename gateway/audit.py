"""`GET /v1/audit`: who did what with the retailer's shoppers, campaigns and keys, with a privacy key."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from domain.audit import read_since, told
from domain.errors import PortError
from domain.ports.audit_trail import AuditTrail
from gateway.access import Doorkeeper
from gateway.answers import Headers, Refusal, answer_json
from gateway.body import RequestHeaders
from gateway.fields import read_parameters

PATH: Final = "/v1/audit"
ENTRIES_MAX: Final = 1_000
"""Entries of one answer: about 5 ms of the event loop."""
_RETRY_AFTER_S: Final = 1
_DIGITS_MAX: Final = len(str(ENTRIES_MAX))
_encode = msgspec.json.Encoder().encode


class Audit:
    """Shows the audit trail.

    Args:
        trail: the port.
        doorkeeper: asks for a key that may read it.
    """

    def __init__(self, trail: AuditTrail, doorkeeper: Doorkeeper) -> None:
        self._trail = trail
        self._doorkeeper = doorkeeper

    async def get(self, scope: Scope, _: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """`GET /v1/audit?since=`: the oldest entries since a moment, and whether there are more.

        Raises:
            Refusal: 400, or 503 where the trail can't be read.
        """
        access = self._doorkeeper.for_action(headers, "audit")
        since_ms, limit = _asked(scope)
        try:
            entries = await self._trail.read(access.door.retailer_id, since_ms, limit + 1)
        except PortError:
            detail = "the audit trail can't be read now"
            raise Refusal("audit_unavailable", detail, retry_after_s=_RETRY_AFTER_S) from None
        found: dict[str, Any] = {"entries": [told(entry) for entry in entries[:limit]], "more": len(entries) > limit}
        await answer_json(send, 200, _encode(found), cors)


def _asked(scope: Scope) -> tuple[int, int]:
    """Gives since when, in Unix milliseconds, and how many entries are wanted.

    Raises:
        Refusal: 400.
    """
    given = read_parameters(scope, ("since", "limit"))
    if "since" not in given:
        raise Refusal("invalid_parameter", "since when? a date, or RFC 3339 with zone", "?since")
    since_ms = read_since(given["since"].replace(" ", "+"))
    if since_ms is None:
        detail = "expected a date like 2026-11-01, or a moment with its zone like 2026-11-01T08:00:00Z"
        raise Refusal("invalid_parameter", detail, "?since")
    digits = given.get("limit", str(ENTRIES_MAX))
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX and 1 <= int(digits) <= ENTRIES_MAX):
        raise Refusal("invalid_parameter", f"expected a number from 1 to {ENTRIES_MAX}", "?limit")
    return since_ms, int(digits)
