"""What control planes keep of campaigns that draw: seeds that `current` alone gives away, and stocks to be leased."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.wiring import Ports
from domain.campaigns import Action, Budget, Campaign, Change, Prize, RewardRules, changed, moved
from domain.contents import Reward
from domain.draw_chain import SeedChain
from domain.errors import Refused
from domain.ids import stock_id
from domain.ports.budget_ledger import Answer, Ask
from domain.purse import Amounts, Balance, CampaignKey
from domain.timestamps import from_unix_ms
from tests.contract.campaigning import BY, CHAIN_END, OTHER_RETAILER, WEEK_MS, draft, move, put, scheduled, with_shops
from tests.contract.conftest import StoppedClock, System
from tests.contract.consumer import eventually
from tests.contract.leasing_partition import PARTITIONS, Partition, lease
from tests.story import NOON_MS, RETAILER

COFFEES = CampaignKey(RETAILER, stock_id("spring", "coffee"))
LAST = "💚 ends"
"""Ids may have any printable characters."""


def prize(prize_id: str, stock: int | None) -> Prize:
    """A prize that a tenth of all plays win."""
    return Prize(prize_id=prize_id, reward=Reward(type="own"), chance_ppm=100_000, stock=stock)


WHEEL: dict[str, Any] = {
    "kind": "gamified_promotion",
    "game": "wheel",
    "prizes": (prize("coffee", 10), prize("voucher", None), prize(LAST, 1)),
    "budget": Budget(count=1_000),
}
BASKET: dict[str, Any] = {
    "kind": "gamified_promotion",
    "game": "scratch",
    "reward": RewardRules(chance_ppm=1_000, at_most_minor=10_000),
    "budget": Budget(money_minor=10**6),
}


class Stocked(Partition):
    """A partition that asks for a stock."""

    async def take(self, wanted: int, key: CampaignKey = COFFEES) -> Answer:
        """Asks for as many as are wanted, and takes the answer into the purse."""
        asks = [Ask(key, self.balance(key), Amounts(0, wanted), is_exact=True)]
        (answer,) = await self.ledger.settle(self.number, self.token, asks, partitions=PARTITIONS)
        self.purse.lease([answer.lease])
        return answer


def anchor(ports: Ports, campaign_id: str = "spring", retailer_id: str = RETAILER) -> bytes | None:
    """What a campaign draws with, as far as it may be seen; None = nothing is drawn."""
    game = ports.campaigns.current().games.get(retailer_id, {}).get(campaign_id)
    return None if game is None else game.anchor


@pytest.mark.parametrize("fields", [WHEEL, BASKET], ids=["game", "reward"])
async def test_what_draws_has_seeds_once_it_is_scheduled(ports: Ports, fields: dict[str, Any]) -> None:
    """As many as it has days, made from what came with it; a draft has none, and what doesn't draw has none ever."""
    await with_shops(ports)
    campaign = await draft(ports, **fields)
    assert anchor(ports) is None
    await move(ports, campaign, "schedule")
    assert SeedChain(CHAIN_END, epochs=7).anchor == anchor(ports)
    await scheduled(ports, "summer")
    assert anchor(ports, "summer") is None


async def test_seeds_are_there_after_reopening(system: System) -> None:
    """And in every process."""
    async with system() as ports:
        await with_shops(ports)
        await scheduled(ports, **WHEEL)
        expected = anchor(ports)
    async with system() as one, system() as other:
        assert expected is not None
        for ports in (one, other):
            assert expected == anchor(ports)
        await scheduled(one, "summer", **BASKET)

        async def is_seen() -> bool:
            return anchor(other, "summer") is not None

        await eventually(is_seen)


