"""A release on real servers as a job makes it: the driver begins, tasks in other processes put, the driver shows."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256

import pytest

from adapters.clock import SystemClock
from adapters.settings import Settings
from adapters.wiring import open_releases, production
from batch.push import Put, finish, put_trees, rollback
from domain.ids import ShopperKey
from domain.ports.tree_store import DEFAULT, StoredTree
from monitoring.metrics import Metrics
from tests.contract.consumer import eventually
from tests.story import RETAILER

pytestmark = pytest.mark.slow

SHOPPERS = [sha256(b"%d" % number).hexdigest() for number in range(3_000)]


async def test_tasks_put_what_the_driver_shows(settings: Settings) -> None:
    """Tasks need ScyllaDB and Postgres alone; a running worker sees all or nothing, and the rollback."""
    running = await production(settings, Metrics(), SystemClock(), role="command")
    driver = await open_releases(None, settings.model_copy(update={"kafka": ""}), Metrics(), SystemClock())
    keys = [ShopperKey(RETAILER, shopper) for shopper in SHOPPERS]
    try:
        await running.trees.push(RETAILER, [(DEFAULT, b"default")])
        before = await running.trees.load(keys)
        generation = await driver.releases.begin(RETAILER)
        parts = [[(shopper, shopper.encode()) for shopper in SHOPPERS[start::2]] for start in range(2)]
        loop = asyncio.get_running_loop()
        with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as tasks:
            putting = [loop.run_in_executor(tasks, _task, settings, generation, part) for part in parts]
            while any(not task.done() for task in putting):
                assert before == await running.trees.load(keys)
        put = Put(*map(sum, zip(*(task.result() for task in putting), strict=True)))
        assert Put(3_000, 3_000 * 64, 0) == put
        version = running.trees.version()

        async def has_changed() -> bool:
            return version != running.trees.version()

        await finish(driver.releases, RETAILER, generation, put)
        await eventually(has_changed)
        after = {key: StoredTree(generation, key.shopper.encode()) for key in keys}
        assert after == await running.trees.load(keys)
        version = running.trees.version()
        assert 1 == await rollback(driver.releases, RETAILER)
        await eventually(has_changed)
        assert before == await running.trees.load(keys)
    finally:
        await driver.close()
        await running.close()


def _task(settings: Settings, generation: int, trees: list[tuple[str, bytes]]) -> Put:
    """What runs in another process."""
    chunks = (trees[start : start + 500] for start in range(0, len(trees), 500))
    return put_trees(None, settings.model_copy(update={"kafka": ""}), RETAILER, generation, chunks, check=False)
