"""The ends of both topics, by when the broker took a record (`adapters.log_tail`): for commands that look back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from adapters.kafka.connection import connect
from adapters.kafka.event_log import EPOCH
from adapters.kafka.quiet import quieten
from adapters.kafka.reader import Reader
from adapters.kafka.topics import partition_counts, topics_of
from adapters.settings import Settings
from domain.errors import PortError
from domain.ids import Position
from domain.listening import Listener
from domain.ports.event_store import FoundEvent
from domain.ports.experience_log import Entry
from domain.records import Decided, decode_experience_record, decode_record

_READ_AT_ONCE = 2_000


async def open_log_tail(settings: Settings) -> KafkaLogTail:
    """Opens both topics to be read.

    Raises:
        PortError: Kafka can't be reached, does not let this process in, or has not these topics.
    """
    quieten()
    client = await connect(settings)
    try:
        counts = await partition_counts(client, settings)
    finally:
        await client.close()
    topics = topics_of(settings)
    absent = [name for name in topics if name not in counts]
    if absent:
        raise PortError(f"{settings.kafka} has no topic {' and no topic '.join(absent)}", retriable=False)
    return KafkaLogTail(settings, counts[topics.events])


class KafkaLogTail:
    """Reads both topics, a partition at a time."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        """Takes how to reach Kafka; the first read connects."""
        topics = topics_of(settings)
        self._partitions = partitions
        self._events = Reader(settings, topics.events, partitions)
        self._experiences = Reader(settings, topics.experiences, partitions)

    @property
    def partitions(self) -> int:
        """Number of each topic's partitions."""
        return self._partitions

    async def events(self, partition: int, since_ms: int) -> AsyncIterator[Sequence[FoundEvent]]:
        """Reads on from the first record that the broker took then."""
        async for records in _pages(self._events, partition, since_ms):
            yield [FoundEvent(Position(EPOCH, one.offset), decode_record(one.value or b"")) for one in records]

    async def decided(self, partition: int, since_ms: int) -> AsyncIterator[Sequence[Decided]]:
        """Reads on from the first record that the broker took then, and hears what is closed by a `Progress`."""
        listener = Listener()
        async for records in _pages(self._experiences, partition, since_ms):
            found: list[Decided] = []
            for one in records:
                try:
                    entry = Entry(partition, one.offset, decode_experience_record(one.value or b""))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue  # it was never acted upon
                heard = listener.hear(entry)
                if heard is not None:
                    found += [said for said in heard.records if isinstance(said, Decided)]
            yield found

    async def close(self) -> None:
        """Ends both readers; may be repeated."""
        await self._events.close()
        await self._experiences.close()


async def _pages(reader: Reader, partition: int, since_ms: int) -> AsyncIterator[list[Any]]:  # Any: the library's
    end = await reader.end(partition)
    start = await reader.offset_at(partition, since_ms)
    while start < end:
        records = await reader.read(partition, start, _READ_AT_ONCE, end)
        if not records:
            return
        yield records
        start = records[-1].offset + 1
