"""Erasures in the embedded tables: snapshots, trees and failed events of a shopper are gone, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.ids import Position, ShopperKey
from domain.ports.failed_events import FailedEvent
from domain.ports.shopper_data import Visit
from domain.ports.snapshot_store import Snapshot
from domain.ports.tree_store import DEFAULT, StoredTree
from tests.contract import test_failed_events
from tests.story import NOON_MS, RETAILER
from tests.unit.erasing import OTHER_RETAILER, Embedded, erased, key, opened

MANY = 1_200


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Embedded]:
    """Empty stores."""
    async with opened(tmp_path / "data") as stores:
        yield stores


def snapshot(of: ShopperKey, offset: int, epoch: int = 1) -> Snapshot:
    """A shopper's, as of a place."""
    return Snapshot(of, Position(epoch, offset), of.shopper.encode() * 9, NOON_MS, NOON_MS)


def failure(name: str, offset: int, retailer_id: str = RETAILER) -> FailedEvent:
    """An event of a shopper that failed."""
    return replace(test_failed_events.failed(offset, retailer_id=retailer_id), shopper=key(name).shopper)


async def test_each_part_has_a_name_of_its_own(stores: Embedded) -> None:
    """By which receipts call it."""
    names = ["event log", "experience log", "snapshots", "trees", "failed events"]
    assert names == [part.name for part in stores.parts]


async def test_nothing_is_found_of_a_stranger(stores: Embedded) -> None:
    """Neither in empty stores nor beside others."""
    for _ in range(2):
        for part in stores.parts:
            assert Visit(0, 0, 0) == await part.erase([erased("cy", 9)])
        await stores.snapshots.save(0, [snapshot(key("anna"), 1)])
        await stores.trees.push(RETAILER, [(DEFAULT, b"default"), (key("anna").shopper, b"own")])
        await stores.failed.put([failure("anna", 1)])
    assert [key("anna")] == list(await stores.snapshots.load([key("anna")]))


async def test_snapshots_up_to_the_erasure_are_gone(stores: Embedded) -> None:
    """A later one is neither found nor left, a namesake's of another shop stays, and a second visit finds nothing."""
    shops = (RETAILER, OTHER_RETAILER)
    places = {"anna": Position(1, 7), "bob": Position(1, 8), "dora": Position(2, 0), "eve": Position(1, 2)}
    await stores.snapshots.save(
        0, [snapshot(key(name, shop), at.offset, at.epoch) for name, at in places.items() for shop in shops]
    )
    gone = [erased(name, 7) for name in places]
    assert Visit(2, 2, 0) == await stores.of_snapshots.erase(gone)
    assert Visit(0, 0, 0) == await stores.of_snapshots.erase(gone)
    left = await stores.snapshots.load([key(name, shop) for name in places for shop in shops])
    assert {key("bob"), key("dora")} == {one for one in left if one.retailer_id == RETAILER}
    assert {key(name, OTHER_RETAILER) for name in places} == {one for one in left if one.retailer_id != RETAILER}
    assert 6 == len(await stores.snapshots.timers(0))


async def test_each_shopper_is_gone_up_to_a_place_of_its_own(stores: Embedded) -> None:
    """Of many at once."""
    await stores.snapshots.save(0, [snapshot(key(str(number)), 10) for number in range(MANY)])
    gone = [erased(str(number), 9 + number % 2) for number in range(MANY)]
    assert Visit(MANY // 2, MANY // 2, 0) == await stores.of_snapshots.erase(gone)
    left = await stores.snapshots.load([key(str(number)) for number in range(MANY)])
    assert {key(str(number)) for number in range(0, MANY, 2)} == set(left)


async def test_every_generation_of_a_shoppers_own_trees_is_gone(stores: Embedded) -> None:
    """The default and others' trees stay; who holds trees looks again, once there was something to remove."""
    anna, bob = key("anna"), key("bob")
    for shop in (RETAILER, OTHER_RETAILER):
        for blob in (b"first", b"second"):
            await stores.trees.push(shop, [(DEFAULT, b"default"), (anna.shopper, blob), (bob.shopper, blob)])
    version = stores.trees.version()
    gone = [erased("anna", 0), erased("cy", 0)]
    assert Visit(2, 2, 0) == await stores.of_trees.erase(gone)
    after = stores.trees.version()
    assert version != after
    assert Visit(0, 0, 0) == await stores.of_trees.erase(gone)
    assert after == stores.trees.version()
    namesake = key("anna", OTHER_RETAILER)
    default, second = StoredTree(2, b"default"), StoredTree(2, b"second")
    assert {anna: default, bob: second, namesake: second} == await stores.trees.load([anna, bob, namesake])


async def test_the_default_tree_is_nobodys(stores: Embedded) -> None:
    """Even if somebody asks for it."""
    await stores.trees.push(RETAILER, [(DEFAULT, b"default")])
    asked = erased("anna", 0)._replace(key=ShopperKey(RETAILER, DEFAULT))
    assert Visit(0, 0, 0) == await stores.of_trees.erase([asked])
    assert StoredTree(1, b"default") == (await stores.trees.load([key("anna")]))[key("anna")]


async def test_trees_of_many_are_gone(stores: Embedded) -> None:
    """Of more than one statement asks for."""
    await stores.trees.push(RETAILER, [(key(str(number)).shopper, b"own") for number in range(MANY)])
    gone = [erased(str(number), 0) for number in range(0, MANY, 2)]
    assert Visit(MANY // 2, MANY // 2, 0) == await stores.of_trees.erase(gone)


async def test_failed_events_are_gone_with_the_requests_to_replay_them(stores: Embedded) -> None:
    """Up to the erasure; later ones, others', a namesake's and what nobody could read stay."""
    kept = [failure("bob", 2), failure("anna", 3, OTHER_RETAILER), failure("", 4, ""), failure("anna", 8)]
    await stores.failed.put([failure("anna", 1), failure("anna", 7), *kept])
    await stores.failed.request_replay(["0-1-1", "0-1-2", "0-1-8"])
    assert Visit(2, 2, 0) == await stores.of_failed.erase([erased("anna", 7)])
    assert Visit(0, 0, 0) == await stores.of_failed.erase([erased("anna", 7)])
    assert {"0-1-2", "0-1-8"} == {one.failed_id for one in await stores.failed.requested(0, events_max=9)}
    left = await stores.control.database.read(
        lambda connection: connection.execute("SELECT failed_id FROM replays ORDER BY failed_id").fetchall()
    )
    assert [("0-1-2",), ("0-1-8",)] == left
    listed = [*await stores.failed.list(RETAILER, events_max=9), *await stores.failed.list("r-2", events_max=9)]
    assert {one.failed_id for one in kept} == {one.failed_id for one in listed}


async def test_failed_events_of_many_are_gone(stores: Embedded) -> None:
    """Over more than one look."""
    await stores.failed.put([failure(str(number % 2), number) for number in range(MANY)])
    assert Visit(MANY // 2, MANY // 2, 0) == await stores.of_failed.erase([erased("1", MANY)])
    assert MANY // 2 == len(await stores.failed.list(RETAILER, events_max=MANY))


async def test_a_failed_event_of_another_form_stays(stores: Embedded) -> None:
    """Bytes that are none are left alone, and stand in nobody's way."""
    await stores.failed.put([failure("anna", 1), failure("anna", 2)])
    await stores.of_failed._state.write(
        lambda connection: connection.execute("UPDATE failed SET event = x'c1' WHERE failed_id = '0-1-1'")
    )
    assert Visit(1, 1, 0) == await stores.of_failed.erase([erased("anna", 9)])
