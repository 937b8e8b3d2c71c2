"""What an operator sees of a production system while a part of it dies: Prometheus, and every query of every panel."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.servers.conftest import SEED
from tests.chaos.servers.experiment import CALM_S, Shoppers, add_retailer, known_everywhere, opened, rest
from tests.chaos.servers.place import Place
from tests.services.prometheus import Answer, Prometheus, run_queries, shown

SEEN_WITHIN_S = 60.0
_LOOK_S = 0.5
FED = (
    "hotbasket_archive_batch_seconds_bucket",
    "hotbasket_archived_records_total",
    "hotbasket_ack_seconds_bucket",
    "hotbasket_processed_events_total",
    "hotbasket_store_seconds_bucket",
    "hotbasket_tree_release_timestamp_seconds",
)
"""Metrics that only processes on servers feed, and the first of each kind of process."""


async def test_the_dashboards_tell_of_a_dead_worker(place: Place, tmp_path: Path) -> None:
    """Every query is accepted, all three kinds of process are seen, and a dead worker is counted until it is back."""
    await asyncio.to_thread(place.mend)
    await place.logs.forget()
    async with opened(place) as ports:
        retailer_id, secret_key = await add_retailer(ports)
    shoppers = Shoppers(place, retailer_id, secret_key, random.Random(SEED))
    await known_everywhere(shoppers.shop)
    with Prometheus(tmp_path / "prometheus", place.system.metrics_urls()) as prometheus:
        async with shoppers.living() as sending:
            await asyncio.to_thread(prometheus.wait_until_scraped)
            await _until(prometheus, place, lambda answers: _unseen(answers) or _differs(answers, place, down=0))
            worker = place.system.of("worker")[0]
            await asyncio.to_thread(worker.kill)
            # The other one takes its partitions when its session has run out.
            await _until(prometheus, place, lambda answers: _differs(answers, place, down=1))
            await asyncio.to_thread(place.system.start)
            prometheus.watch(place.system.metrics_urls())
            await _until(prometheus, place, lambda answers: _differs(answers, place, down=0))
            await asyncio.wait(sending, timeout=CALM_S)
            shoppers.shop.is_closing = True
            await asyncio.gather(*sending)
            await rest(place, shoppers)


def _unseen(answers: list[Answer]) -> list[str]:
    """Gives queries that were refused, and those that show nothing though their metrics are fed."""
    return [
        f"{asked.panel}, {asked.legend}: {fault or 'shows nothing'}: {asked.expression}"
        for asked, fault, series in answers
        if fault or (not series and any(name in asked.expression for name in FED))
    ]


def _differs(answers: list[Answer], place: Place, *, down: int) -> dict[str, float]:
    """Gives what the overview counts, unless it is right."""
    wanted = {
        "Processes down": float(down),
        "Gateways": float(len(place.system.urls)),
        "owned": float(place.system.partitions),
        "without owner": 0.0,
    }
    found = {name: shown(answers, name) for name in ("Processes down", "Gateways")}
    found |= {legend: shown(answers, "Partitions", legend) for legend in ("owned", "without owner")}
    seen = {name: series[0].value for name, series in found.items() if series}
    return {} if seen == wanted else seen or {"nothing": 0.0}


async def _until(prometheus: Prometheus, place: Place, fault: Callable[[list[Answer]], object]) -> None:
    """Asks all queries again and again until nothing is wrong with what they show."""
    deadline_s = time.monotonic() + SEEN_WITHIN_S
    while wrong := fault(await asyncio.to_thread(run_queries, prometheus, partitions=place.system.partitions)):
        assert time.monotonic() < deadline_s, wrong
        await asyncio.sleep(_LOOK_S)
