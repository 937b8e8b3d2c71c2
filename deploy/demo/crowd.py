"""Simulated shoppers who fill the demo: each shops by a taste of its own and posts to the real endpoint."""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx

from deploy.demo import past
from deploy.demo.buyer import Buyer
from deploy.demo.goods import Goods
from deploy.demo.past import CROWD, Past
from deploy.demo.till import Till
from deploy.demo.trip import Event

EVENTS_PER_S: Final = 5.0
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

    Once the past is told, those who were only in it come again: each place in the shop is one of the crowd's and one of
    theirs in turn, so that campaigns meet more than a dozen people.

    Args:
        hotbasket: asks with the secret key: these events come from a server, which may wait for experiences.
        till: takes their money.
        goods: what there is to buy.
        told: the past of the shop; told before anybody shops.

    Attributes:
        tally: of what they did.
        past: the same.
    """

    def __init__(self, hotbasket: httpx.AsyncClient, till: Till, goods: Goods, told: Past) -> None:
        self.tally = Tally()
        self._hotbasket = hotbasket
        self._till = till
        self._goods = goods
        self.past = told
        self._buyers: dict[str, Buyer] = {}
        self._returning = itertools.count()

    async def run(self) -> None:
        """Tells the past, and shops from where the crowd's own is told; until cancelled.

        An answer that can't be had is waited for.

        Raises:
            OSError: how far the past is told can't be noted.
        """
        async with asyncio.TaskGroup() as both:
            telling = both.create_task(self.past.tell())
            both.create_task(self._shop(telling))

    async def _shop(self, telling: asyncio.Task[None]) -> None:
        """Shops until cancelled, once there is nothing of the crowd's past left to tell."""
        told = asyncio.ensure_future(self.past.is_crowd_told.wait())
        await asyncio.wait((told, telling), return_when=asyncio.FIRST_COMPLETED)
        for place in itertools.cycle([self._visits(shopper_id) for shopper_id in CROWD]):
            buyer, event = next(place)
            while (shown := await self._post(event)) is None:  # noqa: ASYNC110 - the answer is what is waited for
                await asyncio.sleep(PAUSE_S)
            buyer.hear(shown)
            await asyncio.sleep(1 / EVENTS_PER_S)

    def _visits(self, regular: str) -> Iterator[tuple[Buyer, Event]]:
        """Gives what is done in one place of the shop, for ever: one of the crowd's goes shopping, then a guest."""
        while True:
            for shopper_id in (regular, self._guest()):
                if shopper_id is not None:
                    buyer = self._buyer(shopper_id)
                    buyer.enter()
                    while (event := buyer.next()) is not None:
                        yield buyer, event

    def _guest(self) -> str | None:
        """Gives the next of those who were only in the past; None while it is not told, or where it had no others."""
        others = past.SHOPPERS[past.NOW :]
        return others[next(self._returning) % len(others)] if others and self.past.is_told else None

    def _buyer(self, shopper_id: str) -> Buyer:
        if shopper_id not in self._buyers:
            lots = random.Random(f"{SEED} {shopper_id}")  # noqa: S311 - no secret
            self._buyers[shopper_id] = Buyer(shopper_id, self._goods, lots)
        return self._buyers[shopper_id]

    async def _post(self, event: Event) -> Sequence[Mapping[str, Any]] | None:
        """Gives what a stored event brought, nothing where it was refused for good; None if it has to be sent again."""
        started = time.perf_counter()
        answer = await (self._pay(event) if event["type"] == "OrderPaid" else self._send(event))
        if answer is None:
            return None
        if answer.is_success:
            shown: list[dict[str, Any]] = answer.json().get("experiences", [])
            self.tally.stored(len(shown), (time.perf_counter() - started) * 1_000)
            return shown
        is_over = answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR and answer.status_code not in (
            httpx.codes.REQUEST_TIMEOUT,
            httpx.codes.TOO_MANY_REQUESTS,
        )
        return () if is_over else None

    async def _send(self, event: Event) -> httpx.Response | None:
        try:
            return await self._hotbasket.post("/v1/events", json=event, headers={"prefer": "wait=1"})
        except httpx.HTTPError:
            return None

    async def _pay(self, order: Event) -> httpx.Response | None:
        """Takes off what was promised and pays the rest."""
        quoted = await self._till.quote(order["shopper_id"], order["lines"])
        if quoted is None:
            return None
        return await self._till.post(order | {"total_minor": max(0, order["total_minor"] - quoted["total_minor"])})
