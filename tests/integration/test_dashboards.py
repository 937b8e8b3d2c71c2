"""The dashboards against a real Prometheus that scrapes a real system: what would an operator see?"""

from __future__ import annotations

import asyncio
import copy
import itertools
import json
import random
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from domain.errors import PortError
from monitoring.batch_export import export
from monitoring.dashboards.exporters import EXPORTED
from monitoring.job_files import JobFiles
from monitoring.metrics import BatchMetrics
from monitoring.server import MetricsServer
from tests.chaos.load import TREE, Page, Shop, Tracker
from tests.chaos.wire import GONE, get
from tests.cli.running import Running, hotbasket_json
from tests.services.prometheus import Answer, Prometheus, run_queries, shown

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("prometheus") is None or shutil.which("promtool") is None,
        reason="needs Prometheus and its promtool: apt-get install prometheus",
    ),
]

SHOPPERS = 4
SEEN_WITHIN_S = 60
REST_S = 0.2
ARCHIVER = "an archiver feeds it, which an embedded system does without"
SERVERS = "a worker on ScyllaDB feeds it"
OFFER = {
    "slot": "offer",
    "kind": "personalised_promotion",
    "campaign_id": "*",
    "content": {"products": ["p-offer"], "generosity": {"type": "amount", "value_minor": 100}},
}
TO_OFFER = {"to": "offer", "when": {"kind": "product", "action": "added", "category_ids": ["offers"]}}
CAMPAIGN: dict[str, Any] = {
    "kind": "personalised_promotion",
    "starts_at": "2026-01-01T00:00:00Z",
    "ends_at": "2099-01-01T00:00:00Z",
    "amount_minor": {"usual": 100},
    "budget": {"money_minor": 10_000_000},
}
CAMPAIGNS = (
    {**CAMPAIGN, "campaign_id": "won", "name": "A euro off"},
    {
        **CAMPAIGN,
        "campaign_id": "lost",
        "name": "A euro off what nobody buys",
        "audience": {"kind": "in_basket", "product_ids": ["p-absent"]},
        "priority": 1,
    },
)
"""One that wins and one that loses, whenever somebody puts an offer in the basket."""
WELL = {"Acknowledged": 1.0, "Processes down": 0.0, "without owner": 0.0, "owned": 1.0, "Gateways": 1.0}
DEAD = {"Processes down": 1.0, "without owner": 1.0, "owned": 0.0, "Gateways": 0.0}
EMPTY_WITHOUT_SERVERS = {
    "hotbasket_archive_batch_seconds_bucket": ARCHIVER,
    "hotbasket_store_errors_total": SERVERS,
    "hotbasket_store_seconds_bucket": SERVERS,
    **dict.fromkeys(EXPORTED, "an exporter beside the server gives it"),
}
"""Metrics whose queries give nothing in these tests, and why."""
IN_SUMS = {"kafka_topic_partition_leader_is_preferred", "scylla_node_operation_mode"}
"""Of those: counted, where nothing is 0."""
NIGHT = ("cool", "train", "evaluate", "grow", "push")


@contextmanager
def night(folder: Path) -> Iterator[str]:
    """Serves what the jobs of a night leave behind, all in the file of one, and gives where."""
    folder.mkdir()
    metrics = BatchMetrics()
    for step in NIGHT:
        metrics.job_s.labels(step).set(60)
        metrics.job_failed.labels(step).set(0)
        metrics.job_succeeded_at_s.labels(step).set_to_current_time()
    for fate, rows in (("in", 10), ("merged", 7), ("repeated", 2), ("failed", 1), ("missing", 0)):
        metrics.cooled.labels(fate).set(rows)
    metrics.model_quality.labels("next_basket", "recall_at_10").set(0.3)
    for fate in ("grown", "pushed"):
        metrics.trees.labels(fate).set(4)
    metrics.tree_generation.labels("shop").set(1)
    export("push", metrics, retailer_id="r-1", retailer="shop", textfiles=str(folder), push_gateway="")
    registry = CollectorRegistry()
    registry.register(JobFiles(folder))
    server = MetricsServer(registry, 0)
    try:
        yield f"{server.url}metrics"
    finally:
        server.close()