async def test_seeds_outlive_whatever_becomes_of_the_campaign(ports: Ports) -> None:
    """Changed, paused, resumed with other random bytes, ended by hand: a right once given is drawn as was published."""
    await with_shops(ports)
    campaign = await scheduled(ports, **WHEEL)
    expected = anchor(ports)
    ends_at = from_unix_ms(NOON_MS + WEEK_MS // 2)
    campaign = await _put(ports, changed(campaign, replace(campaign.definition, ends_at=ends_at), NOON_MS), "change")
    for action in ("pause", "resume", "end"):
        campaign = await _put(ports, moved(campaign, action, NOON_MS), action)
        assert expected == anchor(ports)
    current = ports.campaigns.current()
    assert {} == current.campaigns
    assert 7 == current.games[RETAILER]["spring"].schedule.epochs
    await scheduled(ports, "summer")
    assert current.games[RETAILER]["spring"] is ports.campaigns.current().games[RETAILER]["spring"]


async def _put(ports: Ports, campaign: Campaign, action: Action) -> Campaign:
    await ports.campaigns.put(Change(campaign=campaign, action=action, by=BY), bytes(32))
    return campaign


async def test_without_random_bytes_nothing_is_scheduled(ports: Ports) -> None:
    """Nor with too few, nor for more days than seeds are made for; the campaign stays a draft."""
    await with_shops(ports)
    campaign = await draft(ports, **WHEEL)
    schedule = Change(campaign=moved(campaign, "schedule", NOON_MS), action="schedule", by=BY)
    for chain_end in (None, bytes(31)):
        with pytest.raises(Refused, match=r"random"):
            await ports.campaigns.put(schedule, chain_end)
    long = await draft(ports, "long", **WHEEL, ends_at=from_unix_ms(NOON_MS + 500 * WEEK_MS))
    with pytest.raises(Refused, match="lasts 1 to 400 days"):
        await move(ports, long, "schedule")
    assert ["draft", "draft"] == [one.state for one in await ports.campaigns.listed(RETAILER)]
    assert {} == ports.campaigns.current().games
    await put(ports, schedule.campaign, "schedule")
    assert anchor(ports) is not None


async def test_retailers_have_draws_of_their_own(ports: Ports) -> None:
    """One id of two retailers is two games."""
    await with_shops(ports)
    await scheduled(ports, **WHEEL)
    assert anchor(ports, retailer_id=OTHER_RETAILER) is None
    await scheduled(ports, retailer_id=OTHER_RETAILER, **BASKET)
    games = ports.campaigns.current().games
    assert ["coffee", "basket"] == [games[one]["spring"].table[0].prize_id for one in (RETAILER, OTHER_RETAILER)]


async def test_stocks_are_no_campaigns(ports: Ports) -> None:
    """Nobody who lists, reads or adds up sees them."""
    await with_shops(ports)
    campaign = await scheduled(ports, **WHEEL)
    assert {RETAILER: [campaign]} == ports.campaigns.current().campaigns
    assert [campaign] == list(await ports.campaigns.listed(RETAILER))
    assert ["spring"] == [one.campaign_id for one in await ports.ledger.totals(RETAILER)]
    assert await ports.campaigns.get(*COFFEES) is None
    assert [] == list(await ports.campaigns.history(*COFFEES))


async def test_a_stock_is_leased_by_the_piece(ports: Ports) -> None:
    """As many as are wanted and no more; what is left of it to the last, and then it is said to be spent."""
    await with_shops(ports)
    await scheduled(ports, **WHEEL)
    one, other = Stocked(ports.ledger), Stocked(ports.ledger, 1)
    assert Answer(lease(COFFEES, leased_count=1), False) == await one.take(1)
    assert Answer(lease(COFFEES, leased_count=4), False) == await one.take(3)
    assert Answer(lease(COFFEES, leased_count=5), False) == await other.take(5)
    assert Answer(lease(COFFEES, leased_count=5), True) == await one.take(3)
    assert Answer(lease(COFFEES, leased_count=5), True) == await other.take(1)
    assert Answer(lease(COFFEES, leased_count=5), False) == await other.take(0)
    last = CampaignKey(RETAILER, stock_id("spring", LAST))
    assert Answer(lease(last, leased_count=1), False) == await one.take(1, last)
    for unknown in (stock_id("spring", "voucher"), stock_id("other", "coffee")):
        key = CampaignKey(RETAILER, unknown)
        assert Answer(lease(key), False) == await one.take(1, key)


async def test_a_piece_whose_answer_was_lost_is_told_again(ports: Ports) -> None:
    """And the next owner of the partition has it."""
    await with_shops(ports)
    await scheduled(ports, **WHEEL)
    partition = Stocked(ports.ledger)
    asks = [Ask(COFFEES, Balance(), Amounts(0, 2), is_exact=True)]
    for _ in range(3):
        await ports.ledger.settle(0, 1, asks, partitions=PARTITIONS)
    heir = Stocked(ports.ledger, token=2)
    assert Answer(lease(COFFEES, leased_count=2), False) == await heir.take(1)
    assert Answer(lease(COFFEES, leased_count=2), False) == await partition.take(5), "it is not the owner any more"
    assert Answer(lease(COFFEES, leased_count=3), False) == await heir.take(1)


@pytest.mark.parametrize("action", ["pause", "end", None])
async def test_a_stock_is_leased_whatever_becomes_of_its_campaign(
    ports: Ports, clock: StoppedClock, action: Action | None
) -> None:
    """Paused, ended by hand or over: what was played is drawn."""
    await with_shops(ports)
    campaign = await scheduled(ports, **WHEEL)
    if action is None:
        clock.ms = campaign.definition.ends_at_ms + 1
    else:
        await move(ports, campaign, action)
    assert Answer(lease(COFFEES, leased_count=3), False) == await Stocked(ports.ledger).take(3)


async def test_many_partitions_at_once_get_no_more_than_there_is(system: System) -> None:
    """From several processes, too."""
    async with system() as one, system() as other:
        await with_shops(one)
        await scheduled(one, **WHEEL)
        partitions = [Stocked(ports.ledger, number) for number, ports in enumerate((one, other) * 4)]
        given = await asyncio.gather(*(partition.take(2) for partition in partitions))
        assert 10 == sum(answer.lease.leased_count for answer in given)
        assert 3 == sum(answer.is_spent for answer in given)
