"""The archiver: copies what the logs carry to the event store, from where jobs cool it; one consumer group of its own.

Behind the event log and the experience log, before the event store. It commits only what is stored and may be killed
anywhere: what it copies twice stands there once.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import NamedTuple

from adapters.retry import until_done
from adapters.settings import Settings
from batch.archive_decisions import ArchivedDecisions
from domain.errors import Fenced, PortError
from domain.ids import BEGINNING, Position
from domain.ports.clock import Clock
from domain.ports.event_log import Batch, Committed, EventLog, Poll
from domain.ports.event_store import EventStore, StoredEvent
from domain.ports.experience_log import ExperienceLog
from domain.ports.failed_events import FailedEvents
from domain.records import Record
from monitoring.metrics import ArchiverMetrics
from monitoring.repeated import Repeated

_log = logging.getLogger("hotbasket.archiver")
_log.addFilter(Repeated("archiving waits", "commit failed"))
_POLL_WAIT_S = 0.2
_PUBLISHED_EVERY_MS = 10_000
"""A watermark that has grown by less is not worth a write: days are closed by it."""
_SETTLED_MS = 60_000
"""An event is stamped before it is appended: after this long nobody can still be appending what was received then."""


class Stores(NamedTuple):
    """The ports that an archiver needs, and what it is measured with."""

    events: EventLog
    experiences: ExperienceLog
    archive: EventStore
    failures: FailedEvents
    clock: Clock
    metrics: ArchiverMetrics


class _Partition:
    """How far one partition's events are stored, committed and published.

    Attributes:
        received_at_ms: of the newest event stored.
        storing_ms: received_at of the oldest event that is being stored now.
    """

    __slots__ = (
        "committed",
        "is_at_end",
        "published_ms",
        "received_at_ms",
        "storing_ms",
        "through",
        "watermark_ms",
    )

    def __init__(self, committed: Committed | None) -> None:
        self.committed = committed
        self.through: Position = committed.through if committed is not None else BEGINNING
        self.received_at_ms = 0
        self.storing_ms: int | None = None
        self.is_at_end = False
        self.watermark_ms = self.published_ms = 0


class Archiver:
    """Copies until `stop`.

    Args:
        stores: the ports.
        settings: batches and periods.
    """

    def __init__(self, stores: Stores, settings: Settings) -> None:
        self._stores = stores
        self._settings = settings
        self._metrics = stores.metrics
        self._partitions: dict[int, _Partition] = {}
        self._decisions = ArchivedDecisions(
            stores.experiences, stores.archive, stores.failures, stores.clock, stores.metrics, settings
        )
        self._stopping = asyncio.Event()
        self._committed_s = stores.clock.monotonic_s()
        self._metrics.archive_lag_s.set_function(self._lag_s)

    def stop(self) -> None:
        """Asks `run` to finish its batch, to commit and to return."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`.

        Raises:
            PortError: not retriable: what is in the log or the store can't be worked with, and why.
        """
        decisions = asyncio.ensure_future(self._decisions.run())
        try:
            while not self._stopping.is_set():
                if decisions.done():
                    decisions.result()
                await self._turn()
            await self._commit()
        finally:
            decisions.cancel()
            await asyncio.gather(decisions, return_exceptions=True)

    async def _turn(self) -> None:
        """One round: poll, store, and a commit when it is time."""
        polled_ms, polled_s = self._stores.clock.now_ms(), self._stores.clock.monotonic_s()
        poll = await self._poll()
        for number in poll.lost:
            self._partitions.pop(number, None)
        await asyncio.gather(*map(self._take, poll.taken))
        if poll.lost or poll.taken:
            self._decisions.own(self._committed_of_all())
        if poll.batches:
            await asyncio.gather(*map(self._store, poll.batches))
            self._metrics.archive_batch_s.observe(self._stores.clock.monotonic_s() - polled_s)
        for number, partition in self._partitions.items():
            partition.is_at_end = number in poll.at_end
            until_ms = polled_ms if partition.is_at_end else partition.received_at_ms
            partition.watermark_ms = max(partition.watermark_ms, until_ms - _SETTLED_MS)
        if self._stores.clock.monotonic_s() - self._committed_s >= self._settings.archive_commit_s:
            await self._commit()

    async def _poll(self) -> Poll:
        try:
            return await self._stores.events.poll(records_max=self._settings.poll_records_max, wait_s=_POLL_WAIT_S)
        except PortError as error:
            if not error.retriable:
                raise
            self._metrics.archive_errors.labels("poll").inc()
            await asyncio.sleep(_POLL_WAIT_S)
            return Poll()

    async def _take(self, number: int) -> None:
        """Starts a partition behind its last commit."""
        committed = await until_done(lambda: self._stores.events.committed(number), partial(self._count, "take"))
        partition = _Partition(committed)
        await until_done(lambda: self._stores.events.seek(number, partition.through), partial(self._count, "take"))
        self._partitions[number] = partition
        _log.info("partition taken", extra={"partition": number, "through": partition.through.offset})

    async def _store(self, batch: Batch) -> None:
        """Stores one partition's records; what is no record is among the failed events, which the worker names."""
        partition = self._partitions.get(batch.partition)
        if partition is None:
            return
        epoch, first = batch.first
        events = [
            StoredEvent(Position(epoch, offset), record)
            for offset, record in enumerate(batch.records, start=first)
            if isinstance(record, Record)
        ]
        if events:
            partition.storing_ms = events[0].record.received_at_ms
            await until_done(lambda: self._stores.archive.put(batch.partition, events), partial(self._count, "events"))
            partition.received_at_ms = max(partition.received_at_ms, events[-1].record.received_at_ms)
            partition.storing_ms = None
            self._metrics.archived.labels("event").inc(len(events))
        partition.through = Position(epoch, first + len(batch.records) - 1)

    def _lag_s(self) -> float:
        """Gives the age of the oldest event that is known not to be stored; read by whoever scrapes the metrics."""
        oldest = [one.storing_ms for one in tuple(self._partitions.values()) if one.storing_ms is not None]
        return max(0, self._stores.clock.now_ms() - min(oldest)) / 1_000 if oldest else 0.0

    async def _commit(self) -> None:
        """Commits what is stored of both logs, then publishes the watermarks; what fails is done by the next commit."""
        self._committed_s = self._stores.clock.monotonic_s()
        await asyncio.gather(*(self._commit_one(number, one) for number, one in self._partitions.items()))

    async def _commit_one(self, number: int, partition: _Partition) -> None:
        heard = self._decisions.stored(number)
        committed = Committed(partition.through, heard.token, heard.tail)
        try:
            if committed != partition.committed and partition.through != BEGINNING:
                await self._stores.events.commit(number, committed)
                partition.committed = committed
            if partition.watermark_ms - partition.published_ms >= _PUBLISHED_EVERY_MS:
                await self._stores.archive.publish(number, partition.watermark_ms)
                partition.published_ms = partition.watermark_ms
        except Fenced:
            _log.info("partition moved before its commit", extra={"partition": number})
        except PortError as error:
            self._metrics.archive_errors.labels("commit").inc()
            _log.warning("commit failed", extra={"partition": number, "detail": str(error)})

    def _count(self, what: str, error: PortError) -> None:
        self._metrics.archive_errors.labels(what).inc()
        _log.warning("archiving waits", extra={"what": what, "detail": str(error)})

    def _committed_of_all(self) -> dict[int, Committed | None]:
        return {number: partition.committed for number, partition in self._partitions.items()}
