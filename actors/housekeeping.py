"""The worker's slow work: replays that people asked for, expiry of what is too old, and which trees are in force."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from actors.partition import Partition, Stores
from domain.errors import PortError
from domain.records import Record, decode_record

_log = logging.getLogger("hotbasket.worker")
_REPLAY_PERIOD_S = 1.0
_EXPIRY_PERIOD_S = 3_600.0
_REPLAYED_AT_ONCE = 500


class Housekeeping:
    """Runs beside the batches; what fails is counted and tried again at its next time."""

    def __init__(self, stores: Stores, partitions: Mapping[int, Partition]) -> None:
        self._stores = stores
        self._partitions = partitions
        self._replay_at_s = 0.0
        self._unreadable: set[str] = set()
        self._tree_version: int | None = None
        self._expire_at_s = stores.clock.monotonic_s() + _EXPIRY_PERIOD_S / 60

    def is_due(self) -> bool:
        """Tells whether there is anything to do now."""
        return self._stores.clock.monotonic_s() >= min(self._replay_at_s, self._expire_at_s)

    async def work(self) -> None:
        """Does what is due."""
        now_s = self._stores.clock.monotonic_s()
        try:
            if now_s >= self._replay_at_s:
                self._replay_at_s = now_s + _REPLAY_PERIOD_S
                for number in tuple(self._partitions):
                    await self._replay(number)
                await self._show_releases()
            if now_s >= self._expire_at_s:
                self._expire_at_s = now_s + _EXPIRY_PERIOD_S
                await self._expire()
        except PortError as error:
            self._stores.metrics.worker_errors.labels("housekeeping").inc()
            _log.warning("housekeeping failed", extra={"detail": str(error)})

    async def _replay(self, number: int) -> None:
        """Appends requested failed events to the log again, under their own ids."""
        requested = await self._stores.failures.requested(number, events_max=_REPLAYED_AT_ONCE)
        if not requested:
            return
        replayed: list[str] = []
        records: list[Record] = []
        for failure in requested:
            record = decode_record(failure.payload)
            if isinstance(record, Record):
                records.append(record)
                replayed.append(failure.failed_id)
            elif failure.failed_id not in self._unreadable:
                self._unreadable.add(failure.failed_id)
                _log.warning("failed event still unreadable", extra={"failed_id": failure.failed_id})
        if not records:
            return
        await self._stores.events.append(records)
        await self._stores.failures.replayed(replayed)
        _log.info("failed events replayed", extra={"partition": number, "events": len(records)})

    async def _show_releases(self) -> None:
        """Shows which generation of trees is in force, when it is another one than before."""
        version = self._stores.trees.version()
        if version == self._tree_version:
            return
        await self._stores.trees.load(())
        known = self._stores.market.retailers.current().retailers if self._stores.market is not None else {}
        newest = {
            (known[retailer_id].name if retailer_id in known else retailer_id,): release
            for retailer_id, release in self._stores.trees.newest().items()
        }
        metrics = self._stores.metrics
        metrics.trees_in_force.show({labels: release.generation for labels, release in newest.items()})
        metrics.trees_released_at_s.show({labels: release.released_at_ms / 1_000 for labels, release in newest.items()})
        self._tree_version = version

    async def _expire(self) -> None:
        """Forgets failed events whose time is over, and what else is old and saved."""
        failures = await self._stores.failures.expire(self._stores.clock.now_ms())
        records = await self._stores.expire() if self._stores.expire is not None else 0
        _log.info("expired", extra={"failed_events": failures, "records": records})
