"""Places in the log as timestamps: what is further along wins, whoever writes last."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from adapters.scylla.open import ScyllaStores
from adapters.scylla.timestamps import EPOCH_MAX, delete_timestamp, write_timestamp
from domain.ids import BEGINNING, Position, ShopperKey
from domain.ports.failed_events import FailedEvent
from domain.ports.snapshot_store import Snapshot
from tests.contract.conftest import StoppedClock
from tests.integration.scylla.control_plane import MemoryRequests
from tests.story import NOON_MS

NEWEST_OFFSET = 2**43 - 2
DAY_MS = 86_400_000


def snapshot(retailer: str, number: int, offset: int, *, due_at_ms: int | None = None, epoch: int = 1) -> Snapshot:
    """A shopper's snapshot that says where it stands."""
    key = ShopperKey(retailer, f"{number:064x}")
    return Snapshot(key, Position(epoch, offset), f"{epoch}-{offset}".encode(), due_at_ms, NOON_MS)


def failed(retailer: str, partition: int, offset: int, reason: str = "undecodable") -> FailedEvent:
    """A failure at noon, kept for a day."""
    return FailedEvent(
        failed_id=f"{partition}-1-{offset}",
        partition=partition,
        position=Position(1, offset),
        retailer_id=retailer,
        shopper="",
        event_id="",
        reason=reason,
        detail="no record",
        path="$",
        payload=b"\xc1",
        failed_at_ms=NOON_MS,
        expires_at_ms=NOON_MS + DAY_MS,
    )


def test_timestamps_grow_with_the_position() -> None:
    """By epoch first, then by offset; a delete comes after its own position and before the next one."""
    places = [BEGINNING, Position(1, 0), Position(1, 1), Position(1, NEWEST_OFFSET), Position(2, 0)]
    stamps = [stamp for place in places for stamp in (write_timestamp(place), delete_timestamp(place))]
    assert sorted(set(stamps)) == stamps


def test_timestamps_are_never_in_the_future() -> None:
    """ScyllaDB refuses what is more than three days ahead: the last epoch still lies in the past."""
    assert delete_timestamp(Position(EPOCH_MAX, NEWEST_OFFSET)) < NOON_MS * 1_000


async def test_a_zombies_late_save_loses(stores: ScyllaStores, retailer: str, partition: int) -> None:
    """A worker that wakes up after its successor saved changes neither state, timer nor the partition's end."""
    due_ms = NOON_MS + 60_000
    await stores.snapshots.save(partition, [snapshot(retailer, 1, 20), snapshot(retailer, 2, 19, due_at_ms=due_ms)])
    late = [snapshot(retailer, 1, 12, due_at_ms=due_ms), snapshot(retailer, 2, 11), snapshot(retailer, 3, 10)]
    await stores.snapshots.save(partition, late)
    keys = [one.key for one in late]
    assert {keys[0]: b"1-20", keys[1]: b"1-19", keys[2]: b"1-10"} == await stores.snapshots.load(keys)
    assert [(keys[1], due_ms)] == list(await stores.snapshots.timers(partition))
    assert Position(1, 20) == await stores.snapshots.newest(partition)


async def test_a_removed_snapshot_is_only_brought_back_by_a_newer_one(
    stores: ScyllaStores, retailer: str, partition: int
) -> None:
    """What expired stays away when it is saved again late, and the shopper's next event writes a new one."""
    old = snapshot(retailer, 1, 5)._replace(touched_at_ms=1)
    await stores.snapshots.save(partition, [old])
    assert 1 == await stores.snapshots.expire(retailer, 2)
    await stores.snapshots.save(partition, [old])
    assert {} == await stores.snapshots.load([old.key])
    await stores.snapshots.save(partition, [snapshot(retailer, 1, 6)])
    assert {old.key: b"1-6"} == await stores.snapshots.load([old.key])


