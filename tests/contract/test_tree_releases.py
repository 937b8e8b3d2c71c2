"""The contract of `domain.ports.tree_releases.TreeReleases`, seen through the `TreeStore` that readers have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from adapters.wiring import Ports
from domain.errors import HotbasketError, Refused
from domain.ids import ShopperKey
from domain.ports.tree_releases import Release
from domain.ports.tree_store import DEFAULT, StoredTree
from domain.releases import Overtaken
from tests.contract.conftest import System
from tests.contract.consumer import eventually
from tests.story import RETAILER

ANNA, BEN, CARL = (ShopperKey(RETAILER, letter * 64) for letter in "abc")


async def released(ports: Ports, *trees: tuple[str, bytes]) -> int:
    """Makes a release of these trees."""
    generation = await ports.releases.begin(RETAILER)
    await ports.releases.put(RETAILER, generation, trees)
    await ports.releases.show(RETAILER, generation, trees=len(trees))
    return generation


async def begun(ports: Ports, *trees: tuple[str, bytes]) -> int:
    """Begins a release of these trees, and shows nothing."""
    generation = await ports.releases.begin(RETAILER)
    await ports.releases.put(RETAILER, generation, trees)
    return generation


async def numbers(ports: Ports) -> list[int]:
    """The visible generations."""
    return [release.generation for release in await ports.releases.released(RETAILER)]


async def test_a_generation_is_begun_once(ports: Ports) -> None:
    """Of many who begin at once each gets a number of its own; retailers count on their own, pushes count too."""
    got = await asyncio.gather(*(ports.releases.begin(RETAILER) for _ in range(8)))
    assert list(range(1, 9)) == sorted(got)
    assert 1 == await ports.releases.begin("r-2")
    assert 9 == await ports.trees.push(RETAILER, [(DEFAULT, b"pushed")])
    assert 10 == await ports.releases.begin(RETAILER)


async def test_staged_trees_are_invisible_and_shown_all_at_once(ports: Ports) -> None:
    """However many chunks were put, readers see none of them before `show` and all of them after it."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"default"), (ANNA.shopper, b"anna")])
    generation = await ports.releases.begin(RETAILER)
    await ports.releases.put(RETAILER, generation, [(ANNA.shopper, b"new anna")])
    await ports.releases.put(RETAILER, generation, [(BEN.shopper, b"new ben"), (DEFAULT, b"new default")])
    before = {ANNA: StoredTree(1, b"anna"), BEN: StoredTree(1, b"default"), CARL: StoredTree(1, b"default")}
    assert before == await ports.trees.load([ANNA, BEN, CARL])
    assert await ports.trees.get(ANNA, generation) is None
    await ports.releases.show(RETAILER, generation, trees=3)
    after = {ANNA: StoredTree(2, b"new anna"), BEN: StoredTree(2, b"new ben"), CARL: StoredTree(2, b"new default")}
    assert after == await ports.trees.load([ANNA, BEN, CARL])
    assert StoredTree(2, b"new anna") == await ports.trees.get(ANNA, generation)


async def test_shoppers_who_are_not_in_it_keep_theirs(ports: Ports) -> None:
    """A release to some leaves the others' trees and the default in force."""
    await released(ports, (DEFAULT, b"default"), (ANNA.shopper, b"anna"))
    await released(ports, (BEN.shopper, b"ben"))
    found = {ANNA: StoredTree(1, b"anna"), BEN: StoredTree(2, b"ben"), CARL: StoredTree(1, b"default")}
    assert found == await ports.trees.load([ANNA, BEN, CARL])


async def test_the_version_changes_when_something_is_shown_or_hidden(ports: Ports) -> None:
    """What readers can't see makes nobody look: neither beginning, nor putting, nor forgetting."""
    await released(ports, (ANNA.shopper, b"1"))
    seen = [ports.trees.version()]
    generation = await begun(ports, (ANNA.shopper, b"2"))
    assert seen == [ports.trees.version()]
    await ports.releases.show(RETAILER, generation, trees=1)
    seen.append(ports.trees.version())
    await ports.releases.show(RETAILER, generation, trees=1)
    assert seen[-1] == ports.trees.version()
    await ports.releases.rollback(RETAILER)
    seen.append(ports.trees.version())
    await ports.releases.forget(RETAILER)
    assert seen[-1] == ports.trees.version()
    assert 3 == len(set(seen))


