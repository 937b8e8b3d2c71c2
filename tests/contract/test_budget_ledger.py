"""The contract of `domain.ports.budget_ledger.BudgetLedger`: what is leased, to whom, and when nothing is."""

from __future__ import annotations

import pytest

from adapters.wiring import Ports
from domain.campaigns import Action, Budget
from domain.errors import Refused
from domain.leasing import ASKS_AT_ONCE
from domain.ports.budget_ledger import Answer, Ask, Total
from domain.purse import Amounts, Balance, CampaignKey
from tests.contract.campaigning import OTHER_RETAILER, draft, move, scheduled, with_budget, with_shops
from tests.contract.conftest import StoppedClock, System
from tests.contract.leasing_partition import PARTITIONS, SPRING, Partition, lease
from tests.story import RETAILER


async def with_spring(ports: Ports, money_minor: int | None = None, count: int | None = None) -> Partition:
    """Schedules a campaign with a budget, and gives a partition that knows nothing of it yet."""
    await with_shops(ports)
    await scheduled(ports, budget=Budget(money_minor=money_minor, count=count))
    return Partition(ports.ledger)


async def total(ports: Ports, campaign_id: str = "spring") -> Total:
    """What the ledger says of a campaign."""
    return next(one for one in await ports.ledger.totals(RETAILER) if one.campaign_id == campaign_id)


async def test_a_lease_grows_by_what_is_needed(ports: Ports) -> None:
    """Money and promises each by theirs, on top of what was leased before; what is not needed stays as it is."""
    partition = await with_spring(ports, 1_000, 50)
    assert Answer(lease(leased_minor=70, leased_count=4), False) == await partition.ask(70, 4)
    assert Answer(lease(leased_minor=170, leased_count=4), False) == await partition.ask(100)
    assert Answer(lease(leased_minor=170, leased_count=9), False) == await partition.ask(0, 5)


async def test_a_lease_grows_by_a_share_of_what_is_left_where_that_is_more(ports: Ports) -> None:
    """A quarter of the partition's part, in whole promises, so that it need not ask for every one of them."""
    partition = await with_spring(ports, 100_000, 1_000)
    assert Answer(lease(leased_minor=6_200, leased_count=62), False) == await partition.ask(100, 1)
    other = Partition(ports.ledger, 1)
    # 93,800 / 16 in whole hundreds, and 938 / 16
    assert Answer(lease(leased_minor=5_800, leased_count=58), False) == await other.ask(100, 1)
    assert Answer(lease(leased_minor=6_200 + 50_000, leased_count=62), False) == await partition.ask(50_000)


async def test_what_is_left_is_leased_to_the_last(ports: Ports) -> None:
    """Nothing where it is less than needed, in money or in promises; all of it to whom it suffices."""
    partition, other = await with_spring(ports, 100, 10), Partition(ports.ledger, 1)
    await partition.ask(90, 2)
    assert Answer(lease(), True) == await other.ask(11, 1)
    assert Answer(lease(), True) == await other.ask(1, 9)
    assert Answer(lease(), True) == await other.ask(11, 9)
    assert Answer(lease(leased_minor=10, leased_count=8), False) == await other.ask(10, 8)
    assert Answer(lease(leased_minor=90, leased_count=2), True) == await partition.ask(1)
    assert Amounts(100, 10) == (await total(ports)).leased


async def test_without_a_budget_as_much_as_is_needed_is_leased(ports: Ports) -> None:
    """Of what is not limited; what is limited ends all the same."""
    partition = await with_spring(ports, None, 3)
    assert Answer(lease(leased_minor=10**12, leased_count=2), False) == await partition.ask(10**12, 2)
    assert Answer(lease(leased_minor=10**12, leased_count=2), True) == await partition.ask(1, 2)
    await scheduled(ports, "endless")
    endless = CampaignKey(RETAILER, "endless")
    answer = await partition.ask(7, 2, key=endless)
    assert Answer(lease(endless, leased_minor=7, leased_count=2), False) == answer
    found = await total(ports, "endless")
    assert (None, None, Amounts(7, 2)) == (found.budget_minor, found.budget_count, found.leased)


