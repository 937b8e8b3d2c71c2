"""Shoppers are forgotten while they and others shop, and while who forgets them dies, comes back and gets company."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.scylla.connection import connect
from adapters.settings import Settings
from tests.cli.test_commands import SAUCE
from tests.gateway.standing import added
from tests.integration.shopping import GATEWAYS, Shopping, shopping
from tests.integration.test_erasure import LOGS, hash_of, waited_for
from tests.integration.test_privacy import Shop, started, until
from tests.services.given import Servers
from tests.services.system import Process, System

pytestmark = [pytest.mark.extended, pytest.mark.slow, pytest.mark.timeout(600)]

FORGOTTEN = [f"c-goes-{number}" for number in range(4)]
STAY = [f"c-stays-{number}" for number in range(4)]
NEVER_SEEN = [f"c-never-{number}" for number in range(1_200)]
"""So many that a request's tombstones take a while, in whose middle somebody can die."""
GOES, STAYS = 0, 1
STEP_S = 120.0
"""Tombstones come half a minute behind the gateways' word; the rest is room for a machine that is busy."""
LOOK_S = 0.01
OFFLINE_S = 600.0
TABLES = ("events", "decided", "snapshots", "timers", "trees")


@pytest.fixture
def system(tmp_path: Path, servers: Servers) -> Iterator[System]:
    """Two gateways, a worker, an archiver, on empty stores."""
    with System(tmp_path, servers, name=f"races_{time.time_ns():x}", partitions=4, workers=1) as system:
        yield system


def test_nothing_comes_back_and_nobody_else_loses(system: System, tmp_path: Path) -> None:
    """A worker and the privacy worker die, another worker comes, trackers and a push go on: none of it matters."""
    shop = Shop(system, tmp_path, "racing")
    privacy = system.add("privacy", "privacy-0")
    started(privacy)
    trees = tmp_path / "personal.jsonl"
    trees.write_text("".join(f"{json.dumps({**SAUCE, 'shopper': one})}\n" for one in (*FORGOTTEN, *STAY)))
    shop.push(trees)
    with shopping(shop, FORGOTTEN, STAY) as going_on:
        gone = {hash_of(shop, one) for one in FORGOTTEN}
        kept = {hash_of(shop, one) for one in STAY}
        until(lambda: gone | kept <= named_in(system.settings())["decided"], "decisions are archived")
        of_before = {one: min(ids) for one, ids in going_on.stored(GOES).items()}
        request_id = erased_in_the_worst_way(shop, going_on, privacy, trees)
        waited_for(shop, request_id, "partial")
        offline_trackers_come_back(shop, of_before)
    until(lambda: set() == gone & whoever_is_named(system.settings()), "every table has forgotten")
    until(lambda: LOGS == not_gone_from(shop, request_id), "all stores but the logs have nothing left")
    nobody_else_lost_anything(system, shop, going_on)

    codes = system.stop()
    assert {0} == set(codes.values()), codes
    named = named_in(system.settings())
    assert {} == {table: gone & some for table, some in named.items() if gone & some}, "nothing is saved at the end"
    assert [] == [table for table in TABLES if table != "timers" and not kept <= named[table]]
    said = "".join(one.log.read_text(encoding="utf-8") for one in system.processes.values())
    assert [] == [word for word in (*gone, *FORGOTTEN, "Traceback") if word in said]


def erased_in_the_worst_way(shop: Shop, going_on: Shopping, privacy: Process, trees: Path) -> str:
    """Has the shoppers erased while everybody dies who works on it; gives the request's id when stores are visited."""
    system = shop.system
    early = going_on.beside(lambda: shop.push(trees))
    request_id = shop.asked("erase", *FORGOTTEN, *NEVER_SEEN)
    early.result()
    waits_for(shop, request_id, "tombstones")
    kill_worker(system.processes["worker-0"])
    pushed = system.command("tree", "push", trees, "--retailer", "racing", "--json")
    assert (len(STAY), len(FORGOTTEN)) == (json.loads(pushed.stdout)["trees"], json.loads(pushed.stdout)["suppressed"])

    many = len(FORGOTTEN) + len(NEVER_SEEN)
    with nothing_more_noted(system.settings(), request_id) as some:
        privacy.kill()
    assert 0 < some < many, "it died in the middle"
    assert ("open", "tombstones") == shop.state(1, request_id)
    print(f"the privacy worker died at {some} of {many} tombstones")
    system.add("worker", "worker-1")
    system.start()
    waits_for(shop, request_id, "stores")
    privacy.kill()
    started(privacy)
    return request_id