async def test_a_repeated_put_changes_nothing(ports: Ports) -> None:
    """A task that is run twice leaves what one run leaves."""
    await ports.trees.push(RETAILER, [(ANNA.shopper, b"1")])
    generation = await ports.releases.begin(RETAILER)
    for _ in range(2):
        await ports.releases.put(RETAILER, generation, [(ANNA.shopper, b"2"), (BEN.shopper, b"2")])
    await ports.releases.put(RETAILER, generation, [])
    await ports.releases.show(RETAILER, generation, trees=2)
    assert {ANNA: StoredTree(2, b"2"), BEN: StoredTree(2, b"2")} == await ports.trees.load([ANNA, BEN])
    assert StoredTree(1, b"1") == await ports.trees.get(ANNA, 1)


async def test_many_put_at_once(ports: Ports) -> None:
    """Chunks of one generation may come side by side, each shopper's tree is there afterwards."""
    keys = [ShopperKey(RETAILER, f"{number * 7_919 % 4_096:03x}{number:061x}") for number in range(2_000)]
    generation = await ports.releases.begin(RETAILER)
    chunks = [[(key.shopper, key.shopper.encode()) for key in keys[start::8]] for start in range(8)]
    await asyncio.gather(*(ports.releases.put(RETAILER, generation, chunk) for chunk in chunks))
    await ports.releases.show(RETAILER, generation, trees=len(keys))
    assert {key: StoredTree(1, key.shopper.encode()) for key in keys} == await ports.trees.load(keys)


async def test_a_killed_release_is_invisible_for_ever(system: System) -> None:
    """What was put and not shown is never seen, by nobody, also when later generations are shown and rolled back."""
    async with system() as killed:
        await killed.trees.push(RETAILER, [(DEFAULT, b"default"), (ANNA.shopper, b"anna")])
        half = await begun(killed, (ANNA.shopper, b"half"), (BEN.shopper, b"half"), (DEFAULT, b"half"))
    async with system() as ports:
        assert 3 == await released(ports, (CARL.shopper, b"carl"))
        seen = {ANNA: StoredTree(1, b"anna"), BEN: StoredTree(1, b"default"), CARL: StoredTree(3, b"carl")}
        assert seen == await ports.trees.load([ANNA, BEN, CARL])
        assert 3 == await ports.releases.forget(RETAILER)
        assert 0 == await ports.releases.forget(RETAILER)
        assert seen == await ports.trees.load([ANNA, BEN, CARL])
        assert [None, None] == [await ports.trees.get(key, half) for key in (ANNA, BEN)]
        with pytest.raises(Overtaken, match="generation 2 was overtaken by 3"):
            await ports.releases.show(RETAILER, half, trees=3)
        assert 1 == await ports.releases.rollback(RETAILER)
        assert {ANNA: StoredTree(1, b"anna"), BEN: StoredTree(1, b"default")} == await ports.trees.load([ANNA, BEN])


async def test_two_begun_at_once_do_not_mix(ports: Ports) -> None:
    """Each shows its own; the higher number wins where both have a tree; who is overtaken learns it at once."""
    await ports.trees.push(RETAILER, [(DEFAULT, b"default")])
    two, three = [await begun(ports, (ANNA.shopper, b"%d" % number)) for number in (2, 3)]
    await ports.releases.put(RETAILER, two, [(BEN.shopper, b"2")])
    await ports.releases.show(RETAILER, two, trees=2)
    assert {ANNA: StoredTree(2, b"2"), BEN: StoredTree(2, b"2")} == await ports.trees.load([ANNA, BEN])
    await ports.releases.show(RETAILER, three, trees=1)
    assert {ANNA: StoredTree(3, b"3"), BEN: StoredTree(2, b"2")} == await ports.trees.load([ANNA, BEN])
    four, five = [await begun(ports, (ANNA.shopper, b"%d" % number)) for number in (4, 5)]
    await ports.releases.show(RETAILER, five, trees=1)
    with pytest.raises(Overtaken):
        await ports.releases.put(RETAILER, four, [(BEN.shopper, b"4")])
    with pytest.raises(Overtaken):
        await ports.releases.show(RETAILER, four, trees=1)
    assert [5, 3, 2, 1] == await numbers(ports)
    assert {ANNA: StoredTree(5, b"5"), BEN: StoredTree(2, b"2")} == await ports.trees.load([ANNA, BEN])


