"""Fires what shoppers wait for: timers, ends of promises and further tries for a prize become events in the log.

None of them ever changes state directly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from actors.messages import Armed, Peek, peek_at
from actors.partition import Partition, Stores
from actors.timing_wheel import TimingWheel
from domain.errors import PortError
from domain.events import DrawRetried, IdleElapsed, ReservationExpired
from domain.ids import ShopperKey, bucket, draw_retried_id, idle_event_id, reservation_expired_id
from domain.records import Record, inside_record
from domain.shopper import Timer, decode
from domain.timestamps import from_unix_ms

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
        """Appends an event for everything that is due; the rest is looked at again later."""
        for start in range(0, len(due), _FIRED_AT_ONCE):
            keys = due[start : start + _FIRED_AT_ONCE]
            try:
                peeks = await self._peek(keys)
                records = [record for peek in peeks for record in self._elapsed(peek)]
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
                peeks.append(peek_at(key, state))
        return peeks

    def _elapsed(self, peek: Peek) -> list[Record]:
        """Gives the records of what is due; what is not is armed again."""
        now_ms = self._stores.clock.now_ms()
        records: list[Record] = []
        remaining_s: list[float] = []
        if peek.timer is not None:
            idle_ms = self._idle_ms(peek.key, peek.timer)
            if idle_ms < peek.timer.idle_s * 1_000:
                remaining_s.append(peek.timer.idle_s - idle_ms / 1_000)
            else:
                records.append(_idle(peek, peek.timer, idle_ms, now_ms))
        for experience, due_at_ms in peek.promises:
            if due_at_ms > now_ms:
                remaining_s.append((due_at_ms - now_ms) / 1_000)
            else:
                records.append(_expired(peek, experience, due_at_ms, now_ms))
        for right_id, tries, due_at_ms in peek.draws:
            if due_at_ms > now_ms:
                remaining_s.append((due_at_ms - now_ms) / 1_000)
            else:
                records.append(_draw_retried(peek, right_id, tries, now_ms))
        if remaining_s:
            self._wheel.arm(peek.key, self._stores.clock.monotonic_s() + min(remaining_s))
        return records

    def _idle_ms(self, key: ShopperKey, timer: Timer) -> int:
        """Gives for how long the timer has run: by the monotonic clock while in memory, else by the receiving one."""
        partition = self._partitions.get(bucket(key.shopper) % self._stores.events.partitions)
        since_s = partition.idle_since_s(key) if partition is not None else None
        if since_s is not None:
            return int((self._stores.clock.monotonic_s() - since_s) * 1_000)
        return max(0, self._stores.clock.now_ms() - timer.armed_at_ms)


def _idle(peek: Peek, timer: Timer, idle_ms: int, now_ms: int) -> Record:
    """Gives the record of a node's timer that has elapsed."""
    event_time_ms = peek.clock_ms + idle_ms
    event = IdleElapsed(
        event_id=idle_event_id(timer.after_event_id, timer.node_id),
        occurred_at=from_unix_ms(event_time_ms),
        shopper_id=peek.key.shopper,
        after_event_id=timer.after_event_id,
        node_id=timer.node_id,
    )
    return inside_record(peek.key.retailer_id, event, now_ms, event_time_ms)


def _expired(peek: Peek, experience: str, due_at_ms: int, now_ms: int) -> Record:
    """Gives the record of a promise whose time is over."""
    event = ReservationExpired(
        event_id=reservation_expired_id(experience),
        occurred_at=from_unix_ms(due_at_ms),
        shopper_id=peek.key.shopper,
        experience_id=experience,
    )
    return inside_record(peek.key.retailer_id, event, now_ms, due_at_ms)


def _draw_retried(peek: Peek, right_id: str, tries: int, now_ms: int) -> Record:
    """Gives the record that asks again for what a play has named."""
    event = DrawRetried(
        event_id=draw_retried_id(right_id, tries),
        occurred_at=from_unix_ms(now_ms),
        shopper_id=peek.key.shopper,
        experience_id=right_id,
        tries=tries,
    )
    return inside_record(peek.key.retailer_id, event, now_ms)
