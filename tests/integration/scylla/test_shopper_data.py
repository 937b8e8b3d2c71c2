"""What an erasure takes from the hot store, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from adapters.scylla.open import ScyllaStores
from adapters.scylla.slots import slot_of
from adapters.settings import Settings
from domain.ids import Position, ShopperKey
from domain.ports.event_log import Place
from domain.ports.event_store import StoredEvent
from domain.ports.failed_events import FailedEvent
from domain.ports.shopper_data import Erased, ShopperData, Visit
from domain.ports.snapshot_store import Snapshot
from domain.ports.tree_store import DEFAULT, StoredTree
from tests.contract.test_event_store import decided, viewed
from tests.integration.scylla.conftest import execute
from tests.integration.scylla.control_plane import MemoryGenerations, MemoryRequests
from tests.integration.scylla.test_timestamps import DAY_MS, failed
from tests.integration.scylla.test_trees import stored
from tests.story import NOON_MS

ANNA, BEN, CARL = "a" * 64, "a" * 63 + "b", "a" * 63 + "c"
"""Three shoppers who share every partition of every table."""
END = 10
"""The offset of the shoppers' `ShopperErased`, received at noon."""
NOTHING = Visit(found=0, removed=0, left=0)


@pytest.fixture
def other(retailer: str) -> str:
    """Another retailer, with shoppers of the same hashes."""
    return f"{retailer}-other"


@pytest.fixture
def data(stores: ScyllaStores) -> Mapping[str, ShopperData]:
    """The stores by the names of their receipts."""
    return {one.name: one for one in stores.shopper_data}


def erased(retailer: str, shopper: str, partition: int, *, offset: int = END, at_ms: int = NOON_MS) -> Erased:
    """A shopper who is to be gone."""
    return Erased(ShopperKey(retailer, shopper), Place(partition, Position(1, offset)), at_ms)


def gone(records: int) -> Visit:
    """A visit that removed all that it found."""
    return Visit(found=records, removed=records, left=0)


def snapshot(retailer: str, shopper: str, offset: int) -> Snapshot:
    """A snapshot with a timer, that says where it stands."""
    key = ShopperKey(retailer, shopper)
    return Snapshot(key, Position(1, offset), f"{offset}".encode(), NOON_MS + 60_000, NOON_MS)


def failure(
    retailer: str, shopper: str, partition: int, offset: int, *, at_ms: int = NOON_MS, kept_ms: int = 9 * DAY_MS
) -> FailedEvent:
    """A shopper's failed event."""
    told = failed(retailer, partition, offset)
    return replace(told, shopper=shopper, failed_at_ms=at_ms, expires_at_ms=at_ms + kept_ms)


async def test_the_stores_have_the_names_of_receipts(data: Mapping[str, ShopperData]) -> None:
    """Four stores, in the order in which they are visited."""
    assert ["failed events", "trees", "snapshots", "event store"] == list(data)


async def test_nothing_is_found_of_a_stranger(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, partition: int
) -> None:
    """A shopper of whom a store holds nothing is found 0 times, by all of them, as often as they are asked."""
    await stores.trees.push(retailer, [(DEFAULT, b"default"), (BEN, b"ben")])
    await stores.snapshots.save(partition, [snapshot(retailer, BEN, 1)])
    for _ in range(2):
        assert [NOTHING] * 4 == [await one.erase([erased(retailer, ANNA, partition)]) for one in data.values()]
    assert {BEN} == {key.shopper for key in await stores.snapshots.load([ShopperKey(retailer, BEN)])}


async def test_snapshots_and_timers_go_up_to_the_shoppers_end(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, other: str, partition: int
) -> None:
    """What stands at the end or before is gone; a later state, other shoppers and other retailers stay."""
    everybody = [
        snapshot(retailer, ANNA, END),
        snapshot(retailer, BEN, END + 1),
        snapshot(retailer, CARL, END - 1),
        snapshot(other, ANNA, END - 1),
    ]
    await stores.snapshots.save(partition, everybody)
    asked = [erased(retailer, ANNA, partition), erased(retailer, BEN, partition)]
    assert gone(2) == await data["snapshots"].erase(asked)
    assert NOTHING == await data["snapshots"].erase(asked)
    stay = {one.key: one.payload for one in everybody[1:]}
    assert stay == await stores.snapshots.load([one.key for one in everybody])
    assert set(stay) == {key for key, _ in await stores.snapshots.timers(partition)}


