"""The worker: takes partitions of the event log and drives them, from events to decisions and checkpoints.

Between the event log and the experience log. Prefetch, tell, append: one batch at a time; checkpoints are saved while
the next batches are processed. Restarting it is always right: state = snapshot + log.
"""

from __future__ import annotations

import asyncio
import logging

from actors.housekeeping import Housekeeping
from actors.messages import Results
from actors.partition import Partition, Stores, Unsaved, take
from actors.timers import Timers
from adapters.settings import Settings
from domain.errors import Fenced, PortError
from domain.ids import Position
from domain.ports.event_log import Batch, Poll
from domain.ports.failed_events import FailedEvent
from domain.records import Failed

_log = logging.getLogger("hotbasket.worker")
_POLL_WAIT_S = 0.1
_DAY_MS = 86_400_000


class Worker:
    """One worker process's work; `run` until `stop`.

    Args:
        stores: the ports.
        settings: bounds and periods.
        worker_id: stable name of this worker, written into `Owner`.
    """

    def __init__(self, stores: Stores, settings: Settings, worker_id: str) -> None:
        self._stores = stores
        self._settings = settings
        self._worker_id = worker_id
        self._metrics = stores.metrics
        self._partitions: dict[int, Partition] = {}
        self._fenced: set[int] = set()
        self._timers = Timers(stores, self._partitions)
        self._housekeeping = Housekeeping(stores, self._partitions)
        self._stopping = asyncio.Event()
        self._saving: asyncio.Task[None] | None = None
        self._checkpointed_s = stores.clock.monotonic_s()
        self.ready = asyncio.Event()

    def stop(self) -> None:
        """Asks `run` to finish its batch, to checkpoint and to return."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`; then saves a last checkpoint.

        Raises:
            PortError: not retriable: what is stored can't be worked with, and why.
        """
        try:
            while not self._stopping.is_set():
                await self._turn()
            await self._finish()
        finally:
            if self._saving is not None:
                self._saving.cancel()
                await asyncio.gather(self._saving, return_exceptions=True)
            for partition in self._partitions.values():
                partition.drop()

    async def _turn(self) -> None:
        """One round: poll, process, timers, housekeeping, and a checkpoint when it is time."""
        poll = await self._poll()
        fenced = self._fenced | {number for number, partition in self._partitions.items() if partition.is_lost}
        self._fenced = set()
        for number in (*poll.lost, *fenced):
            self._drop(number)
        # Somebody slow may have become owner after this worker, of what is not theirs any more. They will not speak, so
        # whoever still has the partition takes it again, and begins anew: what was polled of it meanwhile is too late.
        again = fenced.difference(poll.lost, poll.taken)
        for number in (*poll.taken, *sorted(again)):
            await self._take(number)
        for batch in poll.batches:
            if batch.partition not in again:
                await self._process(batch)
        await self._timers.fire()
        self._passivate()
        self._metrics.timers_armed.set(len(self._timers))
        await self._housekeeping.when_due()
        await self._checkpoint_when_due()

    async def _poll(self) -> Poll:
        wait_s = min(_POLL_WAIT_S, self._settings.checkpoint_s)
        try:
            return await self._stores.events.poll(records_max=self._settings.poll_records_max, wait_s=wait_s)
        except PortError as error:
            if not error.retriable:
                raise
            self._metrics.worker_errors.labels("poll").inc()
            await asyncio.sleep(wait_s)
            return Poll()

    async def _take(self, number: int) -> None:
        """Takes a partition; a store that fails is tried again, since nobody else will."""
        if self._saving is not None:
            # What is still being saved is of an ownership before this one; its commit must not come after what is read.
            await asyncio.wait((self._saving,))
        while not self._stopping.is_set():
            try:
                self._partitions[number] = await take(number, self._worker_id, self._stores)
                await self._timers.rearm(number)
            except PortError as error:
                if not error.retriable or isinstance(error, Fenced):
                    raise
                self._metrics.worker_errors.labels("take").inc()
                await asyncio.sleep(_POLL_WAIT_S)
            else:
                _log.info("partition taken", extra={"partition": number, "token": self._partitions[number].token})
                self.ready.set()
                return

    async def _process(self, batch: Batch) -> None:
        partition = self._partitions.get(batch.partition)
        if partition is None:
            return
        work = asyncio.ensure_future(partition.process(batch))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((work, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                # Stopping while a store fails: give it one more moment, then leave the batch to the next owner.
                await asyncio.wait((work,), timeout=self._settings.checkpoint_s)
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                return
            results: Results = work.result()
        except Fenced as error:
            _log.warning("partition lost", extra={"partition": batch.partition, "detail": str(error)})
            self._drop(batch.partition)
            self._fenced.add(batch.partition)
            return
        finally:
            stopping.cancel()
        self._timers.arm(results.armed)
        last = batch.records[-1]
        received_at_ms = getattr(last, "received_at_ms", None)
        if received_at_ms is not None:
            self._metrics.lag_s.set(max(0.0, (self._stores.clock.now_ms() - received_at_ms) / 1_000))

    def _drop(self, number: int) -> None:
        partition = self._partitions.pop(number, None)
        if partition is not None:
            partition.drop()

    def _passivate(self) -> None:
        idle_since_s = self._stores.clock.monotonic_s() - self._settings.resident_idle_s
        share = max(1, self._settings.residents_max // max(1, len(self._partitions)))
        for partition in self._partitions.values():
            partition.passivate(idle_since_s=idle_since_s, residents_max=share)
        self._metrics.residents.set(sum(partition.residents for partition in self._partitions.values()))

    async def _checkpoint_when_due(self) -> None:
        now_s = self._stores.clock.monotonic_s()
        self._metrics.checkpoint_age_s.set(now_s - self._checkpointed_s)
        if now_s - self._checkpointed_s < self._settings.checkpoint_s:
            return
        if self._saving is not None and not self._saving.done():
            return
        self._checkpointed_s = now_s
        due = [
            (partition, await partition.collect()) for partition in self._partitions.values() if partition.has_unsaved
        ]
        if due:
            self._saving = asyncio.ensure_future(self._save(due))

    async def _save(self, due: list[tuple[Partition, Unsaved]]) -> None:
        """Saves what was collected; a failure is counted and made good by the next checkpoint."""
        with self._metrics.checkpoint_s.time():
            for partition, unsaved in due:
                try:
                    await partition.save(unsaved, self._as_event)
                except Fenced as error:
                    # The loop may be in the middle of a batch of it: it drops the partition in its next turn.
                    _log.warning("partition lost", extra={"partition": partition.number, "detail": str(error)})
                except PortError as error:
                    self._metrics.checkpoint_failures.inc()
                    _log.warning("checkpoint failed", extra={"partition": partition.number, "detail": str(error)})

    async def _finish(self) -> None:
        """Saves a last checkpoint of every partition whose memory is not ahead of its log."""
        if self._saving is not None:
            await self._saving
        due = [
            (partition, await partition.collect()) for partition in self._partitions.values() if partition.has_unsaved
        ]
        await self._save(due)

    def _as_event(self, number: int, failure: Failed) -> FailedEvent:
        """Gives a failed event as people see it."""
        failed_at_ms = failure.failed_at_ms or self._stores.clock.now_ms()
        position: Position = failure.position
        return FailedEvent(
            failed_id=f"{number}-{position.epoch}-{position.offset}",
            partition=number,
            position=position,
            retailer_id=failure.retailer_id,
            shopper=failure.shopper,
            event_id=failure.event_id,
            reason=failure.reason,
            detail=failure.detail,
            path=failure.path,
            payload=failure.payload,
            failed_at_ms=failed_at_ms,
            expires_at_ms=failed_at_ms + self._settings.failed_days * _DAY_MS,
        )
