"""The experience log: what workers decided, read by gateways and by a partition's next owner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from domain.records import Decided, ExperienceRecord, Failed, Progress


class Entry(NamedTuple):
    """One record and its place: offsets grow by at least 1 within a partition."""

    partition: int
    offset: int
    record: ExperienceRecord


class ExperienceLog(Protocol):
    """An append-only log with as many partitions as the event log.

    One worker owns a partition at a time. Its `Owner` record's offset is its token; readers drop records whose token
    is older than the newest `Owner` that they have read, and act on a record only when the `Progress` with the same
    token that closes it has arrived.
    """

    async def own(self, partition: int, worker_id: str) -> int:
        """Appends `Owner` durably and gives its offset: the token. Whoever owned before is fenced from here on."""
        ...

    async def append(self, partition: int, token: int, records: Sequence[Decided | Failed | Progress]) -> int:
        """Appends records in order, durably and together, and gives the last one's offset.

        Raises:
            Fenced: the adapter knows of a newer owner; nothing was appended.
            PortError: retriable; the records may or may not be in the log; repeating the call is safe, since readers
                take each event's decisions once, by the position in them.
        """
        ...

    async def confirm(self, partition: int, token: int) -> int:
        """Gives the offset of this owner's last `Progress`, once it is certain that no newer `Owner` precedes it.

        Raises:
            Fenced: a newer owner does.
            PortError: can't tell now.
        """
        ...

    async def read(self, partition: int, *, after: int, records_max: int) -> Sequence[Entry]:
        """Gives up to `records_max` entries behind offset `after`, oldest first; empty at the end of the log."""
        ...

    async def end(self, partition: int) -> int:
        """Gives the offset of the partition's last record, -1 where it has none."""
        ...

    def follow(self, after: Mapping[int, int], only: Collection[int] | None = None) -> AsyncIterator[Sequence[Entry]]:
        """Gives the entries behind the given offsets, for ever, as they become durable.

        Several followers may be active. The iterator ends only when it is closed; a log that can't be read is waited
        for.

        Args:
            after: by partition; a partition not named starts at its beginning.
            only: the partitions to follow; None = all.
        """
        ...
