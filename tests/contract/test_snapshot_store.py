"""The contract of `domain.ports.snapshot_store.SnapshotStore`."""

from __future__ import annotations

from adapters.wiring import Ports
from domain.ids import Position, ShopperKey
from domain.ports.snapshot_store import Snapshot
from tests.contract.conftest import System
from tests.story import NOON_MS, RETAILER

PARTITION = 0


def key(number: int, retailer_id: str = RETAILER) -> ShopperKey:
    """A shopper of partition 0."""
    return ShopperKey(retailer_id, f"000{number:061x}")


def snapshot(number: int, offset: int, *, due: int | None = None, touched: int = 0, epoch: int = 1) -> Snapshot:
    """A shopper's snapshot whose payload says its position; times are seconds after noon."""
    due_at_ms = None if due is None else NOON_MS + due * 1_000
    return Snapshot(key(number), Position(epoch, offset), payload(epoch, offset), due_at_ms, NOON_MS + touched * 1_000)


def payload(epoch: int, offset: int) -> bytes:
    """Bytes that tell snapshots apart."""
    return f"{epoch}-{offset}".encode() + b"\x00\xff"


async def test_load_gives_those_who_have_a_snapshot(ports: Ports) -> None:
    """Shoppers without a snapshot are absent; the others' bytes come back as they were saved."""
    await ports.snapshots.save(PARTITION, [snapshot(1, 10), snapshot(2, 11)])
    assert {key(1): payload(1, 10), key(2): payload(1, 11)} == await ports.snapshots.load([key(1), key(2), key(3)])
    assert {} == await ports.snapshots.load([])


async def test_load_reads_many_at_once(ports: Ports) -> None:
    """A batch of thousands of shoppers, most of them unknown, is one call."""
    await ports.snapshots.save(PARTITION, [snapshot(number, number) for number in range(0, 5_000, 2)])
    found = await ports.snapshots.load([key(number) for number in range(5_000)])
    assert {key(number): payload(1, number) for number in range(0, 5_000, 2)} == found


async def test_equal_shoppers_of_two_retailers_are_two(ports: Ports) -> None:
    """A snapshot belongs to one retailer's shopper."""
    await ports.snapshots.save(PARTITION, [snapshot(1, 10)])
    assert {} == await ports.snapshots.load([key(1, "another")])


async def test_snapshots_are_there_after_reopening(system: System) -> None:
    """What was saved is found by the next process."""
    async with system() as ports:
        await ports.snapshots.save(PARTITION, [snapshot(1, 10)])
    async with system() as ports:
        assert {key(1): payload(1, 10)} == await ports.snapshots.load([key(1)])


async def test_a_newer_position_replaces_an_older_one(ports: Ports) -> None:
    """Positions are compared by epoch first, then by offset."""
    for epoch, offset in ((1, 10), (1, 11), (2, 3)):
        await ports.snapshots.save(PARTITION, [snapshot(1, offset, epoch=epoch)])
        assert {key(1): payload(epoch, offset)} == await ports.snapshots.load([key(1)])


async def test_an_older_position_never_replaces_a_newer_one(ports: Ports) -> None:
    """A paused worker's late save changes nothing, neither payload nor timer, and harms nobody else in the batch."""
    await ports.snapshots.save(PARTITION, [snapshot(1, 3, epoch=2, due=60)])
    await ports.snapshots.save(PARTITION, [snapshot(1, 99, due=5), snapshot(2, 4)])
    assert {key(1): payload(2, 3), key(2): payload(1, 4)} == await ports.snapshots.load([key(1), key(2)])
    assert [(key(1), NOON_MS + 60_000)] == list(await ports.snapshots.timers(PARTITION))


async def test_a_save_may_be_repeated(ports: Ports) -> None:
    """The same snapshots again succeed and change nothing."""
    for _ in range(2):
        await ports.snapshots.save(PARTITION, [snapshot(1, 10, due=60)])
    assert {key(1): payload(1, 10)} == await ports.snapshots.load([key(1)])
    assert [(key(1), NOON_MS + 60_000)] == list(await ports.snapshots.timers(PARTITION))


async def test_timers_gives_who_has_one_pending(ports: Ports) -> None:
    """A snapshot without a timer is not among them, and one that lost its timer leaves them."""
    await ports.snapshots.save(PARTITION, [snapshot(1, 1, due=60), snapshot(2, 2), snapshot(3, 3, due=30)])
    await ports.snapshots.save(PARTITION, [snapshot(1, 4)])
    assert [(key(3), NOON_MS + 30_000)] == list(await ports.snapshots.timers(PARTITION))


async def test_newest_gives_the_highest_position(ports: Ports) -> None:
    """None without snapshots; then the highest of all shoppers, by epoch first."""
    assert await ports.snapshots.newest(PARTITION) is None
    await ports.snapshots.save(PARTITION, [snapshot(1, 90), snapshot(2, 7, epoch=2), snapshot(3, 80)])
    assert Position(2, 7) == await ports.snapshots.newest(PARTITION)


async def test_expire_removes_the_untouched(ports: Ports) -> None:
    """Snapshots last touched before the time go, with their timers; those touched at it stay."""
    await ports.snapshots.save(
        PARTITION, [snapshot(1, 1, touched=9, due=60), snapshot(2, 2, touched=10), snapshot(3, 3, touched=11)]
    )
    assert 1 == await ports.snapshots.expire(RETAILER, NOON_MS + 10_000)
    assert {key(2), key(3)} == set(await ports.snapshots.load([key(1), key(2), key(3)]))
    assert [] == list(await ports.snapshots.timers(PARTITION))
