"""Whatever partitions ask, lose, return and ask again, no budget is ever exceeded, and what is returned can be had."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from domain.campaigns import Budget
from domain.leasing import Account, grown, settled
from domain.ports.budget_ledger import Ask
from domain.purse import Amounts, Balance, CampaignKey

KEY = CampaignKey("r-1", "spring")
LARGE = 10**15
MONEY = st.integers(0, 200) | st.integers(0, LARGE)
PROMISES = st.integers(0, 20) | st.integers(0, 10**12)
PARTS = 3
BUDGETS = st.builds(
    Budget,
    money_minor=st.none() | st.integers(1, 500) | st.integers(1, LARGE),
    count=st.none() | st.integers(1, 50) | st.integers(1, 10**12),
)


class Step(NamedTuple):
    """One ask of a partition: what it needs, how much of what it knows to hold it returned before, what it hears."""

    partition: int
    need: Amounts
    returned_percent: int
    is_heard: bool


STEPS = st.lists(
    st.builds(
        Step,
        partition=st.integers(0, PARTS - 1),
        need=st.builds(Amounts, MONEY, PROMISES),
        returned_percent=st.just(0) | st.integers(0, 100),
        is_heard=st.booleans(),
    ),
    max_size=30,
)


class Ledger:
    """A ledger in memory, and what its partitions know of it."""

    def __init__(self, budget: Budget, partitions: int) -> None:
        self.budget = budget
        self.partitions = partitions
        self.held = Amounts()
        self.parts = [Balance() for _ in range(PARTS)]
        self.known = [Balance() for _ in range(PARTS)]

    def take(self, step: Step) -> bool:
        """Settles an ask, and tells whether the budget had what it needs."""
        number, known = step.partition, self.known[step.partition]
        net = known.leased.minus(known.returned)
        back = Amounts(net.minor * step.returned_percent // 100, net.promises * step.returned_percent // 100)
        known = self.known[number] = known._replace(returned=known.returned.plus(back))
        account = Account(True, self.budget, self.held, self.parts[number])
        after = settled(account, Ask(KEY, known, step.need), self.partitions)
        self.parts[number], self.held = after.part, after.held
        if step.is_heard:
            self.known[number] = known._replace(leased=after.part.leased, returned=after.part.returned)
        return not after.is_spent

    def counted(self) -> Amounts:
        """What partitions hold, counted one by one."""
        total = Amounts()
        for part in self.parts:
            total = total.plus(part.leased).minus(part.returned)
        return total


def fits(amounts: Amounts, budget: Budget) -> bool:
    """Whether amounts are within a budget."""
    return (budget.money_minor is None or amounts.minor <= budget.money_minor) and (
        budget.count is None or amounts.promises <= budget.count
    )


@given(BUDGETS, st.integers(1, 4_096), STEPS)
def test_no_budget_is_ever_exceeded(budget: Budget, partitions: int, steps: list[Step]) -> None:
    """After each ask the running sum is what partitions hold, within the budget; totals only grow."""
    ledger = Ledger(budget, partitions)
    for step in steps:
        before = ledger.parts[step.partition]
        ledger.take(step)
        after = ledger.parts[step.partition]
        assert ledger.counted() == ledger.held
        assert fits(ledger.held, budget)
        assert min(ledger.held) >= 0
        assert after.leased == after.leased.at_least(before.leased)
        assert after.returned == after.returned.at_least(before.returned)
        assert after.leased == after.leased.at_least(after.returned)


@given(BUDGETS, st.integers(1, 4_096), STEPS)
def test_what_is_returned_can_be_had_again(budget: Budget, partitions: int, steps: list[Step]) -> None:
    """Once every partition has heard and returned everything, any of them gets the whole budget."""
    ledger = Ledger(budget, partitions)
    for step in steps:
        ledger.take(step)
    for number in range(PARTS):
        ledger.take(Step(number, Amounts(), 0, is_heard=True))
        ledger.take(Step(number, Amounts(), 100, is_heard=True))
    assert Amounts() == ledger.held
    whole = Amounts(budget.money_minor or 0, budget.count or 0)
    assert ledger.take(Step(0, whole, 0, is_heard=True))
    assert whole == ledger.held


@given(BUDGETS, st.integers(1, 4_096), STEPS, st.builds(Amounts, MONEY, PROMISES))
def test_what_is_left_is_leased_to_whom_it_suffices(
    budget: Budget, partitions: int, steps: list[Step], need: Amounts
) -> None:
    """An ask of a partition that heard the last answer is refused exactly where the budget has not what it needs."""
    ledger = Ledger(budget, partitions)
    for step in steps:
        ledger.take(step)
    ledger.take(Step(0, Amounts(), 0, is_heard=True))
    before = ledger.held
    needs_within = all(
        not wanted or limit is None or held + wanted <= limit
        for wanted, held, limit in (
            (need.minor, before.minor, budget.money_minor),
            (need.promises, before.promises, budget.count),
        )
    )
    assert needs_within == ledger.take(Step(0, need, 0, is_heard=True))
    if needs_within:
        grew = ledger.held.minus(before)
        assert grew == grew.at_least(need)
        assert (need.minor > 0, need.promises > 0) == (grew.minor > 0, grew.promises > 0)
    else:
        assert before == ledger.held


@given(st.none() | MONEY, MONEY, MONEY, st.integers(1, 4_096))
def test_growth_is_at_least_what_is_needed_and_at_most_what_is_left(
    budget: int | None, leased_by_all: int, need: int, partitions: int
) -> None:
    """And where it is more than needed, it is no more than a small share of what is left."""
    growth = grown(budget, leased_by_all, need, partitions)
    if growth is None:
        assert budget is not None
        assert 0 < need
        assert budget - leased_by_all < need
    else:
        assert growth >= need
        if need and budget is not None:
            assert growth <= budget - leased_by_all
            assert growth == need or 4 * partitions * growth <= budget - leased_by_all
