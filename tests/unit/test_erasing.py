"""An erasure against workers that are behind, stores that are down, and a privacy worker that dies in between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from adapters.sealed_shoppers import Sealer
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from batch.folder_lock import folder_lock
from batch.shopper_data import WarehouseData
from deploy.erasing import AGAIN_S, AGAIN_S_MAX, SETTLED_VISITS, Eraser, Places
from deploy.warehouse_place import in_order
from domain.errors import PortError
from domain.events import ShopperErased
from domain.ids import Position, ShopperHash, ShopperKey, bucket
from domain.ports.event_log import Committed, Place
from domain.ports.privacy_requests import Request
from domain.ports.retailers import Retailer
from domain.ports.shopper_data import Erased, ShopperData, Visit
from domain.ports.tree_store import DEFAULT
from domain.privacy import asked, told
from domain.records import Record
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.identity import KEYS, wrapped

SHOPPERS = [ShopperHash(f"{number:02x}" * 32) for number in range(120)]
PARTITIONS = 4
LATE_S = 30.0
NOTHING = Visit(0, 0, 0)


class Log:
    """A log with partitions, whose workers get as far as they are told."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ends = [0] * PARTITIONS
        self.saved = [-1] * PARTITIONS
        self.takes = 1_000

    async def append(self, records: Sequence[Record]) -> Sequence[Place]:
        """Takes some calls, then none."""
        if not self.takes:
            raise PortError("Kafka can't be used now", retriable=True)
        self.takes -= 1
        places = []
        for record in records:
            partition = bucket(record.event.shopper_id) % PARTITIONS
            places.append(Place(partition, Position(1, self.ends[partition])))
            self.ends[partition] += 1
        self.records += records
        return places

    async def committed(self, partition: int) -> Committed | None:
        """Gives how far workers are."""
        saved = self.saved[partition]
        return None if saved < 0 else Committed(Position(1, saved), 0, 0)


class Archive:
    """An archiver that gets as far as it is told."""

    def __init__(self) -> None:
        self.until_ms = 0

    async def watermarks(self) -> dict[int, int]:
        """Gives the same for all partitions."""
        return dict.fromkeys(range(PARTITIONS), self.until_ms)


class Store:
    """A store that answers as it was told, and nothing is in it afterwards."""

    def __init__(self, name: str, *answers: Visit | PortError) -> None:
        self.name = name
        self.answers = list(answers)
        self.asked: list[Sequence[Erased]] = []

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Gives the next answer."""
        self.asked.append(shoppers)
        answer = self.answers.pop(0) if self.answers else NOTHING
        if isinstance(answer, PortError):
            raise answer
        return answer

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Nothing is old."""
        del retailer_id, before_ms
        return None


class Standing:
    """An erasure of many shoppers that every gateway goes by."""

    def __init__(self, ports: Ports, clock: StoppedClock, request: Request, stores: Sequence[ShopperData]) -> None:
        self.ports, self.clock, self.request, self.stores = ports, clock, request, stores
        self.log, self.archive = Log(), Archive()
        self.eraser = self.another()

    def another(self) -> Eraser:
        """Gives the eraser of a process that has just started."""
        events: Any = self.log
        archive: Any = self.archive
        places = Places(self.ports.privacy, self.ports.erasures, events, archive, self.stores, LATE_S)
        return Eraser(places, lambda _: KEYS.privacy, self.clock)

    async def work(self) -> str:
        """Lets it work once, and gives the stage afterwards."""
        await self.eraser.work(await self.now())
        return (await self.now()).stage

    async def now(self) -> Request:
        """Gives the request as it stands."""
        found = await self.ports.privacy.get("one", self.request.request_id)
        assert found is not None
        return found

    async def told(self) -> dict[str, Any]:
        """Gives what is told of the request."""
        return told(await self.now(), await self.ports.erasures.receipts(self.request.request_id))

    def be_past(self) -> None:
        """Lets workers and archiver come to the log's end."""
        self.log.saved = [end - 1 for end in self.log.ends]
        self.archive.until_ms = self.clock.ms + 1


