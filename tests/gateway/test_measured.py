"""What a gateway and its worker tell Prometheus: how far bounds are used, what becomes of experiences and budgets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from actors.budgets import Budgets
from actors.campaigns_now import CampaignsNow, MarketPorts
from actors.partition import Stores as WorkerStores
from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.zones import zone_of
from domain.ids import ShopperHash, ShopperKey
from domain.timestamps import rfc3339
from gateway.answers import STATUS
from gateway.streams import Streams
from gateway.traced import Traced
from gateway.winners import Winners
from monitoring.metrics import Metrics
from tests.gateway.conftest import Stand
from tests.gateway.standing import Standing, added, until
from tests.gateway.till import Till

JSON, WAIT = {"content-type": "application/json"}, {"prefer": "wait=2"}


async def test_bounds_stand_beside_what_they_bound(stand: Stand) -> None:
    """A dashboard need not know the settings of an installation."""
    standing = await stand(log_queue_events_max=7, streams_max=8, residents_max=9)
    await standing.work()
    names = ("log_queue_max_events", "streams_max", "residents_max")
    assert [7, 8, 9] == [standing.counted(name) for name in names]


async def test_a_gateway_begins_with_each_of_its_errors(standing: Standing) -> None:
    """Each error that has a status of its own is there before it was counted."""
    counted = {
        (sample.labels["error"], sample.labels["status"])
        for family in standing.metrics.refused_requests.collect()
        for sample in family.samples
    }
    assert {(error, str(status)) for error, status in STATUS.items()} <= counted


async def test_a_stream_is_slow_while_more_than_half_of_its_queue_is_full() -> None:
    """It counts once, no more when its queue is written, and no more when it is gone."""
    metrics = Metrics()
    settings, clock = load_settings(stream_queue_max=4), SystemClock()
    streams = Streams(settings, clock, metrics, Winners(None), Traced(settings, clock))
    stream = streams.open(ShopperKey("r-1", ShopperHash("ab" * 32)), 0)
    slow: list[float | None] = []

    def note() -> None:
        slow.append(metrics.registry.get_sample_value("hotbasket_streams_slow"))

    def offer(number: int) -> None:
        for slot in range(number):
            delivery: Any = SimpleNamespace(slot=str(slot))
            assert stream.offer(delivery)
            note()

    offer(4)
    stream.take()
    note()
    offer(3)
    streams.forget(stream)
    note()
    assert [0, 0, 1, 1, 0, 0, 0, 1, 0] == slow


async def test_what_pages_do_is_counted_by_kind_and_fate(standing: Standing) -> None:
    """Shown, clicked, and replaced by the next one in its slot; and each batch says what an event cost."""
    await standing.work()

    async def add(category: str) -> str:
        answer = await standing.post(added(category), standing.shop.secret | JSON | WAIT)
        (experience,) = answer.json()["experiences"]
        found: str = experience["experience_id"]
        return found

    first = await add("pasta")
    for kind in ("ExperienceShown", "ExperienceClicked"):
        assert 200 == (await standing.post(told(kind, first))).status_code
    await add("cheese")

    async def are_counted() -> bool:
        fates = [
            standing.counted("experience_fates_total", kind="recommendation", fate=fate)
            for fate in ("shown", "clicked", "replaced", "dismissed", "expired")
        ]
        return fates == [1, 1, 1, 0, 0]

    await until(are_counted, "each fate is counted once")
    assert 0 < standing.counted("fold_seconds_count") <= 4
    assert 0 < standing.counted("fold_seconds_sum")


async def test_what_is_left_of_budgets_is_told_by_retailer(stand: Stand) -> None:
    """Budgets of the open campaigns, less what a promise may cost at most: as the ledger hears it, in one sum."""
    standing = await stand()
    till = Till(standing)
    await till.open()

    def told_of(name: str) -> float:
        return standing.counted(f"budget_{name}minor_units", retailer="shop")

    async def holds(reserved: int) -> bool:
        standing.clock.ahead_s += 5.0
        return (200_000, reserved) == (told_of(""), told_of("reserved_"))

    await until(lambda: holds(0), "both budgets are known")
    assert 200_000 == told_of("left_")
    await till.promised("c-1")
    await until(lambda: holds(500), "the promise is known")
    assert 199_500 == told_of("left_")


async def test_one_worker_tells_of_budgets(standing: Standing) -> None:
    """Whoever does not own the first partition shows none: what others tell must not be told twice."""
    till = Till(standing)
    await till.open()
    ports, metrics = standing.ports, Metrics()
    market = MarketPorts(ports.campaigns, ports.ledger, ports.retailers, zone_of)
    stores = WorkerStores(
        ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, standing.clock, metrics
    )
    partitions = {0}
    budgets = Budgets(stores, market, CampaignsNow(market), partitions)
    seen = []
    for _ in range(2):
        await budgets.work()
        seen.append(metrics.registry.get_sample_value("hotbasket_budget_minor_units", {"retailer": "shop"}))
        partitions.clear()
    assert [200_000, None] == seen


def told(kind: str, experience_id: str) -> dict[str, str]:
    """What a page says of an experience."""
    return {
        "type": kind,
        "event_id": str(uuid4()),
        "occurred_at": rfc3339(SystemClock().now_ms()),
        "shopper_id": "c-1842",
        "experience_id": experience_id,
    }
