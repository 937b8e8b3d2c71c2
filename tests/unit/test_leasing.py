"""By how much a lease grows, and what an ask makes of an account."""

from __future__ import annotations

import pytest

from domain.campaigns import Budget
from domain.leasing import Account, Settled, answers, grown, settled, settled_all
from domain.ports.budget_ledger import Answer, Ask
from domain.purse import Amounts, Balance, CampaignKey
from domain.records import Lease

KEY = CampaignKey("r-1", "spring")
NOTHING = Balance()


def account(held: int = 0, part: Balance = NOTHING, *, is_open: bool = True, minor: int | None = 1_000) -> Account:
    """An account of a campaign of which all partitions hold so much money."""
    return Account(is_open, Budget(money_minor=minor), Amounts(held), part)


@pytest.mark.parametrize(
    ("budget", "leased_by_all", "need", "partitions", "expected"),
    [
        (1_000, 0, 10, 1, 250),
        (1_000, 0, 251, 1, 251),
        (1_000, 600, 1, 1, 100),
        (1_000, 0, 1, 64, 3),
        (1_000, 0, 4, 64, 4),
        (255, 0, 1, 64, 1),
        (100, 90, 10, 4, 10),
        (100, 90, 11, 4, None),
        (100, 100, 1, 4, None),
        (100, 120, 1, 4, None),
        (100, 100, 0, 4, 0),
        (100, 120, 0, 4, 0),
        (100, 0, 0, 4, 0),
        (None, 10**18, 7, 4, 7),
        (None, 0, 0, 4, 0),
        (10**15, 10**15 - 1, 1, 64, 1),
        (10**15, 0, 1, 64, 10**15 // 256),
    ],
)
def test_growth(budget: int | None, leased_by_all: int, need: int, partitions: int, expected: int | None) -> None:
    """What is needed, or 1/(4n) of what is left where that is more; nothing where less is left than is needed."""
    assert expected == grown(budget, leased_by_all, need, partitions)


def test_either_money_or_promises_may_be_spent() -> None:
    """Then neither is leased."""
    asked = Account(True, Budget(money_minor=100, count=5), Amounts(10, 4), NOTHING)
    assert Settled(NOTHING, Amounts(10, 4), True) == settled(asked, Ask(KEY, NOTHING, Amounts(1, 2)), 1)
    assert Settled(NOTHING, Amounts(10, 4), True) == settled(asked, Ask(KEY, NOTHING, Amounts(91, 1)), 1)
    part = Balance(Amounts(90, 1))
    assert Settled(part, Amounts(100, 5), False) == settled(asked, Ask(KEY, NOTHING, Amounts(90, 1)), 1)


def test_a_partition_that_is_behind_is_only_told() -> None:
    """In money or in promises: it asks again once it knows."""
    part = Balance(Amounts(100, 5))
    for known in (Amounts(99, 5), Amounts(100, 4), Amounts(101, 4), Amounts()):
        after = settled(account(100, part), Ask(KEY, Balance(known), Amounts(1)), 1)
        assert part.leased.at_least(known) == after.part.leased
        assert not after.is_spent
    assert 325 == settled(account(100, part), Ask(KEY, part, Amounts(1)), 1).part.leased.minor


def test_what_is_closed_is_neither_leased_nor_spent() -> None:
    """What is told of it counts."""
    told = Balance(Amounts(100), Amounts(30), Amounts(20, 2), Amounts(10, 1))
    asked = account(100, Balance(Amounts(100)), is_open=False)
    assert Settled(told, Amounts(70), False) == settled(asked, Ask(KEY, told, Amounts(10**6)), 1)


def test_the_first_ask_for_a_campaign_counts() -> None:
    """A second one in the same call gets the same answer; an unknown campaign gets an empty one."""
    asks = [
        Ask(KEY, NOTHING, Amounts(300)),
        Ask(CampaignKey("r-1", "unknown"), NOTHING, Amounts(1)),
        Ask(KEY, NOTHING, Amounts(500)),
    ]
    after = settled_all({KEY: account()}, asks, 1, is_newest=True)
    assert {KEY: Settled(Balance(Amounts(300)), Amounts(300), False)} == after
    first = Answer(Lease(retailer_id="r-1", campaign_id="spring", leased_minor=300), False)
    assert [first, Answer(Lease(retailer_id="r-1", campaign_id="unknown"), False), first] == answers(after, asks)


def test_an_owner_that_is_not_the_newest_leaves_accounts_as_they_are() -> None:
    """Whatever it tells or needs."""
    part = Balance(Amounts(100), Amounts(10), Amounts(20, 1), Amounts(30, 1))
    told = Balance(Amounts(500), Amounts(400), Amounts(1, 1), Amounts(1, 1))
    asks = [Ask(KEY, told, Amounts(10**9))]
    assert {KEY: Settled(part, Amounts(90), False)} == settled_all({KEY: account(90, part)}, asks, 1, is_newest=False)
