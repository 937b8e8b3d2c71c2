"""The vault's keeper: addresses are forgotten in time, and an outage only delays that."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.settings import load_settings
from adapters.vault_wiring import OpenedVault, embedded_vault
from deploy.vault_keeping import VaultKeeper
from domain.errors import PortError
from domain.ports.reward_vault import Claim, ClaimId
from tests.contract.conftest import StoppedClock

WITHIN_S = 20
DAY_MS = 86_400_000
CLAIM = Claim(claim_id=ClaimId("c" * 64), retailer_id="r-1", campaign_id="spring", value_minor=4_723, currency="EUR")


async def with_a_paid_claim(opened: OpenedVault) -> None:
    """Puts a claim and marks it as paid."""
    await opened.vault.put(CLAIM, "winner@post.example")
    (payout,) = await opened.vault.payouts("r-1")
    assert 1 == await opened.vault.settle("r-1", [payout.payout_id], "paid")


async def email(opened: OpenedVault) -> str | None:
    """The address in the vault."""
    (payout,) = await opened.vault.payouts("r-1")
    return payout.email


class Watched:
    """A vault that is away when it is asked for the first time, and counts how often it is."""

    def __init__(self, opened: OpenedVault) -> None:
        self._opened = opened
        self.asked = 0

    async def expire(self, before_ms: int) -> int:
        """Fails, and then does what it should."""
        self.asked += 1
        if self.asked == 1:
            raise PortError("the vault is away", retriable=True)
        return await self._opened.vault.expire(before_ms)


async def test_addresses_are_forgotten_in_time(tmp_path: Path) -> None:
    """An address stays for as many days as the settings say after its payout was paid, and is then gone."""
    clock = StoppedClock()
    opened = embedded_vault(tmp_path, load_settings(), clock)
    await with_a_paid_claim(opened)
    clock.ms += 6 * DAY_MS
    watched = Watched(opened)
    keeper = VaultKeeper(watched, load_settings(vault_days=7), clock, every_s=0.01)  # type: ignore[arg-type]  # it only expires
    working = asyncio.create_task(keeper.run())
    try:
        async with asyncio.timeout(WITHIN_S):
            while watched.asked < 4:
                await asyncio.sleep(0.01)
        assert "winner@post.example" == await email(opened)
        clock.ms += 2 * DAY_MS
        async with asyncio.timeout(WITHIN_S):
            while await email(opened) is not None:
                await asyncio.sleep(0.01)
    finally:
        keeper.stop()
        await asyncio.wait_for(working, WITHIN_S)
        await opened.close()


async def test_an_outage_only_delays(tmp_path: Path) -> None:
    """A vault that is away ends neither the keeper nor the gateway beside it; it is asked again."""
    clock = StoppedClock()
    opened = embedded_vault(tmp_path, load_settings(), clock)
    await with_a_paid_claim(opened)
    clock.ms += 200 * DAY_MS
    keeper = VaultKeeper(Watched(opened), load_settings(), clock, every_s=0.01)  # type: ignore[arg-type]  # it only expires
    working = asyncio.create_task(keeper.run())
    try:
        async with asyncio.timeout(WITHIN_S):
            while await email(opened) is not None:
                assert not working.done()
                await asyncio.sleep(0.01)
    finally:
        keeper.stop()
        await asyncio.wait_for(working, WITHIN_S)
        await opened.close()


async def test_it_stops_at_once(tmp_path: Path) -> None:
    """Between two looks it waits for nothing but the hour and the word to stop."""
    opened = embedded_vault(tmp_path, load_settings(), StoppedClock())
    keeper = VaultKeeper(opened.vault, load_settings(), StoppedClock())
    working = asyncio.create_task(keeper.run())
    await asyncio.sleep(0)
    keeper.stop()
    await asyncio.wait_for(working, WITHIN_S)
    await opened.close()
