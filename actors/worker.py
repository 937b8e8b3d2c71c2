"""The worker: takes partitions of the event log and drives them, from events to decisions and checkpoints.

Between the event log and the experience log. Prefetch, tell, append: one batch of each partition at a time, those of
several partitions side by side; checkpoints, timers and slow work go on beside them. Restarting it is always right:
state = snapshot + log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from actors.budgets import Budgets
from actors.campaigns_now import CampaignsNow
from actors.housekeeping import Housekeeping
from actors.leases import Leases
from actors.messages import Results
from actors.partition import Partition, Stores, Unsaved, take
from actors.timers import Timers
from adapters.settings import Settings
from domain.campaigns_in_force import InForce
from domain.errors import Fenced, PortError
from domain.ports.event_log import Batch, Poll
from domain.ports.failed_events import FailedEvent, failed_event
from domain.records import Failed
from monitoring.repeated import Repeated

_log = logging.getLogger("hotbasket.worker")
_log.addFilter(Repeated("checkpoint failed", "partition not confirmed"))
_POLL_WAIT_S = 0.1
_DAY_MS = 86_400_000
_SAVED_AT_ONCE = 8
"""Partitions whose checkpoints are written side by side."""


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
        self._campaigns = CampaignsNow(stores.market) if stores.market is not None else None
        self._leases: Leases | None = None
        self._budgets: Budgets | None = None
        if stores.market is not None and self._campaigns is not None:
            self._leases = Leases(stores, stores.market, self._campaigns, self._partitions)
            self._budgets = Budgets(stores, stores.market, self._campaigns, self._partitions)
        self._stopping = asyncio.Event()
        self._saving: asyncio.Task[None] | None = None
        self._aside: dict[str, asyncio.Task[None]] = {}
        self._in_hand: dict[int, int] = {}
        self._stop: asyncio.Future[bool]
        self._checkpointed_s = stores.clock.monotonic_s()
        self._metrics.residents_max.set(settings.residents_max)
        self._metrics.lag_s.set_function(self._lag_s)
        self._metrics.checkpoint_age_s.set_function(lambda: stores.clock.monotonic_s() - self._checkpointed_s)
        self.ready = asyncio.Event()

    def stop(self) -> None:
        """Asks `run` to finish its batch, to checkpoint and to return."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`; then saves a last checkpoint.

        Raises:
            PortError: not retriable: what is stored can't be worked with, and why.
        """
        self._stop = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                await self._turn()
            await self._finish()
        finally:
            left = [task for task in (self._stop, self._saving, *self._aside.values()) if task is not None]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            for partition in self._partitions.values():
                partition.drop()

    async def _turn(self) -> None:
        """One round: poll, process, timers, housekeeping, and a checkpoint when it is time."""
        poll = await self._poll()
        fenced = self._fenced | {number for number, partition in self._partitions.items() if partition.is_lost}
        self._fenced = set()
        if poll.kept:
            fenced |= await self._no_longer_owned([number for number in poll.kept if number not in fenced])
        self._metrics.fenced.inc(len(fenced))
        for number in (*poll.lost, *fenced):
            self._drop(number)
        # Somebody slow may have become owner after this worker, of what is not theirs any more. They will not speak, so
        # whoever still has the partition takes it again, and begins anew: what was polled of it meanwhile is too late.
        again = fenced.difference(poll.lost, poll.taken)
        await _together([self._take(number) for number in (*poll.taken, *sorted(again))])
        if self._partitions:
            self.ready.set()
        await self._process([batch for batch in poll.batches if batch.partition not in again])
        await self._say_leases()
        self._go_aside()
        self._passivate()
        await self._checkpoint_when_due()

    def _go_aside(self) -> None:
        """Starts what is due and may wait for a store that is slow, while events go on."""
        self._metrics.timers_armed.set(len(self._timers))
        if self._is_free("timers") and (due := self._timers.due()):
            self._aside["timers"] = asyncio.ensure_future(self._timers.fire(due))
        if self._is_free("housekeeping") and self._housekeeping.is_due():
            self._aside["housekeeping"] = asyncio.ensure_future(self._housekeeping.work())
        if self._budgets is not None and self._is_free("budgets") and self._budgets.is_due():
            self._aside["budgets"] = asyncio.ensure_future(self._budgets.work())
        if self._leases is not None and self._is_free("leases") and self._leases.is_due():
            said = self._leases.collect()
            if said:
                self._aside["leases"] = asyncio.ensure_future(self._leases.settle(said))

    async def _say_leases(self) -> None:
        """Puts leases in force that came while a partition had no events."""
        due = [partition for partition in self._partitions.values() if partition.desk.due and partition.is_settled]
        if not due:
            return
        works = {partition.number: asyncio.ensure_future(partition.say_leases()) for partition in due}
        await self._finish_or_stop(works)

    def _is_free(self, work: str) -> bool:
        """Tells whether the last work of this kind is done; a bug in it ends the worker."""
        task = self._aside.get(work)
        if task is None or not task.done():
            return task is None
        del self._aside[work]
        task.result()
        return True

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

    async def _no_longer_owned(self, kept: Sequence[int]) -> set[int]:
        """Gives which of the partitions that a rebalance gave back had another owner in between, or may have had."""

        async def confirmed(partition: Partition) -> bool:
            try:
                await self._stores.experiences.confirm(partition.number, partition.token)
            except PortError as error:
                _log.warning("partition not confirmed", extra={"partition": partition.number, "detail": str(error)})
                return False
            return True

        partitions = [self._partitions[number] for number in kept if number in self._partitions]
        owned = await asyncio.gather(*map(confirmed, partitions))
        return {partition.number for partition, is_owned in zip(partitions, owned, strict=True) if not is_owned}

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
                self._metrics.takeovers.inc()
                self._metrics.partitions_owned.set(len(self._partitions))
                return

    async def _process(self, batches: Sequence[Batch]) -> None:
        """Processes what was polled: partitions side by side, the batches of each in their order."""
        by_partition: dict[int, list[Batch]] = {}
        for batch in batches:
            if batch.partition in self._partitions:
                by_partition.setdefault(batch.partition, []).append(batch)
        if not by_partition:
            return
        now_ms = self._stores.clock.now_ms()
        self._in_hand = {
            number: getattr(some[0].records[0], "received_at_ms", now_ms) for number, some in by_partition.items()
        }
        in_force = self._campaigns.current() if self._campaigns is not None else None
        works = {
            number: asyncio.ensure_future(self._process_in_order(self._partitions[number], some, in_force))
            for number, some in by_partition.items()
        }
        try:
            await self._finish_or_stop(works)
        finally:
            self._in_hand = {}

    async def _finish_or_stop(self, works: Mapping[int, asyncio.Task[None]]) -> None:
        """Waits for work on partitions, however long a store fails, and notes how it ended."""
        done = asyncio.gather(*works.values(), return_exceptions=True)
        try:
            await asyncio.wait((done, self._stop), return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                # Stopping while a store fails: give it one more moment, then leave the work to the next owner.
                await asyncio.wait((done,), timeout=self._settings.checkpoint_s)
        finally:
            for work in works.values():
                work.cancel()
            await asyncio.gather(*works.values(), return_exceptions=True)
        for number, work in works.items():
            if not work.cancelled():
                self._take_down(number, work)

    async def _process_in_order(
        self, partition: Partition, batches: Sequence[Batch], in_force: Mapping[str, InForce] | None
    ) -> None:
        for batch in batches:
            results: Results = await partition.process(batch, in_force)
            self._timers.arm(results.armed)

    def _take_down(self, number: int, work: asyncio.Task[None]) -> None:
        """Notes how a partition's batches ended.

        Raises:
            PortError: not retriable.
        """
        try:
            work.result()
        except Fenced as error:
            _log.warning("partition lost", extra={"partition": number, "detail": str(error)})
            self._drop(number)
            self._fenced.add(number)

    def _lag_s(self) -> float:
        """Gives the age of the oldest event in hand; read by whoever scrapes the metrics."""
        oldest = tuple(self._in_hand.values())
        return max(0, self._stores.clock.now_ms() - min(oldest)) / 1_000 if oldest else 0.0

    def _drop(self, number: int) -> None:
        partition = self._partitions.pop(number, None)
        if partition is not None:
            partition.drop()
            self._metrics.partitions_owned.set(len(self._partitions))

    def _passivate(self) -> None:
        idle_since_s = self._stores.clock.monotonic_s() - self._settings.resident_idle_s
        share = max(1, self._settings.residents_max // max(1, len(self._partitions)))
        for partition in self._partitions.values():
            partition.passivate(idle_since_s=idle_since_s, residents_max=share)
        self._metrics.residents.set(sum(partition.residents for partition in self._partitions.values()))

    async def _checkpoint_when_due(self) -> None:
        now_s = self._stores.clock.monotonic_s()
        if now_s - self._checkpointed_s < self._settings.checkpoint_s:
            return
        if self._saving is not None:
            if not self._saving.done():
                return
            # Whatever `_save_one` does not expect is a bug, and would go on unseen, with nothing saved ever after.
            self._saving.result()
        self._checkpointed_s = now_s
        due = [
            (partition, await partition.collect()) for partition in self._partitions.values() if partition.has_unsaved
        ]
        if due:
            self._saving = asyncio.ensure_future(self._save(due))

    async def _save(self, due: list[tuple[Partition, Unsaved]]) -> None:
        """Saves what was collected; a failure is counted and made good by the next checkpoint."""
        with self._metrics.checkpoint_s.time():
            for start in range(0, len(due), _SAVED_AT_ONCE):
                await _together([self._save_one(*one) for one in due[start : start + _SAVED_AT_ONCE]])

    async def _save_one(self, partition: Partition, unsaved: Unsaved) -> None:
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
        return failed_event(
            number,
            failure,
            failed_at_ms=failure.failed_at_ms or self._stores.clock.now_ms(),
            kept_ms=self._settings.failed_days * _DAY_MS,
        )


async def _together(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Does works side by side and waits for all; when one fails the others are cancelled."""
    if len(works) == 1:
        await works[0]
        return
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
