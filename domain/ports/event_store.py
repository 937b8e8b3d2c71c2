"""The event store: what the log carried, kept by day for the cold half; cooling reads it in parallel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple, Protocol

from domain.ids import Position
from domain.records import Decided, Record, Undecodable


class StoredEvent(NamedTuple):
    """One event and where it stood in the log."""

    position: Position
    record: Record


class FoundEvent(NamedTuple):
    """What stands at a place: an event, or bytes that this process can't read, of a newer version say."""

    position: Position
    record: Record | Undecodable


class EventStore(Protocol):
    """Events and decisions of the last `hot_days`, by retailer, UTC day of `received_at` and log partition.

    One event id stands once in a retailer's day and partition, whatever was repeated on the way. Decisions stand once
    for each triggering event. Written by the archiver, which may be started again anywhere behind its last commit, so
    every write may be repeated; read by jobs. Embedded, the log itself is the store: writes find everything there.
    """

    async def put(self, partition: int, events: Sequence[StoredEvent]) -> None:
        """Keeps events of one log partition.

        Raises:
            PortError: some or all were not kept; the call may be repeated.
        """
        ...

    async def put_decided(self, partition: int, decided: Sequence[Decided]) -> None:
        """Keeps decisions about events of one log partition.

        Raises:
            PortError: some or all were not kept; the call may be repeated.
        """
        ...

    def events(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[FoundEvent]]:
        """Gives a retailer's events of one day and partition, in pages, by shopper, then event id; not in log order.

        What can't be read but says whose and of which day it is comes too, at any place.

        Raises:
            PortError: the store can't be read now; begin again.
        """
        ...

    def decided(self, retailer_id: str, day: date, partition: int) -> AsyncIterator[Sequence[Decided]]:
        """Gives the decisions about events received on one day, in pages, by shopper, then triggering event id.

        Raises:
            PortError: the store can't be read now; begin again.
        """
        ...

    async def publish(self, partition: int, watermark_ms: int) -> None:
        """Says that every event of a partition received before this time is kept; an earlier time changes nothing.

        Raises:
            PortError: not published; the call may be repeated.
        """
        ...

    async def watermarks(self) -> Mapping[int, int]:
        """Gives each partition's watermark, Unix milliseconds; a partition that never had one is absent.

        Raises:
            PortError: can't be read now.
        """
        ...
