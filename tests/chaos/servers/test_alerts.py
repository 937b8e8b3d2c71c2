"""Who is called when a part of a production system dies: a real Prometheus with our rules, made sixty times as fast."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from monitoring.alerts.build import build
from monitoring.alerts.rules import Options
from tests.chaos.servers.conftest import RUNS, SEED
from tests.chaos.servers.experiment import CALM_S, Shoppers, add_retailer, known_everywhere, opened, rest
from tests.chaos.servers.place import Place
from tests.services.prometheus import Prometheus

pytestmark = pytest.mark.timeout(900)

SCALE: Final = 60
"""Minutes are seconds."""
FIRES_WITHIN_S, ENDS_WITHIN_S = 90.0, 150.0
CALM_FOR_S = 8.0
_LOOK_S = 0.5
SLOW: Final = frozenset({"HotbasketAcksSlow", "HotbasketExperiencesLate", "HotbasketWorkerLags"})
"""What may be told besides on a machine that is shared: rules that are so fast forgive nothing."""
BURNS: Final = frozenset({"HotbasketUnacknowledged"})


class Broken(NamedTuple):
    """A fault, and who hears of it.

    Attributes:
        breaks, mends: what is done.
        alerts: that fire while it lasts.
        others: that may.
    """

    breaks: Callable[[Place], Awaitable[None]]
    mends: Callable[[Place], Awaitable[None]]
    alerts: Collection[str]
    others: Collection[str]


async def test_the_right_alert_fires(place: Place, tmp_path: Path) -> None:
    """Nothing in the calm; of each fault its own alerts and none that would lead astray; none when it is mended."""
    await asyncio.to_thread(place.mend)
    await place.logs.forget()
    async with opened(place) as ports:
        retailer_id, secret_key = await add_retailer(ports)
    shoppers = Shoppers(place, retailer_id, secret_key, random.Random(SEED))
    place.moved = lambda: setattr(shoppers.shop, "urls", place.system.urls)
    await known_everywhere(shoppers.shop)
    rules = build(Options(partitions=place.system.partitions, night=False, scale=SCALE))
    with Prometheus(tmp_path / "prometheus", place.system.metrics_urls(), rules=rules) as prometheus:
        async with shoppers.living() as sending:
            await asyncio.to_thread(prometheus.wait_until_scraped)
            await asyncio.sleep(CALM_FOR_S)
            await _until(prometheus, lambda firing: firing <= SLOW, "nobody is called in the calm", ENDS_WITHIN_S)
            for name, one in (_BROKEN if RUNS == 1 else {**_BROKEN, **_LONG}).items():
                await one.breaks(place)
                try:
                    await _until(prometheus, _right(one), name, FIRES_WITHIN_S)
                finally:
                    await one.mends(place)
                place.moved()
                prometheus.watch(place.system.metrics_urls())
                over = f"nobody is called any more, after: {name}"
                await _until(prometheus, lambda firing: firing <= SLOW | BURNS, over, ENDS_WITHIN_S)
            await asyncio.wait(sending, timeout=CALM_S)
            shoppers.shop.is_closing = True
            await asyncio.gather(*sending)
            await rest(place, shoppers)


def _right(one: Broken) -> Callable[[set[str]], bool]:
    def is_right(firing: set[str]) -> bool:
        strange = firing - {*one.alerts, *one.others, *SLOW, *BURNS}
        assert not strange, f"{sorted(strange)} would lead astray"
        return set(one.alerts) <= firing

    return is_right


async def _until(prometheus: Prometheus, is_so: Callable[[set[str]], bool], what: str, within_s: float) -> None:
    began_s = time.monotonic()
    while not is_so(firing := await asyncio.to_thread(prometheus.firing)):
        assert time.monotonic() < began_s + within_s, f"{what}: fires {sorted(firing)}"
        await asyncio.sleep(_LOOK_S)
    print(f"\n{what}: {', '.join(sorted(firing)) or 'nothing'} after {time.monotonic() - began_s:.0f} s")


async def _cut_kafka(place: Place) -> None:
    await asyncio.to_thread(place.proxies["kafka"].cut)


async def _forward_kafka(place: Place) -> None:
    await asyncio.to_thread(place.proxies["kafka"].forward)


async def _cut_scylla(place: Place) -> None:
    await asyncio.to_thread(place.proxies["scylla"].cut)


async def _forward_scylla(place: Place) -> None:
    await asyncio.to_thread(place.proxies["scylla"].forward)


async def _kill_workers(place: Place) -> None:
    for worker in place.system.of("worker"):
        await asyncio.to_thread(worker.kill)


async def _kill_archivers(place: Place) -> None:
    for archiver in place.system.of("archiver"):
        await asyncio.to_thread(archiver.kill)


async def _start(place: Place) -> None:
    await asyncio.to_thread(place.system.start)


_BROKEN: Final[dict[str, Broken]] = {
    "Kafka is cut off": Broken(
        _cut_kafka,
        _forward_kafka,
        ("HotbasketNoGatewayReady",),
        ("HotbasketPartitionWithoutOwner", "HotbasketNothingProcessed", "HotbasketCheckpointsFail"),
    ),
    "every worker is dead": Broken(
        _kill_workers,
        _start,
        ("HotbasketPartitionWithoutOwner", "HotbasketProcessDown", "HotbasketNothingProcessed"),
        (),
    ),
}
_LONG: Final[dict[str, Broken]] = {
    "the CQL server is cut off": Broken(
        _cut_scylla, _forward_scylla, ("HotbasketCheckpointsFail",), ("HotbasketCheckpointsOld",)
    ),
    "every archiver is dead": Broken(_kill_archivers, _start, ("HotbasketProcessDown", "HotbasketNothingArchived"), ()),
}
"""Faults of which somebody hears late, which CI has no time for."""
