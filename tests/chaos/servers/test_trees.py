"""A tree that is pushed while its shoppers are active."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path

from domain.records import Failed
from tests.chaos.load import TREE
from tests.chaos.servers.conftest import SEED
from tests.chaos.servers.experiment import CALM_S, Shoppers, add_retailer, known_everywhere, opened, rest
from tests.chaos.servers.place import Place

IN_FORCE_WITHIN_MS = 2_000
TOLERANCE_MS = 2_000
"""A loaded machine may be slow to look; what is measured is printed."""


async def test_a_pushed_tree_is_in_force_on_every_worker(place: Place, tmp_path: Path) -> None:
    """Two seconds after `hotbasket tree push` has returned, no worker decides by the tree before."""
    await asyncio.to_thread(place.mend)
    await place.logs.forget()
    tree = tmp_path / "tree.json"
    tree.write_text(json.dumps(TREE))
    async with opened(place) as ports:
        retailer_id, secret_key = await add_retailer(ports)
    shoppers = Shoppers(place, retailer_id, secret_key, random.Random(SEED))
    await known_everywhere(shoppers.shop)
    async with shoppers.living() as sending:
        await asyncio.wait(sending, timeout=CALM_S)
        push = ("tree", "push", "--retailer", retailer_id, tree, "--json")
        pushed = await asyncio.to_thread(place.system.command, *push)
        pushed_ms = time.time() * 1_000
        assert pushed.returncode == 0, pushed.stderr
        await asyncio.wait(sending, timeout=(IN_FORCE_WITHIN_MS + TOLERANCE_MS) / 1_000 + CALM_S)
        shoppers.shop.is_closing = True
        await asyncio.gather(*sending)
        logs = await rest(place, shoppers)
    generation = json.loads(pushed.stdout)["generation"]
    late_ms, workers = [], set()
    for partition, stored in enumerate(logs):
        for said in stored.heard.records.values():
            if isinstance(said, Failed):
                continue
            if said.generation == generation:
                workers.add(partition)
            else:
                late_ms.append(said.received_at_ms - pushed_ms)
    assert workers == {number for number, stored in enumerate(logs) if stored.records}
    assert late_ms, "nothing was decided by the tree before: nothing was at stake"
    print(f"\nthe last decision by the tree before was for an event {max(late_ms):.0f} ms after the push")
    assert max(late_ms) <= IN_FORCE_WITHIN_MS + TOLERANCE_MS