async def test_a_paused_worker_brings_no_erased_state_back(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, partition: int
) -> None:
    """A late save of what stands before the end changes nothing, also where nothing was found; a later state counts."""
    asked = [erased(retailer, ANNA, partition)]
    assert NOTHING == await data["snapshots"].erase(asked)
    await stores.snapshots.save(partition, [snapshot(retailer, ANNA, END)])
    key = ShopperKey(retailer, ANNA)
    assert {} == await stores.snapshots.load([key])
    assert NOTHING == await data["snapshots"].erase(asked)
    await stores.snapshots.save(partition, [snapshot(retailer, ANNA, END + 1)])
    assert NOTHING == await data["snapshots"].erase(asked)
    assert {key: b"11"} == await stores.snapshots.load([key])


async def test_all_generations_of_a_shoppers_trees_go(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, other: str, partition: int, settings: Settings
) -> None:
    """The default tree, other shoppers' and another retailer's stay, and so does what is pushed later."""
    for number in (b"1", b"2"):
        await stores.trees.push(retailer, [(DEFAULT, number), *((shopper, number) for shopper in (ANNA, BEN, CARL))])
    await stores.trees.push(other, [(ANNA, b"other")])
    asked = [erased(retailer, ANNA, partition), erased(retailer, BEN, partition)]
    assert gone(4) == await data["trees"].erase(asked)
    assert NOTHING == await data["trees"].erase(asked)
    assert {(shopper, number) for shopper in (DEFAULT, CARL) for number in (1, 2)} == stored(settings, retailer)
    assert {(ANNA, 1)} == stored(settings, other)
    anna = ShopperKey(retailer, ANNA)
    assert {anna: StoredTree(2, b"2")} == await stores.trees.load([anna])
    await stores.trees.push(retailer, [(ANNA, b"3")])
    assert {anna: StoredTree(3, b"3")} == await stores.trees.load([anna])


async def test_a_release_that_was_begun_brings_no_erased_tree(
    data: Mapping[str, ShopperData],
    stores: ScyllaStores,
    retailer: str,
    partition: int,
    settings: Settings,
    generations: MemoryGenerations,
) -> None:
    """Trees that a job grew before and writes afterwards never come; of a retailer without trees nothing is found."""
    asked = [erased(retailer, ANNA, partition)]
    assert NOTHING == await data["trees"].erase(asked)
    generation = await generations.reserve(retailer)
    assert NOTHING == await data["trees"].erase(asked)
    await stores.releases.put(retailer, generation, [(ANNA, b"grown before"), (BEN, b"ben")])
    assert {(BEN, generation)} == stored(settings, retailer)


async def test_failed_events_go_with_their_requests(
    data: Mapping[str, ShopperData],
    stores: ScyllaStores,
    retailer: str,
    other: str,
    partition: int,
    requests: MemoryRequests,
) -> None:
    """Of any day; what failed later, others' failures and bytes of nobody stay."""
    going = [
        failure(retailer, ANNA, partition, 1),
        failure(retailer, ANNA, partition, 2, at_ms=NOON_MS - 300 * DAY_MS, kept_ms=365 * DAY_MS),
        failure(retailer, BEN, partition, END, at_ms=NOON_MS + 1),
        # Replayed, and failed again.
        failure(retailer, BEN, partition, END + 1, at_ms=NOON_MS - DAY_MS),
    ]
    staying = [
        failure(retailer, BEN, partition, END + 2, at_ms=NOON_MS + 2),
        failure(retailer, CARL, partition, 3),
        failure("", "", partition, 4),
    ]
    elsewhere = failure(other, ANNA, partition, 5)
    told = [*going, *staying, elsewhere]
    await stores.failed.put(told)
    await stores.failed.request_replay([one.failed_id for one in told])
    asked = [erased(retailer, ANNA, partition), erased(retailer, BEN, partition)]
    try:
        assert gone(4) == await data["failed events"].erase(asked)
        assert NOTHING == await data["failed events"].erase(asked)
        await stores.failed.put(going)
        mine = [one for one in await stores.failed.list(retailer, events_max=100) if one.partition == partition]
        assert {one.failed_id for one in staying} == {one.failed_id for one in mine}
        assert elsewhere in await stores.failed.list(other, events_max=100)
        assert [one.failed_id for one in (*staying, elsewhere)] == list(requests.wanted(partition))
    finally:
        # Bytes of nobody are listed by the tests of all retailers.
        await stores.failed.replayed([staying[2].failed_id])


