"""Whom a production system calls while a part of it is down: the real rules, whose minutes are seconds here."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path

from monitoring.alerts.build import build
from monitoring.alerts.rules import Options
from tests.chaos.servers.conftest import SEED
from tests.chaos.servers.experiment import CALM_S, Shoppers, add_retailer, known_everywhere, opened
from tests.chaos.servers.place import Place
from tests.services.prometheus import Prometheus

SCALE = 60
FIRES_WITHIN_S = 60.0
ANSWERED_WITHIN_S = 60.0
_LOOK_S = 0.25
OUTAGES = frozenset(
    {
        "NoGatewayReady page",
        "Unacknowledged page",
        "ProcessDown ticket",
        "NothingProcessed page",
        "PartitionWithoutOwner page",
    }
)
"""Alerts of the outages: none may fire in the calm. Tickets for slowness may, where a busy machine runs all of this."""


async def test_each_outage_calls_for_the_right_person(place: Place, tmp_path: Path) -> None:
    """Without Kafka, without an archiver, without workers: what fires names it, and ends with it."""
    await asyncio.to_thread(place.mend)
    await place.logs.forget()
    async with opened(place) as ports:
        retailer_id, secret_key = await add_retailer(ports)
    shoppers = Shoppers(place, retailer_id, secret_key, random.Random(SEED))
    await known_everywhere(shoppers.shop)
    rules = build(Options(partitions=place.system.partitions, scale=SCALE))
    with Prometheus(tmp_path / "prometheus", _jobs(place), rules=rules) as prometheus:
        async with shoppers.living() as sending:
            await asyncio.to_thread(prometheus.wait_until_scraped)
            await asyncio.wait(sending, timeout=CALM_S)
            await _until_calm(prometheus)
            try:
                await _without_kafka_and_archiver(place, prometheus)
            finally:
                await asyncio.to_thread(place.mend)
            prometheus.watch(_jobs(place))
            await _until_calm(prometheus)
            await _without_workers(place, prometheus)
            await _until(prometheus, "ExperiencesLate ticket")
            await _until_calm(prometheus)
            shoppers.shop.is_closing = True
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                await asyncio.gather(*sending)


async def _without_kafka_and_archiver(place: Place, prometheus: Prometheus) -> None:
    """Gateways can't append; a process that nobody starts again is missed beside that."""
    place.system.of("archiver")[0].kill()
    await asyncio.to_thread(place.kafka.kill)
    await _until(prometheus, "Unacknowledged page", "NoGatewayReady page", "ProcessDown ticket")


async def _without_workers(place: Place, prometheus: Prometheus) -> None:
    """All stand still: gateways go on storing what nobody processes."""
    pids = [worker.pid for worker in place.system.of("worker")]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await _until(prometheus, "NothingProcessed page", "PartitionWithoutOwner page")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def _jobs(place: Place) -> dict[str, list[str]]:
    return {kind: [one.metrics_url for one in place.system.of(kind)] for kind in ("gateway", "worker", "archiver")}


async def _firing(prometheus: Prometheus) -> set[str]:
    """Gives what fires, without Hotbasket."""
    return {name.removeprefix("Hotbasket") for name in await asyncio.to_thread(prometheus.firing)}


async def _until(prometheus: Prometheus, *names: str) -> None:
    """Waits until each of them has fired, be it one after the other."""
    deadline_s = time.monotonic() + FIRES_WITHIN_S
    missing = set(names)
    while missing := missing - (seen := await _firing(prometheus)):
        assert time.monotonic() < deadline_s, f"{missing} do not fire, but {seen}"
        await asyncio.sleep(_LOOK_S)


async def _until_calm(prometheus: Prometheus) -> None:
    """Waits until no outage is told of; tickets on a budget that was burnt stay for a while."""
    deadline_s = time.monotonic() + FIRES_WITHIN_S
    while seen := OUTAGES & await _firing(prometheus):
        assert time.monotonic() < deadline_s, f"{seen} still fire"
        await asyncio.sleep(_LOOK_S)
