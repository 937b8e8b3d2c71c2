"""Trying again: for loops that have nothing better to do than to wait for a store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from domain.errors import Fenced, PortError

_PAUSE_S, _PAUSE_MAX_S = 0.05, 1.0
_T = TypeVar("_T")


async def until_done(attempt: Callable[[], Awaitable[_T]], failed: Callable[[PortError], None]) -> _T:
    """Gives what an attempt gives, trying again with growing pauses while the port says that it may succeed.

    Args:
        attempt: what may be repeated.
        failed: told of each failure that is followed by another attempt.

    Raises:
        Fenced: trying again would not help.
        PortError: not retriable.
    """
    pause_s = _PAUSE_S
    while True:
        try:
            return await attempt()
        except Fenced:
            raise
        except PortError as error:
            if not error.retriable:
                raise
            failed(error)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)
