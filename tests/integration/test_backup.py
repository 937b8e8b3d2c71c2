"""Backups of a production system: control plane, vault and hot store, restored into empty tables."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from msgspec.structs import replace
from psycopg import sql

from adapters.clock import SystemClock
from adapters.scylla.connection import connect
from adapters.sealed_shoppers import Sealer
from adapters.settings import Settings, load_settings
from adapters.wiring import Ports, production
from domain.ids import Position, ShopperHash, ShopperKey, bucket, shopper_hash
from domain.ports.erasures import Tombstone
from domain.ports.event_log import Place
from domain.ports.event_store import StoredEvent
from domain.ports.snapshot_store import Snapshot
from domain.ports.tree_store import DEFAULT
from domain.privacy import asked
from monitoring.metrics import Metrics
from tests.cli.running import hotbasket, hotbasket_json
from tests.contract.production import Stores
from tests.contract.test_event_store import decided, viewed
from tests.integration.scylla.test_timestamps import failed
from tests.services.given import Servers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STAYS, FORGOTTEN, RETURNED = "c-stays", "c-forgotten", "c-returned"
PARTITIONS = 4
END = 50
"""The offset of the tombstones."""
COLUMNS = {
    "watermarks": "watermark_ms",
    "snapshot_heads": "position",
    "timers": "due_at_ms",
    "snapshots": "snapshot",
    "trees": "tree",
    "failed_events": "event",
    "events": "event",
    "decided": "record",
}
"""By table the column whose timestamp and life are the row's."""
FAILED = {STAYS: "0-1-0", FORGOTTEN: "1-1-1", RETURNED: "2-1-2"}
"""Whose failed event has which id."""
Variables = Mapping[str, str]


async def test_rows_come_back_as_they_were(tmp_path: Path, servers: Servers) -> None:
    """With timestamps and ends, without whoever is being erased; a full system is refused, and no byte is readable."""
    stores = Stores(servers)
    try:
        async with AsyncExitStack() as made:
            names = [await made.enter_async_context(stores.database()) for _ in range(4)]
            await asyncio.to_thread(there_and_back, tmp_path, servers, (names[0], names[1]), (names[2], names[3]))
    finally:
        stores.close()