async def test_expire_reads_every_storage_partition(stores: ScyllaStores, retailer: str, partition: int) -> None:
    """Snapshots of all slots are found, in whatever token range they lie, and none is counted twice."""
    old = [
        Snapshot(ShopperKey(retailer, f"{number:03x}{number:061x}"), Position(1, number), b"old", None, 10)
        for number in range(600)
    ]
    young = [
        one._replace(key=ShopperKey(retailer, f"{one.key.shopper[:3]}{'f' * 61}"), touched_at_ms=11) for one in old
    ]
    await stores.snapshots.save(partition, old + young)
    assert 600 == await stores.snapshots.expire(retailer, 11)
    assert 0 == await stores.snapshots.expire(retailer, 11)
    keys = [one.key for one in old + young]
    assert {one.key: b"old" for one in young} == await stores.snapshots.load(keys)
    assert 600 == await stores.snapshots.expire(retailer, 12)


async def test_what_was_replayed_never_comes_back(
    stores: ScyllaStores, retailer: str, partition: int, requests: MemoryRequests
) -> None:
    """The archiver is behind the worker: its report of an event that is in the log again changes nothing."""
    told = [failed(retailer, partition, 1), failed(retailer, partition, 2)]
    await stores.failed.put(told[:1])
    await stores.failed.request_replay([one.failed_id for one in told])
    await stores.failed.replayed([one.failed_id for one in told])
    await stores.failed.put(told)
    assert [] == list(await stores.failed.list(retailer, events_max=10))
    assert [] == list(requests.wanted(partition))


async def test_two_reports_of_one_failure_are_listed_once(stores: ScyllaStores, retailer: str, partition: int) -> None:
    """Worker and archiver each stamp bytes that nobody can read with their own time: the first report stays."""
    first = failed(retailer, partition, 1)
    later = replace(first, failed_at_ms=NOON_MS + DAY_MS // 2, reason="later")
    await stores.failed.put([first, later])
    await stores.failed.put([later])
    assert [first] == list(await stores.failed.list(retailer, events_max=10))


async def test_two_reports_at_the_same_moment_leave_one_whole(
    stores: ScyllaStores, retailer: str, partition: int
) -> None:
    """Whichever of two simultaneous reports stays, it stands where it belongs and goes as a whole."""
    first = [failed(retailer, partition, offset) for offset in range(40)]
    later = [replace(one, failed_at_ms=NOON_MS - DAY_MS, reason="later") for one in first]
    await asyncio.gather(stores.failed.put(first), stores.failed.put(later))
    found = await stores.failed.list(retailer, events_max=100)
    assert len(first) == len(found)
    assert all(one in first or one in later for one in found)
    await stores.failed.replayed([one.failed_id for one in first])
    assert [] == list(await stores.failed.list(retailer, events_max=100))


async def test_a_flood_of_failures_is_listed_page_by_page(
    stores: ScyllaStores, retailer: str, partition: int, clock: StoppedClock
) -> None:
    """The newest of thousands come first, over days, and what has expired in between is passed over."""
    told = [
        replace(failed(retailer, partition, number), failed_at_ms=NOON_MS - number * 60_000) for number in range(2_000)
    ]
    gone = [replace(one, expires_at_ms=NOON_MS + DAY_MS - 1) if number % 2 else one for number, one in enumerate(told)]
    await stores.failed.put(gone)
    clock.ms = NOON_MS + DAY_MS - 1
    assert gone[:1_400:2] == list(await stores.failed.list(retailer, events_max=700))


async def test_watermarks_are_exact_and_never_go_back(stores: ScyllaStores, partition: int) -> None:
    """The latest published stays, and a partition that published nothing is absent."""
    await stores.archive.publish(partition, NOON_MS)
    await stores.archive.publish(partition, NOON_MS - 1)
    found = await stores.archive.watermarks()
    assert NOON_MS == found[partition]
    assert partition - 1 not in found
    await stores.archive.publish(partition, NOON_MS + 1)
    assert NOON_MS + 1 == (await stores.archive.watermarks())[partition]
