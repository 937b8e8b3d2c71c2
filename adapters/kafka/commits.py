"""Reads how far a consumer group is saved, also for processes that are no members of it.

The offset says where the next owner starts; its metadata holds what Kafka has no field for: epoch, token and tail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

from domain.errors import PortError
from domain.ids import BEGINNING, Position
from domain.listening import NO_OWNER
from domain.ports.event_log import Committed

_READ_S, _PAUSE_S = 5.0, 0.1
_FORM = "1"
"""Of the metadata: form, epoch, token, tail."""


def metadata_of(committed: Committed) -> str:
    """Gives the metadata of a commit."""
    return f"{_FORM} {committed.through.epoch} {committed.token} {committed.tail}"


def committed_of(offset: int, metadata: str | None, epoch: int) -> Committed | None:
    """Reads a commit; one that somebody else made (an operator moved the group) knows neither owner nor tail."""
    if offset < 0:
        return None
    fields = (metadata or "").split()
    if len(fields) == 4 and fields[0] == _FORM:
        through_epoch, token, tail = (int(field) for field in fields[1:])
        return Committed(Position(through_epoch, offset - 1), token, tail)
    return Committed(Position(epoch, offset - 1) if offset else BEGINNING, NO_OWNER, -1)


class Commits:
    """The commits of one group on one topic; calls of one turn share one request."""

    def __init__(self, client: AIOKafkaClient, *, group: str, topic: str, partitions: int, epoch: int) -> None:
        """Takes a connected client."""
        self._client = client
        self._group = group
        self._topic = topic
        self._partitions = partitions
        self._epoch = epoch
        self._coordinator: int | None = None
        self._next: asyncio.Task[Mapping[int, Committed | None]] | None = None

    async def read(self, partition: int) -> Committed | None:
        """Gives the newest commit of a partition.

        Raises:
            PortError: the group's coordinator does not say now.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._read_all())
        table = await asyncio.shield(self._next)
        return table[partition]

    async def _read_all(self) -> Mapping[int, Committed | None]:
        await asyncio.sleep(0)
        # Who asks from here on may have committed after what this request reads.
        self._next = None
        said = "no answer"
        try:
            async with asyncio.timeout(_READ_S):
                while True:
                    try:
                        return await self._ask()
                    except KafkaError as error:
                        said = repr(error)
                        self._coordinator = None
                        await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            raise PortError(f"commits of group {self._group} can't be read now: {said}", retriable=True) from None

    async def _ask(self) -> Mapping[int, Committed | None]:
        if self._coordinator is None:
            self._coordinator = await self._client.coordinator_lookup(CoordinationType.GROUP, self._group)
        asked = list(range(self._partitions))
        answer = await self._client.send(self._coordinator, OffsetFetchRequest(self._group, [(self._topic, asked)]))
        # The library's own reading overlooks this error, and a group that is being loaded would look new.
        _raise_for(answer.error_code)
        table: dict[int, Committed | None] = {}
        for _, rows in answer.topics:
            for partition, offset, metadata, code in rows:
                _raise_for(code)
                table[partition] = committed_of(offset, metadata, self._epoch)
        if len(table) != self._partitions:
            raise KafkaError(f"{len(table)} partitions of {self._partitions} answered")
        return table


def _raise_for(code: int) -> None:
    if code:
        raise for_code(code)
