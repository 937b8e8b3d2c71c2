"""The contract of `domain.ports.tree_store.TreeStore`."""

from __future__ import annotations

import pytest

from adapters.wiring import Ports
from domain.errors import HotbasketError
from domain.ids import ShopperKey
from domain.ports.tree_store import DEFAULT, StoredTree
from tests.contract.conftest import System
from tests.contract.consumer import eventually
from tests.story import RETAILER

ANNA, BEN = ShopperKey(RETAILER, "a" * 64), ShopperKey(RETAILER, "b" * 64)
STRANGER = ShopperKey("r-2", "a" * 64)


async def test_generations_count_from_one_by_retailer(ports: Ports) -> None:
    """Each push of a retailer gets the next number; retailers count on their own."""
    assert [1, 2] == [await ports.trees.push(RETAILER, [(DEFAULT, b"one")]) for _ in range(2)]
    assert 1 == await ports.trees.push("r-2", [(DEFAULT, b"other")])


async def test_load_gives_the_own_tree_else_the_default(ports: Ports) -> None:
    """A shopper with a tree gets it, one without gets the retailer's default, other retailers' shoppers get nothing."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"default"), (ANNA.shopper, b"anna")])
    found = await ports.trees.load([ANNA, BEN, STRANGER])
    assert {ANNA: StoredTree(1, b"anna"), BEN: StoredTree(1, b"default")} == found


async def test_load_without_any_tree_gives_nobody(ports: Ports) -> None:
    """Shoppers with neither an own tree nor a default are absent."""
    assert {} == await ports.trees.load([ANNA])
    assert {} == await ports.trees.load([])


async def test_the_default_tree_is_one_object_for_all(ports: Ports) -> None:
    """A million shoppers share one default tree in memory, also when somebody else's tree was pushed meanwhile."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"default")])
    first = (await ports.trees.load([ANNA]))[ANNA]
    assert (await ports.trees.load([BEN]))[BEN].blob is first.blob
    await ports.trees.push("r-2", [(STRANGER.shopper, b"stranger")])
    assert (await ports.trees.load([BEN]))[BEN].blob is first.blob


async def test_a_push_leaves_those_not_named(ports: Ports) -> None:
    """Only the shoppers of the push get the new generation."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"default"), (ANNA.shopper, b"anna")])
    await ports.trees.push(RETAILER, [(BEN.shopper, b"ben")])
    assert {ANNA: StoredTree(1, b"anna"), BEN: StoredTree(2, b"ben")} == await ports.trees.load([ANNA, BEN])


async def test_the_newest_generation_is_visible(ports: Ports) -> None:
    """A pushed tree replaces the one before for every load that follows."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"old"), (ANNA.shopper, b"old anna")])
    await ports.trees.push(RETAILER, [(DEFAULT, b"new"), (ANNA.shopper, b"new anna")])
    assert {ANNA: StoredTree(2, b"new anna"), BEN: StoredTree(2, b"new")} == await ports.trees.load([ANNA, BEN])


async def test_load_reads_many_at_once(ports: Ports) -> None:
    """A batch of thousands of shoppers is one call; half of them have a tree of their own."""
    keys = [ShopperKey(RETAILER, f"{number:064x}") for number in range(3_000)]
    await ports.trees.push(RETAILER, [(DEFAULT, b"default")])
    await ports.trees.push(RETAILER, [(key.shopper, key.shopper.encode()) for key in keys[::2]])
    found = await ports.trees.load(keys)
    assert [StoredTree(2, key.shopper.encode()) for key in keys[::2]] == [found[key] for key in keys[::2]]
    assert [StoredTree(1, b"default")] * 1_500 == [found[key] for key in keys[1::2]]


async def test_the_last_two_generations_of_each_are_kept(ports: Ports) -> None:
    """The tree before the newest can still be explained; the one before that is gone."""
    for blob in (b"1", b"2", b"3"):
        await ports.trees.push(RETAILER, [(DEFAULT, blob)])
    kept = [await ports.trees.get(ANNA, generation) for generation in (1, 2, 3)]
    assert [None, StoredTree(2, b"2"), StoredTree(3, b"3")] == kept


