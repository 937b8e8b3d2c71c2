"""The invariant of `domain.ports.budget_ledger.BudgetLedger`: whoever asks at once, no budget is leased twice."""

from __future__ import annotations

import asyncio
import random

from adapters.wiring import Ports
from domain.campaigns import Budget
from domain.errors import Refused
from domain.ports.budget_ledger import Ask
from domain.purse import Amounts, Balance, CampaignKey
from tests.contract.campaigning import scheduled, with_budget, with_shops
from tests.contract.conftest import System
from tests.contract.leasing_partition import PARTITIONS, SPRING, Partition
from tests.story import RETAILER

RACING = 8


async def held(partitions: list[Partition]) -> Amounts:
    """What all partitions hold by the ledger's answers, one by one."""
    total = Amounts()
    for partition in partitions:
        total = total.plus(await partition.leased())
    return total


async def total(ports: Ports) -> Amounts:
    """What all partitions hold by the ledger's own sum."""
    (found,) = await ports.ledger.totals(RETAILER)
    return found.leased


async def test_partitions_that_ask_at_once_never_exceed_the_budget(system: System) -> None:
    """From two processes, until nothing is left for any of them: all of it is leased, and not a unit more."""
    async with system() as one, system() as other:
        await with_shops(one)
        await scheduled(one, budget=Budget(money_minor=5_000, count=900))
        partitions = [Partition(ports.ledger, number) for number, ports in enumerate([one, other] * (RACING // 2))]

        async def drain(partition: Partition) -> None:
            while not (await partition.ask(37, 5)).is_spent:
                assert partition.balance().left.minor > 0

        await asyncio.gather(*map(drain, partitions))
        found = await held(partitions)
        assert found == await total(one)
        left = Amounts(5_000, 900).minus(found)
        assert min(left) >= 0
        assert left.minor < 37 or left.promises < 5


async def test_a_race_with_returns_and_lost_answers_leaves_no_trace(system: System) -> None:
    """Whatever comes in whatever order, the sum is right; and when all is returned, all of it can be leased."""
    dice = random.Random(5)
    async with system() as one, system() as other:
        await with_shops(one)
        await scheduled(one, budget=Budget(money_minor=3_000, count=300))
        partitions = [Partition(ports.ledger, number) for number, ports in enumerate([one, other] * (RACING // 2))]

        async def play(partition: Partition) -> None:
            for _ in range(12):
                ask = partition.ask if dice.random() < 0.7 else partition.unheard
                await ask(dice.randrange(400), dice.randrange(40))
                before = partition.balance()
                if dice.random() < 0.4:
                    partition.give_back(
                        dice.randint(before.returned.minor, before.leased.minor),
                        dice.randint(before.returned.promises, before.leased.promises),
                    )

        await asyncio.gather(*map(play, partitions))
        found = await held(partitions)
        assert found == await total(one)
        assert min(Amounts(3_000, 300).minus(found)) >= 0
        for partition in partitions:
            await partition.ask()
            partition.give_back(*partition.balance().leased)
            await partition.ask()
        assert Amounts() == await total(one)
        assert not (await Partition(one.ledger, RACING).ask(3_000, 300)).is_spent


async def test_a_budget_that_is_lowered_meanwhile_holds(system: System) -> None:
    """Either it is refused, since more was leased, or nothing is leased beyond it from then on."""
    async with system() as one, system() as other:
        await with_shops(one)
        spring = await scheduled(one, budget=Budget(money_minor=10_000))
        partitions = [Partition(other.ledger, number) for number in range(RACING)]
        least = 10_000

        async def lower() -> None:
            nonlocal spring, least
            for minor in (8_000, 5_000, 1_000, 100, 10):
                try:
                    spring = await with_budget(one, spring, Budget(money_minor=minor))
                except Refused:
                    return
                least = minor

        async def drain(partition: Partition) -> None:
            while not (await partition.ask(23)).is_spent:
                assert partition.balance().left.minor > 0

        await asyncio.gather(lower(), *map(drain, partitions))
        found = await held(partitions)
        assert found == await total(one)
        assert least - 23 < found.minor <= least


async def test_asks_in_any_order_never_wait_for_each_other_in_a_circle(system: System) -> None:
    """Partitions ask for many campaigns at once, each in another order, and all are answered."""
    async with system() as one, system() as other:
        await with_shops(one)
        keys = [CampaignKey(RETAILER, f"c-{number}") for number in range(RACING)]
        for key in keys:
            await scheduled(one, key.campaign_id, budget=Budget(money_minor=1_000))

        async def settle(number: int) -> None:
            ledger = (one, other)[number % 2].ledger
            order = random.Random(number).sample(keys, len(keys))
            known: dict[CampaignKey, Balance] = {}
            for _ in range(8):
                asks = [Ask(key, known.get(key, Balance()), Amounts(10)) for key in order]
                for answer in await ledger.settle(number, 1, asks, partitions=PARTITIONS):
                    key = CampaignKey(answer.lease.retailer_id, answer.lease.campaign_id)
                    known[key] = Balance(Amounts(answer.lease.leased_minor))

        await asyncio.gather(*map(settle, range(RACING)))
        assert {1_000} == {one.leased.minor for one in await one.ledger.totals(RETAILER)}


async def test_owners_who_ask_at_once_have_one_lease(system: System) -> None:
    """An owner that was paused and its heir ask side by side: the budget is leased once."""
    async with system() as one, system() as other:
        await with_shops(one)
        await scheduled(one, budget=Budget(money_minor=1_000))
        before, heir = Partition(one.ledger, token=1), Partition(other.ledger, token=2)
        for _ in range(5):
            await asyncio.gather(*(owner.ask(100) for owner in (before, heir, before, heir)))
        found = await heir.leased(SPRING)
        assert found == await total(one)
        assert found.minor <= 1_000
        leased = before.balance().leased
        assert leased.minor <= found.minor
        await before.ask(1)
        assert found == await total(one)
