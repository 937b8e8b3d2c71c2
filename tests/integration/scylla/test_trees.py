"""Generations of trees that are written, shown, forgotten, or never shown."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.scylla.connection import connect
from adapters.scylla.open import ScyllaStores, open_releases
from adapters.settings import Settings
from domain.errors import PortError, Refused
from domain.ids import ShopperKey
from domain.ports.tree_store import DEFAULT, StoredTree
from monitoring.metrics import Metrics
from tests.integration.scylla.control_plane import MemoryGenerations

ANNA, BEN = "a" * 64, "b" * 64


def stored(settings: Settings, retailer: str) -> set[tuple[str, int]]:
    """What is in the store of a retailer's trees, visible or not: shopper and generation."""
    session = connect(settings)
    try:
        rows = session.execute(f"SELECT retailer_id, shopper, generation FROM {settings.scylla_keyspace}.trees")
        return {(shopper, generation) for retailer_id, shopper, generation in rows if retailer_id == retailer}
    finally:
        session.cluster.shutdown()


async def test_a_half_pushed_generation_is_never_visible(
    stores: ScyllaStores, retailer: str, generations: MemoryGenerations
) -> None:
    """Trees that were written and not shown stay unseen, also when later generations are shown."""
    anna, ben = ShopperKey(retailer, ANNA), ShopperKey(retailer, BEN)
    await stores.trees.push(retailer, [(DEFAULT, b"default"), (ANNA, b"anna")])
    generations.fails_to_show = True
    with pytest.raises(PortError):
        await stores.trees.push(retailer, [(DEFAULT, b"half"), (ANNA, b"half anna"), (BEN, b"half ben")])
    generations.fails_to_show = False
    seen = {anna: StoredTree(1, b"anna"), ben: StoredTree(1, b"default")}
    assert seen == await stores.trees.load([anna, ben])
    assert await stores.trees.get(anna, 2) is None
    assert 3 == await stores.trees.push(retailer, [("c" * 64, b"somebody else's")])
    assert seen == await stores.trees.load([anna, ben])
    assert await stores.trees.get(anna, 2) is None


async def test_what_was_never_shown_is_forgotten_with_the_old(
    stores: ScyllaStores, retailer: str, generations: MemoryGenerations, settings: Settings
) -> None:
    """Left-overs of failed pushes take no place among the two generations kept, and go with what is older."""
    for number in range(1, 6):
        generations.fails_to_show = number in {2, 4}
        try:
            await stores.trees.push(retailer, [(ANNA, b"%d" % number)])
        except PortError:
            assert generations.fails_to_show
    kept = [await stores.trees.get(ShopperKey(retailer, ANNA), generation) for generation in (3, 5)]
    assert [StoredTree(3, b"3"), StoredTree(5, b"5")] == kept
    assert {(ANNA, 3), (ANNA, 5)} == stored(settings, retailer)


async def test_what_is_invisible_for_good_leaves_the_store(
    stores: ScyllaStores, retailer: str, settings: Settings
) -> None:
    """Rolled back and overtaken trees are deleted, whoever they are for; what is visible or may be shown stays."""
    releases = stores.releases
    await stores.trees.push(retailer, [(DEFAULT, b"1"), (ANNA, b"1")])
    for _ in range(4):
        generation = await releases.begin(retailer)
        await releases.put(retailer, generation, [(DEFAULT, b"bulk"), (ANNA, b"bulk"), (BEN, b"bulk")])
    await releases.show(retailer, 4, trees=3)
    assert 1 == await releases.rollback(retailer)
    assert 9 == await releases.forget(retailer)
    left = {(DEFAULT, 1), (ANNA, 1), *((shopper, 5) for shopper in (DEFAULT, ANNA, BEN))}
    assert left == stored(settings, retailer)
    assert 0 == await releases.forget(retailer)


