"""Takes an erasure from its tombstones to its last receipt; the privacy worker's second half."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, NamedTuple

import structlog
from msgspec.structs import replace

from adapters.sealed_shoppers import Sealer
from domain.errors import PortError
from domain.ids import BEGINNING, Position, ShopperHash, ShopperKey
from domain.ports.clock import Clock
from domain.ports.erasures import Erasures, Receipt, Tombstone
from domain.ports.event_log import EventLog, Place
from domain.ports.event_store import EventStore
from domain.ports.privacy_requests import PrivacyRequests, Request, Stage
from domain.ports.shopper_data import Erased, ShopperData, Visit
from domain.privacy import receipt_after, tombstone_of, unvisited
from domain.records import Record

AT_ONCE: Final = 50
PAUSE_S: Final = 0.05
"""Records are appended so many at once, with a pause behind: events of other shoppers get their turn in between."""
APPEND_WITHIN_S: Final = 30.0
AGAIN_S, AGAIN_S_MAX = 5.0, 600.0
"""Between two visits of stores that hold something back: doubled each time, up to ten minutes."""
SETTLED_VISITS: Final = 3
SETTLED_MS: Final = 6 * 3_600_000
"""Whoever holds nothing after so many visits is asked every so often, until the others, of which a log takes days, hold
nothing either."""
_MS = 1_000
_AWAY: Final = "the store, which can't be used now"

log = structlog.get_logger("hotbasket.privacy")


class Places(NamedTuple):
    """Where an erasure is known and done.

    Attributes:
        requests, erasures: what is known of it.
        events: where tombstones are appended, and how far workers are.
        archive: how far the archiver is.
        data: every store that holds something of shoppers, in the order in which they are visited.
        late_s: for how long after a gateway's word an append that began before it may still come through.
    """

    requests: PrivacyRequests
    erasures: Erasures
    events: EventLog
    archive: EventStore
    data: Sequence[ShopperData]
    late_s: float


class Eraser:
    """Erases the shoppers of requests, each step of which may be repeated.

    Args:
        places: see there.
        privacy_key: gives a retailer's privacy key.
        clock: dates tombstones, stages and receipts.
    """

    def __init__(self, places: Places, privacy_key: Callable[[str], bytes], clock: Clock) -> None:
        self._places = places
        self._privacy_key = privacy_key
        self._clock = clock
        self._again: dict[str, tuple[float, float]] = {}

    async def work(self, request: Request) -> None:
        """Takes a request that every gateway goes by as far as it goes now.

        Raises:
            PortError: something can't be used now; what was done is noted.
            Refused: a shopper can't be opened.
            TimeoutError: the event log does not answer.
        """
        if request.stage == "tombstones" and self._clock.now_ms() >= request.stage_at_ms + self._places.late_s * _MS:
            await self._bury(request)
            request = await self._advance(request, "workers")
        if request.stage == "workers" and await self._are_past(request):
            request = await self._advance(request, "stores")
        if request.stage == "stores":
            await self._visit(request)

    async def _bury(self, request: Request) -> None:
        """Appends the tombstones that are missing, and notes where each stands."""
        buried = {one.digest for one in await self._places.erasures.tombstones(request.request_id)}
        async for shoppers in self._shoppers(request):
            some = [one for one in shoppers if one[0] not in buried]
            if not some:
                continue
            now_ms = self._clock.now_ms()
            records = [tombstone_of(request, digest, shopper, now_ms) for digest, shopper in some]
            places = await append_gently(self._places.events, records)
            tombstones = [Tombstone(digest, place, now_ms) for (digest, _), place in zip(some, places, strict=True)]
            await self._places.erasures.bury(request.request_id, tombstones)

    async def _are_past(self, request: Request) -> bool:
        """Tells whether snapshots and archive hold everything up to every tombstone."""
        last: dict[int, tuple[Position, int]] = {}
        for _, place, at_ms in await self._places.erasures.tombstones(request.request_id):
            position, before_ms = last.get(place.partition, (place.position, at_ms))
            last[place.partition] = (max(position, place.position), max(before_ms, at_ms))
        watermarks = await self._places.archive.watermarks()
        for partition, (position, at_ms) in last.items():
            if watermarks.get(partition, 0) <= at_ms:
                return False
            if await self._through(partition) < position:
                return False
        return True

    async def _through(self, partition: int) -> Position:
        """Gives how far the snapshots of a partition are."""
        committed = await self._places.events.committed(partition)
        return BEGINNING if committed is None else committed.through

    async def _visit(self, request: Request) -> None:
        """Visits every store; the request is done when none of them finds anything any more."""
        at_s, wait_s = self._again.get(request.request_id, (0.0, AGAIN_S))
        if self._clock.monotonic_s() < at_s:
            return
        hashes = {digest: shopper async for some in self._shoppers(request) for digest, shopper in some}
        tombstones = await self._places.erasures.tombstones(request.request_id)
        through = {
            number: await self._through(number) for number in sorted({one.place.partition for one in tombstones})
        }
        erased = [
            Erased(
                key=ShopperKey(request.retailer_id, hashes[digest]),
                place=place,
                at_ms=at_ms,
                past_ms=request.stage_at_ms,
                through=through[place.partition],
            )
            for digest, place, at_ms in tombstones
        ]
        visits, fault = await self._visits(request, erased)
        if fault is None and not any(visit.found or visit.left for visit in visits):
            self._again.pop(request.request_id, None)
            await self._advance(request, "done")
            return
        if fault is not None or any(visit.left for visit in visits):
            self._again[request.request_id] = (self._clock.monotonic_s() + wait_s, min(2 * wait_s, AGAIN_S_MAX))
        if fault is not None:
            raise fault

    async def _visits(self, request: Request, erased: Sequence[Erased]) -> tuple[list[Visit], Exception | None]:
        """Gives what each store said, and why the first one that said nothing did not.

        Nothing is found, and nothing left, only where all of them were asked in one round.
        """
        receipts = {one.store: one for one in await self._places.erasures.receipts(request.request_id)}
        now_ms = self._clock.now_ms()
        stores = [store for store in self._places.data if not _is_settled(receipts.get(store.name), now_ms)]
        visits, fault = await self._round(request, erased, stores, receipts)
        if fault is None and len(stores) < len(self._places.data) and not any(one.found or one.left for one in visits):
            receipts = {one.store: one for one in await self._places.erasures.receipts(request.request_id)}
            return await self._round(request, erased, self._places.data, receipts)
        return visits, fault

    async def _round(
        self,
        request: Request,
        erased: Sequence[Erased],
        stores: Sequence[ShopperData],
        receipts: Mapping[str, Receipt],
    ) -> tuple[list[Visit], Exception | None]:
        visits: list[Visit] = []
        fault: Exception | None = None
        for store in stores:
            before, now_ms = receipts.get(store.name), self._clock.now_ms()
            try:
                visits.append(await store.erase(erased))
                receipt = receipt_after(before, store.name, visits[-1], now_ms)
            except (PortError, TimeoutError) as error:
                fault = fault or error
                receipt = replace(before or unvisited(store.name, now_ms), waits_for=_AWAY)
            await self._places.erasures.note(request.request_id, receipt)
        return visits, fault

    def _shoppers(self, request: Request) -> AsyncIterator[Sequence[tuple[str, ShopperHash]]]:
        return shoppers_of(request, self._places.requests, self._privacy_key(request.retailer_id))

    async def _advance(self, request: Request, stage: Stage) -> Request:
        now_ms = self._clock.now_ms()
        await self._places.requests.advance(request.request_id, stage, now_ms)
        if stage == "done":
            tell_done(request, now_ms)
        return replace(request, stage=stage, stage_at_ms=now_ms)


def _is_settled(receipt: Receipt | None, now_ms: int) -> bool:
    """Tells whether a store need not be asked in this round."""
    if receipt is None or receipt.left or receipt.waits_for:
        return False
    return receipt.visits >= SETTLED_VISITS and now_ms < receipt.at_ms + SETTLED_MS


async def shoppers_of(
    request: Request, requests: PrivacyRequests, privacy_key: bytes
) -> AsyncIterator[Sequence[tuple[str, ShopperHash]]]:
    """Gives a request's shoppers, digest and hash, some at a time: opening thousands would stop the event loop.

    Raises:
        PortError: the request can't be read now.
        Refused: a shopper can't be opened.
    """
    sealer = Sealer(privacy_key)
    subjects = await requests.subjects(request.request_id)
    for first in range(0, len(subjects), AT_ONCE):
        yield [(subject.digest, sealer.shopper(subject)) for subject in subjects[first : first + AT_ONCE]]
        await asyncio.sleep(0)


async def append_gently(events: EventLog, records: Sequence[Record]) -> Sequence[Place]:
    """Appends some records, and pauses; gives their places.

    Raises:
        PortError: they may be in the log or not.
        TimeoutError: the log does not answer.
    """
    async with asyncio.timeout(APPEND_WITHIN_S):
        places = await events.append(records)
    await asyncio.sleep(PAUSE_S)
    return places


def tell_done(request: Request, now_ms: int) -> None:
    """Logs that a request is done."""
    log.info(
        "privacy request done",
        request_id=request.request_id,
        kind=request.kind,
        shoppers=request.shoppers,
        seconds=(now_ms - request.opened_at_ms) / _MS,
    )
