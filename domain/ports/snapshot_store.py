"""Snapshots: a shopper's state as of a position in the log; state = snapshot + log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from domain.ids import Position, ShopperKey


class Snapshot(NamedTuple):
    """One shopper's state, encoded.

    Attributes:
        key: whose.
        position: of the last event in it.
        payload: `domain.shopper.encode`.
        due_at_ms: when its pending timer elapses, None without one.
        touched_at_ms: received_at of its last event; the inactive expire by it.
    """

    key: ShopperKey
    position: Position
    payload: bytes
    due_at_ms: int | None
    touched_at_ms: int


class SnapshotStore(Protocol):
    """The last snapshot of every shopper."""

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, bytes]:
        """Gives the payloads of those shoppers who have a snapshot, in one batched read.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def save(self, partition: int, snapshots: Sequence[Snapshot]) -> None:
        """Saves snapshots of shoppers of one partition. An older position never replaces a newer one; repeatable.

        Raises:
            PortError: some or all were not saved; the call may be repeated.
        """
        ...

    async def timers(self, partition: int) -> Sequence[tuple[ShopperKey, int]]:
        """Gives the shoppers of a partition with a pending timer and when it is due (Unix milliseconds)."""
        ...

    async def newest(self, partition: int) -> Position | None:
        """Gives the highest position among a partition's snapshots: a log that ends before it is not theirs."""
        ...

    async def expire(self, retailer_id: str, untouched_since_ms: int) -> int:
        """Removes a retailer's snapshots last touched before that time and gives how many."""
        ...
