"""Makes what exports ask for: one document a shopper, sealed and kept; the privacy worker's third part."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from adapters.sealed_exports import ExportSealer
from adapters.sealed_shoppers import Sealer
from adapters.settings import Settings
from adapters.wiring import Ports
from batch.shopper_data import WarehouseData
from deploy.erasing import AGAIN_S, AGAIN_S_MAX, tell_done
from deploy.past import GATHERED_S, PastReader
from deploy.shopper_export import Gathered, Json, export, gather, slim
from domain.errors import HotbasketError, PortError, Refused
from domain.ids import ShopperKey
from domain.ports.clock import Clock
from domain.ports.exports import Export
from domain.ports.privacy_requests import Request, Subject

WORK_S: Final = 1.0
"""Of one look at all exports: then whoever has asked for something else gets a turn."""
DOCUMENT_WITHIN_S: Final = 60.0
SEALED_BYTES_MAX: Final = 16 * 1_024 * 1_024
"""Of a document that is kept, some 100 MB of JSON: a larger one is made again without what is many."""
ROWS_MAX: Final = 200_000
"""Of a shopper's past in a document that is kept: they are held in memory."""
EXPIRE_S: Final = 60.0
_DAY_MS: Final = 86_400_000


class Exporter:
    """Works on the exports that are open, each in its turn; whatever was made is not made again.

    Args:
        ports: opened; it reads every store.
        settings: for how long things are kept.
        clock: dates documents.
        warehouse: where the past is; None = nothing says where, which documents say.
        sealed_bytes_max: of a document that is kept.
    """

    def __init__(
        self,
        ports: Ports,
        settings: Settings,
        clock: Clock,
        warehouse: WarehouseData | None = None,
        *,
        sealed_bytes_max: int = SEALED_BYTES_MAX,
    ) -> None:
        self._ports = ports
        self._settings = settings
        self._clock = clock
        self._past = PastReader(warehouse, clock, ROWS_MAX)
        self._sealed_bytes_max = sealed_bytes_max
        self._worked_s: dict[str, float] = {}
        self._again: dict[str, tuple[float, float]] = {}
        self._failed: dict[str, set[str]] = {}
        self._gathered: tuple[str, float, Gathered] | None = None
        self._expire_s = 0.0

    async def work(self, requests: Sequence[Request]) -> None:
        """Makes documents for about WORK_S, one at least; who was not worked on for longest comes first.

        Args:
            requests: every export that is open.

        Raises:
            HotbasketError, TimeoutError: of the first request that failed; it waits a while, and the others go on.
        """
        for gone in self._worked_s.keys() - {one.request_id for one in requests}:
            self._forget(gone)
        ends_s = self._clock.monotonic_s() + WORK_S
        first: Exception | None = None
        in_turn = sorted(requests, key=lambda one: self._worked_s.get(one.request_id, 0.0))
        for number, request in enumerate(in_turn):
            now_s = self._clock.monotonic_s()
            at_s, wait_s = self._again.get(request.request_id, (0.0, AGAIN_S))
            if now_s < at_s:
                continue
            if now_s >= ends_s:
                break
            self._worked_s[request.request_id] = now_s
            try:
                await self._go_on(request, now_s + (ends_s - now_s) / (len(in_turn) - number))
            except (HotbasketError, TimeoutError) as error:
                first = first or error
                self._again[request.request_id] = (self._clock.monotonic_s() + wait_s, min(2 * wait_s, AGAIN_S_MAX))
            else:
                self._again.pop(request.request_id, None)
        if first is not None:
            raise first

    async def expire(self) -> None:
        """Removes the documents whose time is over, looking once a minute.

        Raises:
            PortError: they can't be removed now.
        """
        now_s = self._clock.monotonic_s()
        if now_s >= self._expire_s:
            await self._ports.exports.expire(self._clock.now_ms())
            self._expire_s = now_s + EXPIRE_S

    async def _go_on(self, request: Request, ends_s: float) -> None:
        """Makes the documents that are missing, until a moment; the request is done when none is."""
        made = {one.digest for one in await self._ports.exports.made(request.request_id)}
        subjects = await self._ports.privacy.subjects(request.request_id)
        failed = self._failed.setdefault(request.request_id, set())
        # Whoever's document can't be made keeps nobody else's waiting.
        missing = sorted((one for one in subjects if one.digest not in made), key=lambda one: one.digest in failed)
        for number, subject in enumerate(missing):
            if number and self._clock.monotonic_s() >= ends_s:
                return
            gathered = await self._gather(request, missing)
            try:
                async with asyncio.timeout(DOCUMENT_WITHIN_S):
                    await self._make(request, missing[number:], gathered)
            except TimeoutError:
                failed.add(subject.digest)
                why = f"a shopper's document was not made within {DOCUMENT_WITHIN_S:.0f} s"
                raise PortError(why, retriable=True) from None
            except HotbasketError:
                failed.add(subject.digest)
                raise
        now_ms = self._clock.now_ms()
        await self._ports.privacy.advance(request.request_id, "done", now_ms)
        self._forget(request.request_id)
        tell_done(request, now_ms)

    async def _make(self, request: Request, missing: Sequence[Subject], gathered: Gathered) -> None:
        """Makes the first one's document; what can be read for those behind it at the same time is."""
        privacy_key = self._ports.identity.privacy_key(request.retailer_id)
        subject, sealer = missing[0], Sealer(privacy_key)
        key = ShopperKey(request.retailer_id, sealer.shopper(subject))
        past = await self._past.of(key, _keys(request.retailer_id, sealer, missing[1:]))
        retailer = self._ports.retailers.current().retailers[request.retailer_id]
        # As of the first thing that was read: whoever was erased since then is not exported.
        made_at_ms = min(past.at_ms, gathered.at_ms, self._clock.now_ms())
        document = await export(self._ports, retailer, key, self._settings, made_at_ms, _silent, past, gathered)
        place = request.request_id, subject.digest
        sealed = await asyncio.to_thread(_sealed, privacy_key, document, *place)
        if len(sealed) > self._sealed_bytes_max:
            sealed = await asyncio.to_thread(_sealed, privacy_key, slim(document), *place)
        until_ms = made_at_ms + self._settings.export_days * _DAY_MS
        await self._ports.exports.keep(*place, Export(sealed, made_at_ms, until_ms))

    async def _gather(self, request: Request, missing: Sequence[Subject]) -> Gathered:
        now_s = self._clock.monotonic_s()
        if self._gathered is not None:
            request_id, at_s, gathered = self._gathered
            if request_id == request.request_id and now_s < at_s + GATHERED_S:
                return gathered
        gathered = await gather(self._ports, request.retailer_id, {one.digest for one in missing}, self._clock.now_ms())
        self._gathered = (request.request_id, now_s, gathered)
        return gathered

    def _forget(self, request_id: str) -> None:
        self._worked_s.pop(request_id, None)
        self._again.pop(request_id, None)
        self._failed.pop(request_id, None)
        if self._gathered is not None and self._gathered[0] == request_id:
            self._gathered = None


def _keys(retailer_id: str, sealer: Sealer, subjects: Sequence[Subject]) -> Iterator[ShopperKey]:
    """Gives the shoppers who can be opened; of the others their own turn tells."""
    for subject in subjects:
        with suppress(Refused):
            yield ShopperKey(retailer_id, sealer.shopper(subject))


def _sealed(privacy_key: bytes, document: Json, request_id: str, digest: str) -> bytes:
    return ExportSealer(privacy_key).seal(msgspec.json.encode(document), request_id, digest)


def _silent(_: int, __: int) -> None:
    """Nobody watches."""
