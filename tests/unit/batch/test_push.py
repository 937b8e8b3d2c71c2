"""Pushing grown trees: what is checked, who is in a canary, and what becomes visible when."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from batch.push import Chunk, Pushed, Put, canary_share, fill, finish, in_canary, put_trees, refuse_faulty, rollback
from domain.errors import PortError, Refused
from domain.ids import ShopperKey, bucket
from domain.ports.tree_releases import TreeReleases
from domain.ports.tree_store import DEFAULT, StoredTree
from domain.releases import Overtaken
from domain.tree import NodeJson, TreeJson, encode
from domain.tree_faults import read_tree
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.story import RETAILER

SHOPPERS = [sha256(b"%d" % number).hexdigest() for number in range(4_000)]


def tree(product_id: str = "p-1") -> bytes:
    """A tree of one node."""
    shown = {"slot": "main", "kind": "recommendation", "content": {"products": [{"product_id": product_id}]}}
    document = {"schema_version": 1, "shopper": DEFAULT, "root": "r", "nodes": {"r": {"experiences": [shown]}}}
    return encode(read_tree(document)[1])


async def push(
    releases: TreeReleases,
    retailer_id: str,
    chunks: Iterable[Chunk] | AsyncIterable[Chunk],
    *,
    canary: float | None = None,
    check: bool = True,
) -> Pushed:
    """Does the steps of a push in this process."""
    generation = await releases.begin(retailer_id)
    put = await fill(releases, retailer_id, generation, chunks, canary=canary, check=check)
    return await finish(releases, retailer_id, generation, put)


TREE, BETTER = tree(), tree("p-2")
ALONE = NodeJson()


def chunks(trees: list[tuple[str, bytes]], size: int = 100) -> Iterator[Chunk]:
    """Some trees at a time."""
    for start in range(0, len(trees), size):
        yield trees[start : start + size]


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """The embedded stores."""
    opened = embedded(tmp_path / "data", load_settings(), Metrics(), StoppedClock())
    yield opened
    await opened.close()


async def generations(ports: Ports, shoppers: list[str]) -> dict[str, int]:
    """The generation in force of those who have a tree."""
    found = await ports.trees.load([ShopperKey(RETAILER, shopper) for shopper in shoppers])
    return {key.shopper: stored.generation for key, stored in found.items()}


async def test_everybody_gets_the_new_tree(ports: Ports) -> None:
    """Chunks of any kind become one generation, and what is told adds up."""
    trees = [(DEFAULT, TREE), *((shopper, TREE) for shopper in SHOPPERS[:250])]
    assert Pushed(1, 251, 251 * len(TREE), 0) == await push(ports.releases, RETAILER, chunks(trees))

    async def later() -> AsyncIterator[Chunk]:
        for chunk in chunks(trees, 17):
            yield chunk

    assert Pushed(2, 251, 251 * len(TREE), 0) == await push(ports.releases, RETAILER, later())
    assert {2} == set((await generations(ports, SHOPPERS[:300])).values())
    assert [(2, 251), (1, 251)] == [(one.generation, one.trees) for one in await ports.releases.released(RETAILER)]


async def test_a_canary_reaches_its_share_and_no_default(ports: Ports) -> None:
    """Some shoppers get theirs, the others and all strangers keep what they have; a rollback takes it back."""
    trees = [(DEFAULT, TREE), *((shopper, TREE) for shopper in SHOPPERS)]
    await push(ports.releases, RETAILER, chunks(trees))
    better = [(whose, BETTER) for whose, _ in trees]
    pushed = await push(ports.releases, RETAILER, chunks(better), canary=canary_share("5%"))
    chosen = [shopper for shopper in SHOPPERS if in_canary(shopper, 0.05)]
    assert Pushed(2, len(chosen), len(chosen) * len(BETTER), len(trees) - len(chosen)) == pushed
    found = await generations(ports, [*SHOPPERS, DEFAULT])
    assert set(chosen) == {shopper for shopper, generation in found.items() if generation == 2}
    assert 1 == await rollback(ports.releases, RETAILER)
    assert {1} == set((await generations(ports, [*SHOPPERS, DEFAULT])).values())


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.5])
def test_a_canary_is_a_stable_share_in_every_partition(share: float) -> None:
    """Its size is the share within five standard deviations, in the whole and in each part of the partitions."""
    draw = random.Random(5)
    shoppers = [draw.randbytes(32).hex() for _ in range(64_000)]
    by_log = ([one for one in shoppers if bucket(one) % 16 == number] for number in range(16))
    by_storage = ([one for one in shoppers if bucket(one) % 256 // 16 == number] for number in range(16))
    for part in (shoppers, *by_log, *by_storage):
        expected = len(part) * share
        found = sum(in_canary(shopper, share) for shopper in part)
        assert abs(found - expected) < 5 * (expected * (1 - share)) ** 0.5


def test_a_canary_is_a_part_of_every_larger_one() -> None:
    """Who got a new tree at 5 % gets it at 10 % too, and at 100 % everybody does but strangers."""
    shares = [0.0001, 0.01, 0.05, 0.1, 0.5, 1.0]
    members = [{shopper for shopper in SHOPPERS if in_canary(shopper, share)} for share in shares]
    assert all(smaller <= larger for smaller, larger in pairwise(members))
    assert set(SHOPPERS) == members[-1]
    assert in_canary("f" * 64, 1.0)
    assert [False] * len(shares) == [in_canary(DEFAULT, share) for share in shares]


@pytest.mark.parametrize(
    ("given", "share"),
    [("5%", 0.05), (" 12.5 % ", 0.125), ("0.05", 0.05), (".5", 0.5), ("100%", 1.0), ("1.0", 1.0), (0.05, 0.05), (1, 1)],
)
def test_a_share_is_written_in_either_way(given: str | float, share: float) -> None:
    """Per cent, or a fraction with a point."""
    assert share == pytest.approx(canary_share(given))


@pytest.mark.parametrize(
    "given", ["0%", "101%", "-5%", "5", "1", "five", "", "%", "1.5", "0.0", "5%%", 0, 1.5, -0.1, float("nan")]
)
def test_a_share_outside_is_refused(given: str | float) -> None:
    """Nobody, more than everybody, and what could mean 1 % as well as 100 %."""
    with pytest.raises(Refused, match=r"5% or 0\.05|above 0% and up to 100%"):
        canary_share(given)


async def test_a_faulty_tree_stops_the_release(ports: Ports) -> None:
    """Every fault says whose tree it is in; what was put before it stays invisible and is forgotten by the next."""
    await push(ports.releases, RETAILER, [[(DEFAULT, TREE)]])
    unreachable = encode(TreeJson(schema_version=1, shopper=DEFAULT, root="r", nodes={"r": ALONE, "lost": ALONE}))
    bad = [(SHOPPERS[1], unreachable), (SHOPPERS[2], b"\x01nonsense")]
    with pytest.raises(Refused) as refused:
        await push(ports.releases, RETAILER, [[(SHOPPERS[0], TREE)], bad])
    assert [SHOPPERS[1][:12], SHOPPERS[2][:12]] == [fault.split()[2].rstrip(":") for fault in refused.value.faults]
    assert "lost" in refused.value.faults[0]
    assert {SHOPPERS[0]: 1} == await generations(ports, [SHOPPERS[0]])
    assert 3 == (await push(ports.releases, RETAILER, [[(SHOPPERS[3], TREE)]])).generation
    assert 0 == await ports.releases.forget(RETAILER)


async def test_an_unchecked_release_is_the_callers_word(ports: Ports) -> None:
    """Trees that were checked where they were grown need not be read again; who they are for is looked at."""
    pushed = await push(ports.releases, RETAILER, [[(SHOPPERS[0], b"grown and checked")]], check=False)
    assert Pushed(1, 1, 17, 0) == pushed
    with pytest.raises(Refused, match="neither a shopper hash"):
        await push(ports.releases, RETAILER, [[("c-1842", TREE)]], check=False)


def test_a_flood_of_faults_is_cut() -> None:
    """Twenty faults are enough to see what is wrong."""
    with pytest.raises(Refused) as refused:
        refuse_faulty([(shopper, b"nonsense") for shopper in SHOPPERS])
    assert 20 == len(refused.value.faults)


async def test_an_empty_release_is_not_shown(ports: Ports) -> None:
    """A job that grew nothing leaves what a rollback would go back to as it was."""
    await push(ports.releases, RETAILER, [[(DEFAULT, TREE)]])
    with pytest.raises(Refused, match="no tree to push: "):
        await push(ports.releases, RETAILER, [[]])
    with pytest.raises(Refused, match="1 were left out by the canary"):
        await push(ports.releases, RETAILER, [[(DEFAULT, BETTER)]], canary=1.0)
    assert [1] == [one.generation for one in await ports.releases.released(RETAILER)]


async def test_an_overtaken_release_says_so(ports: Ports) -> None:
    """When somebody pushes in between, the job must begin anew, and nothing of it is seen."""

    async def while_somebody_pushes() -> AsyncIterator[Chunk]:
        yield [(SHOPPERS[0], TREE)]
        await ports.trees.push(RETAILER, [(DEFAULT, BETTER)])
        yield [(SHOPPERS[1], TREE)]

    with pytest.raises(Overtaken, match="generation 1 was overtaken by 2"):
        await push(ports.releases, RETAILER, while_somebody_pushes())
    assert {SHOPPERS[0]: 2, SHOPPERS[1]: 2} == await generations(ports, SHOPPERS[:2])


async def test_a_store_that_stays_away_ends_the_push(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy store is asked again a bounded number of times."""
    tries = []

    async def busy(*_: object) -> None:
        tries.append(1)
        raise PortError("busy", retriable=True)

    monkeypatch.setattr(ports.releases, "put", busy)
    monkeypatch.setattr("adapters.retry._PAUSE_S", 0)
    with pytest.raises(PortError, match="busy"):
        await push(ports.releases, RETAILER, [[(DEFAULT, TREE)]])
    assert 10 == len(tries)


async def test_the_store_is_open_for_what_another_process_put(ports: Ports, tmp_path: Path) -> None:
    """The driver begins, tasks put and the driver finishes with the sum of what they say."""
    generation = await ports.releases.begin(RETAILER)
    settings = pickle.loads(pickle.dumps(load_settings()))  # as Spark sends them to its tasks
    parts = [[(shopper, TREE) for shopper in SHOPPERS[start::2]] for start in range(2)]
    sums = [
        await asyncio.to_thread(
            put_trees, tmp_path / "data", settings, RETAILER, generation, list(chunks(part)), canary=0.5
        )
        for part in parts
    ]
    put = Put(*map(sum, zip(*sums, strict=True)))
    assert len(SHOPPERS) == put.trees + put.skipped
    assert Pushed(generation, *put) == await finish(ports.releases, RETAILER, generation, put)
    key = ShopperKey(RETAILER, next(shopper for shopper in SHOPPERS if in_canary(shopper, 0.5)))
    assert {key: StoredTree(1, TREE)} == await ports.trees.load([key])
