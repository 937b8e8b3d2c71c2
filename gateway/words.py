"""What this gateway says of the list of suppressed shoppers: which version it goes by, again and again.

A request is done when every gateway that runs has said that it goes by the request's list. What is said here is true of
all requests that begin afterwards: the door looks at the same list before each of them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from domain.errors import PortError
from domain.ports.privacy_requests import GatewayWords, PrivacyRequests
from gateway.stores import Stores

LOOK_S: Final = 0.25
AGAIN_S: Final = 30.0
"""A gateway that says nothing new says so this often; one that is silent for ten minutes is not waited for."""
_log = logging.getLogger("hotbasket.gateway")


class Words:
    """Speaks for one gateway.

    Args:
        gateway_id: of this process, never used before.
        privacy: tells the list.
        words: where it is said.
        stores: the clock that dates it, and what counts failures.
    """

    def __init__(self, gateway_id: str, privacy: PrivacyRequests, words: GatewayWords, stores: Stores) -> None:
        self._gateway_id = gateway_id
        self._privacy = privacy
        self._words = words
        self._clock = stores.clock
        self._metrics = stores.metrics
        self._said: int | None = None
        self._said_s = 0.0
        self._is_failing = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to speak."""
        self._task = asyncio.get_running_loop().create_task(self._speak(), name="gateway-words")

    async def stop(self) -> None:
        """Says good-bye, so that nobody waits for this gateway."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait((self._task,))
        self._task = None
        try:
            await self._words.leave(self._gateway_id)
        except PortError as error:
            _log.warning("this gateway could not take its leave: %s", error)

    async def _speak(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        try:
            version = self._privacy.suppressed().version
            if version == self._said and self._clock.monotonic_s() - self._said_s < AGAIN_S:
                return
            await self._words.confirm(self._gateway_id, version, self._clock.now_ms())
        except PortError as error:
            self._metrics.gateway_errors.labels("words").inc()
            if not self._is_failing:
                _log.warning("which shoppers are suppressed can't be confirmed: %s", error)
            self._is_failing = True
            return
        self._said, self._said_s, self._is_failing = version, self._clock.monotonic_s(), False
