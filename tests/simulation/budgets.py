"""Campaigns and the budget ledger of the simulation (`domain.ports.campaigns`, `domain.ports.budget_ledger`).

One control plane keeps both, transaction by transaction. A process sees campaigns as they were up to two seconds ago;
a call of the ledger may fail, lose its answer after its effect, or have its effect late, or twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from domain.campaign_versions import Standing, refuse_bad
from domain.campaigns import Budget, Campaign, Change
from domain.leasing import Account, answers, settled_all
from domain.ports.budget_ledger import Answer, Ask, Total
from domain.ports.campaigns import Campaigned
from domain.purse import Amounts, Balance, CampaignKey
from tests.simulation.broker import Stamp
from tests.simulation.wire import Wire

OLD_MAX_S = 2.0
"""So old may be what a process knows of campaigns."""
_NOTHING = Balance()


class Version(NamedTuple):
    """All campaigns as they were from a moment on."""

    stamp: Stamp
    campaigned: Campaigned


class Leased(NamedTuple):
    """What the ledger had of a partition's part in a campaign, from a moment on."""

    stamp: Stamp
    partition: int
    key: CampaignKey
    part: Balance


class Budgeted(NamedTuple):
    """A campaign's budget from a moment on."""

    stamp: Stamp
    key: CampaignKey
    budget: Budget


class Books:
    """What the control plane keeps, whoever comes and goes.

    Args:
        stamp: numbers each write.
        now_ms: true Unix milliseconds.

    Attributes:
        newest: the last version of every campaign.
        versions: of all campaigns in force, oldest first.
        leased, budgeted: every change, oldest first.
        complaints: where the ledger's sums do not add up.
    """

    def __init__(self, stamp: Callable[[], Stamp], now_ms: Callable[[], int]) -> None:
        self._stamp = stamp
        self._now_ms = now_ms
        self._parts: dict[tuple[int, CampaignKey], Balance] = {}
        self._owners: dict[int, int] = {}
        self.newest: dict[CampaignKey, Campaign] = {}
        self.versions = [Version(stamp(), Campaigned(0, {}))]
        self.leased: list[Leased] = []
        self.budgeted: list[Budgeted] = []
        self.complaints: list[str] = []

    def put(self, change: Change) -> None:
        """Adds a version of a campaign.

        Raises:
            Refused: it can't be one.
        """
        campaign = change.campaign
        key = CampaignKey(campaign.retailer_id, campaign.campaign_id)
        before = self.newest.get(key)
        standing = None
        if before is not None:
            standing = Standing(before.version, before.definition.budget or Budget(), self.held(key))
        refuse_bad(change, standing)
        self.newest[key] = campaign
        in_force: dict[str, list[Campaign]] = {}
        for one in self.newest.values():
            if one.state in ("scheduled", "paused"):
                in_force.setdefault(one.retailer_id, []).append(one)
        stamp = self._stamp()
        self.versions.append(Version(stamp, Campaigned(len(self.versions), in_force)))
        self.budgeted.append(Budgeted(stamp, key, campaign.definition.budget or Budget()))

    def held(self, key: CampaignKey) -> Amounts:
        """Gives leases less returns of all partitions."""
        held = Amounts()
        for (_, whose), part in self._parts.items():
            if whose == key:
                held = held.plus(part.leased).minus(part.returned)
        return held

    def totals(self, retailer_id: str) -> Sequence[Total]:
        """Gives the sums of each of a retailer's campaigns."""
        totals = []
        for key, campaign in sorted(self.newest.items()):
            if key.retailer_id == retailer_id:
                parts = [part for (_, whose), part in self._parts.items() if whose == key]
                budget = campaign.definition.budget or Budget()
                totals.append(
                    Total(
                        campaign_id=key.campaign_id,
                        budget_minor=budget.money_minor,
                        budget_count=budget.count,
                        leased=self.held(key),
                        reserved=_sum(part.reserved for part in parts),
                        committed=_sum(part.committed for part in parts),
                    )
                )
        return totals

    def part(self, partition: int, key: CampaignKey) -> Balance:
        """Gives what the ledger has of a partition's part in a campaign."""
        return self._parts.get((partition, key), _NOTHING)

    def settle(self, partition: int, token: int, asks: Sequence[Ask], partitions: int) -> Sequence[Answer]:
        """Settles asks in one transaction."""
        self._owners[partition] = max(token, self._owners.get(partition, token))
        accounts = {ask.key: self._account(partition, ask.key) for ask in asks if ask.key in self.newest}
        after = settled_all(accounts, asks, partitions, is_newest=self._owners[partition] == token)
        for key, one in after.items():
            self._parts[partition, key] = one.part
            self.leased.append(Leased(self._stamp(), partition, key, one.part))
            if one.held != self.held(key):
                self.complaints.append(f"{key} holds {self.held(key)}, and was said to hold {one.held}")
        return answers(after, asks)

    def _account(self, partition: int, key: CampaignKey) -> Account:
        campaign = self.newest[key]
        is_open = campaign.state == "scheduled" and campaign.definition.ends_at_ms > self._now_ms()
        return Account(is_open, campaign.definition.budget or Budget(), self.held(key), self.part(partition, key))


class SimulatedCampaigns:
    """One process's view of the campaigns.

    Args:
        now_s: virtual seconds.
        old_s: how old is what it sees, at most `OLD_MAX_S`; when it starts, it sees what there is.
    """

    def __init__(self, books: Books, now_s: Callable[[], float], old_s: float) -> None:
        self._books = books
        self._now_s = now_s
        self._old_s = old_s
        self._seen = len(books.versions) - 1

    def current(self) -> Campaigned:
        """Gives what is in force for this process."""
        versions = self._books.versions
        while self._seen + 1 < len(versions) and versions[self._seen + 1].stamp.at_s <= self._now_s() - self._old_s:
            self._seen += 1
        return versions[self._seen].campaigned

    async def put(self, change: Change, chain_end: bytes | None = None) -> None:
        """Is not asked for in a run: people write into the books."""
        raise NotImplementedError

    async def get(self, retailer_id: str, campaign_id: str) -> Campaign | None:
        """Is not asked for in a run."""
        raise NotImplementedError

    async def listed(self, retailer_id: str) -> Sequence[Campaign]:
        """Is not asked for in a run."""
        raise NotImplementedError

    async def history(self, retailer_id: str, campaign_id: str) -> Sequence[Change]:
        """Is not asked for in a run."""
        raise NotImplementedError


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    total = Amounts()
    for one in amounts:
        total = total.plus(one)
    return total


class SimulatedLedger:
    """One process's client of the ledger."""

    def __init__(self, books: Books, wire: Wire) -> None:
        self._books = books
        self._wire = wire

    async def settle(self, partition: int, token: int, asks: Sequence[Ask], *, partitions: int) -> Sequence[Answer]:
        """Settles in one transaction, which nothing tears; what a driver tried twice may arrive a second time."""

        def settle() -> Sequence[Answer]:
            return self._books.settle(partition, token, asks, partitions)

        sky = self._wire.sky
        if sky.strikes(sky.weather.late):
            sky.loop.outside(sky.draw.uniform(0.05, 4.0), settle)
        return await self._wire.call(f"settle {len(asks)} budgets of {partition}", settle, torn=lambda: None)

    async def totals(self, retailer_id: str) -> Sequence[Total]:
        """Adds up what partitions said."""
        return await self._wire.call("totals of budgets", lambda: self._books.totals(retailer_id))
