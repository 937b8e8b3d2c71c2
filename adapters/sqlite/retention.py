"""Retention of the embedded stores: events and experiences that are old and saved, snapshots of shoppers long gone."""

from __future__ import annotations

from adapters.settings import Settings
from adapters.sqlite.database import Database
from adapters.sqlite.event_log import PARTITION, SqliteEventLog
from adapters.sqlite.experience_log import SqliteExperienceLog
from adapters.sqlite.newest_rows import blank_newest_event_row, blank_newest_experience_row
from domain.ports.clock import Clock
from domain.ports.retailers import Retailers
from domain.ports.snapshot_store import SnapshotStore
from domain.retention import DAY_MS, kept_days, limit_ms


class Retention:
    """Removes what nobody keeps any longer; to be run every hour or so.

    Events and experiences go when they are older than `hot_days` and behind the last commit; snapshots when the
    shopper's retailer keeps none for so long.
    """

    def __init__(  # one argument a store
        self,
        events: SqliteEventLog,
        experiences: SqliteExperienceLog,
        reader: Database,
        snapshots: SnapshotStore,
        retailers: Retailers,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._events = events
        self._experiences = experiences
        self._reader = reader
        self._snapshots = snapshots
        self._retailers = retailers
        self._kept_ms = settings.hot_days * DAY_MS
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
            gone += await blank_newest_event_row(self._events, self._reader, before_ms, committed.through)
            gone += await blank_newest_experience_row(self._experiences, self._reader, before_ms, committed.tail - 1)
        now_ms = self._clock.now_ms()
        for retailer in self._retailers.current().retailers.values():
            gone += await self._snapshots.expire(retailer.retailer_id, limit_ms(kept_days(retailer, "state"), now_ms))
        return gone
