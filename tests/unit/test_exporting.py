"""The exporter: what was made is not made again, a store that is down is waited for, and everybody gets a turn."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters.clock import SystemClock
from adapters.sealed_exports import ExportSealer
from adapters.sealed_shoppers import Sealer
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from batch.shopper_data import WarehouseData
from deploy.exporting import Exporter
from domain.errors import PortError
from domain.ids import Position, ShopperHash, ShopperKey
from domain.ports.privacy_requests import Request
from domain.ports.retailers import Retailer
from domain.ports.snapshot_store import Snapshot
from domain.privacy import asked
from monitoring.metrics import Metrics
from tests.identity import KEYS, wrapped
from tests.unit.batch.test_push import tree
from tests.unit.batch.warehouse_files import AT, ONE, RUN, write

SHOPPERS = [ShopperHash(f"{number:064x}") for number in range(1, 5)]
SETTINGS = load_settings(export_days=3)
DAY_MS = 86_400_000


class Ticking(SystemClock):
    """A clock of which each look takes a while, and which a test may move."""

    def __init__(self) -> None:
        self.now_s, self.tick_s = 1_000.0, 0.0

    def monotonic_s(self) -> float:
        """A little later each time."""
        self.now_s += self.tick_s
        return self.now_s

    def now_ms(self) -> int:
        """The same clock, in milliseconds."""
        return int(self.now_s * 1_000)


class Failing:
    """A store of snapshots that fails from a call on."""

    def __init__(self, ports: Ports, calls: int) -> None:
        self._load = ports.snapshots.load
        self.calls = calls

    async def load(self, keys: Any) -> Any:
        """Loads, or fails as a port does."""
        self.calls -= 1
        if self.calls < 0:
            raise PortError("ScyllaDB can't be used now", retriable=True)
        return await self._load(keys)


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """The stores of two retailers."""
    opening = embedded(tmp_path, SETTINGS, Metrics(), SystemClock())
    for name in ("one", "two"):
        retailer = Retailer(retailer_id=name, name=name)
        await opening.retailers.add(retailer, f"w {name}", f"s {name}", wrapped(opening, name))
    yield opening
    await opening.close()


async def opened(ports: Ports, number: int, retailer_id: str, shoppers: Sequence[ShopperHash]) -> Request:
    """Opens an export."""
    request = asked(UUID(int=number), retailer_id, "export", number, due_days=1)
    sealer = Sealer(ports.identity.privacy_key(retailer_id))
    return await ports.privacy.open(request, [sealer.subject(shopper) for shopper in shoppers])


async def ready(ports: Ports, request: Request) -> int:
    """How many documents of a request are there."""
    return sum(one.is_there for one in await ports.exports.made(request.request_id))


async def stage(ports: Ports, request: Request) -> str:
    """How far a request is."""
    found = await ports.privacy.get(request.retailer_id, request.request_id)
    assert found is not None
    return found.stage


async def document(ports: Ports, request: Request, shopper: ShopperHash) -> Any:
    """A kept document, opened."""
    privacy_key = ports.identity.privacy_key(request.retailer_id)
    digest = Sealer(privacy_key).subject(shopper).digest
    export = await ports.exports.get(request.retailer_id, request.request_id, digest)
    assert export is not None
    return json.loads(b"".join(ExportSealer(privacy_key).chunks(export.sealed, request.request_id, digest)))


async def test_whoever_comes_after_a_crash_goes_on(ports: Ports) -> None:
    """What was made stays, byte for byte; the rest is made, and the request is done."""
    request = await opened(ports, 1, "one", SHOPPERS)
    first = Exporter(ports._replace(snapshots=Failing(ports, 2)), SETTINGS, Ticking())  # type: ignore[arg-type]
    with pytest.raises(PortError, match="ScyllaDB"):
        await first.work([request])
    assert (2, "stores") == (await ready(ports, request), await stage(ports, request))
    before = [await ports.exports.get("one", request.request_id, one.digest) for one in await made(ports, request)]
    await Exporter(ports, SETTINGS, Ticking()).work([request])
    assert (4, "done") == (await ready(ports, request), await stage(ports, request))
    after = [await ports.exports.get("one", request.request_id, one.digest) for one in await made(ports, request)]
    assert [] == [one for one in before if one not in after]
    assert SHOPPERS == [(await document(ports, request, one))["shopper"] for one in SHOPPERS]


async def made(ports: Ports, request: Request) -> Sequence[Any]:
    """Whose documents were made."""
    return await ports.exports.made(request.request_id)


async def test_a_store_that_is_down_is_asked_again_later(ports: Ports) -> None:
    """Not at each look, so that it delays nobody; another retailer's export goes on meanwhile."""
    request, other = await opened(ports, 1, "one", SHOPPERS[:1]), await opened(ports, 2, "two", SHOPPERS[:1])
    snapshots, clock = Failing(ports, 0), Ticking()
    exporter = Exporter(ports._replace(snapshots=snapshots), SETTINGS, clock)  # type: ignore[arg-type]
    with pytest.raises(PortError, match="ScyllaDB"):
        await exporter.work([request])
    snapshots.calls = 100
    await exporter.work([request, other])
    assert ("stores", "done") == (await stage(ports, request), await stage(ports, other))
    clock.now_s += 5
    await exporter.work([request])
    assert "done" == await stage(ports, request)


