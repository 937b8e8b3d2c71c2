"""How many requests a gateway has in hand, and whether it takes more."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final

from gateway.answers import Refusal

_RETRY_AFTER_S: Final = 1


class Load:
    """Counts requests in flight; a context manager around each.

    Args:
        requests_max: beyond, requests that carry a body are refused before it is read, which bounds memory.
    """

    def __init__(self, requests_max: int) -> None:
        self._requests_max = requests_max
        self._is_idle = asyncio.Event()
        self.in_flight = 0
        self.is_draining = False

    def __enter__(self) -> None:
        """A request came."""
        self.in_flight += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A request is answered."""
        self.leave()

    def leave(self) -> None:
        """Counts a request that is answered."""
        self.in_flight -= 1
        if self.is_draining and not self.in_flight:
            self._is_idle.set()

    def check(self) -> None:
        """Checks that a request, which is counted already, may be taken.

        Raises:
            Refusal: 503.
        """
        if self.is_draining:
            raise Refusal("draining", "this gateway is stopping: send again", retry_after_s=_RETRY_AFTER_S, closes=True)
        if self.in_flight > self._requests_max:
            detail = f"this gateway has {self._requests_max} requests in flight"
            raise Refusal("too_many_requests_in_flight", detail, retry_after_s=_RETRY_AFTER_S)

    async def drain(self) -> None:
        """Takes no more requests and returns when the last is answered."""
        self.is_draining = True
        if self.in_flight:
            await self._is_idle.wait()
