"""A consumer as the worker is one, one turn at a time, and records of many shoppers."""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import msgspec

from adapters.retry import until_done
from domain.ids import BEGINNING, Position, bucket
from domain.ports.event_log import EventLog, Poll
from domain.records import Record
from tests.contract.consumer import events, placed

WITHIN_S = 60.0
POLL_S = 0.05


def shopper_of(partition: int, partitions: int) -> str:
    """Gives a shopper of a partition."""
    return next(
        shopper
        for number in range(10_000)
        if bucket(shopper := hashlib.sha256(str(number).encode()).hexdigest()) % partitions == partition
    )


def spread(count: int, partitions: int, first: int = 0) -> list[Record]:
    """Gives records of shoppers of all partitions in turn, told apart by their event ids."""
    shoppers = [shopper_of(partition, partitions) for partition in range(partitions)]
    return [
        msgspec.structs.replace(
            found, event=msgspec.structs.replace(found.event, shopper_id=shoppers[number % partitions])
        )
        for number, found in enumerate(events(count, first=first), start=first)
    ]


class Turns:
    """Polls, starts what is taken behind the last commit, and keeps what came.

    Attributes:
        told: every poll that told of a rebalance.
        owned: partitions.
        numbers: by partition, of the records that came, in order; repeats included.
        offsets: by partition, where they stood.
    """

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.told: list[Poll] = []
        self.owned: set[int] = set()
        self.numbers: defaultdict[int, list[int]] = defaultdict(list)
        self.offsets: defaultdict[int, list[int]] = defaultdict(list)

    async def turn(self) -> Poll:
        """Polls once; as a worker does, waits for a group coordinator that is away."""
        poll = await self.log.poll(records_max=500, wait_s=POLL_S)
        if poll.lost or poll.taken or poll.kept:
            self.told.append(poll)
        self.owned = (self.owned - set(poll.lost)) | set(poll.taken)
        for partition in poll.taken:
            committed = await until_done(partial(self.log.committed, partition), lambda _: None)
            await self.log.seek(partition, BEGINNING if committed is None else committed.through)
        for batch in poll.batches:
            for place, found in placed(batch):
                assert isinstance(found, Record)
                self.numbers[place.partition].append(found.event.event_id.int - 1)
                self.offsets[place.partition].append(place.position.offset)
        return poll

    async def until(self, holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Polls until a condition holds."""
        async with asyncio.timeout(within_s):
            while not holds():
                await self.turn()

    @property
    def came(self) -> int:
        """How many records."""
        return sum(map(len, self.numbers.values()))

    def through(self, partition: int) -> Position:
        """Gives the place of the last record that came."""
        return Position(1, self.offsets[partition][-1])


async def together(*turns: Turns, holds: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Lets several consumers poll until a condition holds."""
    await asyncio.gather(*(each.until(holds, within_s) for each in turns))
