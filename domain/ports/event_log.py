"""The event log: the one durable write, which persists and dispatches."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import NamedTuple, Protocol

from domain.ids import Position
from domain.records import Record, Undecodable


class Place(NamedTuple):
    """Where a record stands: its partition and its position there."""

    partition: int
    position: Position


class Batch(NamedTuple):
    """Consecutive records of one partition.

    Attributes:
        partition: whose.
        first: position of the first record; record i stands at offset `first.offset + i` of the same epoch.
        records: in order; bytes that are no record stand in their place.
    """

    partition: int
    first: Position
    records: Sequence[Record | Undecodable]


class Poll(NamedTuple):
    """What one poll brought, in this order: partitions lost, taken and kept, records of partitions owned.

    Attributes:
        lost: somebody else's from now on.
        taken: this consumer's from now on.
        kept: this consumer's before and after a rebalance; somebody else may have owned them in between, so whoever
            speaks for a partition confirms its ownership first. Delivery goes on where it was.
        batches: records.
        at_end: partitions whose last record was delivered by this poll or before it.
    """

    lost: tuple[int, ...] = ()
    taken: tuple[int, ...] = ()
    kept: tuple[int, ...] = ()
    batches: tuple[Batch, ...] = ()
    at_end: frozenset[int] = frozenset()


class Committed(NamedTuple):
    """How far a consumer group is saved.

    Attributes:
        through: every event at or below is in the snapshots.
        token: of the owner that committed.
        tail: offset in the experience log up to which its records are in the snapshots.
    """

    through: Position
    token: int
    tail: int


class EventLog(Protocol):
    """An append-only log of event records, split by shopper into partitions.

    Delivery is at least once: after a restart a consumer sees again what follows its last commit. The order within
    a partition is that of `append`. All records of one shopper share one partition (bucket mod partitions).
    """

    @property
    def partitions(self) -> int:
        """Number of partitions, fixed within the log's epoch."""
        ...

    def append(self, records: Sequence[Record]) -> Awaitable[Sequence[Place]]:
        """Makes records durable and visible to consumers: when the awaitable gives their places, they are both.

        Calls are grouped into one flush. Called by gateways (events) and workers (`IdleElapsed`, replays).
        Repeating a call appends the records again: retries are absorbed by readers, by event id.

        Raises:
            Full: at once, the queue's bound is reached; nothing was accepted.
            PortError: the log did not take them; they may or may not be found in it later.
        """
        ...

    async def accepts(self) -> bool:
        """Tells whether an append now would probably succeed; for readiness, never raises."""
        ...

    async def poll(self, *, records_max: int, wait_s: float) -> Poll:
        """Gives the next records of the partitions that this consumer owns, waiting at most `wait_s` for the first.

        A taken partition delivers nothing before `seek` says where to start.

        Raises:
            PortError: the log can't be read now; the call may be repeated.
        """
        ...

    async def seek(self, partition: int, after: Position) -> None:
        """Sets where the next poll of a partition starts: behind `after`.

        Raises:
            PortError: not retriable: the log ends before `after`, so it is not the log of these snapshots.
        """
        ...

    async def commit(self, partition: int, committed: Committed) -> None:
        """Saves how far the consumer group is; the last commit wins.

        Raises:
            Fenced: the partition is somebody else's by now.
            PortError: not saved; the call may be repeated.
        """
        ...

    async def committed(self, partition: int) -> Committed | None:
        """Gives the group's last commit, or None before the first."""
        ...
