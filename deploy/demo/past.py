"""The demo shop's past: thirty days in which shoppers with hidden tastes went shopping, for the night to learn from.

It is told once to a new data directory, through the endpoint that every shop's server uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID, uuid5

import httpx
import msgspec
import structlog
from msgspec import Struct, structs

from deploy.demo.goods import Good, Goods
from deploy.demo.habits import Shopper, taste_of
from deploy.demo.tastes import PERSONAS
from deploy.demo.trip import Basket, Event, trip

__all__ = ["CROWD", "DAYS", "SHOPPERS", "Past", "promotions", "season", "taste_of", "trips"]

DAYS: Final = 30
SEED: Final = 20_261
CROWD: Final = tuple(f"demo-crowd-{number:02}" for number in range(12))
SHOPPERS: Final = (*(taste.shopper for taste in PERSONAS), *CROWD, *(f"demo-past-{number:02}" for number in range(200)))
"""Everybody with a past. Personas come first: whoever opens the shop soon finds theirs told."""
NOW: Final = len(PERSONAS) + len(CROWD)
"""The first so many of them shop now; the others come again once all is told."""
MARKER: Final = "demo.past"
SEASON_DAYS, SEASON_GOODS = 16, 6
BATCH: Final = 50
EVENTS_PER_S: Final = 600.0
ANSWER_TIMEOUT_S: Final = 10.0
PAUSE_S, PAUSE_MAX_S = 2.0, 30.0
"""After an answer that took nothing and did not say how long to wait, and at most."""
_NAMESPACE: Final = UUID("8d4a0f5e-1c06-5c0b-9a55-0f3f5f6f8c11")
log = structlog.get_logger("hotbasket.demo")


def trips(goods: Goods, shoppers: Sequence[str], days: int, end: datetime, seed: int) -> Iterator[Event]:
    """Gives the events of a past as they are posted: shopper after shopper, each in the order of time.

    Equal arguments give equal events, ids included.

    Args:
        goods: what there was to buy.
        shoppers: technical ids; `taste_of` tells what each is like.
        days: whole UTC days before the one of `end`.
        end: with zone; nothing happens on its UTC day or later.
        seed: of all that is left to chance, tastes apart.
    """
    weekly = cache(lambda monday: promotions(goods, monday, seed))
    for shopper_id in shoppers:
        yield from _life(Shopper(shopper_id, goods), days, end.astimezone(UTC).date(), seed, weekly, goods)


def promotions(goods: Goods, monday: date, seed: int) -> dict[str, int]:
    """Gives the percent off by product id in the week from a Monday on; most products have none."""
    lots = Random(f"{seed} promotions {monday}")  # noqa: S311 - no secret
    return {good.product_id: lots.choice((10, 20, 30)) for good in goods.products if lots.random() < 0.2}


def season(goods: Goods) -> tuple[Good, ...]:
    """Gives the goods of the season that began SEASON_DAYS before the past ended, and goes on."""
    return tuple(Random(f"{SEED} season").sample(goods.products, SEASON_GOODS))  # noqa: S311 - no secret


def _life(
    shopper: Shopper, days: int, end: date, seed: int, weekly: Callable[[date], dict[str, int]], goods: Goods
) -> Iterator[Event]:
    lots = Random(f"{seed} {shopper.shopper_id}")  # noqa: S311 - no secret
    habit = shopper.habit
    dates = [end - timedelta(days=back) for back in range(days, 0, -1)]
    chosen = [day for day in dates if lots.random() < (0.9 if day.weekday() == habit.weekday else habit.often)]
    diary = _Diary(shopper.shopper_id, seed, lots)
    basket: Basket = {}
    for day in chosen:
        diary.now = datetime.combine(day, time(lots.randint(7, 19), lots.randrange(60)), UTC)
        pays = day == chosen[-1] or lots.random() < 0.92
        order_id = f"past-{shopper.shopper_id}-{day:%m%d}" if pays else None
        percents = weekly(day - timedelta(days=day.weekday()))
        in_season = season(goods) if day >= end - timedelta(days=SEASON_DAYS) else ()
        wants = shopper.wants(lots, percents, day, in_season)
        yield from trip(wants, basket, lots, diary.write, percents, order_id)


class _Diary:
    """Writes one shopper's events, each a while after the last; ids follow from seed, shopper and number.

    Attributes:
        now: when the next event is due.
    """

    def __init__(self, shopper_id: str, seed: int, lots: Random) -> None:
        self.now = datetime.min.replace(tzinfo=UTC)
        self._shopper_id = shopper_id
        self._seed = seed
        self._lots = lots
        self._written = 0

    def write(self, kind: str, **fields: Any) -> Event:
        """Gives an event of a type."""
        event_id = uuid5(_NAMESPACE, f"{self._seed} {self._shopper_id} {self._written}")
        occurred_at = self.now.isoformat(timespec="milliseconds")
        self._written += 1
        self.now += timedelta(milliseconds=self._lots.randint(4_000, 40_000))
        common = {"event_id": str(event_id), "type": kind, "occurred_at": occurred_at, "shopper_id": self._shopper_id}
        return common | {"consent": "granted"} | fields


class _Told(Struct, frozen=True, kw_only=True):
    """How far the telling has come, in the marker file.

    Attributes:
        retailer_id: whose past; another's marker counts for nothing.
        end: of the past, so that a later start goes on with the same one.
        told: events that are stored.
        of: of how many.
    """

    retailer_id: str
    end: datetime
    told: int = 0
    of: int = 0


class Past:
    """Tells the past, once in the life of a data directory; a start that was cut short is gone on with.

    Args:
        base_url: where hotbasket answers.
        secret_key: of the demo retailer.
        retailer_id: the demo retailer.
        goods: what there was to buy.
        marker: file that remembers how far it has come.

    Attributes:
        is_crowd_told: set when that of who shops now is told.
        told: set when all of it is.
    """

    def __init__(self, base_url: str, secret_key: str, retailer_id: str, goods: Goods, marker: Path) -> None:
        self._url = f"{base_url}/v1/events"
        self._key = secret_key
        self._goods = goods
        self._marker = marker
        self.is_crowd_told = asyncio.Event()
        self.told = asyncio.Event()
        self._at = _read(marker, retailer_id) or _Told(retailer_id=retailer_id, end=datetime.now(UTC))

    def progress(self) -> dict[str, int]:
        """Gives how many events are told, of how many; 0 of 0 before it began."""
        return {"done": self._at.told, "of": self._at.of}

    @property
    def is_told(self) -> bool:
        """Whether all of it is."""
        return 0 < self._at.of <= self._at.told

    async def tell(self) -> None:
        """Posts what is not told yet, in order: of who shops now at once, the rest at EVENTS_PER_S.

        Answers that can't be had are waited for.

        Raises:
            OSError: the marker can't be written.
        """
        if self.is_told:
            self.is_crowd_told.set()
            self.told.set()
            return
        async with httpx.AsyncClient(auth=(self._key, ""), timeout=ANSWER_TIMEOUT_S, trust_env=False) as hotbasket:
            at_once = {*(taste.shopper for taste in PERSONAS), *CROWD}
            first = sum(shopper in at_once for shopper in SHOPPERS)
            events = await asyncio.to_thread(self._lived, SHOPPERS[:first])
            await self._tell(hotbasket, events, pause_s=0)
            self.is_crowd_told.set()
            events += await asyncio.to_thread(self._lived, SHOPPERS[first:])
            self._at = structs.replace(self._at, of=len(events))
            await self._tell(hotbasket, events, pause_s=BATCH / EVENTS_PER_S)
        self.told.set()
        log.info("past told", events=len(events), shoppers=len(SHOPPERS), days=DAYS)

    def _lived(self, shoppers: Sequence[str]) -> list[Event]:
        return list(trips(self._goods, shoppers, DAYS, self._at.end, SEED))

    async def _tell(self, hotbasket: httpx.AsyncClient, events: list[Event], pause_s: float) -> None:
        """Posts what is not told yet of these events, with a pause after each batch."""
        while self._at.told < len(events):
            batch = events[self._at.told : self._at.told + BATCH]
            while (wait_s := await self._post(hotbasket, batch)) is not None:  # noqa: ASYNC110 - as in the crowd
                await asyncio.sleep(wait_s)
            self._at = structs.replace(self._at, told=self._at.told + len(batch))
            _write(self._marker, self._at)
            await asyncio.sleep(pause_s)

    async def _post(self, hotbasket: httpx.AsyncClient, batch: list[Event]) -> float | None:
        """Gives the seconds to wait before the batch is posted again; None when it is done with."""
        try:
            answer = await hotbasket.post(self._url, json={"events": batch})
        except httpx.HTTPError:
            return PAUSE_S
        if answer.is_success:
            refused = sum(result["status"] != "stored" for result in answer.json()["results"])
        elif answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or answer.status_code in (
            httpx.codes.REQUEST_TIMEOUT,
            httpx.codes.TOO_MANY_REQUESTS,
        ):
            return _retry_after_s(answer)
        else:
            refused = len(batch)
        if refused:
            log.warning("past refused", events=refused, status=answer.status_code)
        return None


def _retry_after_s(answer: httpx.Response) -> float:
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), PAUSE_MAX_S) if asked.isdecimal() else PAUSE_S


def _read(marker: Path, retailer_id: str) -> _Told | None:
    try:
        told = msgspec.json.decode(marker.read_bytes(), type=_Told)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return told if told.retailer_id == retailer_id else None


def _write(marker: Path, told: _Told) -> None:
    """Writes the file whole or not at all; after a crash a batch may be told twice, which its ids absorb."""
    fresh = marker.with_suffix(".past-new")
    fresh.write_bytes(msgspec.json.encode(told))
    fresh.replace(marker)