async def test_many_failed_events_of_one_shopper_go(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, partition: int
) -> None:
    """More than one read takes at once, over some days."""
    told = [failure(retailer, ANNA, partition, number, at_ms=NOON_MS - number * 900_000) for number in range(250)]
    await stores.failed.put(told)
    assert gone(250) == await data["failed events"].erase([erased(retailer, ANNA, partition, offset=250)])
    assert [] == list(await stores.failed.list(retailer, events_max=10))


async def events_of(stores: ScyllaStores, retailer: str, partition: int) -> set[tuple[str, int]]:
    """Shopper and time of all events of the last thirty days and of tomorrow, which must be those of the decisions."""
    events, decisions = set(), set()
    for number in range(-30, 2):
        day = datetime.fromtimestamp(NOON_MS / 1_000 + number * 86_400, UTC).date()
        async for page in stores.archive.events(retailer, day, partition):
            events |= {(one.record.event.shopper_id, one.record.received_at_ms) for one in page}  # type: ignore[union-attr]
        async for said in stores.archive.decided(retailer, day, partition):
            decisions |= {(one.shopper, one.received_at_ms) for one in said}
    assert events == decisions
    return events


async def keep(stores: ScyllaStores, retailer: str, partition: int, told: list[tuple[str, int]]) -> None:
    """Archives events, given by shopper and time, each with a decision."""
    kept = [
        StoredEvent(Position(1, number), viewed(number, shopper=shopper, received_ms=at_ms, retailer_id=retailer))
        for number, (shopper, at_ms) in enumerate(told)
    ]
    await stores.archive.put(partition, kept)
    await stores.archive.put_decided(partition, [decided(one) for one in kept])


async def test_events_and_decisions_go_up_to_the_shoppers_end(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, other: str, partition: int
) -> None:
    """Of all days that may live; what was received later, others' and another retailer's events stay."""
    old_ms = NOON_MS - 14 * DAY_MS
    going = [(ANNA, NOON_MS), (ANNA, NOON_MS - 1), (ANNA, NOON_MS - DAY_MS), (BEN, old_ms), (BEN, old_ms - DAY_MS)]
    staying = [(BEN, NOON_MS + 1), (ANNA, NOON_MS + DAY_MS), (CARL, NOON_MS), (CARL, old_ms)]
    await keep(stores, retailer, partition, going + staying)
    await keep(stores, other, partition, [(ANNA, NOON_MS)])
    await keep(stores, retailer, partition + 1, [(ANNA, NOON_MS)])
    asked = [erased(retailer, ANNA, partition), erased(retailer, BEN, partition)]
    assert gone(2 * len(going)) == await data["event store"].erase(asked)
    assert NOTHING == await data["event store"].erase(asked)
    assert set(staying) == await events_of(stores, retailer, partition)
    assert {(ANNA, NOON_MS)} == await events_of(stores, other, partition)
    assert {(ANNA, NOON_MS)} == await events_of(stores, retailer, partition + 1)
    await keep(stores, retailer, partition, going)
    assert set(staying) == await events_of(stores, retailer, partition)


async def test_shoppers_each_have_an_end_of_their_own(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, partition: int
) -> None:
    """Erased together, one keeps what the other loses."""
    minutes = [NOON_MS + number * 60_000 for number in range(4)]
    await keep(stores, retailer, partition, [(shopper, at_ms) for shopper in (ANNA, BEN) for at_ms in minutes])
    asked = [erased(retailer, ANNA, partition, at_ms=minutes[2]), erased(retailer, BEN, partition, at_ms=minutes[0])]
    assert gone(8) == await data["event store"].erase(asked)
    expected = {(ANNA, minutes[3]), *((BEN, at_ms) for at_ms in minutes[1:])}
    assert expected == await events_of(stores, retailer, partition)


