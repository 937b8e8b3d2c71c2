"""The one producer of a process: idempotent, acknowledged by every replica in sync, and replaced when it dies.

Between the logs, which hand it batches, and the brokers. The library's producer may die (its sender meets a sequence
that it can't explain) or go on refusing for ever (a batch that failed leaves a hole in its numbering): one that failed
in any way is given up, and what was in flight with it fails, since nobody knows any more whether it arrived.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from adapters.kafka.connection import client_options
from adapters.settings import Settings
from domain.errors import PortError
from domain.ports.clock import Clock
from monitoring.metrics import KafkaMetrics

BATCH_S = 30.0
"""After so long a batch's outcome counts as unknown, so that nothing waits for ever."""
BATCH_ROWS_OVERHEAD = 32
"""Bytes of a record beyond its value, at most (varints, a short key); for those who size their batches."""
_START_S, _END_S = 10.0, 8.0
_PAUSE_S, _PAUSE_MAX_S = 0.1, 2.0
_PROBE_S, _PROBE_LASTS_S = 1.0, 1.0
_LOOK_S = 1.0
_log = logging.getLogger("hotbasket.log")


class _Life:
    """One producer of the library, from its start to its end.

    Attributes:
        flying: the outcomes of batches under way, oldest first, and since when.
        is_over: it was given up.
    """

    __slots__ = ("flying", "is_over", "producer")

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer
        self.flying: dict[asyncio.Future[int], float] = {}
        self.is_over = False

    def fly(self, delivered: asyncio.Future[Any]) -> asyncio.Future[int]:  # Any: the library's metadata of a batch
        """Gives the offset of a batch under way, once it is known, or why it never will be."""
        outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.flying[outcome] = time.monotonic()

        def land(delivered: asyncio.Future[Any]) -> None:
            self.flying.pop(outcome, None)
            error = None if delivered.cancelled() else delivered.exception()
            if outcome.done():
                return
            if error is not None:
                outcome.set_exception(error)
            elif delivered.cancelled():
                outcome.cancel()
            else:
                outcome.set_result(delivered.result().offset)

        delivered.add_done_callback(land)
        return outcome

    def end(self, why: str) -> None:
        """Fails whatever is under way."""
        self.is_over = True
        for outcome in self.flying:
            if not outcome.done():
                outcome.set_exception(PortError(why, retriable=True))
        self.flying.clear()


