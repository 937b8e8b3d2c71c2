"""Retention of the log's file: events and experiences leave it when they are old and every reader has saved them."""

from __future__ import annotations

from adapters.settings import Settings
from adapters.sqlite.event_log import PARTITION, SqliteEventLog
from adapters.sqlite.experience_log import SqliteExperienceLog
from domain.ports.clock import Clock

_DAY_MS = 86_400_000


class Retention:
    """Removes from both logs what is older than `hot_days` and behind the last commit; to be run every hour or so."""

    def __init__(
        self, events: SqliteEventLog, experiences: SqliteExperienceLog, settings: Settings, clock: Clock
    ) -> None:
        """Takes both logs of one file."""
        self._events = events
        self._experiences = experiences
        self._kept_ms = settings.hot_days * _DAY_MS
        self._clock = clock

    async def prune(self) -> int:
        """Removes what is due and gives how many records; appends get their turn in between.

        Raises:
            PortError: the files can't be used now; the call may be repeated.
        """
        committed = await self._events.committed(PARTITION)
        if committed is None:
            return 0
        before_ms = self._clock.now_ms() - self._kept_ms
        gone = await self._events.prune(before_ms, committed.through)
        return gone + await self._experiences.prune(before_ms, committed.tail)