async def test_thousands_of_shoppers_go_at_once(
    data: Mapping[str, ShopperData], stores: ScyllaStores, retailer: str, partition: int
) -> None:
    """As many as one visit takes, of whom a tenth did anything; their neighbours stay."""
    shoppers = [f"{number % 4_096:03x}{number:061x}" for number in range(5_000)]
    active, others = shoppers[::10], [f"{number:03x}{'f' * 61}" for number in range(100)]
    await keep(stores, retailer, partition, [(shopper, NOON_MS - 1) for shopper in (*active, *others)])
    await stores.snapshots.save(partition, [snapshot(retailer, shopper, END) for shopper in (*active, *others)])
    await stores.trees.push(retailer, [(shopper, b"tree") for shopper in (*active, *others)])
    asked = [erased(retailer, shopper, partition) for shopper in shoppers]
    visits = {name: await one.erase(asked) for name, one in data.items()}
    assert {
        "failed events": NOTHING,
        "trees": gone(500),
        "snapshots": gone(1_000),
        "event store": gone(1_000),
    } == visits
    assert set(others) == {shopper for shopper, _ in await events_of(stores, retailer, partition)}
    keys = [ShopperKey(retailer, shopper) for shopper in (*shoppers, *others)]
    assert set(others) == {key.shopper for key in await stores.snapshots.load(keys)}
    assert set(others) == {key.shopper for key in await stores.trees.load(keys)}


async def test_what_a_delete_can_not_take_is_left(
    data: Mapping[str, ShopperData],
    retailer: str,
    partition: int,
    settings: Settings,
    generations: MemoryGenerations,
) -> None:
    """A tree that somebody wrote by hand, under a clock's time, is found, told at every visit, and never hidden."""
    generation = await generations.reserve(retailer)
    execute(
        settings,
        f"INSERT INTO {settings.scylla_keyspace}.trees (retailer_id, slot, shopper, generation, tree)"
        f" VALUES ('{retailer}', {slot_of(ANNA)}, '{ANNA}', {generation}, 0x00)",
    )
    for _ in range(2):
        visit = await data["trees"].erase([erased(retailer, ANNA, partition)])
        assert Visit(found=1, removed=0, left=1, waits_for="the next visit") == visit


async def test_every_store_says_how_old_it_is(
    data: Mapping[str, ShopperData],
    stores: ScyllaStores,
    retailer: str,
    other: str,
    partition: int,
) -> None:
    """Its oldest that is older than a moment, of one retailer; a tree is too old where the shopper has no snapshot."""
    await stores.trees.push(retailer, [(DEFAULT, b"default"), (ANNA, b"anna"), (BEN, b"ben")])
    await stores.snapshots.save(partition, [snapshot(retailer, BEN, 1)])
    await stores.failed.put([failure(retailer, ANNA, partition, 2)])
    record = replace(viewed(1), retailer_id=retailer, received_at_ms=NOON_MS)
    await stores.archive.put(0, [StoredEvent(Position(1, 1), record)])
    days = {"failed events": NOON_MS, "trees": NOON_MS, "snapshots": NOON_MS, "event store": NOON_MS - NOON_MS % DAY_MS}
    asked_ms = NOON_MS + DAY_MS
    assert days == {name: await one.oldest_ms(retailer, asked_ms) for name, one in data.items()}
    assert [None] * 4 == [await one.oldest_ms(other, asked_ms) for one in data.values()]
    assert [None] * 4 == [await one.oldest_ms(retailer, NOON_MS - DAY_MS) for one in data.values()]
    assert 1 == await stores.expire_trees(retailer, asked_ms)
    assert await data["trees"].oldest_ms(retailer, asked_ms) is None
    found = await stores.trees.load([ShopperKey(retailer, ANNA), ShopperKey(retailer, BEN)])
    assert [b"default", b"ben"] == [found[ShopperKey(retailer, one)].blob for one in (ANNA, BEN)]
