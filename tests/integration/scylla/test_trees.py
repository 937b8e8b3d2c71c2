"""Generations of trees that are written, shown, forgotten, or never shown."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.scylla.open import ScyllaStores
from adapters.settings import Settings
from domain.errors import PortError, Refused
from domain.ids import ShopperKey
from domain.ports.tree_store import DEFAULT, StoredTree
from tests.integration.scylla.control_plane import MemoryGenerations

ANNA, BEN = "a" * 64, "b" * 64


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
    stores: ScyllaStores, retailer: str, generations: MemoryGenerations
) -> None:
    """Left-overs of failed pushes take no place among the two generations kept, and go with what is older."""
    anna = ShopperKey(retailer, ANNA)
    for number in range(1, 6):
        generations.fails_to_show = number in {2, 4}
        try:
            await stores.trees.push(retailer, [(ANNA, b"%d" % number)])
        except PortError:
            assert generations.fails_to_show
    kept = [await stores.trees.get(anna, generation) for generation in (3, 5)]
    assert [StoredTree(3, b"3"), StoredTree(5, b"5")] == kept
    # Were it shown now, nothing would be found of the one that is older than both, and something of the other.
    await generations.show(retailer, 2)
    await generations.show(retailer, 4)
    assert [None, StoredTree(4, b"4")] == [await stores.trees.get(anna, generation) for generation in (2, 4)]


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
