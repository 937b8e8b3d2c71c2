"""The archiver's other half: decisions and failed events, from the experience log to the event store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import NamedTuple

from adapters.retry import until_done
from adapters.settings import Settings
from domain.errors import PortError
from domain.ids import BEGINNING, Position
from domain.listening import NO_OWNER, Listener
from domain.ports.clock import Clock
from domain.ports.event_log import Committed
from domain.ports.event_store import EventStore
from domain.ports.experience_log import Entry, ExperienceLog
from domain.ports.failed_events import FailedEvents, failed_event
from domain.records import Decided, Failed
from monitoring.metrics import ArchiverMetrics

_log = logging.getLogger("hotbasket.archiver")
_DAY_MS = 86_400_000
_PAUSE_S = 0.2


class Stored(NamedTuple):
    """How far one partition of the experience log is stored.

    Attributes:
        through: position up to which events' decisions are stored.
        token: newest owner heard up to there.
        tail: offset of the `Progress` that closed it.
    """

    through: Position = BEGINNING
    token: int = NO_OWNER
    tail: int = -1


class ArchivedDecisions:
    """Follows the experience log of the partitions that the archiver owns."""

    def __init__(
        self,
        experiences: ExperienceLog,
        archive: EventStore,
        failures: FailedEvents,
        clock: Clock,
        metrics: ArchiverMetrics,
        settings: Settings,
    ) -> None:
        self._experiences = experiences
        self._archive = archive
        self._failures = failures
        self._clock = clock
        self._metrics = metrics
        self._kept_ms = settings.failed_days * _DAY_MS
        self._stored: dict[int, Stored] = {}
        self._changed = asyncio.Event()

    def own(self, committed: Mapping[int, Committed | None]) -> None:
        """Follows these partitions from now on; one that is new begins behind its commit."""
        self._stored = {
            number: self._stored.get(number, Stored(one.through, one.token, one.tail) if one is not None else Stored())
            for number, one in committed.items()
        }
        self._changed.set()

    def stored(self, number: int) -> Stored:
        """Gives how far a partition is stored."""
        return self._stored.get(number, Stored())

    async def run(self) -> None:
        """Follows, for ever; begins anew behind what is stored when the partitions change or something fails.

        Raises:
            PortError: not retriable.
        """
        while True:
            self._changed.clear()
            following = asyncio.ensure_future(self._follow(dict(self._stored)))
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait((following, changed), return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    following.result()
            except PortError as error:
                if not error.retriable:
                    raise
                self._count("follow", error)
                await asyncio.sleep(_PAUSE_S)
            finally:
                for task in (following, changed):
                    task.cancel()
                await asyncio.gather(following, changed, return_exceptions=True)

    async def _follow(self, begin: Mapping[int, Stored]) -> None:
        if not begin:
            await self._changed.wait()
            return
        listeners = {number: Listener(one.through, one.token) for number, one in begin.items()}
        tails = {number: one.tail for number, one in begin.items()}
        entries_of_all = self._experiences.follow(tails, only=tuple(begin))
        try:
            async for entries in entries_of_all:
                by_partition: dict[int, list[Entry]] = {}
                for entry in entries:
                    by_partition.setdefault(entry.partition, []).append(entry)
                await asyncio.gather(*(self._take(n, listeners[n], part) for n, part in by_partition.items()))
        finally:
            close = getattr(entries_of_all, "aclose", None)
            if close is not None:
                await close()

    async def _take(self, number: int, listener: Listener, entries: list[Entry]) -> None:
        """Stores what the entries close."""
        closed: list[Decided | Failed] = []
        stored: Stored | None = None
        for entry in entries:
            heard = listener.hear(entry)
            if heard is not None:
                closed += heard.records
                stored = Stored(listener.through, listener.token, entry.offset)
        decided = [record for record in closed if isinstance(record, Decided)]
        failures = [
            failed_event(
                number, record, failed_at_ms=record.failed_at_ms or self._clock.now_ms(), kept_ms=self._kept_ms
            )
            for record in closed
            if isinstance(record, Failed)
        ]
        if decided:
            await until_done(
                lambda: self._archive.put_decided(number, decided), lambda error: self._count("decided", error)
            )
            self._metrics.archived.labels("decided").inc(len(decided))
        if failures:
            await until_done(lambda: self._failures.put(failures), lambda error: self._count("failed", error))
            self._metrics.archived.labels("failed").inc(len(failures))
        if stored is not None and number in self._stored:
            self._stored[number] = stored

    def _count(self, what: str, error: PortError) -> None:
        self._metrics.archive_errors.labels(what).inc()
        _log.warning("archiving waits", extra={"what": what, "detail": str(error)})
