"""Snapshots, trees and failed events of the simulation: what a worker's state is made of between two lives."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from domain.ids import Position, ShopperKey, bucket
from domain.ports.failed_events import FailedEvent
from domain.ports.snapshot_store import Snapshot
from domain.ports.tree_releases import Release
from domain.ports.tree_store import DEFAULT, StoredTree
from tests.simulation.broker import Stamp
from tests.simulation.wire import Wire


class Saved(NamedTuple):
    """A partition's purse as it lay in the store from a moment on."""

    stamp: Stamp
    partition: int
    payload: bytes


class Shelf:
    """What the stores hold, whoever comes and goes.

    Attributes:
        purses: every purse that was ever kept, oldest first.
        complaints: what no correct worker would ever ask of a store.
    """

    def __init__(self, partitions: int, draw: random.Random, stamp: Callable[[], Stamp]) -> None:
        self.partitions = partitions
        self._draw = draw
        self._stamp = stamp
        self.purses: list[Saved] = []
        self.snapshots: dict[ShopperKey, Snapshot] = {}
        self.trees: dict[ShopperKey, dict[int, StoredTree]] = {}
        self.generations: dict[str, int] = {}
        self.tree_version = 0
        self.failures: dict[str, FailedEvent] = {}
        self.requests: set[str] = set()
        self.complaints: list[str] = []

    def keep_snapshot(self, snapshot: Snapshot) -> None:
        """Keeps the newer of two snapshots; two of one position must be the same."""
        if snapshot.key.shopper.endswith("-purse"):
            self._keep_purse(snapshot)
            return
        before = self.snapshots.get(snapshot.key)
        if before is None or before.position < snapshot.position:
            self.snapshots[snapshot.key] = snapshot
        elif before.position == snapshot.position and before.payload != snapshot.payload:
            self.complaints.append(
                f"two different snapshots of {snapshot.key.shopper[:8]} at {snapshot.position}:"
                f"\n    {before.payload!r}\n    {snapshot.payload!r}"
            )

    def _keep_purse(self, snapshot: Snapshot) -> None:
        """Keeps the newer of two purses; two of one position may differ in their leases, and stores keep any of them.

        Who loads it reads in the log again what leases were said since the position was reached.
        """
        before = self.snapshots.get(snapshot.key)
        is_newer = before is None or before.position < snapshot.position
        if is_newer or (before is not None and before.position == snapshot.position and self._draw.random() < 0.5):
            self.snapshots[snapshot.key] = snapshot
            self.purses.append(Saved(self._stamp(), int(snapshot.key.shopper[:3], 16), snapshot.payload))

    def push(self, retailer_id: str, trees: Sequence[tuple[str, bytes]]) -> int:
        """Makes trees visible under a new generation; two generations of each are kept."""
        generation = self.generations.get(retailer_id, 0) + 1
        self.generations[retailer_id] = generation
        for whose, blob in trees:
            kept = self.trees.setdefault(ShopperKey(retailer_id, whose), {})
            kept[generation] = StoredTree(generation, blob)
            for old in sorted(kept)[:-2]:
                del kept[old]
        self.tree_version += 1
        return generation

    def tree_of(self, key: ShopperKey) -> StoredTree | None:
        """Gives the newest tree of a shopper: the own one, else the retailer's default."""
        for owner in (key, ShopperKey(key.retailer_id, DEFAULT)):
            kept = self.trees.get(owner)
            if kept:
                return kept[max(kept)]
        return None


class SimulatedSnapshots:
    """One process's client of the snapshots (`domain.ports.snapshot_store`)."""

    def __init__(self, shelf: Shelf, wire: Wire) -> None:
        self._shelf = shelf
        self._wire = wire

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, bytes]:
        """Gives the payloads of those who have a snapshot."""
        kept = self._shelf.snapshots
        return await self._wire.call(
            f"load {len(keys)} snapshots", lambda: {key: kept[key].payload for key in keys if key in kept}
        )

    async def save(self, partition: int, snapshots: Sequence[Snapshot]) -> None:
        """Saves snapshots; a torn write saves some, and what a driver tried twice may arrive a second time."""

        def keep(count: int) -> None:
            for snapshot in snapshots[:count]:
                self._shelf.keep_snapshot(snapshot)

        sky = self._wire.sky
        if sky.strikes(sky.weather.late):
            sky.loop.outside(sky.draw.uniform(0.05, 4.0), keep, len(snapshots))
        await self._wire.call(
            f"save {len(snapshots)} snapshots of {partition}",
            lambda: keep(len(snapshots)),
            torn=lambda: keep(self._wire.sky.draw.randrange(len(snapshots))),
        )

    async def timers(self, partition: int) -> Sequence[tuple[ShopperKey, int]]:
        """Gives who has a pending timer."""

        def look() -> list[tuple[ShopperKey, int]]:
            return [
                (snapshot.key, snapshot.due_at_ms)
                for snapshot in self._shelf.snapshots.values()
                if snapshot.due_at_ms is not None and bucket(snapshot.key.shopper) % self._shelf.partitions == partition
            ]

        return await self._wire.call("load timers", look)

    async def newest(self, partition: int) -> Position | None:
        """Gives the highest position of a partition's snapshots."""

        def look() -> Position | None:
            return max(
                (
                    snapshot.position
                    for snapshot in self._shelf.snapshots.values()
                    if bucket(snapshot.key.shopper) % self._shelf.partitions == partition
                ),
                default=None,
            )

        return await self._wire.call("ask for the newest snapshot", look)

    async def expire(self, retailer_id: str, untouched_since_ms: int) -> int:
        """Removes the snapshots of who did not come back."""

        def drop() -> int:
            gone = [
                key
                for key, kept in self._shelf.snapshots.items()
                if key.retailer_id == retailer_id and kept.touched_at_ms < untouched_since_ms
            ]
            for key in gone:
                del self._shelf.snapshots[key]
            return len(gone)

        return await self._wire.call("expire snapshots", drop)


