"""Does what privacy requests ask for: appends their records, sees when every gateway goes by the list, erases, exports.

One runs in a system, as a process of its own or inside `hotbasket run`. Two beside each other do no harm: what both
append has the same ids, and the second of them is absorbed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import product

import structlog

from adapters.settings import Settings
from adapters.wiring import Ports
from batch.shopper_data import WarehouseData
from deploy.erasing import Eraser, Places, append_gently, shoppers_of, tell_done
from deploy.exporting import Exporter
from deploy.warehouse_place import in_order
from domain.errors import HotbasketError, PortError
from domain.ports.clock import Clock
from domain.ports.event_log import EventLog
from domain.ports.privacy_requests import ERASING, GatewayWords, PrivacyRequests, Request
from domain.privacy import KINDS, is_in_force, record_of
from monitoring.labels import STAGES
from monitoring.metrics import PrivacyMetrics

LOOK_S = 1.0
"""Between two looks."""
ERASE_S = 5.0
"""Of one look at all erasures: then whoever has asked for something else gets a turn."""
_MS = 1_000

log = structlog.get_logger("hotbasket.privacy")


class PrivacyWorker:
    """Works through the requests that are open, oldest first, again and again.

    Args:
        requests: the port.
        words: what gateways have confirmed.
        events: where records are appended.
        privacy_key: gives a retailer's privacy key.
        clock: dates records and stages.
        metrics: says how many requests are open, and since when.
        eraser: takes erasures on once every gateway goes by them.
        exporter: makes what exports ask for.
    """

    def __init__(
        self,
        requests: PrivacyRequests,
        words: GatewayWords,
        events: EventLog,
        privacy_key: Callable[[str], bytes],
        clock: Clock,
        metrics: PrivacyMetrics,
        eraser: Eraser,
        exporter: Exporter,
    ) -> None:
        self._requests = requests
        self._words = words
        self._events = events
        self._privacy_key = privacy_key
        self._clock = clock
        self._metrics = metrics
        self._eraser = eraser
        self._exporter = exporter
        self._erased_s: dict[str, float] = {}
        self._fault = ""
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Works until `stop`; what fails is tried again."""
        while not self._stopping.is_set():
            fault = await self._tried(self.look(), "")
            if fault is None:
                self._fault = ""
            else:
                self._failed(str(fault) or "the event log does not answer")
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def stop(self) -> None:
        """Asks `run` to return."""
        self._stopping.set()

    async def look(self) -> None:
        """Takes every open request as far as it goes now.

        A retailer's records are appended in the order of its requests: where one can't be, those behind it wait.

        Raises:
            HotbasketError: the first request that failed; those of other retailers were looked at all the same.
        """
        pending = await self._requests.pending()
        self._tell(pending)
        stuck: set[str] = set()
        appended: list[Request] = []
        first: Exception | None = None
        for request in pending:
            if request.stage == "log" and request.retailer_id not in stuck:
                fault = await self._tried(self._append(request), request.request_id)
                if fault is None:
                    appended.append(request)
                else:
                    stuck.add(request.retailer_id)
                    first = first or fault
            elif request.stage == "gateways":
                appended.append(request)
        if appended:
            await self._finish(appended)
        # Stores take their time: whoever has just asked does not wait behind an erasure of last week.
        late = (
            await self._erase([one for one in pending if one.kind in ERASING and one.stage not in ("log", "gateways")]),
            await self._tried(self._export([one for one in pending if one.kind == "export"]), ""),
        )
        first = next((fault for fault in (first, *late) if fault is not None), None)
        if first is not None:
            raise first

    async def _erase(self, requests: Sequence[Request]) -> Exception | None:
        """Goes on with erasures for a moment, one at least, whose turn is longest ago first; gives the first fault."""
        self._erased_s = {one.request_id: self._erased_s.get(one.request_id, 0.0) for one in requests}
        ends_s = self._clock.monotonic_s() + ERASE_S
        first: Exception | None = None
        for request in sorted(requests, key=lambda one: self._erased_s[one.request_id]):
            now_s = self._clock.monotonic_s()
            if now_s >= ends_s:
                break
            self._erased_s[request.request_id] = now_s
            fault = await self._tried(self._eraser.work(request), request.request_id)
            first = first or fault
        return first

    async def _tried(self, work: Awaitable[None], request_id: str) -> Exception | None:
        """Gives why it failed, None where it did not: one request's fault, even a bug, keeps no other waiting."""
        try:
            await work
        except (HotbasketError, TimeoutError) as error:
            return error
        except Exception:
            log.exception("a privacy request failed", request_id=request_id)
            return PortError("a fault of our own: the log says where", retriable=True)
        return None

    async def _export(self, requests: Sequence[Request]) -> None:
        """Goes on with exports, for a moment; what is over goes whether or not that succeeds."""
        try:
            await self._exporter.work(requests)
        finally:
            await self._exporter.expire()

    async def _append(self, request: Request) -> None:
        privacy_key = self._privacy_key(request.retailer_id)
        async for some in shoppers_of(request, self._requests, privacy_key):
            now_ms = self._clock.now_ms()
            records = [record_of(request, digest, shopper, now_ms) for digest, shopper in some]
            await append_gently(self._events, records)
        await self._requests.advance(request.request_id, "gateways", self._clock.now_ms())

    async def _finish(self, appended: Sequence[Request]) -> None:
        """Ends the requests of which every gateway knows, and lets erasures go on."""
        words = await self._words.confirmations()
        for request in appended:
            now_ms = self._clock.now_ms()
            if not is_in_force(request, words, now_ms):
                continue
            if request.kind in ERASING:
                await self._requests.advance(request.request_id, "tombstones", now_ms)
            else:
                await self._requests.advance(request.request_id, "done", now_ms)
                tell_done(request, now_ms)

    def _tell(self, pending: Sequence[Request]) -> None:
        waiting = Counter((request.kind, request.stage) for request in pending)
        for kind, stage in product(KINDS, STAGES):
            self._metrics.privacy_open.labels(kind, stage).set(waiting[kind, stage])
        now_ms = self._clock.now_ms()
        oldest_ms = min((request.opened_at_ms for request in pending), default=now_ms)
        self._metrics.privacy_oldest_s.set(max(0, now_ms - oldest_ms) / _MS)
        self._metrics.privacy_overdue.set(sum(request.due_at_ms < now_ms for request in pending))

    def _failed(self, fault: str) -> None:
        self._metrics.privacy_errors.inc()
        if fault != self._fault:
            log.warning("privacy requests wait", error=fault)
        self._fault = fault


def privacy_worker(
    ports: Ports, settings: Settings, clock: Clock, metrics: PrivacyMetrics, warehouse: WarehouseData | None = None
) -> PrivacyWorker:
    """Gives the worker of a system that is open.

    Args:
        ports: of the system.
        settings: for how long things are kept.
        clock: see `PrivacyWorker`.
        metrics: see `PrivacyWorker`.
        warehouse: its part in erasures and exports; None = they do not visit one.
    """
    data = in_order(ports.shopper_data, warehouse)
    places = Places(ports.privacy, ports.erasures, ports.events, ports.archive, data, ports.appends_late_s)
    privacy_key = ports.identity.privacy_key
    eraser, exporter = Eraser(places, privacy_key, clock), Exporter(ports, settings, clock, warehouse)
    return PrivacyWorker(ports.privacy, ports.words, ports.events, privacy_key, clock, metrics, eraser, exporter)
