"""Failed events: what could not be processed, kept for a person to look at and to replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from domain.ids import Position
from domain.records import Failed


class FailedEvent(Struct, frozen=True, kw_only=True):
    """One event that changed nothing because it could not be processed.

    Attributes:
        failed_id: `partition-epoch-offset` of the event: one place fails once.
        partition, position: where it stands in the event log.
        retailer_id, shopper, event_id: empty where the bytes could not be read.
        reason: short stable name; detail: one sentence; path: what part it is about.
        payload: the record's bytes.
        failed_at_ms: Unix milliseconds.
        expires_at_ms: when the payload and the rest are forgotten.
    """

    failed_id: str
    partition: int
    position: Position
    retailer_id: str
    shopper: str
    event_id: str
    reason: str
    detail: str
    path: str
    payload: bytes
    failed_at_ms: int
    expires_at_ms: int


def failed_event(partition: int, failure: Failed, *, failed_at_ms: int, kept_ms: int) -> FailedEvent:
    """Gives what people see of a record that says why an event failed.

    Args:
        partition: of the event log.
        failure: as the worker said it.
        failed_at_ms: Unix milliseconds.
        kept_ms: for how long.
    """
    position = failure.position
    return FailedEvent(
        failed_id=f"{partition}-{position.epoch}-{position.offset}",
        partition=partition,
        position=position,
        retailer_id=failure.retailer_id,
        shopper=failure.shopper,
        event_id=failure.event_id,
        reason=failure.reason,
        detail=failure.detail,
        path=failure.path,
        payload=failure.payload,
        failed_at_ms=failed_at_ms,
        expires_at_ms=failed_at_ms + kept_ms,
    )


class FailedEvents(Protocol):
    """The failed events of all retailers, bounded in time; worker writes, people list and ask for replays."""

    async def put(self, events: Sequence[FailedEvent]) -> None:
        """Keeps failed events; the same `failed_id` again changes nothing.

        Raises:
            PortError: not kept; the call may be repeated.
        """
        ...

    async def list(self, retailer_id: str, *, events_max: int) -> Sequence[FailedEvent]:
        """Gives a retailer's unexpired failed events, newest first; those of no readable retailer come with all."""
        ...

    async def request_replay(self, failed_ids: Sequence[str]) -> int:
        """Leaves requests for the partitions' owners to append these events again; gives how many are new."""
        ...

    async def requested(self, partition: int, *, events_max: int) -> Sequence[FailedEvent]:
        """Gives the failed events of a partition for which a replay is requested; cheap when there are none."""
        ...

    async def replayed(self, failed_ids: Sequence[str]) -> None:
        """Forgets failed events and their requests: they are in the log again."""
        ...

    async def expire(self, now_ms: int) -> int:
        """Removes what has expired and gives how many."""
        ...
