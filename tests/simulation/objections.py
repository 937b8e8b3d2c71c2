"""Shoppers of a run who object, are forgotten, and come back: records as a privacy worker appends them.

The gateways of a run know no list, as one that has lost its control store: what shoppers do meanwhile is taken, and it
is the actors' part to pass over it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID

from domain.events import InsideEvent, ShopperErased, ShopperSuppressed, ShopperUnsuppressed
from domain.ids import ShopperKey, bucket
from domain.records import encode, inside_record
from domain.timestamps import from_unix_ms
from tests.simulation.system import System

SHARE = 0.4
"""Of the runs, in which somebody objects."""
_PEOPLE_S = 0.8


class Objections:
    """Makes requests about the shoppers of a run."""

    def __init__(self, system: System, keys: Sequence[ShopperKey], draw: random.Random) -> None:
        self._system = system
        self._keys = keys
        self._draw = draw
        self._written: list[tuple[int, bytes]] = []
        self.is_over = False

    async def govern(self) -> None:
        """Appends what requests bring until it is over, now and then once more, as a worker does that had died."""
        while not self.is_over:
            await asyncio.sleep(self._draw.expovariate(1 / _PEOPLE_S))
            if self.is_over:
                return
            if self._written and self._draw.random() < 0.2:
                self._write(*self._draw.choice(self._written))
                continue
            key = self._draw.choice(self._keys)
            record = inside_record(key.retailer_id, self._event(key), self._system.world.now_ms())
            place = bucket(key.shopper) % self._system.broker.partitions, encode(record)
            self._written.append(place)
            self._write(*place)
            self._system.sky.trace(f"{type(record.event).__name__} of {key.shopper[:8]}")

    def _event(self, key: ShopperKey) -> InsideEvent:
        event_id = UUID(int=self._draw.getrandbits(128), version=4)
        at = from_unix_ms(self._system.world.now_ms())
        kind = self._draw.choice((ShopperSuppressed, ShopperErased, ShopperErased, ShopperUnsuppressed))
        if kind is ShopperErased:
            stays = self._draw.random() < 0.5
            return ShopperErased(event_id=event_id, occurred_at=at, shopper_id=key.shopper, stays_suppressed=stays)
        return kind(event_id=event_id, occurred_at=at, shopper_id=key.shopper)

    def _write(self, partition: int, payload: bytes) -> None:
        self._system.broker.events[partition].write([payload])
        _ = self._system.broker.flushing()
