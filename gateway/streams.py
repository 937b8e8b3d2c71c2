"""Open experience streams: which shoppers listen, within which bounds, and what waits to be written to each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Literal

from adapters.settings import Settings
from domain.ids import ShopperKey
from domain.ports.clock import Clock
from gateway.answers import Refusal
from gateway.traced import Traced
from gateway.winners import Winners
from gateway.wire import Delivery
from monitoring.metrics import StreamMetrics

Reason = Literal["disconnected", "slow", "superseded", "token_expired", "drained"]
_RETRY_AFTER_S: Final = 5


class Stream:
    """What waits to be written to one page; filled by the follower, emptied by the request's own task.

    Args:
        key: whose page.
        until_ms: when its token ends, Unix milliseconds.
        waiting_max: deliveries that may wait.
        metrics: counts the streams that are slow.

    Attributes:
        key: whose page.
        until_ms: when its token ends, Unix milliseconds.
        reason: why it is closed, None while it is open.
        is_writing: whether its task is in the middle of a write.
    """

    __slots__ = (
        "_is_slow",
        "_slow",
        "_task",
        "_waiting",
        "_waiting_max",
        "_wake",
        "is_writing",
        "key",
        "reason",
        "until_ms",
    )

    def __init__(self, key: ShopperKey, until_ms: int, waiting_max: int, metrics: StreamMetrics) -> None:
        self.key = key
        self.until_ms = until_ms
        self.reason: Reason | None = None
        self.is_writing = False
        self._waiting_max = waiting_max
        self._slow = metrics.streams_slow
        self._is_slow = False
        self._waiting: deque[Delivery] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._task = asyncio.current_task()

    def offer(self, delivery: Delivery) -> bool:
        """Leaves a delivery to be written; False if the reader is too slow for it."""
        if len(self._waiting) >= self._waiting_max and not self.is_writing:
            # A burst, and no slow reader: what was replaced before anybody could see it need not be written.
            latest = {waiting.slot: waiting for waiting in self._waiting}
            self._waiting = deque(waiting for waiting in self._waiting if latest[waiting.slot] is waiting)
        if len(self._waiting) >= self._waiting_max:
            return False
        self._waiting.append(delivery)
        self._judge()
        self.wake()
        return True

    def take(self) -> list[Delivery]:
        """Gives all that waits, in order."""
        taken = list(self._waiting)
        self._waiting.clear()
        self._judge()
        return taken

    def close(self, reason: Reason) -> None:
        """Ends the stream; its task writes the last words, unless the reader has stopped reading."""
        if self.reason is not None:
            return
        self.reason = reason
        if (reason == "slow" or self.is_writing) and self._task is not None:
            # Its task is held up in a write that may never end.
            self._task.cancel()
        self.wake()

    def _judge(self) -> None:
        """Has itself counted as slow while more than half of its queue is full."""
        is_slow = len(self._waiting) * 2 > self._waiting_max
        if is_slow != self._is_slow:
            self._is_slow = is_slow
            self._slow.inc(1 if is_slow else -1)

    def wake(self) -> None:
        """Lets the stream's task look again."""
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def wait(self, limit_s: float) -> None:
        """Returns when something happened, or after the limit."""
        if self._waiting or self.reason is not None:
            return
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(max(0.0, limit_s), self.wake)
        try:
            await self._wake
        finally:
            self._wake = None
            timer.cancel()


