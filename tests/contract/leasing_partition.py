"""A partition of the event log as the budget ledger meets it: it knows what its own records say, and asks for more."""

from __future__ import annotations

from typing import Any

from domain.ports.budget_ledger import Answer, Ask, BudgetLedger
from domain.purse import Amounts, Balance, CampaignKey, Purse
from domain.records import Lease
from tests.story import RETAILER

PARTITIONS = 4
SPRING = CampaignKey(RETAILER, "spring")


class Partition:
    """A partition with its owner's token and its purse.

    Attributes:
        told: what else it tells of a campaign than the purse has: what is reserved and committed.
    """

    def __init__(self, ledger: BudgetLedger, number: int = 0, *, token: int = 1) -> None:
        self.ledger = ledger
        self.number = number
        self.token = token
        self.purse = Purse()
        self.told: dict[str, Amounts] = {}

    def balance(self, key: CampaignKey = SPRING) -> Balance:
        """What the partition tells of a campaign."""
        return self.purse.balances.get(key, Balance())._replace(**self.told)

    async def ask(self, minor: int = 0, promises: int = 0, *, key: CampaignKey = SPRING) -> Answer:
        """Asks for a campaign, and takes the answer into the purse."""
        answer = await self.unheard(minor, promises, key=key)
        self.purse.lease([answer.lease])
        return answer

    async def unheard(self, minor: int = 0, promises: int = 0, *, key: CampaignKey = SPRING) -> Answer:
        """Asks, and loses the answer."""
        asks = [Ask(key, self.balance(key), Amounts(minor, promises))]
        (answer,) = await self.ledger.settle(self.number, self.token, asks, partitions=PARTITIONS)
        return answer

    async def leased(self, key: CampaignKey = SPRING) -> Amounts:
        """What the ledger has leased to it, less what it returned."""
        lease = (await self.unheard(key=key)).lease
        return Amounts(lease.leased_minor - lease.returned_minor, lease.leased_count - lease.returned_count)

    def give_back(self, minor: int = 0, promises: int = 0, *, key: CampaignKey = SPRING) -> None:
        """Notes in its own records what it returned in all; the ledger hears of it with the next ask."""
        self.purse.lease([lease(key, returned_minor=minor, returned_count=promises)])


def lease(key: CampaignKey = SPRING, **fields: Any) -> Lease:
    """A lease of a campaign."""
    return Lease(retailer_id=key.retailer_id, campaign_id=key.campaign_id, **fields)
