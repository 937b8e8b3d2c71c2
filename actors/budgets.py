"""What is left of budgets, for the dashboards: summed over the open campaigns of each retailer, from the ledger.

The worker that owns partition 0 tells it, so that one does and it is told for as long as anybody decides.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from actors.campaigns_now import CampaignsNow, MarketPorts
from actors.partition import Stores
from domain.campaigns_in_force import InForce
from domain.errors import PortError
from domain.ports.budget_ledger import Total

_PERIOD_S: Final = 15.0
_TELLS: Final = 0
"""Whoever owns this partition tells."""
_log = logging.getLogger("hotbasket.worker")


class Sum(NamedTuple):
    """Budgets of some campaigns in money, in minor units.

    Attributes:
        budget: in all.
        reserved: of it promised and still open, as of the partitions' last words.
        left: neither promised nor redeemed.
    """

    budget: int = 0
    reserved: int = 0
    left: int = 0


class Budgets:
    """Runs beside the batches; what fails is counted and tried again at its next time."""

    def __init__(self, stores: Stores, market: MarketPorts, now: CampaignsNow, partitions: Collection[int]) -> None:
        self._stores = stores
        self._market = market
        self._now = now
        self._partitions = partitions
        self._due_at_s = 0.0

    def is_due(self) -> bool:
        """Tells whether it is time to look."""
        return self._stores.clock.monotonic_s() >= self._due_at_s

    async def work(self) -> None:
        """Asks the ledger, and shows what it says; nothing where another worker does."""
        self._due_at_s = self._stores.clock.monotonic_s() + _PERIOD_S
        try:
            self._show(await self._sums() if _TELLS in self._partitions else {})
        except PortError as error:
            self._stores.metrics.worker_errors.labels("budgets").inc()
            _log.warning("budgets not known", extra={"detail": str(error)})

    async def _sums(self) -> dict[str, Sum]:
        now_ms = self._stores.clock.now_ms()
        retailers = self._market.retailers.current().retailers
        sums = {}
        for retailer_id, in_force in self._now.current().items():
            if (is_open := open_at(in_force, now_ms)) and (retailer := retailers.get(retailer_id)) is not None:
                sums[retailer.name] = sum_of(await self._market.ledger.totals(retailer_id), is_open)
        return sums

    def _show(self, sums: Mapping[str, Sum]) -> None:
        metrics = self._stores.metrics
        metrics.budget_minor.show({(name,): one.budget for name, one in sums.items()})
        metrics.budget_reserved_minor.show({(name,): one.reserved for name, one in sums.items()})
        metrics.budget_left_minor.show({(name,): one.left for name, one in sums.items()})


def open_at(in_force: InForce, now_ms: int) -> frozenset[str]:
    """Gives the ids of a retailer's campaigns that are open by their dates."""
    return frozenset(
        offer.key.campaign_id for offer in in_force.offers if offer.starts_at_ms <= now_ms < offer.ends_at_ms
    )


def sum_of(totals: Sequence[Total], campaign_ids: Collection[str]) -> Sum:
    """Adds up the budgets in money of these campaigns; one without a limit has nothing left or short."""
    found = Sum()
    for total in totals:
        if total.budget_minor is not None and total.campaign_id in campaign_ids:
            left = total.budget_minor - total.reserved.minor - total.committed.minor
            found = Sum(
                found.budget + total.budget_minor, found.reserved + total.reserved.minor, found.left + max(0, left)
            )
    return found