class Producer:
    """Appends batches to partitions; callers keep at most one batch of a partition in flight, so that order holds."""

    def __init__(self, settings: Settings, metrics: KafkaMetrics, clock: Clock) -> None:
        """Takes how to reach Kafka; `start` connects."""
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._life: _Life | None = None
        self._closed = False
        self._restarting: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._probed_s = float("-inf")
        self._answers = False

    async def start(self) -> None:
        """Connects.

        Raises:
            PortError: it can't now.
        """
        try:
            self._life = await self._begin()
        except (KafkaError, TimeoutError) as error:
            raise PortError(f"no producer at {self._settings.kafka}: {error!r}", retriable=True) from error

    async def append(
        self, topic: str, partition: int, values: Sequence[bytes], keys: Sequence[bytes] | None = None
    ) -> int:
        """Appends values as one batch and gives the offset of the first, once every replica in sync has them.

        Raises:
            PortError: they may or may not be in the log; not retriable: they are too large for the topic.
        """
        life = self._life or await self._living()
        try:
            batch = life.producer.create_batch()
            now_ms = self._clock.now_ms()
            if keys is None:
                for value in values:
                    batch.append(timestamp=now_ms, key=None, value=value)
            else:
                for key, value in zip(keys, values, strict=True):
                    batch.append(timestamp=now_ms, key=key, value=value)
            assert batch.record_count() == len(values), "the caller sizes its batches"
            batch.close()
            delivered = await life.producer.send_batch(batch, topic, partition=partition)
            offset = await life.fly(delivered)
        except KafkaError as error:
            self._give_up(life, f"{topic}[{partition}]: {type(error).__name__}")
            too_large = isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError)
            cure = ": raise the topic's max.message.bytes above HOTBASKET_KAFKA_BATCH_BYTES" if too_large else ""
            raise PortError(f"{topic}[{partition}] took no batch: {error!r}{cure}", retriable=not too_large) from error
        if offset < 0:
            # A repeat of a batch that the broker has, so long ago that it no longer knows where.
            raise PortError(f"{topic}[{partition}] has the batch and can't say where: try again", retriable=True)
        return offset

    async def answers(self) -> bool:
        """Tells whether a broker answered within the last second, or does within the next; never raises."""
        if time.monotonic() - self._probed_s < _PROBE_LASTS_S:
            return self._answers
        life = self._life
        if life is None:
            return False
        try:
            async with asyncio.timeout(_PROBE_S):
                self._answers = bool(await life.producer.client.force_metadata_update())
        except (KafkaError, TimeoutError):
            self._answers = False
        self._probed_s = time.monotonic()
        return self._answers

    async def close(self) -> None:
        """Ends the producer; what is still in flight fails. May be repeated."""
        self._closed = True
        life, self._life = self._life, None
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.gather(self._restarting, return_exceptions=True)
        if life is not None:
            life.end("the producer is closed: this process is stopping")
            await _end(life.producer)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _living(self) -> _Life:
        while self._life is None:
            if self._closed or self._restarting is None:
                raise PortError("the producer is closed: this process is stopping", retriable=True)
            _, late = await asyncio.wait((self._restarting,), timeout=BATCH_S)
            if late:
                raise PortError(f"no broker at {self._settings.kafka} for {BATCH_S:g} s: try again", retriable=True)
        return self._life

    async def _begin(self) -> _Life:
        producer = AIOKafkaProducer(
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            # Callers cut their batches by their own bound; this one only must not be smaller.
            max_batch_size=2 * self._settings.kafka_batch_bytes,
            **client_options(self._settings),
        )
        try:
            async with asyncio.timeout(_START_S):
                await producer.start()
        except BaseException:
            await _end(producer)
            raise
        life = _Life(producer)
        producer._sender.sender_task.add_done_callback(lambda _: self._give_up(life, "its sender ended"))
        asyncio.get_running_loop().call_later(_LOOK_S, self._look, life)
        return life

    def _look(self, life: _Life) -> None:
        """Looks from time to time whether the oldest batch has been under way for too long."""
        oldest_s = next(iter(life.flying.values()), None)
        if oldest_s is not None and time.monotonic() - oldest_s > BATCH_S:
            self._give_up(life, f"a batch was not taken for {BATCH_S:g} s")
        elif not life.is_over:
            asyncio.get_running_loop().call_later(_LOOK_S, self._look, life)

    def _give_up(self, life: _Life, why: str) -> None:
        """Puts another producer in the place of one that failed; once each."""
        if self._life is not life or self._closed:
            return
        self._life = None
        life.end(f"the producer was given up: {why}; try again")
        self._metrics.producer_restarts.inc()
        _log.error("producer given up", extra={"detail": why})
        ending = asyncio.get_running_loop().create_task(_end(life.producer))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self._restarting = asyncio.get_running_loop().create_task(self._restart())

    async def _restart(self) -> None:
        pause_s = _PAUSE_S
        while self._life is None:
            try:
                self._life = await self._begin()
            except (KafkaError, TimeoutError, PortError) as error:
                _log.warning("no new producer yet", extra={"detail": repr(error)})
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _PAUSE_MAX_S)
        _log.info("producer replaced")


async def _end(producer: AIOKafkaProducer) -> None:
    """Ends a producer whatever state it is in; the library's own `stop` waits for batches that may never arrive."""
    producer._closed = True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            # What the sender died of was told when it died.
            await asyncio.gather(producer._sender.close(), return_exceptions=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await producer.client.close()