async def test_a_lost_answer_is_given_again(ports: Ports) -> None:
    """The ledger says what it has leased, and leases more only to a partition that knows it."""
    partition = await with_spring(ports, 1_000)
    for needed in (60, 60, 900):
        assert Answer(lease(leased_minor=60), False) == await partition.unheard(needed)
    assert Amounts(60, 0) == (await total(ports)).leased
    await partition.ask(60)
    assert Answer(lease(leased_minor=120), False) == await partition.ask(60)


async def test_the_next_owner_has_the_same_lease(ports: Ports) -> None:
    """Whoever owns the partition next is told what was leased before it."""
    partition = await with_spring(ports, 1_000)
    await partition.ask(500)
    heir = Partition(ports.ledger, token=9)
    assert Answer(lease(leased_minor=500), False) == await heir.ask(80)
    assert Answer(lease(leased_minor=580), False) == await heir.ask(80)


async def test_an_owner_that_is_not_the_newest_changes_nothing(ports: Ports) -> None:
    """Of no campaign of the partition, also of those for which the newest has not asked; it is told what is there."""
    partition = await with_spring(ports, 1_000, 100)
    await scheduled(ports, "summer", budget=Budget(money_minor=1_000))
    summer = CampaignKey(RETAILER, "summer")
    await partition.ask(500, 7)
    await partition.ask(100, key=summer)
    heir = Partition(ports.ledger, token=2)
    await heir.ask()
    before = await ports.ledger.totals(RETAILER)
    partition.told = {"reserved": Amounts(5, 1), "committed": Amounts(6, 2)}
    partition.give_back(400, 3)
    partition.give_back(50, key=summer)
    assert Answer(lease(leased_minor=500, leased_count=7), False) == await partition.unheard(10, 1)
    assert Answer(lease(summer, leased_minor=100), False) == await partition.unheard(10**9, key=summer)
    assert before == await ports.ledger.totals(RETAILER)
    elsewhere = Partition(ports.ledger, 1, token=1)
    assert Answer(lease(leased_minor=40), False) == await elsewhere.ask(40), "tokens are of one partition each"


async def test_what_is_returned_makes_room(ports: Ports) -> None:
    """At once, for whoever asks next; said again it is said once, and an older word takes nothing back."""
    partition, other = await with_spring(ports, 100, 10), Partition(ports.ledger, 1)
    await partition.ask(100, 10)
    assert (await other.ask(30, 3)).is_spent
    partition.give_back(40, 4)
    returned = lease(leased_minor=100, leased_count=10, returned_minor=40, returned_count=4)
    for _ in range(3):
        assert Answer(returned, False) == await partition.ask()
    assert Answer(lease(leased_minor=30, leased_count=3), False) == await other.ask(30, 3)
    forgetful = Partition(ports.ledger)
    assert Answer(returned, False) == await forgetful.ask()
    assert Amounts(90, 9) == (await total(ports)).leased
    assert Answer(lease(leased_minor=110, leased_count=11, returned_minor=40, returned_count=4), False) == (
        await forgetful.ask(10, 1)
    )
    assert (await other.ask(1)).is_spent


async def test_one_may_return_and_need_at_once(ports: Ports) -> None:
    """What is returned counts before what is needed is leased."""
    partition = await with_spring(ports, 100)
    await partition.ask(100)
    partition.give_back(60)
    assert Answer(lease(leased_minor=150, returned_minor=60), False) == await partition.ask(50)
    assert Amounts(90, 0) == (await total(ports)).leased


