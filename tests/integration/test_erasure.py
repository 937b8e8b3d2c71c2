"""A shopper is forgotten by a production system: rows at once, logs with their retention, then the last byte."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from psycopg import sql

from adapters.kafka.topics import topic_settings, topics_of
from adapters.scylla.connection import connect
from adapters.settings import Settings
from tests.cli.test_canary import CANARY, OTHER, WORDS, journey
from tests.cli.test_commands import SAUCE
from tests.gateway.standing import added
from tests.integration.on_disk import Found, found
from tests.integration.test_privacy import Shop, started, until
from tests.services.cassandra.node import Cassandra
from tests.services.given import Servers
from tests.services.kafka.broker import Kafka
from tests.services.postgres import USER, Postgres
from tests.services.server import Server
from tests.services.system import System

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NAME = "forgetful"
POISON = "quillonaut-poison"
STRANGER = "c-never-seen"
WITHIN_S = 120.0
LONG_S = 5 * 365 * 86_400
RETENTION_MS, OVER_MS = 86_400_000, 1_000
LOGS = {"event log", "experience log"}
STORES = {"failed events", "trees", "snapshots", "event store", "exports"}
BY_SHOPPER = ("events", "decided", "snapshots", "trees")
"""Tables whose rows have the hash in their key; `timers` has it too, and no row of these two."""
DELETED = (*BY_SHOPPER, "timers")
COMMIT_LOG, HASH = "cassandra/commitlog", "hash"
_EVENTS = {HASH, "quillonaut-pasta", "quillonautsauce", "quillonaut-order", "quillonaut-page", POISON}
HELD = {
    "kafka/forgetful.events": _EVENTS,
    "kafka/forgetful.experiences": {HASH, "quillonaut-pasta", "quillonaut-tree", POISON},
    COMMIT_LOG: _EVENTS | {"quillonaut-tree"},
    "cassandra/events": _EVENTS,
    "cassandra/decided": {HASH, "quillonaut-pasta", "quillonaut-tree"},
    "cassandra/snapshots": {HASH, "quillonaut-pasta", "quillonaut-order", "quillonaut-tree"},
    "cassandra/trees": {HASH, "quillonaut-tree"},
    "cassandra/failed_events": {HASH, POISON},
}
"""Where what stands before the erasure: nothing in Postgres, and the id itself nowhere."""
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Disks(NamedTuple):
    """Servers of the test's own, which may be emptied, stopped and read from below."""

    kafka: Kafka
    cassandra: Cassandra
    postgres: Postgres

    def start(self) -> None:
        """Starts them side by side."""
        with ThreadPoolExecutor(len(self)) as threads:
            list(threads.map(_start, self))

    def found(self, needles: Sequence[bytes]) -> list[Found]:
        """Searches every file of theirs, the servers' own logs too."""
        with psycopg.connect(self.postgres.url, user=USER, autocommit=True) as connection:
            # What it has in memory only is written to its tables first.
            connection.execute("CHECKPOINT")
        return found({one.name: [one.folder, *one.outside] for one in self}, needles)


def _start(server: Server) -> None:
    server.start()


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Disks]:
    """Servers whose broker looks twice a second for what its topics need not keep."""
    often = ("log.initial.task.delay.ms", "log.retention.check.interval.ms", "log.segment.delete.delay.ms")
    disks = Disks(
        Kafka(tmp_path / "kafka", properties=dict.fromkeys(often, "500")),
        Cassandra(tmp_path / "cassandra"),
        Postgres(tmp_path / "postgres"),
    )
    with ExitStack() as discarded:
        for server in disks:
            discarded.callback(server.discard)
        disks.start()
        yield disks


@pytest.fixture
def system(tmp_path: Path, disks: Disks) -> Iterator[System]:
    """A gateway, a worker, an archiver and a privacy worker that waits to be started."""
    folder = tmp_path / "processes"
    folder.mkdir()
    servers = Servers(disks.kafka.address, disks.cassandra.address, disks.postgres.url)
    quick = {"KAFKA_CHECKPOINT_S": "1"}
    with System(folder, servers, name=NAME, partitions=2, gateways=1, workers=1, settings=quick) as system:
        yield system


