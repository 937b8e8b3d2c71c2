"""The contract of `domain.ports.privacy_requests.GatewayWords`."""

from __future__ import annotations

import asyncio

from adapters.wiring import Ports
from domain.ports.privacy_requests import Confirmation
from tests.contract.conftest import System
from tests.story import NOON_MS


async def test_nobody_has_spoken_yet(ports: Ports) -> None:
    """Without a gateway there is no word."""
    assert [] == list(await ports.words.confirmations())


async def test_words_come_by_gateway(ports: Ports) -> None:
    """Each gateway's word as it said it, in the order of their ids' bytes."""
    said = [Confirmation("é", 3, NOON_MS), Confirmation("b", 1, NOON_MS + 2), Confirmation("Z", 2**40, NOON_MS + 1)]
    for word in said:
        await ports.words.confirm(*word)
    assert [said[2], said[1], said[0]] == list(await ports.words.confirmations())


async def test_the_last_word_counts(ports: Ports) -> None:
    """A word takes the place of the gateway's last one, whatever it says."""
    for version, at_ms in ((5, NOON_MS), (7, NOON_MS + 1), (6, NOON_MS + 2), (6, NOON_MS + 2)):
        await ports.words.confirm("a", version, at_ms)
        assert [Confirmation("a", version, at_ms)] == list(await ports.words.confirmations())


async def test_a_gateway_that_left_is_forgotten(ports: Ports) -> None:
    """Leaving may be repeated, concerns nobody else, and does not keep a gateway from speaking again."""
    await ports.words.confirm("a", 1, NOON_MS)
    await ports.words.confirm("b", 1, NOON_MS)
    for _ in range(2):
        await ports.words.leave("a")
        assert [Confirmation("b", 1, NOON_MS)] == list(await ports.words.confirmations())
    await ports.words.leave("nobody")
    await ports.words.confirm("a", 2, NOON_MS + 1)
    assert [Confirmation("a", 2, NOON_MS + 1), Confirmation("b", 1, NOON_MS)] == list(await ports.words.confirmations())


async def test_another_process_hears_at_once(system: System) -> None:
    """Words are read as they are now, and last when everything stops."""
    async with system() as gateway, system() as other:
        await asyncio.gather(*(gateway.words.confirm(f"g-{number}", number, NOON_MS) for number in range(9)))
        expected = [Confirmation(f"g-{number}", number, NOON_MS) for number in range(9)]
        assert expected == list(await other.words.confirmations())
    async with system() as again:
        assert expected == list(await again.words.confirmations())


async def test_a_word_disturbs_no_control_data(ports: Ports) -> None:
    """Every gateway speaks all day, and nobody reads anything again for it."""
    retailers, suppressed = ports.retailers.current(), ports.privacy.suppressed()
    await ports.words.confirm("a", 1, NOON_MS)
    assert (retailers, suppressed) == (ports.retailers.current(), ports.privacy.suppressed())
    assert retailers is ports.retailers.current()
    assert suppressed is ports.privacy.suppressed()