async def test_no_more_is_returned_than_was_leased(ports: Ports) -> None:
    """A partition that says so makes no room for others beyond the budget."""
    partition, other = await with_spring(ports, 100, 10), Partition(ports.ledger, 1)
    await partition.ask(40, 4)
    partition.give_back(90, 90)
    assert Answer(lease(leased_minor=40, leased_count=4, returned_minor=40, returned_count=4), False) == (
        await partition.unheard()
    )
    assert (await other.ask(101)).is_spent
    assert not (await other.ask(100, 10)).is_spent
    assert Amounts(100, 10) == (await total(ports)).leased


async def test_what_partitions_promised_is_added_up(ports: Ports) -> None:
    """Who needs nothing only tells; the last word of each partition counts, and a campaign without any has nothing."""
    partition, other = await with_spring(ports, 10**6, 10**3), Partition(ports.ledger, 1)
    await draft(ports, "winter")
    await partition.ask(1_000, 10)
    partition.told = {"reserved": Amounts(300, 3), "committed": Amounts(20, 1)}
    await partition.ask()
    partition.told = {"reserved": Amounts(200, 2), "committed": Amounts(120, 2)}
    await partition.ask()
    other.told = {"committed": Amounts(7, 1)}
    await other.ask()
    spring = Total(
        campaign_id="spring",
        budget_minor=10**6,
        budget_count=10**3,
        leased=Amounts(62_000, 60),
        reserved=Amounts(200, 2),
        committed=Amounts(127, 3),
    )
    nothing = Amounts()
    winter = Total(
        campaign_id="winter", budget_minor=None, budget_count=None, leased=nothing, reserved=nothing, committed=nothing
    )
    assert [spring, winter] == list(await ports.ledger.totals(RETAILER))


@pytest.mark.parametrize(("actions", "needs_resume"), [(("pause",), True), (("end",), False)])
async def test_what_is_not_scheduled_is_leased_nothing_more(
    ports: Ports, actions: tuple[Action, ...], needs_resume: bool
) -> None:
    """Paused or ended: what partitions tell and return still counts, and nothing is said to be spent."""
    await with_shops(ports)
    partition = Partition(ports.ledger)
    campaign = await draft(ports, budget=Budget(money_minor=1_000))
    assert Answer(lease(), False) == await partition.ask(10), "a draft"
    campaign = await move(ports, campaign, "schedule")
    await partition.ask(100)
    for action in actions:
        campaign = await move(ports, campaign, action)
    partition.told = {"committed": Amounts(30, 1)}
    partition.give_back(60)
    assert Answer(lease(leased_minor=100, returned_minor=60), False) == await partition.ask(10)
    found = await total(ports)
    assert (Amounts(40, 0), Amounts(30, 1)) == (found.leased, found.committed)
    if needs_resume:
        await move(ports, campaign, "resume")
        assert Answer(lease(leased_minor=170, returned_minor=60), False) == await partition.ask(70)


async def test_what_is_over_is_leased_nothing_more(ports: Ports, clock: StoppedClock) -> None:
    """From the very millisecond of its end on; before its start it is leased, so that it can start at once."""
    partition = await with_spring(ports, 1_000)
    ends_at_ms = ports.campaigns.current().campaigns[RETAILER][0].definition.ends_at_ms
    clock.ms -= 1
    await partition.ask(100)
    clock.ms = ends_at_ms - 1
    assert Answer(lease(leased_minor=200), False) == await partition.ask(100)
    clock.ms = ends_at_ms
    assert Answer(lease(leased_minor=200), False) == await partition.ask(100)


async def test_an_unknown_campaign_is_leased_nothing(ports: Ports) -> None:
    """Nobody's budget grows by asking, and nothing is kept of it."""
    await with_shops(ports)
    partition = Partition(ports.ledger)
    partition.told = {"reserved": Amounts(5, 5)}
    assert Answer(lease(), False) == await partition.ask(10, 1)
    assert [] == list(await ports.ledger.totals(RETAILER))
    await scheduled(ports)
    assert Amounts() == (await total(ports)).reserved