def test_a_shopper_is_forgotten_to_the_last_byte(disks: Disks, system: System, tmp_path: Path) -> None:
    """Stores forget at once, logs when they let go, disks when compacted; others stay, and a stranger may come."""
    shop = Shop(system, tmp_path, NAME)
    settings = system.settings()
    named = planted(shop, settings, tmp_path)
    gone, kept = (named[who][0].decode() for who in (CANARY, OTHER))
    until(lambda: all({gone, kept} <= some for some in shoppers_in(settings).values()), "all is archived")
    disks.cassandra.tool("flush", NAME)
    before = by_place(disks.found(named[CANARY]))
    assert HELD == {name: {words.decode().replace(gone, HASH) for words in some} for name, some in before.items()}

    started(system.add("privacy", "privacy-0"))
    request_id = shop.asked("erase", CANARY, STRANGER)
    receipts = waited_for(shop, request_id, "partial")
    assert dict.fromkeys(STORES, 0) == {name: receipts[name]["left"] for name in STORES}
    assert {name for name in STORES if receipts[name]["removed"]} == STORES - {"exports"}
    assert {"the log's retention"} == {receipts[name]["waits_for"] for name in LOGS}
    rows = shoppers_in(settings)
    assert dict.fromkeys(BY_SHOPPER, (False, True)) == {name: (gone in one, kept in one) for name, one in rows.items()}
    assert ("dropped", 0) == shop.shown(0, CANARY)
    assert 404 == shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": CANARY})[0]

    asyncio.run(keep(settings, OVER_MS))
    receipts = waited_for(shop, request_id, "done")
    assert {0} == {receipt["left"] for receipt in receipts.values()}
    texts = control_texts(settings) + "".join(said_by(system))
    assert [] == [word for word in (*named[CANARY], STRANGER.encode()) if word in texts.encode()]
    assert "Traceback" not in texts
    compacted(disks, settings, named)
    asyncio.run(keep(settings, RETENTION_MS))
    returned(shop, settings, gone)
    codes = system.stop()
    assert {0} == set(codes.values()), codes
    logs = "".join(one.log.read_text(encoding="utf-8") for one in system.processes.values())
    assert [] == [word for word in (gone, CANARY, STRANGER) if word in logs]


def compacted(disks: Disks, settings: Settings, named: Mapping[str, Sequence[bytes]]) -> None:
    """Does what time does to the hot store's files, and searches what each step leaves of the erased shopper."""
    canary, other = named[CANARY], named[OTHER]
    disks.cassandra.tool("flush", NAME)
    disks.cassandra.tool("compact", NAME)
    # The key of a delete is the hash; the words are in the commit log alone.
    traces = {f"cassandra/{table}": {canary[0]} for table in DELETED}
    assert traces == without_commit_log(disks.found(canary))
    # That they go when their grace is over is a matter of time alone, of which a test has less.
    execute(settings, *(f"ALTER TABLE {NAME}.{table} WITH gc_grace_seconds = 0" for table in DELETED))
    disks.cassandra.tool("compact", NAME)
    assert {} == without_commit_log(disks.found(canary))
    disks.cassandra.stop()
    assert [] == disks.found([*canary, STRANGER.encode()])
    # The search sees what is there: who stays, in the hot store, and in Postgres the name of the shop.
    left = by_place(disks.found(other))
    assert {f"cassandra/{table}" for table in BY_SHOPPER} == left.keys()
    assert set(other) - {other[1], other[2]} == set().union(*left.values())
    assert [one for one in disks.found([NAME.encode()]) if one.file.startswith("postgres/")]
    disks.cassandra.start()


def returned(shop: Shop, settings: Settings, hashed: str) -> None:
    """Lets the shopper come back: a stranger, who has the tree of everybody."""
    # The worker has to find the node again, which is none of the shopper's business.
    until(lambda: is_in_force(shop, "the third tree"), "the worker decides again")
    assert is_in_force(shop, "the third tree", CANARY)
    until(lambda: hashed in shoppers_in(settings)["snapshots"], "whose first event begins anew")
    assert 1 == shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": CANARY})[1]["session"]["events"]


def said_by(system: System) -> Iterator[str]:
    """Gives the log and the metrics of every process."""
    for one in system.processes.values():
        yield one.log.read_text(encoding="utf-8")
        with _OPENER.open(one.metrics_url, timeout=30) as answer:
            yield answer.read().decode()


def by_place(files: Sequence[Found]) -> dict[str, set[bytes]]:
    """Gives what was found by server and folder."""
    places: dict[str, set[bytes]] = {}
    for file, needle in files:
        places.setdefault(place(file), set()).add(needle)
    return places


def without_commit_log(files: Sequence[Found]) -> dict[str, set[bytes]]:
    """Gives what was found but for the commit log, which is written anew at the node's next start."""
    return {name: some for name, some in by_place(files).items() if name != COMMIT_LOG}


def place(file: str) -> str:
    """Gives the server and the last folder of a file, without what makes folders differ from run to run."""
    server, *_, folder, _ = file.split("/")
    return f"{server}/{folder.partition('-')[0]}"


def planted(shop: Shop, settings: Settings, folder: Path) -> Mapping[str, Sequence[bytes]]:
    """Lets both shoppers go through the system; gives the bytes that name each: hash, its bytes, id, words."""
    release(shop, folder, "the second tree")
    damage(settings)
    # Their own tree can't be read: the event fails, and is kept with what it held.
    assert [] == told(shop, [pasta(CANARY, POISON)])
    until(lambda: bool(rows_of(settings, "SELECT failed_id FROM {}.failed_events")), "an event has failed")
    release(shop, folder, "the third tree")
    named: dict[str, Sequence[bytes]] = {}
    for who in (CANARY, OTHER):
        brought = told(shop, [pasta(who, WORDS[who][0])])
        shown = added(shopper_id=who, experience_id=brought[0]["experience_id"]) | {"type": "ExperienceShown"}
        del shown["product"]
        told(shop, [*journey(who), shown])
        hashed = hash_of(shop, who)
        words = [*WORDS[who], *([POISON] if who == CANARY else [])]
        named[who] = [hashed.encode(), bytes.fromhex(hashed), who.encode(), *(word.encode() for word in words)]
    return named


