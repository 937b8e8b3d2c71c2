"""Health: alive while the process answers, ready while events can be taken and experiences delivered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import Receive, Scope, Send

from domain.ports.event_log import EventLog
from gateway.answers import Headers, Refusal, answer_json
from gateway.body import RequestHeaders

_ACCEPTS_WITHIN_S: Final = 1.0
_RETRY_AFTER_S: Final = 1


class Health:
    """Answers whoever watches.

    Args:
        log: has to accept appends; nothing else decides, so that a store that is down takes no gateway with it.
        why_not: gives why this gateway takes nothing yet, or any more; None when it does.
    """

    def __init__(self, log: EventLog, why_not: Callable[[], str | None]) -> None:
        self._log = log
        self._why_not = why_not

    async def live(self, _: Scope, __: Receive, send: Send, ___: RequestHeaders, cors: Headers) -> None:
        """`GET /health/live`."""
        await answer_json(send, 200, b'{"status":"live"}', cors)

    async def ready(self, _: Scope, __: Receive, send: Send, ___: RequestHeaders, cors: Headers) -> None:
        """`GET /health/ready`."""
        why_not = self._why_not()
        if why_not is None and not await self._accepts():
            why_not = "the event log does not accept events now"
        if why_not is not None:
            raise Refusal("not_ready", why_not, retry_after_s=_RETRY_AFTER_S)
        await answer_json(send, 200, b'{"status":"ready"}', cors)

    async def _accepts(self) -> bool:
        try:
            async with asyncio.timeout(_ACCEPTS_WITHIN_S):
                return await self._log.accepts()
        except TimeoutError:
            return False