def there_and_back(folder: Path, servers: Servers, first: tuple[str, str], second: tuple[str, str]) -> None:
    """Fills a system, backs it up, and restores into other databases and another keyspace."""
    name, role = f"backup_{secrets.token_hex(4)}", f"vault_{secrets.token_hex(4)}"
    shared = {
        "KAFKA": servers.kafka,
        "KAFKA_TOPICS": name,
        "SCYLLA": servers.scylla,
        "SUBSCRIPTION_SECRET": secrets.token_hex(32),
        "IDENTITY_SECRET": secrets.token_hex(32),
        "VAULT_SECRET": secrets.token_hex(32),
        "VAULT_USER": role,
        "BACKUP_KEYS": str(folder / "keys"),
    }
    before, after = (
        {"HOTBASKET_" + key: value for key, value in {**shared, **more}.items()}
        for more in (
            {"POSTGRES": first[0], "VAULT": first[1], "SCYLLA_KEYSPACE": name},
            {"POSTGRES": second[0], "VAULT": second[1], "SCYLLA_KEYSPACE": f"{name}_2"},
        )
    )
    with psycopg.connect(first[0], user="hotbasket", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER").format(sql.Identifier(role)))
        try:
            for variables in (before, after):
                hotbasket_json("migrate", "--partitions", str(PARTITIONS), "--replication", "1", **variables)
            compare(folder, before, after)
        finally:
            for database in (first[1], second[1]):
                with psycopg.connect(database, user="hotbasket", autocommit=True) as owner:
                    owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
            for variables in (before, after):
                dropped(settings_of(variables))


def compare(folder: Path, before: Variables, after: Variables) -> None:
    """Backs up and restores, and looks at every row on both sides."""
    settings = settings_of(before)
    retailer_id = hotbasket_json("retailer", "add", "shop", **before)["retailer_id"]
    hashes = asyncio.run(filled(settings, retailer_id))
    with psycopg.connect(settings.vault, user=settings.vault_user) as vault:
        vault.execute("INSERT INTO claims (payout_id, state, settled_ms) VALUES ('p-1\tx', 'withdrawn', 86400000)")
    hot, control = hot_rows(settings), control_rows(settings)
    backup = hotbasket_json("backup", "create", folder / "backups", **before)
    assert ["events", "control", "vault"] == backup["holds"]
    path = Path(backup["path"])
    texts = [file.read_bytes() for file in path.iterdir()]
    assert [] == [one for one in hashes.values() for text in texts if one.encode() in text]

    refused = hotbasket("restore", path, **before)
    assert (1, True) == (refused.returncode, "holds rows already" in refused.stderr), refused.stderr
    hotbasket_json("restore", path, **after)
    assert control == control_rows(settings_of(after))
    expected = {key: row for key, row in hot.items() if not is_gone(key, hashes)}
    assert set(COLUMNS) == {key[0] for key in expected}
    found = hot_rows(settings_of(after))
    assert {key: row[:-1] for key, row in expected.items()} == {key: row[:-1] for key, row in found.items()}
    # The rest of a life is shorter by what passed meanwhile, and none is prolonged.
    lives = [(row[-1], found[key][-1]) for key, row in expected.items()]
    assert [] == [both for both in lives if (both[0] is None) != (both[1] is None)]
    assert [] == [both for both in lives if both[0] is not None and both[1] > both[0]]
    again = hotbasket("restore", path, "--only", "events", **after)
    assert (1, True) == (again.returncode, "holds rows already" in again.stderr), again.stderr


def is_gone(key: tuple[Any, ...], hashes: Mapping[str, str]) -> bool:
    """Tells whether a row is of a shopper as of the end or before: the state of who came back is of later."""
    if key[0] == "failed_events":
        return bool(key[1] != FAILED[STAYS])
    if hashes[RETURNED] in key:
        return key[0] in ("events", "decided", "trees")
    return hashes[FORGOTTEN] in key


async def filled(settings: Settings, retailer_id: str) -> dict[str, ShopperHash]:
    """Puts something of three shoppers into every table, and erases two of them as far as their tombstones."""
    ports = await production(settings, Metrics(), SystemClock(), role="command")
    now_ms = SystemClock().now_ms()
    try:
        key = ports.identity.shopper_key(retailer_id)
        hashes = {one: shopper_hash(key, one) for one in (STAYS, FORGOTTEN, RETURNED)}
        for number, (name, hashed) in enumerate(hashes.items()):
            partition = bucket(hashed) % PARTITIONS
            told = viewed(number, shopper=hashed, received_ms=now_ms - 1_000, retailer_id=retailer_id)
            event = StoredEvent(Position(1, number), told)
            await ports.archive.put(partition, [event])
            await ports.archive.put_decided(partition, [decided(event)])
            at = Position(1, END + 1 if name == RETURNED else number)
            state = Snapshot(ShopperKey(retailer_id, hashed), at, b"state \xff", now_ms + 60_000, now_ms)
            await ports.snapshots.save(partition, [state])
            failure = replace(failed(retailer_id, number, number), shopper=hashed, failed_at_ms=now_ms - 500)
            await ports.failed.put([replace(failure, expires_at_ms=now_ms + 86_400_000)])
            await ports.archive.publish(partition, now_ms)
        await ports.trees.push(retailer_id, [(DEFAULT, b"default"), *((one, b"own") for one in hashes.values())])
        await erased(ports, retailer_id, [hashes[FORGOTTEN], hashes[RETURNED]], now_ms)
    finally:
        await ports.close()
    return hashes


async def erased(ports: Ports, retailer_id: str, shoppers: list[ShopperHash], now_ms: int) -> None:
    """Opens a request whose tombstones stand in the log, and which is not done."""
    sealer = Sealer(ports.identity.privacy_key(retailer_id))
    subjects = [sealer.subject(one) for one in shoppers]
    opened = asked(uuid4(), retailer_id, "erase", now_ms, due_days=30)
    await ports.privacy.open(opened, subjects)
    tombstones = [Tombstone(one.digest, Place(0, Position(1, END)), now_ms) for one in subjects]
    await ports.erasures.bury(opened.request_id, tombstones)


def hot_rows(settings: Settings) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Gives every row of the hot store with its timestamp and the rest of its life, by table and key."""
    found: dict[tuple[Any, ...], tuple[Any, ...]] = {}
    driver = connect(settings)
    try:
        for table, column in COLUMNS.items():
            of = driver.cluster.metadata.keyspaces[settings.scylla_keyspace].tables[table]
            keys = [one.name for one in of.primary_key]
            columns = ", ".join([*keys, column, f"WRITETIME({column})", f"TTL({column})"])
            for row in driver.execute(f"SELECT {columns} FROM {settings.scylla_keyspace}.{table}"):
                found[(table, *row[: len(keys)])] = tuple(row[len(keys) :])
    finally:
        driver.cluster.shutdown()
    return found


def control_rows(settings: Settings) -> dict[str, list[str]]:
    """Gives every row of the control plane and the vault, by table, but what is of one database alone."""
    found: dict[str, list[str]] = {}
    for where, user in ((settings.postgres, settings.postgres_user), (settings.vault, settings.vault_user)):
        with psycopg.connect(where, user=user) as connection:
            names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (name,) in names:
                if name not in ("migrations", "versions"):
                    query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(name))
                    found[name] = [row for (row,) in connection.execute(query)]
    return found


def settings_of(variables: Variables) -> Settings:
    """Gives the settings that a command has under some variables."""
    return load_settings(**{name.removeprefix("HOTBASKET_").lower(): value for name, value in variables.items()})


def dropped(settings: Settings) -> None:
    """Removes a keyspace."""
    driver = connect(settings)
    try:
        driver.execute(f"DROP KEYSPACE IF EXISTS {settings.scylla_keyspace}", timeout=60)
    finally:
        driver.cluster.shutdown()