async def test_a_look_is_short_and_everybody_gets_a_turn(ports: Ports) -> None:
    """A request of many makes one document in a slow look, and then the other request comes first."""
    many, few = await opened(ports, 1, "one", SHOPPERS), await opened(ports, 2, "two", SHOPPERS[:1])
    clock = Ticking()
    exporter = Exporter(ports, SETTINGS, clock)
    clock.tick_s = 0.6
    await exporter.work([many, few])
    assert (1, 0) == (await ready(ports, many), await ready(ports, few))
    await exporter.work([many, few])
    assert (1, 1) == (await ready(ports, many), await ready(ports, few))
    for _ in range(20):
        await exporter.work([request for request in await ports.privacy.pending() if request.kind == "export"])
    assert ("done", "done") == (await stage(ports, many), await stage(ports, few))


async def test_a_document_is_kept_for_its_days(ports: Ports) -> None:
    """Then it is removed, at the next look that is a minute after the last."""
    request, clock = await opened(ports, 1, "one", SHOPPERS[:1]), Ticking()
    exporter = Exporter(ports, SETTINGS, clock)
    await exporter.work([request])
    await exporter.expire()
    clock.now_s += 3 * DAY_MS / 1_000 - 1
    await exporter.expire()
    assert 1 == await ready(ports, request)
    clock.now_s += 59
    await exporter.expire()
    assert 1 == await ready(ports, request)
    clock.now_s += 1
    await exporter.expire()
    assert 0 == await ready(ports, request)


async def test_a_document_that_is_too_large_is_kept_without_what_is_many(ports: Ports) -> None:
    """It says so, and the request is done all the same."""
    request = await opened(ports, 1, "one", SHOPPERS[:1])
    await Exporter(ports, SETTINGS, Ticking(), sealed_bytes_max=10).work([request])
    kept = await document(ports, request, SHOPPERS[0])
    assert [None] * 3 == [kept[name]["held"] for name in ("events", "decisions", "failed_events")]
    assert "too many for a kept document" in kept["not_in_here"][-1]
    assert "done" == await stage(ports, request)