async def test_a_task_that_comes_too_late_brings_nothing_back(
    stores: ScyllaStores, retailer: str, settings: Settings
) -> None:
    """What was deleted stays deleted when the same rows are written again: of equal timestamps the delete wins."""
    await stores.trees.push(retailer, [(ANNA, b"1")])
    half = await stores.releases.begin(retailer)
    await stores.releases.write(retailer, half, [(ANNA, b"half")])
    await stores.trees.push(retailer, [(ANNA, b"3")])
    await stores.releases.write(retailer, half, [(ANNA, b"half")])
    assert {(ANNA, 1), (ANNA, 3)} == stored(settings, retailer)


async def test_what_puts_trees_opens_nothing_else(
    settings: Settings, stores: ScyllaStores, retailer: str, generations: MemoryGenerations, metrics: Metrics
) -> None:
    """A task of a job has a session of its own, with the statements that it needs."""
    generation = await stores.releases.begin(retailer)
    opened = await open_releases(settings, metrics, generations)
    try:
        await opened.releases.put(retailer, generation, [(ANNA, b"tree")])
    finally:
        await opened.close()
    await stores.releases.show(retailer, generation, trees=1)
    anna = ShopperKey(retailer, ANNA)
    assert {anna: StoredTree(generation, b"tree")} == await stores.trees.load([anna])


async def test_a_push_that_was_overtaken_is_done_again(
    stores: ScyllaStores, retailer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's push in between costs the person who pushes a generation and nothing else."""
    write = stores.releases.write
    others = iter([b"other"])

    async def interrupted(retailer_id: str, generation: int, trees: Any) -> None:  # Any: as the store takes them
        await write(retailer_id, generation, trees)
        for blob in others:
            await stores.trees.push(retailer, [(BEN, blob)])

    monkeypatch.setattr(stores.releases, "write", interrupted)
    assert 3 == await stores.trees.push(retailer, [(ANNA, b"anna")])
    anna, ben = ShopperKey(retailer, ANNA), ShopperKey(retailer, BEN)
    assert {anna: StoredTree(3, b"anna"), ben: StoredTree(2, b"other")} == await stores.trees.load([anna, ben])


async def test_bad_trees_are_refused_before_anything_is_reserved(
    stores: ScyllaStores, retailer: str, generations: MemoryGenerations
) -> None:
    """Every fault is named, and the next good push is the first generation."""
    with pytest.raises(Refused, match="shopper hash") as refused:
        await stores.trees.push(retailer, [("c-1842", b"tree"), (ANNA, "text")])  # type: ignore[list-item]
    assert 2 == len(refused.value.faults)
    assert 1 == await stores.trees.push(retailer, [(ANNA, b"tree")])


async def test_a_default_pushed_by_another_process_is_read_again(
    stores: ScyllaStores, settings: Settings, opened: Any, retailer: str
) -> None:
    """The default tree is one object while it stays the same, and another one from the next version on."""
    anna, ben = ShopperKey(retailer, ANNA), ShopperKey(retailer, BEN)
    assert {} == await stores.trees.load([anna])
    async with opened(settings) as command:
        await command.trees.push(retailer, [(DEFAULT, b"one")])
        first = (await stores.trees.load([anna]))[anna]
        await command.trees.push(retailer, [(ANNA, b"own")])
        assert (await stores.trees.load([ben]))[ben] is first
        await command.trees.push(retailer, [(DEFAULT, b"two")])
    assert {anna: StoredTree(2, b"own"), ben: StoredTree(3, b"two")} == await stores.trees.load([anna, ben])


async def test_large_trees_of_one_storage_partition(stores: ScyllaStores, retailer: str) -> None:
    """A hundred trees of 60 KB in one storage partition are more than a page of any server, and all come back."""
    trees = [(f"aaa{number:061x}", b"%03d" % number + b"\x00" * 60_000) for number in range(100)]
    await stores.trees.push(retailer, trees)
    keys = [ShopperKey(retailer, shopper) for shopper, _ in trees]
    assert [StoredTree(1, blob) for _, blob in trees] == [
        one for _, one in sorted((await stores.trees.load(keys)).items())
    ]
