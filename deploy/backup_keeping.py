"""Lets backups expire in time: beside the privacy worker, since what they hold is bound to the same deadline."""

from __future__ import annotations

import asyncio

import structlog

from adapters.backup_keys import BackupKeys
from domain.errors import Refused
from domain.ports.clock import Clock

EVERY_S = 3_600.0

log = structlog.get_logger("hotbasket.backup")


class BackupKeeper:
    """Looks at once and then every hour; any number of them may do so at the same time.

    Args:
        keys: from which those are removed whose time is over.
        clock: says which.
        every_s: seconds between two looks.
    """

    def __init__(self, keys: BackupKeys, clock: Clock, every_s: float = EVERY_S) -> None:
        self._keys = keys
        self._clock = clock
        self._every_s = every_s
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `stop`; a folder that can't be read is looked at again next time."""
        while not self._stopping.is_set():
            try:
                gone = self._keys.expire(self._clock.now_ms())
            except (Refused, OSError) as error:
                log.warning("backups do not expire", error=str(error))
            else:
                if gone:
                    log.info("backups expired", backups=list(gone))
            try:
                async with asyncio.timeout(self._every_s):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Asks `run` to return."""
        self._stopping.set()