async def test_a_budget_is_never_lowered_below_what_partitions_hold(ports: Ports) -> None:
    """The refusal says what the least is; down to that, nothing more is leased; with returns it may go lower."""
    partition = await with_spring(ports, 1_000, 100)
    await partition.ask(300, 40)
    spring = await ports.campaigns.get(RETAILER, "spring")
    assert spring is not None
    both = r"\$.budget.money_minor: 299 is less than the 300 .* lowered to 300; \$.budget.count: 39 .* lowered to 40"
    with pytest.raises(Refused, match=both):
        await with_budget(ports, spring, Budget(money_minor=299, count=39))
    assert 2 == len(await ports.campaigns.history(RETAILER, "spring"))
    assert 1_000 == (await total(ports)).budget_minor
    spring = await with_budget(ports, spring, Budget(money_minor=300, count=40))
    assert Answer(lease(leased_minor=300, leased_count=40), True) == await partition.ask(1)
    partition.give_back(100, 10)
    await partition.ask()
    await with_budget(ports, spring, Budget(money_minor=200, count=30))
    found = await total(ports)
    assert (200, 30, Amounts(200, 30)) == (found.budget_minor, found.budget_count, found.leased)


async def test_a_budget_may_be_raised_removed_and_given(ports: Ports) -> None:
    """From the next ask on; what was leased without a budget counts against one that is given."""
    partition = await with_spring(ports, 100)
    await partition.ask(100)
    spring = await ports.campaigns.get(RETAILER, "spring")
    assert spring is not None
    spring = await with_budget(ports, spring, Budget(money_minor=150, count=5))
    assert Answer(lease(leased_minor=150, leased_count=5), False) == await partition.ask(50, 5)
    spring = await with_budget(ports, spring, None)
    assert Answer(lease(leased_minor=1_150, leased_count=25), False) == await partition.ask(1_000, 20)
    with pytest.raises(Refused, match=r"\$.budget.count: 24 is less than the 25"):
        await with_budget(ports, spring, Budget(count=24))
    spring = await with_budget(ports, spring, Budget(money_minor=1_200, count=25))
    assert Answer(lease(leased_minor=1_200, leased_count=25), False) == await partition.ask(50)
    assert (await partition.ask(0, 1)).is_spent


async def test_very_large_numbers_are_exact(ports: Ports) -> None:
    """A budget of 10**15 is leased to the last unit, and returned and leased again and again."""
    partition, other = await with_spring(ports, 10**15, 10**12), Partition(ports.ledger, 1)
    taken = (10**15 - 1, 10**12 - 1)
    assert not (await partition.ask(*taken)).is_spent
    assert (await other.ask(2, 2)).is_spent
    assert Answer(lease(leased_minor=1, leased_count=1), False) == await other.ask(1, 1)
    for times in range(1, 6):
        partition.give_back(times * taken[0], times * taken[1])
        answer = await partition.ask(*taken)
        assert ((times + 1) * taken[0], (times + 1) * taken[1]) == (
            answer.lease.leased_minor,
            answer.lease.leased_count,
        )
    assert Amounts(10**15, 10**12) == (await total(ports)).leased


async def test_what_a_partition_knows_beyond_the_ledger_counts(ports: Ports) -> None:
    """A ledger that came back from a backup does not lease again what partitions hold already."""
    partition, other = await with_spring(ports, 1_000), Partition(ports.ledger, 1)
    partition.purse.lease([lease(leased_minor=900, returned_minor=100)])
    assert Answer(lease(leased_minor=950, returned_minor=100), False) == await partition.ask(50)
    assert (await other.ask(151)).is_spent
    other.purse.lease([lease(leased_minor=500)])
    assert Answer(lease(leased_minor=500), True) == await other.ask(1)
    spring = await ports.campaigns.get(RETAILER, "spring")
    assert spring is not None
    await move(ports, spring, "pause")
    assert Amounts(1_350, 0) == (await total(ports)).leased, "more than the budget, as it is out there"


