"""What stands in the logs and not yet in the event store: for a person who asks about an event of a moment ago."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from adapters.settings import Settings
from adapters.wiring import libraries
from domain.ports.event_store import FoundEvent
from domain.records import Decided


class LogTail(Protocol):
    """The ends of both logs, read without joining any group; every read may fail with a `PortError`."""

    @property
    def partitions(self) -> int:
        """Of each log."""
        ...

    def events(self, partition: int, since_ms: int) -> AsyncIterator[Sequence[FoundEvent]]:
        """Gives a partition's events appended since a moment, Unix milliseconds, up to the end as it is now."""
        ...

    def decided(self, partition: int, since_ms: int) -> AsyncIterator[Sequence[Decided]]:
        """Gives what counts of the decisions said since a moment, Unix milliseconds, up to the end as it is now."""
        ...

    async def close(self) -> None:
        """Ends the connections; may be repeated."""
        ...


async def open_tail(settings: Settings) -> LogTail | None:
    """Opens the logs that the settings name, None where they name none.

    Raises:
        Refused: the library is missing.
        PortError: Kafka can't be reached, does not let this process in, or has not these topics.
    """
    if not settings.kafka:
        return None
    with libraries():
        from adapters.kafka.log_tail import open_log_tail  # noqa: PLC0415

    return await open_log_tail(settings)
