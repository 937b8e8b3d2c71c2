"""The privacy worker against a log that fails: order within a retailer, others unharmed, nothing done too early."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.clock import SystemClock
from adapters.sealed_shoppers import Sealer
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from deploy.erasing import Eraser, Places
from deploy.exporting import Exporter
from deploy.privacy_worker import ERASE_S, PrivacyWorker
from domain.errors import PortError
from domain.ids import ShopperHash
from domain.ports.event_log import Place
from domain.ports.privacy_requests import Kind, Request
from domain.ports.retailers import Retailer
from domain.privacy import KINDS, asked
from domain.records import Record
from monitoring.metrics import Metrics
from tests.identity import KEYS, wrapped

SHOPPER = ShopperHash("ab" * 32)


class Later(SystemClock):
    """A clock ahead of every request, so that gateways had the time to speak up; a test may move it."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        """Stands still but for the test."""
        return 1_000.0 + self.ahead_s

    def now_ms(self) -> int:
        """A minute from now."""
        return super().now_ms() + 60_000


class Log:
    """Takes the records of some retailers."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.taken: list[tuple[str, str]] = []

    async def append(self, records: Sequence[Record]) -> Sequence[Place]:
        """Takes them, or fails as a port does."""
        if {record.retailer_id for record in records} & self.away:
            raise PortError("Kafka can't be used now", retriable=True)
        self.taken += [(record.retailer_id, type(record.event).__name__) for record in records]
        return ()


def worker_of(ports: Ports, log: Log, privacy_key: bytes, metrics: Metrics | None = None) -> PrivacyWorker:
    """Gives a worker over another event log, which only takes records."""

    def key_of(_: str) -> bytes:
        return privacy_key

    events: Any = log
    clock = Later()
    places = Places(ports.privacy, ports.erasures, events, ports.archive, ports.shopper_data, late_s=0)
    eraser, exporter = Eraser(places, key_of, clock), Exporter(ports, load_settings(), clock)
    return PrivacyWorker(ports.privacy, ports.words, events, key_of, clock, metrics or Metrics(), eraser, exporter)


async def opened(ports: Ports, number: int, retailer_id: str, kind: Kind, shopper: str = SHOPPER) -> str:
    """Opens a request about one shopper."""
    request = asked(UUID(int=number), retailer_id, kind, SystemClock().now_ms(), due_days=1)
    return (await ports.privacy.open(request, [Sealer(KEYS.privacy).subject(ShopperHash(shopper))])).request_id


async def test_a_log_that_fails_keeps_the_order(tmp_path: Path) -> None:
    """What follows a request that could not be appended waits for it; another retailer's requests do not."""
    ports, log = embedded(tmp_path, load_settings(), Metrics(), SystemClock()), Log()
    worker = worker_of(ports, log, KEYS.privacy)
    try:
        for name in ("one", "two"):
            keys = wrapped(ports, name)
            await ports.retailers.add(Retailer(retailer_id=name, name=name), f"w {name}", f"s {name}", keys)
        await opened(ports, 1, "one", "suppress")
        await opened(ports, 2, "one", "unsuppress")
        await opened(ports, 3, "two", "suppress")
        log.away = {"one"}
        with pytest.raises(PortError, match="Kafka"):
            await worker.look()
        assert [("two", "ShopperSuppressed")] == log.taken
        assert ["one", "one"] == [request.retailer_id for request in await ports.privacy.pending()]
        log.away = set()
        await worker.look()
        assert [("one", "ShopperSuppressed"), ("one", "ShopperUnsuppressed")] == log.taken[1:]
        assert () == tuple(await ports.privacy.pending())
    finally:
        await ports.close()


async def test_a_shopper_that_can_not_be_opened_is_told_of(tmp_path: Path) -> None:
    """Under another privacy key the request stays open, and nobody else's record is appended in its place."""
    ports, log = embedded(tmp_path, load_settings(), Metrics(), SystemClock()), Log()
    worker = worker_of(ports, log, KEYS.shopper)
    try:
        await ports.retailers.add(Retailer(retailer_id="one", name="one"), "w", "s", wrapped(ports, "one"))
        request_id = await opened(ports, 1, "one", "suppress")
        with pytest.raises(Exception, match="can't be opened"):
            await worker.look()
        assert [] == log.taken
        assert [(request_id, "log")] == [(one.request_id, one.stage) for one in await ports.privacy.pending()]
    finally:
        await ports.close()


class SlowEraser:
    """Takes its time for each erasure, and breaks at one as a bug would."""

    def __init__(self, clock: Later, breaks_at: str) -> None:
        self._clock = clock
        self._breaks_at = breaks_at
        self.asked: list[str] = []

    async def work(self, request: Request) -> None:
        """Takes most of a look."""
        self.asked.append(request.request_id)
        self._clock.ahead_s += 0.6 * ERASE_S
        if request.request_id == self._breaks_at:
            raise ValueError("a bug")


async def test_a_bug_in_one_erasure_ends_nothing(tmp_path: Path) -> None:
    """Two erasures get their turn in a look; one that breaks is told of, and the others have theirs all the same."""
    ports, log = embedded(tmp_path, load_settings(), Metrics(), SystemClock()), Log()
    worker, clock = worker_of(ports, log, KEYS.privacy), Later()
    try:
        await ports.retailers.add(Retailer(retailer_id="one", name="one"), "w", "s", wrapped(ports, "one"))
        ids = [await opened(ports, number, "one", "erase", f"{number:02x}" * 32) for number in (1, 2, 3)]
        for request_id in ids:
            await ports.privacy.advance(request_id, "tombstones", 1)
        eraser = SlowEraser(clock, ids[0])
        worker._eraser, worker._clock = eraser, clock  # type: ignore[assignment]
        with pytest.raises(PortError, match="a fault of our own"):
            await worker.look()
        assert ids[:2] == eraser.asked
        with pytest.raises(PortError, match="a fault of our own"):
            await worker.look()
        assert [ids[2], ids[0]] == eraser.asked[2:]
    finally:
        await ports.close()


async def test_open_requests_are_told_by_kind_and_by_what_they_wait_for(tmp_path: Path) -> None:
    """Each kind and stage has a number at every look, 0 where nothing waits for it."""
    ports, log, metrics = embedded(tmp_path, load_settings(), Metrics(), SystemClock()), Log(), Metrics()
    worker = worker_of(ports, log, KEYS.privacy, metrics)
    try:
        await ports.retailers.add(Retailer(retailer_id="one", name="one"), "w", "s", wrapped(ports, "one"))
        await opened(ports, 1, "one", "suppress")
        await opened(ports, 2, "one", "erase")
        log.away = {"one"}
        with pytest.raises(PortError, match="Kafka"):
            await worker.look()
        (family,) = metrics.privacy_open.collect()
        told = {(sample.labels["kind"], sample.labels["stage"]): sample.value for sample in family.samples}
        every = {(kind, stage) for kind in KINDS for stage in ("log", "gateways", "tombstones", "workers", "stores")}
        assert dict.fromkeys(every, 0.0) | {("suppress", "log"): 1.0, ("erase", "log"): 1.0} == told
    finally:
        await ports.close()