class Streams:
    """All open streams of this gateway.

    Args:
        settings: the bounds.
        clock: tells which experiences have expired.
        metrics: counts streams and what is put on them.
        winners: adds claims to what was won.
        traced: tells in the log of what is sampled.
    """

    def __init__(
        self, settings: Settings, clock: Clock, metrics: StreamMetrics, winners: Winners, traced: Traced
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._metrics.streams_max.set(settings.streams_max)
        self._winners = winners
        self._traced = traced
        self._by_shopper: dict[ShopperKey, list[Stream]] = {}
        self._of_retailer: dict[str, int] = {}
        self._open = 0
        self._is_draining = False
        self._all_closed = asyncio.Event()

    def open(self, key: ShopperKey, until_ms: int) -> Stream:
        """Registers a stream of the task that calls; what is decided from now on waits in it.

        Raises:
            Refusal: too many streams of the retailer (429) or in all (503), or the gateway is stopping.
        """
        settings = self._settings
        if self._is_draining:
            raise Refusal("draining", "this gateway is stopping: connect again", retry_after_s=1)
        if self._of_retailer.get(key.retailer_id, 0) >= settings.streams_per_retailer_max:
            raise Refusal(
                "too_many_streams_of_retailer",
                f"this retailer has {settings.streams_per_retailer_max} open streams",
                retry_after_s=_RETRY_AFTER_S,
            )
        if self._open >= settings.streams_max:
            detail = f"this gateway has {settings.streams_max} open streams"
            raise Refusal("too_many_streams", detail, retry_after_s=_RETRY_AFTER_S)
        stream = Stream(key, until_ms, settings.stream_queue_max, self._metrics)
        of_shopper = self._by_shopper.setdefault(key, [])
        still_open = [other for other in of_shopper if other.reason is None]
        if len(still_open) >= settings.streams_per_shopper_max:
            self._close(still_open[0], "superseded")
        of_shopper.append(stream)
        self._open += 1
        self._of_retailer[key.retailer_id] = self._of_retailer.get(key.retailer_id, 0) + 1
        self._metrics.streams_open.inc()
        return stream

    def forget(self, stream: Stream) -> None:
        """Takes a stream off the register; its task calls it last."""
        stream.take()
        of_shopper = self._by_shopper[stream.key]
        of_shopper.remove(stream)
        if not of_shopper:
            del self._by_shopper[stream.key]
        retailer_id = stream.key.retailer_id
        self._of_retailer[retailer_id] -= 1
        if not self._of_retailer[retailer_id]:
            del self._of_retailer[retailer_id]
        self._open -= 1
        self._metrics.streams_open.dec()
        if self._is_draining and not self._open:
            self._all_closed.set()

    def deliver(self, deliveries: Sequence[Delivery]) -> None:
        """Leaves deliveries of one shopper with all of that shopper's streams."""
        if not deliveries:
            return
        for stream in self._by_shopper.get(deliveries[0].key, ()):
            if stream.reason is None and not all(map(stream.offer, deliveries)):
                self._close(stream, "slow")

    def written(self, deliveries: Sequence[Delivery]) -> bytes:
        """Gives the frames of what may still be shown, and counts it as delivered."""
        now_ms = self._clock.now_ms()
        self._winners.attach(deliveries)
        frames = []
        for delivery in deliveries:
            if delivery.is_over(now_ms):
                continue
            frames.append(delivery.frame)
            if delivery.experience is not None:
                self._metrics.delivered.labels(delivery.experience.kind).inc()
                if delivery.received_at_ms:
                    self._metrics.experience_s.observe(max(0, now_ms - delivery.received_at_ms) / 1_000)
                if delivery.experience.trace:
                    self._traced.delivered((delivery,), now_ms)
        return b"".join(frames)

    def expire(self, stream: Stream) -> None:
        """Closes a stream whose token has ended."""
        self._close(stream, "token_expired")

    async def drain(self) -> None:
        """Closes all streams with a hint to come back, and returns when the last is gone; opens none any more."""
        self._is_draining = True
        for of_shopper in list(self._by_shopper.values()):
            for stream in of_shopper:
                self._close(stream, "drained")
        if self._open:
            await self._all_closed.wait()

    def _close(self, stream: Stream, reason: Reason) -> None:
        if stream.reason is None:
            self._metrics.streams_dropped.labels(reason).inc()
            stream.close(reason)
