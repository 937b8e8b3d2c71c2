"""Which version of a campaign may follow which, and how low a budget may go."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from domain.campaign_versions import Standing, refuse_bad
from domain.campaigns import Budget, Campaign, Change, created
from domain.errors import Refused
from domain.purse import Amounts
from tests.contract.campaigning import definition
from tests.story import NOON_MS

HELD = Amounts(300, 40)
LIMITED = Budget(money_minor=1_000, count=100)


def change(version: int, budget: Budget | None = None) -> Change:
    """A version of a campaign with a budget."""
    campaign: Campaign = replace(created("r-1", "spring", definition(budget=budget), NOON_MS), version=version)
    return Change(campaign=campaign, action="change", by="command")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (LIMITED, LIMITED),
        (LIMITED, None),
        (LIMITED, Budget(money_minor=300, count=40)),
        (LIMITED, Budget(money_minor=5_000)),
        (Budget(), LIMITED),
        (Budget(), Budget(money_minor=300)),
        # More is held than the budget: after a ledger came back from a backup, it must still be possible to pause.
        (Budget(money_minor=200, count=30), Budget(money_minor=200, count=30)),
        (Budget(money_minor=200, count=30), Budget(money_minor=250, count=30)),
    ],
)
def test_a_budget_that_covers_what_is_held_or_is_not_lowered_is_kept(before: Budget, after: Budget | None) -> None:
    """Raised, removed, left as it is, or lowered to what partitions hold."""
    refuse_bad(change(2, after), Standing(1, before, HELD))


@pytest.mark.parametrize(
    ("before", "after", "faults"),
    [
        (LIMITED, Budget(money_minor=299), ["$.budget.money_minor: 299 is less than the 300"]),
        (LIMITED, Budget(count=39), ["$.budget.count: 39 is less than the 40"]),
        (Budget(), Budget(money_minor=1, count=1), ["$.budget.money_minor: 1 is", "$.budget.count: 1 is"]),
        (Budget(money_minor=200), Budget(money_minor=199), ["$.budget.money_minor: 199 is less than the 300"]),
    ],
)
def test_a_budget_below_what_is_held_is_refused(before: Budget, after: Budget, faults: list[str]) -> None:
    """Each limit with the least that it can be."""
    with pytest.raises(Refused) as refused:
        refuse_bad(change(2, after), Standing(1, before, HELD))
    assert len(faults) == len(refused.value.faults)
    assert all(said.startswith(fault) for said, fault in zip(refused.value.faults, faults, strict=True))


def test_versions_follow_each_other() -> None:
    """The first of a new campaign, then one after the other; anything else was somebody else's."""
    refuse_bad(change(1), None)
    refuse_bad(change(7), Standing(6, Budget(), Amounts()))
    with pytest.raises(Refused, match="there is a campaign spring already"):
        refuse_bad(change(1), Standing(1, Budget(), Amounts()))
    with pytest.raises(Refused, match="there is no campaign spring"):
        refuse_bad(change(2), None)
    for version in (2, 5, 6, 8):
        with pytest.raises(Refused, match="changed by somebody else meanwhile: read it again"):
            refuse_bad(change(version), Standing(6, Budget(), Amounts()))
