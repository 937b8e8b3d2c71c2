"""Health: alive while the process answers, ready while events can be taken and experiences delivered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from starlette.types import Receive, Scope, Send

from domain.ports.clock import Clock
from domain.ports.event_log import EventLog
from gateway.answers import Headers, Refusal, answer_json
from gateway.body import RequestHeaders

LOOK_S: Final = 1.0
"""Between two looks at the log, for those who can't wait for one."""
_KNOWN_FOR_S: Final = 5.0
"""After so long without a look, what the last one found is no longer believed: the process stands still."""
_ACCEPTS_WITHIN_S: Final = 1.0
_RETRY_AFTER_S: Final = 1
_log = logging.getLogger("hotbasket.gateway")


class Health:
    """Answers whoever watches, over HTTP and by a number that is read from any thread.

    Args:
        log: has to accept appends; nothing else decides, so that a store that is down takes no gateway with it.
        why_not: gives why this gateway takes nothing yet, or any more; None when it does.
        clock: tells how old the last look at the log is.
    """

    def __init__(self, log: EventLog, why_not: Callable[[], str | None], clock: Clock) -> None:
        self._log = log
        self._why_not = why_not
        self._clock = clock
        self._accepts = False
        self._looked_s = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look at the log, every second."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="gateway-health")

    async def stop(self) -> None:
        """Ends that; the gateway is not ready any more."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._task = None
        self._accepts = False

    async def live(self, _: Scope, __: Receive, send: Send, ___: RequestHeaders, cors: Headers) -> None:
        """`GET /health/live`."""
        await answer_json(send, 200, b'{"status":"live"}', cors)

    async def ready(self, _: Scope, __: Receive, send: Send, ___: RequestHeaders, cors: Headers) -> None:
        """`GET /health/ready`."""
        why_not = self._why_not()
        if why_not is None and not await self._look():
            why_not = "the event log does not accept events now"
        if why_not is not None:
            raise Refusal("not_ready", why_not, retry_after_s=_RETRY_AFTER_S)
        await answer_json(send, 200, b'{"status":"ready"}', cors)

    def is_ready(self) -> bool:
        """Tells what `ready` last would have answered, without asking the log; for those who scrape."""
        is_known = self._clock.monotonic_s() - self._looked_s <= _KNOWN_FOR_S
        return self._accepts and is_known and self._why_not() is None

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - the loop's edge: what no log may raise ends no watch
                self._accepts = False
                _log.exception("the event log could not be looked at")
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> bool:
        try:
            async with asyncio.timeout(_ACCEPTS_WITHIN_S):
                self._accepts = await self._log.accepts()
        except TimeoutError:
            self._accepts = False
        self._looked_s = self._clock.monotonic_s()
        return self._accepts
