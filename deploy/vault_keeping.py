"""Forgets e-mail addresses in time: beside each gateway, since nothing else that runs all day may open the vault."""

from __future__ import annotations

import asyncio

import structlog

from adapters.settings import Settings
from domain.errors import PortError
from domain.ports.clock import Clock
from domain.ports.reward_vault import RewardVault

EVERY_S = 3_600.0
_DAY_MS = 86_400_000

log = structlog.get_logger("hotbasket.vault")


class VaultKeeper:
    """Looks at once and then every hour; any number of them may do so at the same time.

    Args:
        vault: from which addresses are removed.
        settings: for how many days an address is kept after its payout was settled.
        clock: says what day it is.
        every_s: seconds between two looks.
    """

    def __init__(self, vault: RewardVault, settings: Settings, clock: Clock, every_s: float = EVERY_S) -> None:
        self._vault = vault
        self._kept_ms = settings.vault_days * _DAY_MS
        self._clock = clock
        self._every_s = every_s
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `stop`; a vault that is away is asked again next time."""
        while not self._stopping.is_set():
            try:
                forgotten = await self._vault.expire(self._clock.now_ms() - self._kept_ms)
            except PortError as error:
                log.warning("addresses are not forgotten yet", error=str(error))
            else:
                if forgotten:
                    log.info("addresses forgotten", payouts=forgotten)
            try:
                async with asyncio.timeout(self._every_s):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Asks `run` to return."""
        self._stopping.set()
