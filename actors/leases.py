"""Deals with the budget ledger for all owned partitions, beside the batches: decisions never wait for it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from actors.campaigns_now import CampaignsNow, MarketPorts
from actors.partition import Partition, Stores
from domain.errors import Fenced, PortError
from domain.ports.budget_ledger import Ask

_log = logging.getLogger("hotbasket.worker")
_PERIOD_S = 0.2


class Said(NamedTuple):
    """What one partition says to the ledger."""

    partition: Partition
    asks: Sequence[Ask]


class Leases:
    """Runs beside the batches; what fails is counted and tried again at its next time."""

    def __init__(
        self, stores: Stores, market: MarketPorts, now: CampaignsNow, partitions: Mapping[int, Partition]
    ) -> None:
        self._stores = stores
        self._ledger = market.ledger
        self._now = now
        self._partitions = partitions
        self._due_at_s = 0.0

    def is_due(self) -> bool:
        """Tells whether it is time to look."""
        return self._stores.clock.monotonic_s() >= self._due_at_s

    def collect(self) -> list[Said]:
        """Gives what every partition has to say to the ledger; to be called between batches.

        While a batch is in hand a purse holds what does not stand in the log yet, and a busy worker always has one in
        hand but for this moment.
        """
        clock = self._stores.clock
        self._due_at_s = clock.monotonic_s() + _PERIOD_S
        in_force = self._now.current()
        now_s, now_ms = clock.monotonic_s(), clock.now_ms()
        return [
            Said(partition, asks)
            for partition in self._partitions.values()
            if partition.is_settled and (asks := partition.desk.asks(in_force, now_s, now_ms))
        ]

    async def settle(self, said: Sequence[Said]) -> None:
        """Asks the ledger for what partitions need, and tells it what they hold."""
        try:
            for partition, asks in said:
                await self._settle(partition, asks)
        except PortError as error:
            self._stores.metrics.worker_errors.labels("leases").inc()
            _log.warning("budgets not leased", extra={"detail": str(error)})

    async def _settle(self, partition: Partition, asks: Sequence[Ask]) -> None:
        """Asks for one partition.

        What it returned is for others from then on, so it must count for whoever owns the partition next: first it is
        certain that it stands in the log before the word of any newer owner.
        """
        try:
            await self._stores.experiences.confirm(partition.number, partition.token)
        except Fenced as error:
            # The loop may be in the middle of a batch of it: it drops the partition in its next turn.
            _log.warning("partition lost", extra={"partition": partition.number, "detail": str(error)})
            partition.is_lost = True
            return
        partitions = self._stores.events.partitions
        answers = await self._ledger.settle(partition.number, partition.token, asks, partitions=partitions)
        partition.desk.take(asks, answers, self._stores.clock.monotonic_s())