class SimulatedTrees:
    """One process's client of the trees (`domain.ports.tree_store`)."""

    def __init__(self, shelf: Shelf, wire: Wire) -> None:
        self._shelf = shelf
        self._wire = wire

    def version(self) -> int:
        """Gives a number that grows with each push."""
        return self._shelf.tree_version

    def newest(self) -> Mapping[str, Release]:
        """Gives nothing: nobody looks at a simulation's dashboards."""
        return {}

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, StoredTree]:
        """Gives each shopper's tree."""

        def look() -> dict[ShopperKey, StoredTree]:
            return {key: tree for key in keys if (tree := self._shelf.tree_of(key)) is not None}

        return await self._wire.call(f"load {len(keys)} trees", look)

    async def get(self, key: ShopperKey, generation: int) -> StoredTree | None:
        """Gives the tree that a shopper had in a generation."""

        def look() -> StoredTree | None:
            for owner in (key, ShopperKey(key.retailer_id, DEFAULT)):
                tree = self._shelf.trees.get(owner, {}).get(generation)
                if tree is not None:
                    return tree
            return None

        return await self._wire.call("load a tree", look)

    async def push(self, retailer_id: str, trees: Sequence[tuple[str, bytes]]) -> int:
        """Makes trees visible."""
        return await self._wire.call(f"push {len(trees)} trees", lambda: self._shelf.push(retailer_id, trees))


class SimulatedFailedEvents:
    """One process's client of the failed events (`domain.ports.failed_events`)."""

    def __init__(self, shelf: Shelf, wire: Wire) -> None:
        self._shelf = shelf
        self._wire = wire

    async def put(self, events: Sequence[FailedEvent]) -> None:
        """Keeps failed events; torn, some."""

        def keep(count: int) -> None:
            for event in events[:count]:
                self._shelf.failures.setdefault(event.failed_id, event)

        await self._wire.call(
            f"put {len(events)} failed events",
            lambda: keep(len(events)),
            torn=lambda: keep(self._wire.sky.draw.randrange(len(events))),
        )

    async def list(self, retailer_id: str, *, events_max: int) -> Sequence[FailedEvent]:
        """Gives a retailer's failed events, newest first."""

        def look() -> list[FailedEvent]:
            theirs = [event for event in self._shelf.failures.values() if event.retailer_id in (retailer_id, "")]
            return sorted(theirs, key=lambda event: event.failed_at_ms, reverse=True)[:events_max]

        return await self._wire.call("list failed events", look)

    async def request_replay(self, failed_ids: Sequence[str]) -> int:
        """Leaves requests."""

        def ask() -> int:
            fresh = (set(failed_ids) & self._shelf.failures.keys()) - self._shelf.requests
            self._shelf.requests |= fresh
            return len(fresh)

        return await self._wire.call("request a replay", ask)

    async def requested(self, partition: int, *, events_max: int) -> Sequence[FailedEvent]:
        """Gives the requested events of a partition."""

        def look() -> Sequence[FailedEvent]:
            asked = [event for event in self._shelf.failures.values() if event.failed_id in self._shelf.requests]
            return [event for event in asked if event.partition == partition][:events_max]

        if not self._shelf.requests:
            return ()
        return await self._wire.call("ask for replay requests", look)

    async def replayed(self, failed_ids: Sequence[str]) -> None:
        """Forgets what was replayed."""

        def forget(ids: Sequence[str]) -> None:
            for failed_id in ids:
                self._shelf.failures.pop(failed_id, None)
                self._shelf.requests.discard(failed_id)

        await self._wire.call("forget replayed events", lambda: forget(failed_ids), torn=lambda: forget(failed_ids[:1]))

    async def expire(self, now_ms: int) -> int:
        """Removes what has expired."""

        def drop() -> int:
            gone = [event.failed_id for event in self._shelf.failures.values() if event.expires_at_ms <= now_ms]
            for failed_id in gone:
                del self._shelf.failures[failed_id]
                self._shelf.requests.discard(failed_id)
            return len(gone)

        return await self._wire.call("expire failed events", drop)
