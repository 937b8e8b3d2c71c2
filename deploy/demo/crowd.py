"""Simulated shoppers who fill the demo: each shops by a taste of its own and posts to the real endpoint."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import httpx

from deploy.demo.goods import Goods
from deploy.demo.habits import Shopper
from deploy.demo.past import CROWD, Past, season
from deploy.demo.trip import Basket, Event, trip

EVENTS_PER_S: Final = 3.0
ANSWER_TIMEOUT_S: Final = 5.0
PAUSE_S: Final = 5.0
"""After an answer that took nothing; the crowd waits rather than insists."""
LATENCIES_KEPT: Final = 200
SEED: Final = 20_260


class Tally:
    """What the crowd has done since the start, for the panel."""

    def __init__(self) -> None:
        self._events = 0
        self._experiences = 0
        self._ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def stored(self, experiences: int, ms: float) -> None:
        """Counts one stored event with what it triggered, and how long both took."""
        self._events += 1
        self._experiences += experiences
        if experiences:
            self._ms.append(ms)

    def summary(self) -> dict[str, int]:
        """Gives the counts, and the median milliseconds from an event to its experiences."""
        median = round(statistics.median(self._ms)) if self._ms else 0
        return {"shoppers": len(CROWD), "events": self._events, "experiences": self._experiences, "median": median}


class Crowd:
    """A fixed number of shoppers who take turns, never more than EVENTS_PER_S together.

    Args:
        base_url: where hotbasket answers.
        secret_key: of the demo retailer: these events come from a server, which may wait for experiences.
        goods: what there is to buy.
        past: of the shop; told before anybody shops.
    """

    def __init__(self, base_url: str, secret_key: str, goods: Goods, past: Past) -> None:
        self.tally = Tally()
        self._past = past
        self._url = f"{base_url}/v1/events"
        self._key = secret_key
        self._goods = goods

    async def run(self) -> None:
        """Tells the past, and shops from where the crowd's own is told; until cancelled.

        An answer that can't be had is waited for.

        Raises:
            OSError: how far the past is told can't be noted.
        """
        async with asyncio.TaskGroup() as both:
            telling = both.create_task(self._past.tell())
            both.create_task(self._shop(telling))

    async def _shop(self, telling: asyncio.Task[None]) -> None:
        """Shops until cancelled, once there is nothing of the crowd's past left to tell."""
        told = asyncio.ensure_future(self._past.is_crowd_told.wait())
        await asyncio.wait((told, telling), return_when=asyncio.FIRST_COMPLETED)
        trips = [
            shopping(shopper_id, self._goods, random.Random(SEED + number))  # noqa: S311 - no secret
            for number, shopper_id in enumerate(CROWD)
        ]
        async with httpx.AsyncClient(auth=(self._key, ""), timeout=ANSWER_TIMEOUT_S, trust_env=False) as hotbasket:
            for trip in itertools.cycle(trips):
                event = next(trip)
                while not await self._post(hotbasket, event):  # noqa: ASYNC110 - the answer is what is waited for
                    await asyncio.sleep(PAUSE_S)
                await asyncio.sleep(1 / EVENTS_PER_S)

    async def _post(self, hotbasket: httpx.AsyncClient, event: Event) -> bool:
        """Tells whether the event is done with: stored, or refused for good."""
        started = time.perf_counter()
        try:
            answer = await hotbasket.post(self._url, json=event, headers={"prefer": "wait=1"})
        except httpx.HTTPError:
            return False
        if answer.is_success:
            shown = len(answer.json().get("experiences", ()))
            self.tally.stored(shown, (time.perf_counter() - started) * 1_000)
        return answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code not in (
            httpx.codes.REQUEST_TIMEOUT,
            httpx.codes.TOO_MANY_REQUESTS,
        )


def shopping(shopper_id: str, goods: Goods, lots: random.Random) -> Iterator[Event]:
    """Gives one shopper's events for ever, trip after trip; a trip ends with a paid order or with leaving.

    Args:
        shopper_id: technical id; what this shopper likes is what it always was.
        goods: what there is to buy.
        lots: this shopper's own source of chance.
    """
    shopper = Shopper(shopper_id, goods)
    basket: Basket = {}

    def write(kind: str, **fields: Any) -> Event:
        occurred_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        common = {"event_id": str(uuid4()), "type": kind, "occurred_at": occurred_at, "shopper_id": shopper_id}
        return common | {"consent": "granted"} | fields

    while True:
        order_id = f"crowd-{uuid4().hex[:12]}" if lots.random() < 0.8 else None
        wants = shopper.wants(lots, {}, datetime.now(UTC).date(), season(goods))
        yield from trip(wants, basket, lots, write, {}, order_id)