@asynccontextmanager
async def load(running: Running, retailer: dict[str, str]) -> AsyncIterator[None]:
    """Some shoppers with their pages, and beside them one of each mistake that a gateway counts."""
    draw = random.Random(1)
    shop = Shop(retailer["secret_key"])
    shop.urls = (running.url,)
    pages = [Page(shop, f"c-{number}", random.Random(draw.random())) for number in range(SHOPPERS)]
    trackers = [Tracker(shop, page, random.Random(draw.random())) for page in pages]
    lives = [*(page.live() for page in pages), *(tracker.live() for tracker in trackers)]
    others = (mistakes(shop), second_tab(shop, "c-0"), buyer(shop))
    tasks = [asyncio.create_task(one) for one in (*lives, *others)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        shop.close()


async def mistakes(shop: Shop) -> None:
    """Sends what is rejected, dropped, redacted, repeated and without meaning, again and again."""

    def event(**fields: Any) -> dict[str, Any]:
        common = {"event_id": str(uuid4()), "occurred_at": "2026-01-01T10:00:00Z", "shopper_id": "c-mistaken"}
        return common | {"type": "PageViewed", "page": {"kind": "home"}} | fields

    search = {"type": "ProductsSearched", "page": None, "query": "call me: ann@example.org"}
    absent = {"type": "RemovedFromBasket", "page": None, "product": {"product_id": "p-absent"}}
    while True:
        repeated = event()
        events = [event(consent="denied"), event(page={"kind": "moon"}), event(**search), event(**absent), repeated]
        bare = [{name: value for name, value in one.items() if value is not None} for one in events]
        with suppress(PortError):
            for body in (bare, [repeated], []):
                await shop.post_once(shop.url(), "/v1/events", json.dumps({"events": body}).encode())
        await asyncio.sleep(REST_S)


async def buyer(shop: Shop) -> None:
    """Puts an offer in the basket and pays it, a new shopper each time."""
    product = {"product_id": "p-offer", "category_id": "offers", "price_minor": 500, "currency": "EUR"}
    order = {"lines": [{"product_id": "p-offer", "quantity": 1, "price_minor": 500}], "total_minor": 500}
    for number in itertools.count():
        common = {"occurred_at": datetime.now(UTC).isoformat(), "shopper_id": f"c-buyer-{number}"}
        events: list[dict[str, Any]] = [
            {"type": "AddedToBasket", "product": product},
            {"type": "OrderPaid", "order_id": f"o-offer-{number}", "currency": "EUR", **order},
        ]
        body = [{"event_id": str(uuid4()), **common, **event} for event in events]
        with suppress(PortError):
            await shop.post_once(shop.url(), "/v1/events", json.dumps({"events": body}).encode())
        await asyncio.sleep(REST_S)


async def second_tab(shop: Shop, shopper_id: str) -> None:
    """Opens streams of one shopper beyond the bound, so that the gateway closes the oldest."""
    subscribed, _ = await shop.post("/v1/subscriptions", {"shopper_id": shopper_id})
    while True:
        with suppress(*GONE):
            async with get(shop.url(), f"/v1/experiences?{urlencode(subscribed)}"):
                await asyncio.sleep(REST_S)


async def until(
    prometheus: Prometheus, fault: Callable[[list[Answer]], object], within_s: float = SEEN_WITHIN_S
) -> list[Answer]:
    """Asks all queries again and again until nothing is wrong with what they show, and gives that."""
    deadline_s = time.monotonic() + within_s
    while True:
        answers = await asyncio.to_thread(run_queries, prometheus)
        wrong = fault(answers)
        if not wrong:
            return answers
        assert time.monotonic() < deadline_s, wrong
        await asyncio.sleep(REST_S)


async def scraped_since(prometheus: Prometheus, at: float) -> None:
    """Waits until a scrape is over that began after a moment: one that began before may still find nobody."""
    deadline_s = time.monotonic() + SEEN_WITHIN_S
    while not await asyncio.to_thread(prometheus.query, f"timestamp(up) > {at}"):
        assert time.monotonic() < deadline_s, "not scraped any more"
        await asyncio.sleep(REST_S)


def without_reason(answers: list[Answer]) -> list[str]:
    """Queries that were refused, show nothing though their metrics are fed, or name labels that are not there."""
    wrong = []
    for asked, fault, series in answers:
        is_excused = metrics_of(asked.expression) & EMPTY_WITHOUT_SERVERS.keys()
        absent = {
            label for one in series for label in re.findall(r"{{(\w+)}}", asked.legend) if label not in one.labels
        }
        if fault or absent or not (series or is_excused):
            what = fault or (f"has no label {absent}" if absent else "shows nothing")
            wrong.append(f"{asked.panel}, {asked.legend}: {what}: {asked.expression}")
    return wrong


def not_well(answers: list[Answer]) -> dict[str, float]:
    """What the first row shows, unless it says that one process does all that there is to do."""
    row = first_row(answers)
    return {} if row == WELL else row


def first_row(answers: list[Answer]) -> dict[str, float]:
    """What the first row shows of its counts, and the share acknowledged if there were requests."""
    found = {name: shown(answers, name) for name in ("Acknowledged", "Processes down", "Gateways")}
    found |= {legend: shown(answers, "Partitions", legend) for legend in ("without owner", "owned")}
    return {name: series[0].value for name, series in found.items() if series}


def metrics_of(expression: str) -> set[str]:
    """Names of the metrics of an expression."""
    return set(re.findall(r"(\w+)\{", expression))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory that holds a retailer, a tree for its shoppers and campaigns."""
    return tmp_path / "data"


@pytest.fixture
def retailer(data: Path, tmp_path: Path) -> dict[str, str]:
    """The retailer's keys."""
    keys: dict[str, str] = hotbasket_json("retailer", "add", "shop", "--data", data)
    tree = tmp_path / "tree.json"
    offering: dict[str, Any] = copy.deepcopy(TREE)
    offering["nodes"]["offer"] = {"experiences": [OFFER]}
    offering["nodes"]["start"]["edges"].append(TO_OFFER)
    tree.write_text(json.dumps(offering))
    hotbasket_json("tree", "push", tree, "--data", data, "--retailer", "shop")
    for campaign in CAMPAIGNS:
        file = tmp_path / "campaign.json"
        file.write_text(json.dumps(campaign))
        hotbasket_json("campaign", "create", file, "--data", data)
        hotbasket_json("campaign", "schedule", campaign["campaign_id"], "--data", data)
    return keys


async def test_every_panel_shows_a_running_system(data: Path, retailer: dict[str, str], tmp_path: Path) -> None:
    """Every query is accepted and gives numbers while shoppers are at it, and says that all is well."""
    with (
        Running(data, HOTBASKET_STREAMS_PER_SHOPPER_MAX="1") as running,
        night(tmp_path / "night") as night_url,
        Prometheus(tmp_path / "prometheus", {"hotbasket": [running.metrics_url], "night": [night_url]}) as prometheus,
    ):
        async with load(running, retailer):
            await asyncio.to_thread(prometheus.wait_until_scraped)
            answers = await until(prometheus, lambda answers: without_reason(answers) or not_well(answers))
        instance = running.metrics_url.removeprefix("http://").removesuffix("/metrics")
        assert [instance] == [series.labels["instance"] for series in shown(answers, "Partitions by worker")]
        outcomes = {series.labels["outcome"] for series in shown(answers, "Events by outcome")}
        assert {"stored", "dropped", "rejected"} <= outcomes
        assert [0.0] == [series.value for series in shown(answers, "Cooling, not accounted for", "unaccounted for")]
        assert [1.0] == [series.value for series in shown(answers, "Generation of trees", "{{retailer}} in force")]
        shows = {metric for asked, _, series in answers if series for metric in metrics_of(asked.expression)}
        assert {metric for metric in EMPTY_WITHOUT_SERVERS if metric in shows} <= IN_SUMS
        with pytest.raises(ValueError, match="parse error"):
            prometheus.query("sum(")


async def test_the_first_row_tells_of_a_dead_process(data: Path, retailer: dict[str, str], tmp_path: Path) -> None:
    """After a kill the overview counts a process down and a partition without owner, and well again after a start."""
    port = "0"
    with Prometheus(tmp_path / "prometheus", {}) as prometheus:
        for _ in range(2):
            with Running(data, HOTBASKET_METRICS_PORT=port) as running:
                port = running.metrics_url.split(":")[2].removesuffix("/metrics")
                prometheus.watch({"hotbasket": [running.metrics_url]})
                async with load(running, retailer):
                    await asyncio.to_thread(prometheus.wait_until_scraped)
                    await until(prometheus, not_well)
                    well_at = time.time()
                await scraped_since(prometheus, well_at)
                running.kill()
                await until(prometheus, lambda answers: first_row(answers) != DEAD and first_row(answers))
                assert {} == not_well(await asyncio.to_thread(run_queries, prometheus, well_at))


async def test_promtool_finds_nothing_wrong_with_the_metrics(
    data: Path, retailer: dict[str, str], tmp_path: Path
) -> None:
    """What a system under load exposes, and a night, passes Prometheus's own check: names, units, help, types."""
    with Running(data) as running, night(tmp_path / "night") as night_url:
        async with load(running, retailer):
            await asyncio.to_thread(running.wait_until_processed, 50)
            exposed = {running.metrics_url: b"hotbasket_ack_seconds_bucket", night_url: b"hotbasket_cooled_rows"}
            for url, expected in exposed.items():
                checked = await asyncio.to_thread(promtool, url, expected)
                assert (0, b"", b"") == (checked.returncode, checked.stdout, checked.stderr)


def promtool(url: str, expected: bytes) -> subprocess.CompletedProcess[bytes]:
    """Has promtool check what a process exposes, which has to hold some text."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
        exposed = answer.read()
    assert expected in exposed
    return subprocess.run(["promtool", "check", "metrics"], input=exposed, capture_output=True, check=False, timeout=30)