async def test_many_are_asked_for_at_once(ports: Ports) -> None:
    """Answers come in the order of the asks, unknown campaigns among them; a campaign is leased once a call."""
    partition = await with_spring(ports, 10_000)
    await scheduled(ports, "summer", budget=Budget(money_minor=100))
    summer = CampaignKey(RETAILER, "summer")
    unknown = [CampaignKey(RETAILER, f"unknown {number}") for number in range(ASKS_AT_ONCE)]
    keys = [summer, SPRING, *unknown, SPRING, summer]
    asks = [Ask(key, Balance(), Amounts(90, 1)) for key in keys]
    given = await ports.ledger.settle(0, 1, asks, partitions=PARTITIONS)
    first = [Answer(lease(summer, leased_minor=90, leased_count=1), False)]
    first += [Answer(lease(leased_minor=540, leased_count=1), False)]
    nothing = [Answer(lease(key), False) for key in unknown]
    assert [*first, *nothing, *reversed(first)] == list(given)
    twice = [Ask(SPRING, Balance(Amounts(540, 1)), Amounts(5)), Ask(SPRING, Balance(), Amounts(7))]
    leased = Answer(lease(leased_minor=540 + 9_460 // 16 // 5 * 5, leased_count=1), False)
    assert [leased, leased] == list(await ports.ledger.settle(0, 1, twice, partitions=PARTITIONS))
    assert [] == list(await ports.ledger.settle(0, 1, [], partitions=PARTITIONS))
    assert not (await partition.ask()).is_spent


async def test_a_small_log_leases_larger_shares(ports: Ports) -> None:
    """With one partition, as in an embedded system, it is a quarter of what is left."""
    await with_spring(ports, 1_000)
    asks = [Ask(SPRING, Balance(), Amounts(1))]
    assert [Answer(lease(leased_minor=250), False)] == list(await ports.ledger.settle(0, 1, asks, partitions=1))


async def test_retailers_have_budgets_of_their_own(ports: Ports) -> None:
    """One id of two retailers is two budgets, and totals tell of one retailer."""
    partition = await with_spring(ports, 100)
    theirs = CampaignKey(OTHER_RETAILER, "spring")
    await scheduled(ports, retailer_id=OTHER_RETAILER, budget=Budget(money_minor=50))
    await partition.ask(100)
    assert Answer(lease(theirs, leased_minor=50), False) == await partition.ask(50, key=theirs)
    assert (await partition.ask(1, key=theirs)).is_spent
    assert [(100, Amounts(100, 0))] == [(one.budget_minor, one.leased) for one in await ports.ledger.totals(RETAILER)]
    assert [] == list(await ports.ledger.totals("r-9"))


async def test_leases_are_there_after_reopening(system: System) -> None:
    """Budgets, leases and the newest owner last."""
    async with system() as ports:
        partition = await with_spring(ports, 1_000)
        partition.token = 7
        partition.told = {"committed": Amounts(30, 1)}
        await partition.ask(400)
        before = await ports.ledger.totals(RETAILER)
    async with system() as ports:
        assert before == await ports.ledger.totals(RETAILER)
        assert Answer(lease(leased_minor=400), False) == await Partition(ports.ledger, token=6).ask(500)
        assert (await Partition(ports.ledger, 1).ask(601)).is_spent


async def test_leasing_makes_nobody_look(ports: Ports) -> None:
    """Every process would load control data again, each second: a put raises the version by one, settling by none."""
    partition = await with_spring(ports, 1_000)
    before = ports.campaigns.current()
    for _ in range(3):
        await partition.ask(50)
    assert before is ports.campaigns.current()
    await draft(ports, "summer")
    assert before.version + 1 == ports.campaigns.current().version