def release(shop: Shop, folder: Path, reason: str) -> None:
    """Pushes a tree for everybody and one for each of the two, and waits until they are in force."""
    texts = {"default": reason} | {who: WORDS[who][-1] for who in (CANARY, OTHER)}
    trees = folder / "trees.jsonl"
    sauce = json.dumps(SAUCE)
    lines = (
        json.dumps({**json.loads(sauce.replace("often bought with pasta", text)), "shopper": who})
        for who, text in texts.items()
    )
    trees.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    shop.push(trees)
    until(lambda: is_in_force(shop, reason), "the trees are in force")


def is_in_force(shop: Shop, reason: str, shopper_id: str = "") -> bool:
    """Tells whether a shopper, or else one who was never there, is shown what the tree with this reason says."""
    return reason in json.dumps(told(shop, [pasta(shopper_id or f"c-{uuid4()}", "p-pasta")]))


def told(shop: Shop, events: Sequence[Any]) -> Any:
    """Sends events, all of which are stored, and gives the experiences that they bring."""
    status, answer = shop.ask(0, "/v1/events", {"events": events}, prefer="wait=2")
    assert (200, {"stored"}) == (status, {one["status"] for one in answer["results"]}), answer
    return answer["experiences"]


def pasta(shopper_id: str, product_id: str) -> Any:
    """Pasta of a name of its own goes into the basket."""
    event = added("pasta", shopper_id)
    event["product"]["product_id"] = product_id
    return event


def damage(settings: Settings) -> None:
    """Makes the canary's own tree unreadable; of two writes under one timestamp, that which lives longer wins."""
    for retailer_id, slot, shopper, generation, tree in rows_of(
        settings, "SELECT retailer_id, slot, shopper, generation, tree FROM {}.trees"
    ):
        if WORDS[CANARY][-1].encode() in tree:
            execute(
                settings,
                f"UPDATE {NAME}.trees USING TIMESTAMP {generation} AND TTL {LONG_S} SET tree = 0xff"
                f" WHERE retailer_id = '{retailer_id}' AND slot = {slot} AND shopper = '{shopper}'"
                f" AND generation = {generation}",
            )


def rows_of(settings: Settings, query: str) -> list[Any]:
    """Gives the rows of a query on the hot store."""
    driver = connect(settings)
    try:
        return list(driver.execute(query.format(NAME)))
    finally:
        driver.cluster.shutdown()


def execute(settings: Settings, *statements: str) -> None:
    """Runs statements as an operator would."""
    driver = connect(settings)
    try:
        for statement in statements:
            driver.execute(statement, timeout=60)
    finally:
        driver.cluster.shutdown()


def shoppers_in(settings: Settings) -> dict[str, set[str]]:
    """Gives whom each table of the hot store names."""
    return {table: {one for (one,) in rows_of(settings, f"SELECT shopper FROM {{}}.{table}")} for table in BY_SHOPPER}


def control_texts(settings: Settings) -> str:
    """Gives every row of every table of the control plane, long ones unpacked."""
    with psycopg.connect(settings.postgres, user=settings.postgres_user) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return "".join(
            str(row)
            for (name,) in names
            for row in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(name)))
        )


async def keep(settings: Settings, retention_ms: int) -> None:
    """Lets the topics keep their records for so long from now on."""
    # Whoever alters a topic says all of its settings: the others fall back to the broker's.
    config = topic_settings(settings, replication=1, retention_ms=retention_ms)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, configs=config) for name in topics_of(settings)]
        )
    finally:
        await admin.close()


def hash_of(shop: Shop, shopper_id: str) -> str:
    """Gives under which hash a shopper is known, once a snapshot was saved."""
    until(lambda: shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": shopper_id})[0] == 200, "the shopper is saved")
    known: str = shop.ask(0, "/v1/shoppers/lookup", {"shopper_id": shopper_id})[1]["shopper"]
    return known


def waited_for(shop: Shop, request_id: str, state: str) -> dict[str, dict[str, Any]]:
    """Waits until a request is in a state with a receipt of every store, and gives the receipts by store."""
    deadline_s = time.monotonic() + WITHIN_S
    while True:
        seen = shop.request(request_id)
        receipts = {one["store"]: one for one in seen["receipts"]}
        if seen["state"] == state and receipts.keys() == LOGS | STORES:
            return receipts
        assert time.monotonic() < deadline_s, seen
        time.sleep(0.2)
