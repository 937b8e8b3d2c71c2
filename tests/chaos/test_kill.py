"""A real `kill -9` of `hotbasket run` under load, again and again, on one data directory."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from pathlib import Path

import pytest

from domain.events import IdleElapsed
from tests.chaos.checks import Checks
from tests.chaos.load import TREE, Page, Shop, Tracker
from tests.chaos.stored import read_logs, read_snapshots
from tests.cli.running import Running, hotbasket, hotbasket_json
from tests.identity import shopper_key

KILLS = 20
SHOPPERS = 16
REST_WITHIN_S = 30
SEED = int(os.environ.get("CHAOS_SEED", "3"))


@pytest.mark.slow
async def test_twenty_kills_lose_nothing_and_show_nothing_twice(tmp_path: Path) -> None:
    """Whatever moment it dies at: all acknowledged is stored, states are their fold, no experience is told twice."""
    data = tmp_path / "data"
    retailer = await asyncio.to_thread(_retailer_with_tree, data)
    draw = random.Random(SEED)
    shop = Shop(retailer["secret_key"])
    pages = [Page(shop, f"c-{number}", random.Random(draw.random())) for number in range(SHOPPERS)]
    trackers = [Tracker(shop, page, random.Random(draw.random())) for page in pages]
    checks = Checks(retailer["retailer_id"], shopper_key(data, retailer["retailer_id"]), trackers)
    started_s = time.monotonic()

    running = await asyncio.to_thread(Running, data)
    shop.urls = (running.url,)
    listening = [asyncio.create_task(page.live()) for page in pages]
    sending = [asyncio.create_task(tracker.live()) for tracker in trackers]
    try:
        for _ in range(KILLS):
            # The moment is the experiment: at once, while the tail is adopted, or in the middle of full work.
            await asyncio.wait(sending, timeout=draw.choice((0.0, 0.2, 1.5)) * draw.random())
            running.kill()
            running = await asyncio.to_thread(Running, data)
            shop.urls = (running.url,)
        shop.is_closing = True
        await asyncio.gather(*sending)
        assert [] == [fault for page in pages for fault in page.faults][:20], f"seed {SEED}"
        await _rest(data, checks)
        assert await asyncio.to_thread(running.stop) == 0, running.output.read_text()
    finally:
        running.kill()
        for task in (*listening, *sending):
            task.cancel()
        await asyncio.gather(*listening, *sending, return_exceptions=True)
        shop.close()

    stored = read_logs(data)
    faults = checks.at_the_end([stored], read_snapshots(data)) + [str(said) for said in stored.heard.ignored]
    assert [] == faults, f"seed {SEED}: {len(faults)} faults\n" + "\n".join(faults[:20])
    told, repeated = sum(len(page.told) for page in pages), sum(tracker.repeated for tracker in trackers)
    made = sum(len(tracker.made) for tracker in trackers)
    elapsed = sum(isinstance(record.event, IdleElapsed) for record in stored.records.values())
    print(
        f"\nseed {SEED}: {KILLS} kills in {time.monotonic() - started_s:.0f} s, {made} events acknowledged in"
        f" {len(stored.records)} records, {elapsed} of them timers, {repeated} requests sent again, {told} experiences,"
        f" {sum(page.connections for page in pages)} streams, {stored.owners} owners, 0 faults"
    )
    # A run in which nothing was at stake proves nothing.
    assert stored.owners > KILLS / 2
    assert repeated >= KILLS
    assert elapsed > 0
    assert told >= SHOPPERS * 3
    assert all(page.connections > KILLS / 4 for page in pages)


def _retailer_with_tree(data: Path) -> dict[str, str]:
    """Makes a retailer whose default tree answers most events, and gives its id and keys."""
    retailer: dict[str, str] = hotbasket_json("retailer", "add", "shop", "--data", data)
    tree = data / "tree.json"
    tree.write_text(json.dumps(TREE))
    pushed = hotbasket("tree", "push", "--data", data, "--retailer", "shop", tree)
    assert pushed.returncode == 0, pushed.stderr
    return retailer


async def _rest(data: Path, checks: Checks) -> None:
    """Returns when every event is processed, no timer is pending and every page shows its slots' latest state."""
    deadline_s = time.monotonic() + REST_WITHIN_S
    while True:
        stored = await asyncio.to_thread(read_logs, data)
        unseen = checks.unseen([stored])
        if stored.is_at_rest and not unseen:
            return
        assert time.monotonic() < deadline_s, f"seed {SEED}: at rest: {stored.is_at_rest}\n" + "\n".join(unseen)
        await asyncio.sleep(0.1)