async def test_a_rollback_brings_each_shoppers_tree_before_it_back(ports: Ports) -> None:
    """Own trees, the default, and those of shoppers who had none: each is as it was before the generation."""
    await released(ports, (DEFAULT, b"default"), (ANNA.shopper, b"anna"))
    await released(ports, (BEN.shopper, b"ben"))
    before = await ports.trees.load([ANNA, BEN, CARL])
    await released(ports, *((key.shopper, b"bad") for key in (ANNA, BEN, CARL)), (DEFAULT, b"bad"))
    assert 2 == await ports.releases.rollback(RETAILER)
    assert before == await ports.trees.load([ANNA, BEN, CARL])
    assert [2, 1] == await numbers(ports)
    assert await ports.trees.get(ANNA, 3) is None
    assert 4 == await ports.releases.forget(RETAILER)
    assert before == await ports.trees.load([ANNA, BEN, CARL])


async def test_a_rollback_of_the_first_trees_of_a_shopper_leaves_none(ports: Ports) -> None:
    """Without an own tree and a default from before, a shopper has none again."""
    await released(ports, (ANNA.shopper, b"anna"))
    await released(ports, (BEN.shopper, b"ben"))
    assert 1 == await ports.releases.rollback(RETAILER)
    assert {ANNA: StoredTree(1, b"anna")} == await ports.trees.load([ANNA, BEN])


async def test_there_is_one_step_back_from_each_release(ports: Ports) -> None:
    """Nothing visible, a first generation or a rollback twice: refused, and nothing changes."""
    with pytest.raises(Refused, match="no generation is visible"):
        await ports.releases.rollback(RETAILER)
    for number in range(1, 4):
        await released(ports, (ANNA.shopper, b"%d" % number))
        if number == 1:
            with pytest.raises(Refused, match="generation 1 is the first"):
                await ports.releases.rollback(RETAILER)
    assert 2 == await ports.releases.rollback(RETAILER)
    with pytest.raises(Refused, match="generation 3 is rolled back already"):
        await ports.releases.rollback(RETAILER)
    assert {ANNA: StoredTree(2, b"2")} == await ports.trees.load([ANNA])


async def test_a_release_after_a_rollback_can_be_rolled_back_too(ports: Ports) -> None:
    """Seven was bad, eight is as well: both times the shopper has six again, whoever was in seven and eight."""
    for number in range(1, 7):
        await released(ports, (ANNA.shopper, b"%d" % number), (BEN.shopper, b"%d" % number))
    for bad in (7, 8, 9):
        trees = [(ANNA.shopper, b"bad")] if bad == 8 else [(ANNA.shopper, b"bad"), (BEN.shopper, b"bad")]
        assert bad == await released(ports, *trees)
        assert 6 == await ports.releases.rollback(RETAILER)
        await ports.releases.forget(RETAILER)
        assert {ANNA: StoredTree(6, b"6"), BEN: StoredTree(6, b"6")} == await ports.trees.load([ANNA, BEN])
    assert 10 == await released(ports, (ANNA.shopper, b"10"))
    assert {ANNA: StoredTree(10, b"10"), BEN: StoredTree(6, b"6")} == await ports.trees.load([ANNA, BEN])
    assert StoredTree(6, b"6") == await ports.trees.get(ANNA, 6)


async def test_pushes_and_releases_roll_back_alike(ports: Ports) -> None:
    """A person's push is a generation like any other, and forgets nothing that is in force."""
    await ports.trees.push(RETAILER, [(ANNA.shopper, b"1")])
    await ports.trees.push(RETAILER, [(ANNA.shopper, b"2")])
    assert 1 == await ports.releases.rollback(RETAILER)
    await ports.trees.push(RETAILER, [(ANNA.shopper, b"3")])
    assert 1 == await ports.releases.rollback(RETAILER)
    assert {ANNA: StoredTree(1, b"1")} == await ports.trees.load([ANNA])


async def test_what_was_put_beside_a_rollback_can_be_shown(ports: Ports) -> None:
    """A release that is being filled is nobody's left-over."""
    await released(ports, (ANNA.shopper, b"1"))
    await released(ports, (ANNA.shopper, b"2"))
    generation = await begun(ports, (ANNA.shopper, b"3"))
    await ports.releases.rollback(RETAILER)
    await ports.releases.forget(RETAILER)
    await ports.releases.put(RETAILER, generation, [(BEN.shopper, b"3")])
    await ports.releases.show(RETAILER, generation, trees=2)
    assert {ANNA: StoredTree(3, b"3"), BEN: StoredTree(3, b"3")} == await ports.trees.load([ANNA, BEN])
    assert 1 == await ports.releases.rollback(RETAILER)
    assert {ANNA: StoredTree(1, b"1")} == await ports.trees.load([ANNA, BEN])


