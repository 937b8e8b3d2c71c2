"""The schema: made, made again, changed, compared, and refused where it does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.clock import SystemClock
from adapters.finding import Finding
from adapters.scylla.inspection import inspect
from adapters.scylla.schema import SCHEMA_VERSION, TABLES, apply, statements
from adapters.settings import Settings
from domain.errors import PortError
from tests.contract.conftest import StoppedClock
from tests.integration.scylla.conftest import execute
from tests.story import NOON_MS


def found(findings: list[Finding], check: str) -> Finding:
    """The one finding whose name begins so."""
    (one,) = [finding for finding in findings if finding.check.startswith(check)]
    return one


async def test_apply_makes_what_is_missing_and_may_be_repeated(no_keyspace: Settings, cql: str) -> None:
    """The first time everything is made, the second time nothing, and then the stores open."""
    made = await apply(no_keyspace, cql, replication=1)
    assert [f"keyspace {no_keyspace.scylla_keyspace}", *(f"table {name}" for name in TABLES)] == list(made)
    assert [] == list(await apply(no_keyspace, cql, replication=1))
    execute(no_keyspace, f"DROP TABLE {no_keyspace.scylla_keyspace}.timers")
    assert ["table timers"] == list(await apply(no_keyspace, cql, replication=1))


async def test_apply_follows_the_setting_of_hot_days(no_keyspace: Settings, cql: str) -> None:
    """An operator who wants raw events for longer changes the setting and migrates again; doctor says so before."""
    await apply(no_keyspace, cql, replication=1)
    longer = no_keyspace.model_copy(update={"hot_days": 21})
    life = found(await inspect(longer, SystemClock()), "scylla life")
    assert (False, "hotbasket migrate, or set HOTBASKET_HOT_DAYS to what is meant") == (life.good, life.cure)
    assert ["life of decided: 21 days", "life of events: 21 days"] == list(await apply(longer, cql, replication=1))
    assert found(await inspect(longer, SystemClock()), "scylla life").good


async def test_stores_are_not_opened_without_their_tables(no_keyspace: Settings, cql: str, opened: Any) -> None:
    """A missing keyspace and a missing table are each named, with the command that makes them."""
    with pytest.raises(PortError, match=r"no keyspace .*hotbasket migrate") as refused:
        async with opened(no_keyspace):
            pass
    assert not refused.value.retriable
    assert not found(await inspect(no_keyspace, SystemClock()), "scylla keyspace").good
    await apply(no_keyspace, cql, replication=1)
    execute(no_keyspace, f"DROP TABLE {no_keyspace.scylla_keyspace}.trees")
    with pytest.raises(PortError, match="lacks the tables trees: run `hotbasket migrate`"):
        async with opened(no_keyspace):
            pass
    assert "trees" in found(await inspect(no_keyspace, SystemClock()), "scylla tables").detail


async def test_a_schema_of_another_version_is_refused(no_keyspace: Settings, cql: str, opened: Any) -> None:
    """An older one asks for the migration, a newer one for the newer program, which migrate can't undo either."""
    await apply(no_keyspace, cql, replication=1)
    table = f"{no_keyspace.scylla_keyspace}.schema_version"
    execute(no_keyspace, f"TRUNCATE {table}")
    with pytest.raises(PortError, match=r"older than .*hotbasket migrate"):
        async with opened(no_keyspace):
            pass
    newer = SCHEMA_VERSION + 1
    execute(no_keyspace, f"INSERT INTO {table} (subject, version) VALUES ('tables', {newer}) USING TIMESTAMP {newer}")
    with pytest.raises(PortError, match="run the newer hotbasket"):
        async with opened(no_keyspace):
            pass
    with pytest.raises(PortError, match="run the newer hotbasket"):
        await apply(no_keyspace, cql, replication=1)
    version = found(await inspect(no_keyspace, SystemClock()), "scylla schema version")
    assert (False, "run the newer hotbasket") == (version.good, version.cure)


async def test_inspection_finds_all_well(settings: Settings) -> None:
    """Reachable, keyspace, tables, version, life of events, and each node's clock."""
    findings = await inspect(settings, SystemClock())
    assert [] == [one for one in findings if not one.good]
    assert [] == [one for one in findings if one.cure]
    assert {"scylla reachable", "scylla keyspace", "scylla tables", "scylla schema version"} < {
        one.check for one in findings
    }


async def test_inspection_finds_a_clock_that_is_wrong(settings: Settings, clock: StoppedClock) -> None:
    """More than two seconds between a node's clock and ours is a fault, whichever of them is wrong."""
    clock.ms = NOON_MS - 10_000
    skewed = found(await inspect(settings, clock), "scylla clock")
    assert (False, "run NTP (chrony) on both machines") == (skewed.good, skewed.cure)
    clock.ms = SystemClock().now_ms() + 60_000
    assert not found(await inspect(settings, clock), "scylla clock").good


def test_options_of_scylladb_stand_behind_one_switch(settings: Settings, cql: str) -> None:
    """With it every table says how long tombstones live; without it nothing is said that Cassandra does not know."""
    options = "AND tombstone_gc = {'mode': 'timeout'}"
    keyspace, *tables = statements(cql, settings, replication=3, is_scylla=True)
    assert len(TABLES) == len(tables)
    assert all(table.endswith(options) for table in tables)
    assert "'replication_factor': 3" in keyspace
    assert not any("tombstone_gc" in one for one in statements(cql, settings, replication=3, is_scylla=False))
