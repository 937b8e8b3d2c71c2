"""A shopper is forgotten by a production system: each store at once, the logs when their retention is over."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition
from psycopg import sql

from adapters.kafka.topics import topics_of
from adapters.scylla.connection import connect
from adapters.settings import Settings
from tests.cli.test_commands import SAUCE
from tests.integration.test_privacy import Shop, started, until
from tests.services.given import Servers
from tests.services.system import System

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

FORGOTTEN, STAYS = "c-quillonaut", "c-stays"
WITHIN_S = 120.0
LOGS = {"event log", "experience log"}
STORES = {"failed events", "trees", "snapshots", "event store", "exports"}
BY_SHOPPER = ("events", "decided", "snapshots", "trees")


@pytest.fixture
def system(tmp_path: Path, servers: Servers) -> Iterator[System]:
    """A gateway, a worker, an archiver, on empty stores."""
    name = f"erasure_{time.time_ns():x}"
    with System(tmp_path, servers, name=name, partitions=2, gateways=1, workers=1) as system:
        yield system


def shoppers_in(settings: Settings) -> dict[str, set[str]]:
    """Gives whom each table of the hot store names."""
    driver = connect(settings)
    try:
        rows = {
            table: driver.execute(f"SELECT shopper FROM {settings.scylla_keyspace}.{table}") for table in BY_SHOPPER
        }
        return {table: {shopper for (shopper,) in some} for table, some in rows.items()}
    finally:
        driver.cluster.shutdown()


def control_texts(settings: Settings) -> str:
    """Gives every row of every table of the control plane."""
    with psycopg.connect(settings.postgres, user=settings.postgres_user) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return "".join(
            str(row)
            for (name,) in names
            for row in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
        )


async def end_retention(settings: Settings, partitions: int) -> None:
    """Removes what the topics hold, as retention does when its time has come."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(topic, partition): RecordsToDelete(-1)
                for topic in topics_of(settings)
                for partition in range(partitions)
            }
        )
    finally:
        await admin.close()


def told(shop: Shop, request_id: str) -> Any:
    """Gives what the gateway says of a request."""
    return shop.ask(0, f"/v1/privacy/requests/{request_id}")[1]


def hash_of(shop: Shop, shopper_id: str) -> str:
    """Gives under which hash a shopper is known, once a snapshot was saved."""
    until(lambda: shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": shopper_id})[0] == 200, "the shopper is saved")
    known: str = shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": shopper_id})[1]["shopper"]
    return known


def waited_for(shop: Shop, request_id: str, state: str) -> dict[str, dict[str, Any]]:
    """Waits until a request is in a state with a receipt of every store, and gives the receipts by store."""
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        seen = told(shop, request_id)
        receipts = {one["store"]: one for one in seen["receipts"]}
        if seen["state"] == state and receipts.keys() == LOGS | STORES:
            return receipts
        assert time.monotonic() < deadline_s, seen
        time.sleep(0.2)


def test_a_shopper_is_forgotten(system: System, tmp_path: Path) -> None:
    """Stores forget within a minute, logs when they let go; then the receipts are final, and a stranger may come."""
    shop = Shop(system, tmp_path, "forgetful")
    trees = tmp_path / "personal.jsonl"
    trees.write_text("".join(f"{json.dumps({**SAUCE, 'shopper': one})}\n" for one in (FORGOTTEN, STAYS)))
    shop.push(trees)
    for shopper_id in (FORGOTTEN, STAYS):
        until(lambda one=shopper_id: shop.shown(0, one) == ("stored", 1), "the tree is known")  # type: ignore[misc]  # mypy can't infer defaults
    gone, kept = hash_of(shop, FORGOTTEN), hash_of(shop, STAYS)
    settings = system.settings()
    until(lambda: {gone, kept} <= shoppers_in(settings)["decided"], "decisions are archived")
    assert all({gone, kept} <= some for some in shoppers_in(settings).values())

    started(system.add("privacy", "privacy-0"))
    request_id = shop.asked("erase", FORGOTTEN, "c-never-seen")
    receipts = waited_for(shop, request_id, "partial")
    assert dict.fromkeys(STORES, 0) == {name: receipts[name]["left"] for name in STORES}
    assert {"trees", "snapshots", "event store"} == {name for name in STORES if receipts[name]["removed"]}
    assert {"the log's retention"} == {receipts[name]["waits_for"] for name in LOGS}
    named = shoppers_in(settings)
    assert dict.fromkeys(BY_SHOPPER, (False, True)) == {
        name: (gone in some, kept in some) for name, some in named.items()
    }
    assert ("dropped", 0) == shop.shown(0, FORGOTTEN)
    assert 404 == shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": FORGOTTEN})[0]

    asyncio.run(end_retention(settings, system.partitions))
    receipts = waited_for(shop, request_id, "done")
    assert {0} == {receipt["left"] for receipt in receipts.values()}
    texts = control_texts(settings)
    assert [] == [word for word in (gone, FORGOTTEN, "c-never-seen") if word in texts]
    until(lambda: shop.shown(0, FORGOTTEN) == ("stored", 1), "a stranger comes, who has the default tree")
    until(lambda: gone in shoppers_in(settings)["snapshots"], "whose first event begins anew")
    assert 1 == shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": FORGOTTEN})[1]["session"]["events"]

    codes = system.stop()
    assert {0} == set(codes.values()), codes
    said = "".join(one.log.read_text(encoding="utf-8") for one in system.processes.values())
    assert [] == [word for word in (gone, FORGOTTEN, "Traceback") if word in said]