def offline_trackers_come_back(shop: Shop, of_before: dict[str, str]) -> None:
    """Sends what a phone kept since before the erasure, under an id that was taken then and under a new one."""
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - OFFLINE_S))
    for gateway in GATEWAYS:
        for shopper_id, event_id in of_before.items():
            late = [added("pasta", shopper_id, one, occurred_at=then) for one in (event_id, None)]
            status, answer = shop.ask(gateway, "/v1/events", {"events": late})
            assert (200, [("dropped", "suppressed")] * 2) == (
                status,
                [(one["status"], one["reason"]) for one in answer["results"]],
            )


def nobody_else_lost_anything(system: System, shop: Shop, going_on: Shopping) -> None:
    """Whatever was acknowledged to who stays is in the event store, and in the state."""
    acknowledged = going_on.stored(STAYS)
    counts = {one: len(event_ids) for one, event_ids in acknowledged.items()}
    assert {"stored": sum(counts.values())} == going_on.became(STAYS)
    until(lambda: counts == {one: counted(shop, one) for one in STAY}, "all their events count")
    everything = set().union(*acknowledged.values())
    until(lambda: everything <= archived(system.settings()), "all events are archived")
    became = going_on.became(GOES)
    assert min(became["stored"], became["dropped"]) > len(FORGOTTEN), became
    print(f"{len(everything)} events of who stays are there; of who goes {dict(became)}")


def kill_worker(worker: Process) -> None:
    """Kills the process that works; its supervisor starts it again."""
    ready = len(worker.readiness())
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait_ready(ready + 1)


def waits_for(shop: Shop, request_id: str, stage: str) -> None:
    """Waits until a request is at a stage."""
    until(lambda: shop.request(request_id)["waits_for"] == stage, f"the request waits for {stage}", STEP_S, LOOK_S)


def not_gone_from(shop: Shop, request_id: str) -> set[str]:
    """Gives the stores that said last that something is left, as a request tells it."""
    return {one["store"] for one in shop.request(request_id)["receipts"] if one["left"]}


def counted(shop: Shop, shopper_id: str) -> int:
    """Gives how many events a shopper's saved state has counted."""
    known = shop.ask(1, "/v1/shoppers/lookup", {"shopper_id": shopper_id})[1]
    return int(known["session"]["events"])


@contextmanager
def nothing_more_noted(settings: Settings, request_id: str) -> Iterator[int]:
    """Waits for a request's first tombstones, and has everybody wait who would note more; gives how many there are."""
    with psycopg.connect(settings.postgres, user=settings.postgres_user, autocommit=True) as connection:
        until(lambda: buried(connection, request_id) > 0, "the first tombstones are noted", STEP_S, LOOK_S)
        with connection.transaction():
            connection.execute("LOCK TABLE erasure_tombstones IN SHARE MODE")
            yield buried(connection, request_id)


def buried(connection: psycopg.Connection[Any], request_id: str) -> int:
    """Counts a request's tombstones."""
    asked = "SELECT count(*) FROM erasure_tombstones WHERE request_id = %s"
    row = connection.execute(asked, (request_id,)).fetchone()
    assert row is not None
    return int(row[0])


def named_in(settings: Settings) -> dict[str, set[str]]:
    """Gives whom each table of the hot store names."""
    return {table: {str(row[0]) for row in rows_of(settings, table, "shopper")} for table in TABLES}


def whoever_is_named(settings: Settings) -> set[str]:
    """Gives whom any table names."""
    return set().union(*named_in(settings).values())


def archived(settings: Settings) -> set[str]:
    """Gives the ids of all events in the event store."""
    return {str(UUID(bytes=row[0])) for row in rows_of(settings, "events", "event_id")}


def rows_of(settings: Settings, table: str, column: str) -> list[tuple[Any]]:
    """Reads one column of a whole table."""
    driver = connect(settings)
    try:
        return list(driver.execute(f"SELECT {column} FROM {settings.scylla_keyspace}.{table}"))
    finally:
        driver.cluster.shutdown()
