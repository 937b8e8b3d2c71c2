"""Leasing: by how much a partition's lease of a budget grows, and what an ask makes of its account with the ledger.

Every ledger asks here, so that all of them lease alike; a ledger only reads accounts and writes them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from domain.campaigns import Budget
from domain.ports.budget_ledger import Answer, Ask
from domain.purse import Amounts, Balance, CampaignKey
from domain.records import Lease

ASKS_AT_ONCE = 500
"""Asks that a ledger settles in one transaction: others wait for the campaigns in it."""
_SHARES = 4
"""Shares into which each partition's n-th of what is left is cut: all partitions at once leave three of four for later.
"""


class Account(NamedTuple):
    """What the ledger has of a campaign, and of one partition's part in it.

    Attributes:
        is_open: whether anything may be leased: the campaign is scheduled and not over.
        budget: what limits it.
        held: leases less returns, of all partitions.
        part: of the partition, as it was last told.
    """

    is_open: bool
    budget: Budget
    held: Amounts
    part: Balance


class Settled(NamedTuple):
    """An account after an ask.

    Attributes:
        part: of the partition.
        held: leases less returns, of all partitions.
        is_spent: the budget had not what was needed.
    """

    part: Balance
    held: Amounts
    is_spent: bool


def grown(budget: int | None, leased_by_all: int, need: int, partitions: int) -> int | None:
    """Gives by how much a lease grows, in money or in promises; None where the budget has not what is needed.

    Args:
        budget: in all; None = not limited.
        leased_by_all: leases less returns of all partitions.
        need: at least, and in whole times of it; what is not needed does not grow.
        partitions: of the event log, 1 or more.
    """
    if need <= 0:
        return 0
    if budget is None:
        return need
    left = budget - leased_by_all
    if need > left:
        return None
    share = left // (_SHARES * partitions)
    # Whole needs: what is leased beyond them lies in one partition, and the last promises of the budget lack it.
    return max(need, share - share % need)


def settled(account: Account, ask: Ask, partitions: int) -> Settled:
    """Gives the account after an ask: first what is told counts, then what is needed is leased.

    What a partition knows to be leased beyond the ledger (which came back from a backup) was promised already, so it
    counts as leased, whatever the budget is.
    """
    before, told = account.part, ask.balance
    leased = before.leased.at_least(told.leased)
    returned = _at_most(before.returned.at_least(told.returned), leased)
    held = account.held.plus(leased.minus(returned)).minus(before.leased.minus(before.returned))
    got, is_spent = Amounts(), False
    # Where an answer was lost, it is given again; a partition that still needs more asks again.
    if account.is_open and leased == told.leased:
        more = _exactly if ask.is_exact else _more
        found = more(account.budget, held, ask.need, partitions)
        got = found or Amounts()
        is_spent = found is None or got != got.at_least(ask.need)
    part = Balance(leased.plus(got), returned, told.reserved, told.committed)
    return Settled(part, held.plus(got), is_spent)


def settled_all(
    accounts: Mapping[CampaignKey, Account], asks: Sequence[Ask], partitions: int, *, is_newest: bool
) -> dict[CampaignKey, Settled]:
    """Gives every account after the first ask for it; those of an owner that is not the newest stay as they are."""
    after: dict[CampaignKey, Settled] = {}
    for ask in asks:
        account = accounts.get(ask.key)
        if account is not None and ask.key not in after:
            nothing = Settled(account.part, account.held, is_spent=False)
            after[ask.key] = settled(account, ask, partitions) if is_newest else nothing
    return after


def answers(after: Mapping[CampaignKey, Settled], asks: Iterable[Ask]) -> list[Answer]:
    """Gives what the ledger says to each ask, in order; of a campaign that it does not know, nothing is leased."""
    return [_answer(ask.key, after.get(ask.key)) for ask in asks]


def _answer(key: CampaignKey, found: Settled | None) -> Answer:
    part = found.part if found is not None else Balance()
    lease = Lease(
        retailer_id=key.retailer_id,
        campaign_id=key.campaign_id,
        leased_minor=part.leased.minor,
        leased_count=part.leased.promises,
        returned_minor=part.returned.minor,
        returned_count=part.returned.promises,
    )
    return Answer(lease, is_spent=found is not None and found.is_spent)


def _more(budget: Budget, held: Amounts, need: Amounts, partitions: int) -> Amounts | None:
    """Gives what is leased more, None where money or promises don't suffice."""
    minor = grown(budget.money_minor, held.minor, need.minor, partitions)
    count = grown(budget.count, held.promises, need.promises, partitions)
    return None if minor is None or count is None else Amounts(minor, count)


def _exactly(budget: Budget, held: Amounts, need: Amounts, _: int) -> Amounts:
    """Gives what is leased more where nothing may lie idle: what is needed, or all that is left of it."""
    return Amounts(_part(budget.money_minor, held.minor, need.minor), _part(budget.count, held.promises, need.promises))


def _part(budget: int | None, leased_by_all: int, need: int) -> int:
    return max(0, need if budget is None else min(need, budget - leased_by_all))


def _at_most(amounts: Amounts, limit: Amounts) -> Amounts:
    return Amounts(min(amounts.minor, limit.minor), min(amounts.promises, limit.promises))
