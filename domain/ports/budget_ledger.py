"""The budget ledger: what every campaign may promise in all, leased in small parts to partitions of the event log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from domain.purse import Amounts, Balance, CampaignKey
from domain.records import Lease


class Ask(NamedTuple):
    """What a partition says of one campaign, and what it needs more.

    Attributes:
        key: the campaign.
        balance: of the partition's purse, as its records have it: what it returned counts from now on.
        need: leased more at least; nothing = only tell. What is not needed, money or promises, does not grow.
        is_exact: lease no more than needed, and where less is left, that; as is done with the stocks of prizes.
    """

    key: CampaignKey
    balance: Balance
    need: Amounts = Amounts()
    is_exact: bool = False


class Answer(NamedTuple):
    """What the ledger answers.

    Attributes:
        lease: of the partition, in all, as the ledger has it.
        is_spent: the budget has not what was needed; not said of a campaign that is paused or over.
    """

    lease: Lease
    is_spent: bool


class Total(Struct, frozen=True, kw_only=True):
    """A campaign's budget at one moment, over all partitions, in minor units and promises.

    Attributes:
        budget_minor, budget_count: None = not limited.
        leased, reserved, committed: what partitions hold; `leased` is less what they returned. What they promised is
            as old as their last word.
    """

    campaign_id: str
    budget_minor: int | None
    budget_count: int | None
    leased: Amounts
    reserved: Amounts
    committed: Amounts


class BudgetLedger(Protocol):
    """Leases of budgets. Invariant: leases less returns of all partitions <= budget, for money and for count.

    A lease is a total that only grows, and so is a return: an answer that was lost is answered again by the next one,
    and whoever owns the partition next asks for the same lease. Called in the background, never by a decision.
    """

    async def settle(self, partition: int, token: int, asks: Sequence[Ask], *, partitions: int) -> Sequence[Answer]:
        """Takes down what a partition holds, and leases what it needs, each campaign's once; answers in order.

        What was returned makes room first. Then the lease grows by what is needed, or by a small share of what
        the budget has left where that is more: with n partitions, 1/(4n) of it, in whole times of what is
        needed. Nothing is leased where what is left is less than what is needed, in money or in count. Where
        the ledger has leased more than the partition knows, it only says so; where the partition knows of more,
        since the ledger came back from a backup, that counts as leased. An exact ask grows the lease by no more
        than needed, and by what is left where that is less, which is said to be spent. A prize's stock is
        leased like the count of a campaign's budget, under its own id (`domain.ids.stock_id`), and at any time:
        what was played is drawn, whatever has become of the campaign. A campaign without a budget in money
        (count) is leased as much of it as is needed. One that is not scheduled, or whose end has come, is
        leased nothing more, and one that is unknown is no one's. An owner that is not the partition's newest,
        by the tokens of all that ever asked, changes nothing: it gets what is there. Of two asks for one
        campaign the first counts.

        Raises:
            PortError: nothing was leased, or it was and nobody knows: the call may be repeated.
        """
        ...

    async def totals(self, retailer_id: str) -> Sequence[Total]:
        """Gives every campaign's budget, by campaign id; stocks of prizes are none of them.

        Raises:
            PortError: can't be read now.
        """
        ...