async def test_hidden_and_half_pushed_trees_take_no_place_among_the_two_kept(ports: Ports) -> None:
    """Two visible trees of a shopper are there, however many others were put since."""
    for number in (1, 2, 3):
        await released(ports, (ANNA.shopper, b"%d" % number))
    await ports.releases.rollback(RETAILER)
    for _ in range(3):
        await begun(ports, (ANNA.shopper, b"half"))
    assert {ANNA: StoredTree(2, b"2")} == await ports.trees.load([ANNA])
    assert [StoredTree(1, b"1"), StoredTree(2, b"2")] == [await ports.trees.get(ANNA, kept) for kept in (1, 2)]


async def test_the_default_comes_back_as_one_object(ports: Ports) -> None:
    """After a rollback a million shoppers share the default from before."""
    await released(ports, (DEFAULT, b"1"))
    await released(ports, (DEFAULT, b"2"))
    assert StoredTree(2, b"2") == (await ports.trees.load([ANNA]))[ANNA]
    await ports.releases.rollback(RETAILER)
    found = await ports.trees.load([ANNA, BEN])
    assert StoredTree(1, b"1") == found[ANNA]
    assert found[ANNA] is found[BEN]


async def test_what_is_visible_can_be_listed(ports: Ports) -> None:
    """Number, time and trees of what is visible, newest first; repeated calls change neither."""
    assert [] == list(await ports.releases.released(RETAILER))
    await released(ports, (ANNA.shopper, b"1"), (BEN.shopper, b"1"))
    await ports.trees.push(RETAILER, [(ANNA.shopper, b"2")])
    await begun(ports, (ANNA.shopper, b"half"))
    listed: Sequence[Release] = await ports.releases.released(RETAILER)
    assert [(2, 1), (1, 2)] == [(one.generation, one.trees) for one in listed]
    assert 0 < listed[1].released_at_ms <= listed[0].released_at_ms
    await ports.releases.show(RETAILER, 1, trees=99)
    assert listed == await ports.releases.released(RETAILER)
    assert [] == list(await ports.releases.released("r-2"))


@pytest.mark.parametrize("bad", [("c-1842", b"tree"), ("A" * 64, b"tree"), ("a" * 64, "text"), ("a" * 64, b"")])
async def test_what_is_no_tree_of_a_shopper_is_refused(ports: Ports, bad: tuple[str, bytes]) -> None:
    """Every fault is named and nothing of the chunk is stored; a push uses no generation up."""
    generation = await ports.releases.begin(RETAILER)
    with pytest.raises(Refused, match=r"trees\[1\]: .*trees\[2\]: "):
        await ports.releases.put(RETAILER, generation, [(ANNA.shopper, b"good"), bad, bad])
    with pytest.raises(Refused, match=r"trees\[0\]: "):
        await ports.trees.push(RETAILER, [bad])
    await ports.releases.show(RETAILER, generation, trees=0)
    assert {} == await ports.trees.load([ANNA])
    assert 2 == await ports.releases.begin(RETAILER)


async def test_only_an_open_generation_takes_trees(ports: Ports) -> None:
    """Never begun, visible, rolled back: refused, and readers see what they saw."""
    await released(ports, (ANNA.shopper, b"1"))
    await released(ports, (ANNA.shopper, b"2"))
    for generation, why in ((3, "never begun"), (0, "never begun"), (2, "is visible")):
        with pytest.raises(Refused, match=why):
            await ports.releases.put(RETAILER, generation, [(ANNA.shopper, b"late")])
    with pytest.raises(Refused, match="never begun"):
        await ports.releases.show(RETAILER, 3, trees=1)
    await ports.releases.rollback(RETAILER)
    for call in (
        ports.releases.put(RETAILER, 2, [(ANNA.shopper, b"late")]),
        ports.releases.show(RETAILER, 2, trees=1),
    ):
        with pytest.raises(HotbasketError, match="was rolled back"):
            await call
    assert {ANNA: StoredTree(1, b"1")} == await ports.trees.load([ANNA])


async def test_another_process_sees_shows_and_rollbacks(system: System) -> None:
    """A running system takes a release up, and its rollback, without being told."""
    async with system() as running, system() as job:
        versions = [running.trees.version()]

        async def has_changed() -> bool:
            return running.trees.version() not in versions

        for blob in (b"1", b"2"):
            await released(job, (ANNA.shopper, blob), (DEFAULT, blob))
            await eventually(has_changed)
            versions.append(running.trees.version())
        assert [b"2", b"2"] == [one.blob for one in (await running.trees.load([ANNA, BEN])).values()]
        await job.releases.rollback(RETAILER)
        await eventually(has_changed)
        assert [b"1", b"1"] == [one.blob for one in (await running.trees.load([ANNA, BEN])).values()]