async def test_the_past_of_all_is_read_at_once(ports: Ports, tmp_path: Path) -> None:
    """Each document has its shopper's rows, by table, and trees as trees; the tables are searched once for all."""
    root = tmp_path / "warehouse"
    for shopper in SHOPPERS[:2]:
        day = {"retailer_id": "one", "day": ONE, "event_id": shopper, "shopper_id": shopper}
        write(root, "searches", [day | {"at": AT, "query": f"tea {shopper[-1]}"}])
        grown = {"retailer_id": "one", "run_id": RUN, "shopper_id": shopper, "tree": tree(f"p-{shopper[-1]}")}
        write(root, "grown_trees", [grown | {"nodes": 1, "bytes": 1}])
    request = await opened(ports, 1, "one", SHOPPERS)
    warehouse = Searched(str(root), expected=True)
    exporter = Exporter(ports, SETTINGS, Ticking(), warehouse)
    for _ in range(10):
        if "done" != await stage(ports, request):
            await exporter.work([request])
    assert ("done", 1) == (await stage(ports, request), warehouse.searches)
    for shopper in SHOPPERS[:2]:
        kept = await document(ports, request, shopper)
        (search,), (own,) = kept["history"]["held"]["searches"], kept["models"]["held"]["grown_trees"]
        assert (f"tea {shopper[-1]}", "2024-01-01T12:00:00Z", "2024-01-01") == (
            *(search[name] for name in ("query", "at")),
            search["day"],
        )
        shown = own["tree"]["nodes"]["r"]["experiences"][0]["content"]
        assert [{"product_id": f"p-{shopper[-1]}"}] == shown["products"]
        assert ("1,095 days", "90 days, the newest nights for longer") == (
            kept["history"]["kept"],
            kept["models"]["kept"],
        )
    kept = await document(ports, request, SHOPPERS[2])
    assert ({}, {}) == (kept["history"]["held"], kept["models"]["held"])


async def test_who_is_erased_after_the_past_was_read_is_not_exported(ports: Ports, tmp_path: Path) -> None:
    """What was read for many may be of before the erasure, which is done by the time that the document is made."""
    root, clock = tmp_path / "warehouse", Ticking()
    for shopper in SHOPPERS[:2]:
        day = {"retailer_id": "one", "day": ONE, "event_id": shopper, "shopper_id": shopper}
        write(root, "searches", [day | {"at": AT, "query": "quillonaut"}])
    request = await opened(ports, 1, "one", SHOPPERS[:2])
    exporter = Exporter(ports, SETTINGS, clock, WarehouseData(str(root), expected=True))
    clock.tick_s = 0.6
    await exporter.work([request])
    assert 1 == await ready(ports, request)
    sealer = Sealer(ports.identity.privacy_key("one"))
    done = {one.digest for one in await made(ports, request)}
    (gone,) = [one for one in SHOPPERS[:2] if sealer.subject(one).digest not in done]
    erasure = await ports.privacy.open(
        asked(UUID(int=2), "one", "erase", clock.now_ms(), due_days=1), [sealer.subject(gone)]
    )
    await ports.privacy.advance(erasure.request_id, "done", clock.now_ms())
    clock.now_s += 10
    await exporter.work([request])
    assert ("done", 1) == (await stage(ports, request), await ready(ports, request))


class Searched(WarehouseData):
    """A warehouse that counts how often its rows are read."""

    searches = 0

    async def rows(self, retailer_id: str, shoppers: Sequence[str]) -> Any:
        """Reads and counts."""
        self.searches += 1
        return await super().rows(retailer_id, shoppers)


async def test_a_shopper_who_can_not_be_opened_is_nobody_else(ports: Ports) -> None:
    """Sealed under another key, the request stays open and no document is made."""
    request = asked(UUID(int=1), "one", "export", 1, due_days=1)
    request = await ports.privacy.open(request, [Sealer(KEYS.shopper).subject(SHOPPERS[0])])
    with pytest.raises(Exception, match="can't be opened"):
        await Exporter(ports, SETTINGS, Ticking()).work([request])
    assert (0, "stores") == (await ready(ports, request), await stage(ports, request))


async def test_a_document_that_can_not_be_made_keeps_nobody_waiting(ports: Ports) -> None:
    """A state that this version can't read is told of; the others' documents are made, and it is tried last."""
    request = await opened(ports, 1, "one", SHOPPERS)
    digests = [one.digest for one in await ports.privacy.subjects(request.request_id)]
    sealer = Sealer(ports.identity.privacy_key("one"))
    broken = next(one for one in SHOPPERS if sealer.subject(one).digest == digests[0])
    snapshot = Snapshot(ShopperKey("one", broken), Position(1, 0), b"of another version", None, 1)
    await ports.snapshots.save(0, [snapshot])
    clock = Ticking()
    exporter = Exporter(ports, SETTINGS, clock)
    with pytest.raises(PortError, match="another version"):
        await exporter.work([request])
    clock.now_s += 60
    with pytest.raises(PortError, match="another version"):
        await exporter.work([request])
    assert (3, "stores") == (await ready(ports, request), await stage(ports, request))
