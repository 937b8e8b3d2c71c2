"""Group commit: what waits for a partition goes into one batch, and one batch of a partition is in flight at a time.

Between the event log, which appends on the event loop, and the producer. What arrives while a batch is in flight makes
the next, so that batches grow with the load; under little load a record waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

from adapters.kafka.producer import BATCH_ROWS_OVERHEAD, Producer
from adapters.places import Places
from domain.errors import PortError
from domain.ports.event_log import Place
from monitoring.metrics import LogMetrics

_log = logging.getLogger("hotbasket.log")


class Append:
    """Records of one partition that wait together.

    Attributes:
        whole: done when nobody wants any of them any more: the caller's future, which may be of other partitions too.
        flying: how many of them are in the batch in flight.
        sent: how many of them went into a batch, that one included.
        places: of those that are durable.
    """

    __slots__ = ("flying", "future", "payloads", "places", "sent", "whole")

    def __init__(
        self, payloads: list[bytes], future: asyncio.Future[Sequence[Place]], whole: asyncio.Future[Sequence[Place]]
    ) -> None:
        self.payloads = payloads
        self.future = future
        self.whole = whole
        self.flying = self.sent = 0
        self.places: Sequence[Place] = ()


class Lane:
    """What waits for one partition.

    Attributes:
        since_s: monotonic time since when its batch is in flight, None while none is.
        task: sends batches while anything waits.
    """

    __slots__ = ("partition", "since_s", "task", "waiting")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.waiting: deque[Append] = deque()
        self.since_s: float | None = None
        self.task: asyncio.Task[None] | None = None


class Lanes:
    """The lanes of one topic.

    Attributes:
        events: records that wait or are in flight.
    """

    def __init__(
        self, producer: Producer, topic: str, partitions: int, *, epoch: int, batch_bytes: int, metrics: LogMetrics
    ) -> None:
        """Takes where to append, and how large a batch may grow."""
        self._producer = producer
        self._topic = topic
        self._epoch = epoch
        self._batch_bytes = batch_bytes
        self._metrics = metrics
        self._lanes = [Lane(partition) for partition in range(partitions)]
        self.events = 0

    def append(
        self, partition: int, payloads: list[bytes], whole: asyncio.Future[Sequence[Place]] | None = None
    ) -> asyncio.Future[Sequence[Place]]:
        """Queues records of one partition; the future gives their places once they are durable.

        A caller that cancels the future before its batch is made takes the records back.

        Args:
            whole: of what these records are a part; where that is done before their batch is made, they are left out.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Sequence[Place]] = loop.create_future()
        self.events += len(payloads)
        lane = self._lanes[partition]
        lane.waiting.append(Append(payloads, future, future if whole is None else whole))
        if lane.task is None:
            lane.task = loop.create_task(self._drain(lane))
        return future

    def oldest_s(self) -> float:
        """Gives for how long the oldest batch has been in flight; 0 where none is."""
        now_s = time.monotonic()
        return max((now_s - lane.since_s for lane in self._lanes if lane.since_s is not None), default=0.0)

    async def flush(self, within_s: float) -> None:
        """Waits until nothing waits any more, then fails what still does."""
        tasks = [lane.task for lane in self._lanes if lane.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _drain(self, lane: Lane) -> None:
        """Sends one batch after the other until nothing waits."""
        try:
            while lane.waiting:
                parts, payloads = self._cut(lane)
                if not payloads:
                    continue
                lane.since_s = time.monotonic()
                try:
                    first = await self._producer.append(self._topic, lane.partition, payloads)
                except PortError as error:
                    self._fail(parts, error)
                except asyncio.CancelledError:
                    self._fail(parts, _stopping())
                    raise
                except Exception as error:  # noqa: BLE001 - the lane's edge: a bug fails this batch, not all that follow
                    _log.exception("lane failed", extra={"partition": lane.partition})
                    self._fail(parts, PortError(f"{self._topic}[{lane.partition}] failed: {error!r}", retriable=True))
                else:
                    self._settle(lane.partition, parts, first)
                finally:
                    self.events -= len(payloads)
                    self._metrics.log_commit_s.observe(time.monotonic() - lane.since_s)
                    self._metrics.log_queue_events.set(self.events)
        finally:
            lane.since_s = lane.task = None
            self._forsake(lane)

    def _cut(self, lane: Lane) -> tuple[list[Append], list[bytes]]:
        """Takes from a lane what fits into one batch; an append that does not fit goes on in the next."""
        parts: list[Append] = []
        payloads: list[bytes] = []
        room = self._batch_bytes
        waiting = lane.waiting
        while waiting:
            append = waiting[0]
            if append.whole.done():
                self.events -= len(append.payloads) - append.sent
                waiting.popleft()
                continue
            count = 0
            for payload in append.payloads[append.sent :] if append.sent else append.payloads:
                room -= len(payload) + BATCH_ROWS_OVERHEAD
                if room < 0 and payloads:
                    break
                payloads.append(payload)
                count += 1
            if count:
                append.flying = count
                append.sent += count
                parts.append(append)
            if append.sent < len(append.payloads):
                break
            waiting.popleft()
        return parts, payloads

    def _settle(self, partition: int, parts: list[Append], first: int) -> None:
        for append in parts:
            places = Places(partition, self._epoch, first, append.flying)
            first += append.flying
            append.places = (*append.places, *places) if append.places else places
            if append.sent == len(append.payloads) and not append.future.done():
                append.future.set_result(append.places)

    def _fail(self, parts: list[Append], error: PortError) -> None:
        self._metrics.log_refused.inc(sum(append.flying for append in parts))
        for append in parts:
            if not append.future.done():
                append.future.set_exception(PortError(str(error), retriable=error.retriable))

    def _forsake(self, lane: Lane) -> None:
        """Fails what still waits for a lane that was stopped."""
        while lane.waiting:
            append = lane.waiting.popleft()
            self.events -= len(append.payloads) - append.sent
            if not append.future.done():
                append.future.set_exception(_stopping())


def _stopping() -> PortError:
    return PortError("the log is closed: this process is stopping", retriable=True)


class Scattered:
    """An append whose records are of several partitions: its future gives their places in the order of the records."""

    __slots__ = ("_indexes", "_left", "_parts", "_places", "future")

    def __init__(self, payloads: dict[int, list[bytes]], indexes: dict[int, list[int]], append: Appender) -> None:
        """Takes payloads, and which records they were, by partition."""
        self.future: asyncio.Future[Sequence[Place]] = asyncio.get_running_loop().create_future()
        self._indexes = indexes
        self._left = len(payloads)
        self._places: list[Place | None] = [None] * sum(len(some) for some in indexes.values())
        self._parts = {append(partition, some, self.future): partition for partition, some in payloads.items()}
        for part in self._parts:
            part.add_done_callback(self._take)

    def _take(self, part: asyncio.Future[Sequence[Place]]) -> None:
        error = part.exception()
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
            return
        for index, place in zip(self._indexes[self._parts[part]], part.result(), strict=True):
            self._places[index] = place
        self._left -= 1
        if not self._left:
            self.future.set_result([place for place in self._places if place is not None])


Appender = Callable[[int, list[bytes], "asyncio.Future[Sequence[Place]]"], "asyncio.Future[Sequence[Place]]"]