async def test_a_push_to_others_forgets_nobody(ports: Ports) -> None:
    """Two generations are counted by shopper: what others get pushed does not age a tree."""
    await ports.trees.push(RETAILER, [(ANNA.shopper, b"anna")])
    for blob in (b"2", b"3", b"4"):
        await ports.trees.push(RETAILER, [(BEN.shopper, blob)])
    assert {ANNA: StoredTree(1, b"anna"), BEN: StoredTree(4, b"4")} == await ports.trees.load([ANNA, BEN])


async def test_get_prefers_the_own_tree_of_the_generation(ports: Ports) -> None:
    """Where one push named both, the shopper had the own tree; who was not named had the default."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"default"), (ANNA.shopper, b"anna")])
    assert StoredTree(1, b"anna") == await ports.trees.get(ANNA, 1)
    assert StoredTree(1, b"default") == await ports.trees.get(BEN, 1)
    assert await ports.trees.get(STRANGER, 1) is None


async def test_version_changes_with_every_push_and_only_then(ports: Ports) -> None:
    """A reader learns from one number whether anything visible changed."""
    before = ports.trees.version()
    await ports.trees.load([ANNA])
    assert before == ports.trees.version()
    await ports.trees.push(RETAILER, [(ANNA.shopper, b"anna")])
    assert before != ports.trees.version()


async def test_trees_are_there_after_reopening(system: System) -> None:
    """Pushed trees last, and generations go on counting."""
    async with system() as ports:
        await ports.trees.push(RETAILER, [(DEFAULT, b"default")])
    async with system() as ports:
        assert {ANNA: StoredTree(1, b"default")} == await ports.trees.load([ANNA])
        assert 2 == await ports.trees.push(RETAILER, [(ANNA.shopper, b"anna")])


async def test_another_process_sees_a_push(system: System) -> None:
    """A tree pushed by a command is in force in a running system."""
    async with system() as running:
        before = running.trees.version()
        assert {} == await running.trees.load([ANNA])
        async with system() as command:
            await command.trees.push(RETAILER, [(DEFAULT, b"default")])

        async def is_visible() -> bool:
            return before != running.trees.version()

        await eventually(is_visible)
        assert {ANNA: StoredTree(1, b"default")} == await running.trees.load([ANNA])


async def test_a_failed_push_shows_nothing(ports: Ports) -> None:
    """When one tree can't be stored, none of the push becomes visible, and no generation is used up."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"old")])
    with pytest.raises(HotbasketError):
        await ports.trees.push(RETAILER, [(DEFAULT, b"new"), (ANNA.shopper, None)])  # type: ignore[list-item]
    assert {ANNA: StoredTree(1, b"old")} == await ports.trees.load([ANNA])
    assert 2 == await ports.trees.push(RETAILER, [(DEFAULT, b"new")])


async def test_the_newest_release_of_each_retailer_is_known(ports: Ports) -> None:
    """Generation, moment and number of trees stand in memory after a load, whoever's trees were asked for."""
    for blob in (b"one", b"two"):
        await ports.trees.push(RETAILER, [(DEFAULT, blob), (ANNA.shopper, blob)])
    await ports.trees.push("r-2", [(DEFAULT, b"other")])
    await ports.trees.load([])
    newest = ports.trees.newest()
    assert {RETAILER: (2, 2), "r-2": (1, 1)} == {one: (it.generation, it.trees) for one, it in newest.items()}
    listed = await ports.releases.released(RETAILER)
    assert newest[RETAILER] == listed[0]


async def test_a_rollback_makes_the_release_before_the_newest(ports: Ports) -> None:
    """What was taken back is not in force any more; what was shown before it is, since then."""
    for blob in (b"one", b"two"):
        await ports.trees.push(RETAILER, [(DEFAULT, blob)])
    await ports.releases.rollback(RETAILER)
    await ports.trees.load([])
    assert 1 == ports.trees.newest()[RETAILER].generation
