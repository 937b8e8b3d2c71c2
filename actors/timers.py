"""Fires the nodes' `after`: a timer that is due becomes an `IdleElapsed` in the event log, never a change of state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from actors.messages import Armed, Peek
from actors.partition import Partition, Stores
from actors.timing_wheel import TimingWheel
from domain.errors import PortError
from domain.events import IdleElapsed
from domain.ids import ShopperKey, bucket, idle_event_id
from domain.records import SCHEMA_VERSION, Record
from domain.shopper import Timer, decode

_RETRY_S = 1.0
_FIRED_AT_ONCE = 500


class Timers:
    """The pending timers of the shoppers of all owned partitions."""

    def __init__(self, stores: Stores, partitions: Mapping[int, Partition]) -> None:
        self._stores = stores
        self._partitions = partitions
        self._wheel = TimingWheel(stores.clock.monotonic_s())

    def __len__(self) -> int:
        """Number of shoppers with a pending timer."""
        return len(self._wheel)

    def arm(self, armed: Sequence[Armed]) -> None:
        """Takes down timers as events arm them."""
        now_ms, now_s = self._stores.clock.now_ms(), self._stores.clock.monotonic_s()
        for key, due_at_ms in armed:
            self._wheel.arm(key, now_s + max(0, due_at_ms - now_ms) / 1_000)

    async def rearm(self, partition: int) -> None:
        """Takes down the timers that the partition's snapshots note: a new owner goes on where the last one stopped."""
        self.arm([Armed(key, due_at_ms) for key, due_at_ms in await self._stores.snapshots.timers(partition)])

    def due(self) -> list[ShopperKey]:
        """Gives the shoppers whose timer is due, for `fire`, and forgets them."""
        return self._wheel.advance(self._stores.clock.monotonic_s())

    async def fire(self, due: Sequence[ShopperKey]) -> None:
        """Appends `IdleElapsed` for every timer that still stands; the others are looked at again later."""
        for start in range(0, len(due), _FIRED_AT_ONCE):
            keys = due[start : start + _FIRED_AT_ONCE]
            try:
                peeks = await self._peek(keys)
                records = [record for peek in peeks if (record := self._elapsed(peek)) is not None]
                if records:
                    await self._stores.events.append(records)
            except PortError:
                self._stores.metrics.worker_errors.labels("timers").inc()
                retry_s = self._stores.clock.monotonic_s() + _RETRY_S
                for key in keys:
                    self._wheel.arm(key, retry_s)

    async def _peek(self, keys: Sequence[ShopperKey]) -> list[Peek]:
        """Gives the shoppers' timers, from memory where they are resident, else from their snapshots."""
        peeks: list[Peek] = []
        absent: list[ShopperKey] = []
        by_partition: dict[int, list[ShopperKey]] = {}
        for key in keys:
            by_partition.setdefault(bucket(key.shopper) % self._stores.events.partitions, []).append(key)
        for number, members in by_partition.items():
            partition = self._partitions.get(number)
            if partition is None:
                continue
            resident = partition.timers(members)
            peeks += resident.values()
            absent += [key for key in members if key not in resident]
        if absent:
            for key, payload in (await self._stores.snapshots.load(absent)).items():
                try:
                    state = decode(payload)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue  # its next event will say so, as a failed event
                peeks.append(Peek(key, state.timer, state.clock_ms))
        return peeks

    def _elapsed(self, peek: Peek) -> Record | None:
        """Gives the record of a timer that is due; one that was put off is armed again."""
        timer = peek.timer
        if timer is None:
            return None
        idle_ms = self._idle_ms(peek.key, timer)
        if idle_ms < timer.idle_s * 1_000:
            remaining_s = timer.idle_s - idle_ms / 1_000
            self._wheel.arm(peek.key, self._stores.clock.monotonic_s() + remaining_s)
            return None
        event_time_ms = peek.clock_ms + idle_ms
        event = IdleElapsed(
            event_id=idle_event_id(timer.after_event_id, timer.node_id),
            occurred_at=datetime.fromtimestamp(event_time_ms / 1_000, UTC),
            shopper_id=peek.key.shopper,
            after_event_id=timer.after_event_id,
            node_id=timer.node_id,
        )
        return Record(
            schema_version=SCHEMA_VERSION,
            retailer_id=peek.key.retailer_id,
            received_at_ms=self._stores.clock.now_ms(),
            event_time_ms=event_time_ms,
            event=event,
        )

    def _idle_ms(self, key: ShopperKey, timer: Timer) -> int:
        """Gives for how long the timer has run: by the monotonic clock while in memory, else by the receiving one."""
        partition = self._partitions.get(bucket(key.shopper) % self._stores.events.partitions)
        since_s = partition.idle_since_s(key) if partition is not None else None
        if since_s is not None:
            return int((self._stores.clock.monotonic_s() - since_s) * 1_000)
        return max(0, self._stores.clock.now_ms() - timer.armed_at_ms)
