"""An owned partition: its region of shoppers, how far it is processed, and what of it is not saved yet.

Invariants: `through` is the last event that the residents have seen and whose closing `Progress` is in the log;
snapshots are collected between batches, so they hold nothing beyond it. While the tail of an owner before is being
adopted nothing is saved: the log already has what the residents are only about to see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from actors.campaigns_now import MarketPorts
from actors.count import count
from actors.inherited_purse import inherited_purse
from actors.lease_desk import LeaseDesk
from actors.messages import Item, Loaded, Peek, Results
from actors.residents import Residents
from actors.tail import Tail, read_tail
from actors.traced import tell
from adapters.retry import until_done
from domain.arbitration import Market
from domain.campaigns_in_force import InForce
from domain.errors import Fenced
from domain.ids import BEGINNING, Position, ShopperKey
from domain.ports.clock import Clock
from domain.ports.event_log import Batch, Committed, EventLog
from domain.ports.experience_log import ExperienceLog
from domain.ports.failed_events import FailedEvent, FailedEvents
from domain.ports.snapshot_store import Snapshot, SnapshotStore
from domain.ports.tree_store import TreeStore
from domain.purse import Purse, purse_key
from domain.records import SCHEMA_VERSION, Decided, Failed, Lease, Progress, Record, Undecodable
from domain.shopper import encode
from monitoring.metrics import Metrics
from monitoring.trace_lines import TraceLines

_SLICE = 250
"""Shoppers handled between two turns of the event loop, so that no request waits for a checkpoint."""

_T = TypeVar("_T")


class Stores(NamedTuple):
    """The ports that a worker needs, and what it is measured with.

    Attributes:
        expire: removes what is old and saved from stores that can't do so by themselves; gives how many records.
        market: campaigns and their budgets; None = campaigns are not asked.
        lines: where sampled traces are told of; None = nowhere.
    """

    events: EventLog
    experiences: ExperienceLog
    snapshots: SnapshotStore
    trees: TreeStore
    failures: FailedEvents
    clock: Clock
    metrics: Metrics
    expire: Callable[[], Awaitable[int]] | None = None
    market: MarketPorts | None = None
    lines: TraceLines | None = None


class Unsaved(NamedTuple):
    """What a checkpoint saves, collected between two batches.

    Attributes:
        snapshots: of the shoppers changed since the last one.
        failures: since the last one.
        through: position that all of it reaches.
        tail: offset of the first `Progress` that says so, or of this owner's `Owner`.
    """

    snapshots: tuple[Snapshot, ...]
    failures: tuple[Failed, ...]
    through: Position
    tail: int


class Partition:
    """One partition of the event log that this worker owns; made by `take`.

    Attributes:
        purse: what it may promise for campaigns.
        desk: its business with the budget ledger.
    """

    def __init__(
        self, number: int, token: int, committed: Committed | None, tail: Tail, purse: Purse, stores: Stores
    ) -> None:
        self.number = number
        self.token = token
        self.through = committed.through if committed is not None else BEGINNING
        self._adopting_through = tail.through
        self._said = tail.said
        self._failures: list[Failed] = tail.failures
        self._stores = stores
        self._metrics = stores.metrics
        self._residents = Residents(stores.events.partitions)
        self.purse = purse
        self.desk = LeaseDesk(purse, stores.clock.monotonic_s())
        self._inherited = purse.leases()
        self._dirty: set[ShopperKey] = set()
        self._saving: set[ShopperKey] = set()
        self._saved_through = self.through
        self._tail = token
        self._is_busy = False
        self.is_ahead = False
        self.is_lost = False

    @property
    def residents(self) -> int:
        """Shoppers in memory."""
        return len(self._residents)

    @property
    def has_unsaved(self) -> bool:
        """Whether a checkpoint has anything to save, and may."""
        if self.through < self._adopting_through or self.is_ahead or self.is_lost:
            return False
        return self._saved_through != self.through or bool(self._dirty) or bool(self._failures)

    @property
    def is_settled(self) -> bool:
        """Whether all that the purse holds stands in the log: nothing is in hand, nothing is being adopted."""
        return not (self._is_busy or self.is_ahead or self.is_lost) and self.through >= self._adopting_through

    def idle_since_s(self, key: ShopperKey) -> float | None:
        """Gives the monotonic time of a resident's last event, None for who is not resident."""
        return self._residents.touched_at_s(key)

    async def process(self, batch: Batch, in_force: Mapping[str, InForce] | None = None) -> Results:
        """Processes one batch: prefetch, tell, append; adopts what an owner before had processed.

        Stores that fail are tried again until they answer: the batch's events are in the log, so nothing is lost by
        waiting. Whoever cancels this must not save the partition while `is_ahead`.

        Args:
            batch: the next events.
            in_force: campaigns by retailer id; None = they are not asked.

        Raises:
            Fenced: somebody else owns the partition by now.
            PortError: not retriable.
        """
        self._is_busy = True
        started_s = self._stores.clock.monotonic_s()
        old, fresh, failures = self._sort(batch)
        last = Position(batch.first.epoch, batch.first.offset + len(batch.records) - 1)
        results = Results()
        leases = self._lease() if last >= self._adopting_through else ()
        market = Market(in_force, self.purse) if in_force is not None else None
        for items in (old, fresh):
            if items:
                part = await self._tell(items, market)
                results.armed += part.armed
                failures += [record for record in part.records if isinstance(record, Failed)]
                if items is fresh:
                    results.records += part.records
                    results.faults += part.faults
                    results.fates += part.fates
                    results.repeats += part.repeats
        if last >= self._adopting_through:
            undecodable = [failure for failure in failures if not failure.event_id]
            records = sorted([*results.records, *undecodable], key=_position) if undecodable else results.records
            await self._say(records, last, leases)
            if self._stores.lines is not None:
                tell(self._stores.lines, fresh, records, self._stores.clock.now_ms())
            count(self._metrics, fresh, failures, results, self._stores.clock.monotonic_s() - started_s)
        self._failures += failures
        self.through = last
        self._is_busy = self.is_ahead = False
        return results

    async def say_leases(self) -> None:
        """Puts what is due of leases in force; to be called between batches.

        Raises:
            Fenced: somebody else owns the partition by now.
            PortError: not retriable.
        """
        if self.is_settled and self.desk.due:
            leases = self._lease()
            self.is_ahead = True
            await self._say((), self.through, leases)
            self.is_ahead = False

    async def collect(self) -> Unsaved:
        """Collects what a checkpoint must save; to be called between batches, and followed by `save`."""
        keys = sorted(self._dirty)
        through = self.through
        snapshots: list[Snapshot] = []
        for start in range(0, len(keys), _SLICE):
            for state in self._residents.snapshots(keys[start : start + _SLICE]):
                touched_at_ms = state.last.received_at_ms if state.last is not None else 0
                snapshots.append(Snapshot(state.key, state.position, encode(state), state.due_at_ms, touched_at_ms))
            await asyncio.sleep(0)
        if self.purse.balances:
            key, now_ms = purse_key(self.number), self._stores.clock.now_ms()
            snapshots.append(Snapshot(key, through, self.purse.encode(through), None, now_ms))
        failures = tuple(self._failures)
        self._saving, self._dirty, self._failures = self._dirty, set(), []
        return Unsaved(tuple(snapshots), failures, through, self._tail)

    async def save(self, unsaved: Unsaved, as_event: Callable[[int, Failed], FailedEvent]) -> None:
        """Saves in the order that makes every step repeatable: owner confirmed, snapshots, failures, offsets.

        Raises:
            Fenced: somebody else owns the partition by now; nothing was written.
            PortError: not everything was saved; what was collected is kept for the next checkpoint.
        """
        try:
            await self._stores.experiences.confirm(self.number, self.token)
            if unsaved.snapshots:
                await self._stores.snapshots.save(self.number, unsaved.snapshots)
            if unsaved.failures:
                await self._stores.failures.put([as_event(self.number, failure) for failure in unsaved.failures])
            await self._stores.events.commit(self.number, Committed(unsaved.through, self.token, unsaved.tail))
        except Fenced:
            self.is_lost = True
            raise
        except BaseException:
            self._dirty |= self._saving
            self._failures = [*unsaved.failures, *self._failures]
            raise
        finally:
            self._saving = set()
        self._saved_through = unsaved.through

    def timers(self, keys: Sequence[ShopperKey]) -> dict[ShopperKey, Peek]:
        """Gives the pending timers of those of the shoppers who are resident."""
        return self._residents.timers(keys)

    def passivate(self, *, idle_since_s: float, residents_max: int) -> None:
        """Puts saved shoppers out of memory: those idle since then, and the longest idle beyond the bound."""
        out = self._residents.passivate(
            idle_since_s=idle_since_s, residents_max=residents_max, keep=self._dirty | self._saving
        )
        self._metrics.passivations.labels("idle").inc(out.idle)
        self._metrics.passivations.labels("bound").inc(out.bound)

    def drop(self) -> None:
        """Forgets the partition's residents: it is somebody else's, or its memory is ahead of the log."""
        self._residents.drop()
        self._dirty.clear()

    def _sort(self, batch: Batch) -> tuple[list[Item], list[Item], list[Failed]]:
        """Splits a batch into items to adopt, items to decide, and what can't be read."""
        old: list[Item] = []
        fresh: list[Item] = []
        failures: list[Failed] = []
        epoch, offset = batch.first
        for record in batch.records:
            position = Position(epoch, offset)
            offset += 1
            if position <= self._adopting_through:
                said = self._said.pop(position, None)
                if isinstance(record, Record) and not isinstance(said, Failed):
                    old.append(Item(record, position, True, said))
            elif isinstance(record, Undecodable):
                failures.append(self._unreadable(record, position))
            else:
                fresh.append(Item(record, position))
        return old, fresh, failures

    def _lease(self) -> tuple[Lease, ...]:
        """Folds what is due of leases into the purse; until it stands in the log, memory is ahead."""
        leases = (*self._inherited, *self.desk.due)
        if leases:
            self.is_ahead = True
            self.purse.lease(leases)
        return leases

    async def _say(self, records: Sequence[Decided | Failed], through: Position, leases: tuple[Lease, ...]) -> None:
        """Appends records with the `Progress` that closes them.

        A purse saved as of a position has what was leased when the log first reached it, and perhaps not what was said
        later without events: stores keep any of two snapshots of one position. So the next owner shall read that again:
        a commit's tail stays where its position was reached first, and an owner says anew what it took over.
        """
        progress = Progress(schema_version=SCHEMA_VERSION, token=self.token, through=through, leases=leases)
        said = [*records, progress]
        tail = await self._until_done("append", lambda: self._stores.experiences.append(self.number, self.token, said))
        if through > max(self.through, self._adopting_through):
            self._tail = tail
        self._inherited = ()
        self.desk.said(leases)

    async def _tell(self, items: Sequence[Item], market: Market | None) -> Results:
        """Prefetches who is missing in one batched read, then tells the region without awaiting anything."""
        keys = {item.record.key: None for item in items}
        tree_version = self._stores.trees.version()
        absent, stale = self._residents.missing(tuple(keys), tree_version)
        loaded: dict[ShopperKey, Loaded] = {}
        if absent or stale:
            trees = await self._until_done("trees", lambda: self._stores.trees.load([*absent, *stale]))
            snapshots: Mapping[ShopperKey, bytes] = {}
            if absent:
                snapshots = await self._until_done("snapshots", lambda: self._stores.snapshots.load(absent))
            for key in (*absent, *stale):
                loaded[key] = Loaded(snapshots.get(key), trees.get(key))
            self._metrics.activations.inc(len(absent))
        self._dirty.update(keys)
        self.is_ahead = True
        now_s, now_ms = self._stores.clock.monotonic_s(), self._stores.clock.now_ms()
        results = self._residents.process(self.token, items, loaded, tree_version, now_s, market, now_ms)
        self._metrics.fold_s.observe((self._stores.clock.monotonic_s() - now_s) / len(items))
        return results

    async def _until_done(self, what: str, attempt: Callable[[], Awaitable[_T]]) -> _T:
        return await until_done(attempt, lambda _: self._metrics.worker_errors.labels(what).inc())

    def _unreadable(self, record: Undecodable, position: Position) -> Failed:
        return Failed(
            schema_version=SCHEMA_VERSION,
            token=self.token,
            position=position,
            retailer_id="",
            shopper="",
            event_id="",
            reason="undecodable",
            detail=record.reason,
            path="$",
            payload=record.payload,
            failed_at_ms=0,
        )


def _position(record: Decided | Failed) -> Position:
    return record.position


async def take(number: int, worker_id: str, stores: Stores) -> Partition:
    """Takes a partition: appends `Owner`, reads the tail, and sets the event log behind the last commit.

    Raises:
        PortError: can't be taken now; not retriable: the log ends before its snapshots.
    """
    committed = await stores.events.committed(number)
    token = await stores.experiences.own(number, worker_id)
    tail = await read_tail(stores.experiences, number, committed, token)
    newest = await stores.snapshots.newest(number)
    if newest is not None:
        await stores.events.seek(number, max(newest, tail.through))
    await stores.events.seek(number, committed.through if committed is not None else BEGINNING)
    purse = await inherited_purse(number, tail, stores.snapshots) if stores.market is not None else Purse()
    return Partition(number, token, committed, tail, purse, stores)