@pytest.fixture
async def ports(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[Ports]:
    """The embedded ports, with a retailer."""
    ports = embedded(tmp_path, load_settings(), Metrics(), clock)
    await ports.retailers.add(Retailer(retailer_id="one", name="one"), "w", "s", wrapped(ports, "one"))
    yield ports
    await ports.close()


@pytest.fixture
def clock() -> StoppedClock:
    """A clock that a test moves."""
    return StoppedClock()


async def standing(ports: Ports, clock: StoppedClock, *stores: Store) -> Standing:
    """Opens the request, which every gateway has confirmed."""
    sealer = Sealer(KEYS.privacy)
    request = asked(UUID(int=1), "one", "erase", clock.ms, due_days=30)
    opened = await ports.privacy.open(request, [sealer.subject(shopper) for shopper in SHOPPERS])
    await ports.privacy.advance(opened.request_id, "tombstones", clock.ms)
    return Standing(ports, clock, replace(opened, stage="tombstones"), stores)


async def test_each_step_waits_for_the_one_before(ports: Ports, clock: StoppedClock) -> None:
    """For what is on its way to the log, for workers, for the archiver; a store is asked when all of it is over."""
    store = Store("trees", Visit(3, 3, 0))
    erasure = await standing(ports, clock, store)
    assert "tombstones" == await erasure.work()
    clock.ms += int(LATE_S * 1_000) - 1
    assert ("tombstones", []) == (await erasure.work(), erasure.log.records)
    clock.ms += 1
    assert "workers" == await erasure.work()
    assert {ShopperErased} == {type(record.event) for record in erasure.log.records}
    assert set(SHOPPERS) == {record.event.shopper_id for record in erasure.log.records}
    erasure.be_past()
    erasure.log.saved[2] -= 1
    assert "workers" == await erasure.work()
    erasure.be_past()
    erasure.archive.until_ms = clock.ms
    assert "workers" == await erasure.work()
    assert [] == store.asked
    erasure.be_past()
    assert "stores" == await erasure.work()
    assert set(SHOPPERS) == {one.key.shopper for one in store.asked[0]}
    assert "done" == await erasure.work()
    (receipt,) = (await erasure.told())["receipts"]
    assert (3, 3, 0, 2) == tuple(receipt[name] for name in ("found", "removed", "left", "visits"))


async def test_a_store_that_is_down_is_asked_again(ports: Ports, clock: StoppedClock) -> None:
    """The others are visited all the same; the request is partial, the wait doubles, then all are searched again."""
    down = PortError("ScyllaDB can't be used now", retriable=True)
    first, second = Store("snapshots", down, down, Visit(5, 4, 1, "the next visit")), Store("trees", Visit(2, 2, 0))
    erasure = await standing(ports, clock, first, second)
    clock.ms += int(LATE_S * 1_000)
    await erasure.work()
    erasure.be_past()
    with pytest.raises(PortError, match="ScyllaDB"):
        await erasure.work()
    seen = await erasure.told()
    assert ("partial", "stores") == (seen["state"], seen["waits_for"])
    assert ["the store, which can't be used now", None] == [one["waits_for"] for one in seen["receipts"]]
    assert [0, 1] == [one["visits"] for one in seen["receipts"]]
    for wait_s in (AGAIN_S, 2 * AGAIN_S):
        clock.ms += int(wait_s * 1_000) - 1
        assert "stores" == await erasure.work()
        clock.ms += 1
        if first.answers[0] is down:
            with pytest.raises(PortError, match="ScyllaDB"):
                await erasure.work()
        else:
            assert "stores" == await erasure.work()
    assert [(5, 4, 1), (2, 2, 0)] == [
        tuple(one[name] for name in ("found", "removed", "left")) for one in (await erasure.told())["receipts"]
    ]
    clock.ms += int(4 * AGAIN_S * 1_000)
    assert "done" == await erasure.work()
    assert [] == [one for one in (await erasure.told())["receipts"] if one["left"]]


async def test_while_a_log_lets_go_only_the_log_is_asked(ports: Ports, clock: StoppedClock) -> None:
    """A store that was clean three times waits for the last round, in which all are asked, and what came late goes."""
    keeps = [Visit(0, 0, 1, "the log's retention") for _ in range(SETTLED_VISITS + 5)]
    logs, trees = Store("event log", *keeps), Store("trees", Visit(2, 2, 0), *[NOTHING] * (SETTLED_VISITS - 1))
    trees.answers.append(Visit(1, 1, 0))
    erasure = await standing(ports, clock, logs, trees)
    clock.ms += int(LATE_S * 1_000)
    await erasure.work()
    erasure.be_past()
    for number in range(1, len(keeps) + 1):
        assert "stores" == await erasure.work()
        assert (number, min(number, SETTLED_VISITS)) == (len(logs.asked), len(trees.asked))
        clock.ms += int(AGAIN_S_MAX * 1_000)
    assert "stores" == await erasure.work()
    assert (len(keeps) + 2, SETTLED_VISITS + 1) == (len(logs.asked), len(trees.asked))
    assert "done" == await erasure.work()
    assert [(0, 0, 0), (3, 3, 0)] == [
        tuple(one[name] for name in ("found", "removed", "left")) for one in (await erasure.told())["receipts"]
    ]


async def test_who_comes_back_appends_what_is_missing(ports: Ports, clock: StoppedClock) -> None:
    """A privacy worker that died among its records notes those that it knows of, under the ids of before."""
    erasure = await standing(ports, clock, Store("trees"))
    clock.ms += int(LATE_S * 1_000)
    erasure.log.takes = 1
    with pytest.raises(PortError, match="Kafka"):
        await erasure.work()
    assert 0 < len(erasure.log.records) < len(SHOPPERS)
    erasure.log.takes = 1_000
    erasure.eraser = erasure.another()
    assert "workers" == await erasure.work()
    ids = [record.event.event_id for record in erasure.log.records]
    assert len(SHOPPERS) == len(ids) == len(set(ids))
    erasure.be_past()
    assert "done" == await erasure.work()


async def test_a_tree_that_a_night_pushes_meanwhile_is_gone_when_it_is_done(
    ports: Ports, clock: StoppedClock, tmp_path: Path
) -> None:
    """While a night holds the warehouse no round is clean; what it pushed at its end, the next round finds."""
    shopper, root = SHOPPERS[7], tmp_path / "warehouse"
    root.mkdir()
    warehouse = WarehouseData(str(root), expected=True)
    trees = [store for store in ports.shopper_data if store.name == "trees"]
    erasure = await standing(ports, clock)
    erasure.stores = in_order(trees, warehouse)
    erasure.eraser = erasure.another()
    clock.ms += int(LATE_S * 1_000)
    await erasure.work()
    erasure.be_past()
    with folder_lock(root):
        with pytest.raises(PortError, match="a job works on the warehouse"):
            await erasure.work()
        assert "partial" == (await erasure.told())["state"]
        generation = await ports.releases.begin("one")
        await ports.releases.put("one", generation, [(shopper, b"a tree"), (DEFAULT, b"everybody's")])
        await ports.releases.show("one", generation, trees=2)
    keys = [ShopperKey("one", shopper), ShopperKey("one", ShopperHash(DEFAULT))]
    assert {b"a tree", b"everybody's"} == {tree.blob for tree in (await ports.trees.load(keys)).values()}
    clock.ms += int(AGAIN_S * 1_000)
    assert "stores" == await erasure.work()
    assert "done" == await erasure.work()
    assert {b"everybody's"} == {tree.blob for tree in (await ports.trees.load(keys)).values()}
    assert {"warehouse": 0, "trees": 1} == {one["store"]: one["removed"] for one in (await erasure.told())["receipts"]}
