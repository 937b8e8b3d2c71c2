"""Residents take releases and rollbacks up at the shopper's next event: the worker's partition over embedded stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.partition import Partition, Stores, take
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded, open_releases
from domain.ports.tree_store import DEFAULT
from domain.records import Decided
from domain.tree import encode
from domain.tree_faults import read_tree
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.story import RETAILER, SHOPPER, record

PASTA = {"kind": "product", "action": "added", "category_ids": ["pasta"]}


def tree(node_id: str) -> bytes:
    """A tree in which pasta leads to a node of this name."""
    shown = {"slot": "main", "kind": "recommendation", "content": {"products": [{"product_id": "p-77"}]}}
    nodes = {"start": {"edges": [{"to": node_id, "when": PASTA}]}, node_id: {"experiences": [shown]}}
    return encode(read_tree({"schema_version": 1, "shopper": DEFAULT, "root": "start", "nodes": nodes})[1])


class Shopping:
    """One shopper who adds pasta again and again, resident all the time."""

    def __init__(self, ports: Ports, partition: Partition) -> None:
        self.ports = ports
        self._partition = partition
        self._events = 0

    async def adds_pasta(self) -> tuple[int, str]:
        """Gives the generation and the node that the event led to; 0 and nothing where it led nowhere."""
        self._events += 1
        product = {"product_id": "p-1", "category_id": "pasta"}
        await self.ports.events.append([record("AddedToBasket", self._events, self._events, product=product)])
        (batch,) = (await self.ports.events.poll(records_max=10, wait_s=0)).batches
        records = (await self._partition.process(batch)).records
        assert 1 == self._partition.residents
        return next(((one.generation, one.node_id) for one in records if isinstance(one, Decided)), (0, ""))


@pytest.fixture
async def shopping(tmp_path: Path) -> AsyncIterator[Shopping]:
    """A running worker's partition."""
    clock, metrics = StoppedClock(), Metrics()
    ports = embedded(tmp_path, load_settings(), metrics, clock)
    stores = Stores(ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, clock, metrics)
    await ports.events.poll(records_max=1, wait_s=0)
    yield Shopping(ports, await take(0, "w", stores))
    await ports.close()


@pytest.mark.parametrize("whose", [SHOPPER, DEFAULT])
async def test_a_resident_follows_a_release_and_its_rollback(shopping: Shopping, tmp_path: Path, whose: str) -> None:
    """A lower generation is taken over like a higher one, made by another process, while the shopper is in memory."""
    job = await open_releases(tmp_path, load_settings(), Metrics(), StoppedClock())
    try:
        generations = []
        for node_id in ("one", "two"):
            generation = await job.releases.begin(RETAILER)
            await job.releases.put(RETAILER, generation, [(whose, tree(node_id))])
            generations.append((await shopping.adds_pasta())[0])
            await job.releases.show(RETAILER, generation, trees=1)
        assert [0, 1] == generations
        assert (2, "two") == await shopping.adds_pasta()
        assert 1 == await job.releases.rollback(RETAILER)
        assert (1, "one") == await shopping.adds_pasta()
    finally:
        await job.close()


async def test_a_resident_whose_first_tree_was_rolled_back_has_none(shopping: Shopping) -> None:
    """Nothing of a tree that is gone is shown any more."""
    releases = shopping.ports.releases
    await shopping.ports.trees.push(RETAILER, [("f" * 64, tree("other"))])
    await shopping.ports.trees.push(RETAILER, [(SHOPPER, tree("bad"))])
    assert (2, "bad") == await shopping.adds_pasta()
    await releases.rollback(RETAILER)
    await shopping.adds_pasta()
    assert (0, "") == await shopping.adds_pasta()
