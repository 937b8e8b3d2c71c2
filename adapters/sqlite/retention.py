"""Retention of the embedded stores: events and experiences that are old and saved, snapshots of shoppers long gone."""

from __future__ import annotations

from adapters.settings import Settings
from adapters.sqlite.event_log import PARTITION, SqliteEventLog
from adapters.sqlite.experience_log import SqliteExperienceLog
from domain.ports.clock import Clock
from domain.ports.retailers import Retailers
from domain.ports.snapshot_store import SnapshotStore

_DAY_MS = 86_400_000


class Retention:
    """Removes what nobody keeps any longer; to be run every hour or so.

    Events and experiences go when they are older than `hot_days` and behind the last commit; snapshots when no retailer
    keeps a shopper for so long.
    """

    def __init__(  # one argument a store
        self,
        events: SqliteEventLog,
        experiences: SqliteExperienceLog,
        snapshots: SnapshotStore,
        retailers: Retailers,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._events = events
        self._experiences = experiences
        self._snapshots = snapshots
        self._retailers = retailers
        self._kept_ms = settings.hot_days * _DAY_MS
        self._clock = clock

    async def expire(self) -> int:
        """Removes what is due and gives how many records; appends get their turn in between.

        Raises:
            PortError: the files can't be used now; the call may be repeated.
        """
        gone = 0
        committed = await self._events.committed(PARTITION)
        if committed is not None:
            before_ms = self._clock.now_ms() - self._kept_ms
            gone += await self._events.prune(before_ms, committed.through)
            gone += await self._experiences.prune(before_ms, committed.tail)
        retailers = self._retailers.current().retailers.values()
        if retailers:
            kept_ms = max(retailer.retention_days for retailer in retailers) * _DAY_MS
            gone += await self._snapshots.expire(self._clock.now_ms() - kept_ms)
        return gone
