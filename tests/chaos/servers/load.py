"""The load on a production system: an open loop of single events, and a probe that asks every gateway how it is."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from contextlib import suppress

from tests.chaos.load import IDLE_S, Page, Shop, Tracker
from tests.chaos.wire import GONE, get

EVENTS_PER_S = int(os.environ.get("CHAOS_EVENTS_PER_S", "150"))
SHOPPERS = 48
MOVES_S = 4.0
_EVERY_S = SHOPPERS / EVENTS_PER_S
_PROBED_EVERY_S = 0.25


class Paced(Tracker):
    """A tracker in an open loop: events are due at fixed times, whatever becomes of those before them.

    One request is in flight at a time, so that a shopper's events arrive in order; one that waits for its turn is late,
    and that is a part of its latency.

    Attributes:
        latencies: when each event was due, monotonic, and the seconds until it was acknowledged.
    """

    def __init__(self, shop: Shop, page: Page, draw: random.Random) -> None:
        super().__init__(shop, page, draw)
        self.latencies: list[tuple[float, float]] = []

    async def live(self) -> None:
        """Sends until the shop closes; what is due by then is still brought to its answer."""
        await self._send(self._visit_before())
        due_s = time.monotonic() + self._draw.random() * _EVERY_S
        while not self._shop.is_closing:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            await self._send([self._next()])
            self.latencies.append((due_s, time.monotonic() - due_s))
            # Who thinks for a while lets a timer elapse.
            due_s += IDLE_S * 1.3 if self._draw.random() < 0.03 else _EVERY_S


class Probe:
    """Asks every gateway again and again whether it is alive, and whether it takes events.

    Attributes:
        slowest_s: the longest that an answer took.
        late_s: the longest that this process woke up too late: what the machine takes from everybody on it.
        statuses: how often each answer came, by path and status.
    """

    def __init__(self, shop: Shop) -> None:
        self.slowest_s = self.late_s = 0.0
        self.statuses: Counter[tuple[str, int]] = Counter()
        self._shop = shop

    async def live(self) -> None:
        """Asks, for ever."""
        while True:
            for url in self._shop.urls:
                for path in ("/health/live", "/health/ready"):
                    started_s = time.monotonic()
                    with suppress(*GONE):
                        async with get(url, path) as answer:
                            self.statuses[path, answer.status] += 1
                    self.slowest_s = max(self.slowest_s, time.monotonic() - started_s)
            due_s = time.monotonic() + _PROBED_EVERY_S
            await asyncio.sleep(_PROBED_EVERY_S)
            self.late_s = max(self.late_s, time.monotonic() - due_s)
