"""Looks at the hot store without changing it: for `hotbasket doctor`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from adapters.finding import Finding
from adapters.scylla.connection import connect
from adapters.scylla.faults import DRIVER_ERRORS, port_error, refusal
from adapters.scylla.schema import HOT_TABLES, SCHEMA_VERSION, TABLES, found_tables, found_version, hot_s
from adapters.settings import Settings
from domain.ports.clock import Clock

_SKEW_MS_MAX = 2_000
_NOW = "SELECT toUnixTimestamp(now()) FROM system.local"
_VERSION = "SELECT release_version FROM system.local"


async def inspect(settings: Settings, clock: Clock) -> list[Finding]:
    """Connects, compares the keyspace with this version's schema and the nodes' clocks with ours; raises nothing."""
    return await asyncio.to_thread(lambda: list(_inspect(settings, clock)))


def _inspect(settings: Settings, clock: Clock) -> Iterator[Finding]:
    try:
        session = connect(settings)
    except DRIVER_ERRORS as error:
        found = refusal(error, settings)
        yield Finding(f"scylla {found.check}", good=False, detail=found.detail, cure=found.cure)
        return
    try:
        nodes = list(session.cluster.metadata.all_hosts())
        (version,) = session.execute(_VERSION).current_rows[0]
        tls = "over TLS" if settings.scylla_ca_file else "without TLS"
        yield Finding("scylla reachable", good=True, detail=f"{len(nodes)} node(s) of version {version} known, {tls}")
        yield from _schema(session, settings)
        for node in nodes:
            yield _clock(session, node, clock)
    except DRIVER_ERRORS as error:
        yield Finding("scylla", good=False, detail=str(port_error(error, "inspection")), cure="look again")
    finally:
        session.cluster.shutdown()


def _schema(session: Any, settings: Settings) -> Iterator[Finding]:  # Any: the driver has no types
    keyspace = settings.scylla_keyspace
    tables = found_tables(session, keyspace)
    if tables is None:
        yield Finding(
            "scylla keyspace", good=False, detail=f"there is no keyspace {keyspace}", cure="hotbasket migrate"
        )
        return
    yield Finding("scylla keyspace", good=True, detail=f"keyspace {keyspace} is there")
    missing = [name for name in TABLES if name not in tables]
    if missing:
        detail = f"keyspace {keyspace} lacks {', '.join(missing)}"
        yield Finding("scylla tables", good=False, detail=detail, cure="hotbasket migrate")
        return
    yield Finding("scylla tables", good=True, detail=f"all {len(TABLES)} tables are there")
    version = found_version(session, keyspace)
    cure = (
        ""
        if version == SCHEMA_VERSION
        else "hotbasket migrate"
        if version < SCHEMA_VERSION
        else "run the newer hotbasket"
    )
    yield Finding(
        "scylla schema version",
        good=not cure,
        detail=f"version {version}, this hotbasket works with {SCHEMA_VERSION}",
        cure=cure,
    )
    other = [f"{name}: {tables[name]} s" for name in HOT_TABLES if tables[name] != hot_s(settings)]
    yield Finding(
        "scylla life of events",
        good=not other,
        detail=f"{'; '.join(other)}, not {settings.hot_days} days" if other else f"{settings.hot_days} days",
        cure="hotbasket migrate, or set HOTBASKET_HOT_DAYS to what is meant" if other else "",
    )


def _clock(session: Any, node: Any, clock: Clock) -> Finding:  # Any: the driver has no types
    name = f"scylla clock of {node.endpoint}"
    before_ms = clock.now_ms()
    try:
        (server_ms,) = session.execute(_NOW, host=node).current_rows[0]
    except DRIVER_ERRORS as error:
        return Finding(name, good=False, detail=str(port_error(error, "clock")), cure="start the node or remove it")
    # Read somewhere between our two looks; the benefit of the doubt is the server's.
    skew_ms = max(before_ms - server_ms, server_ms - clock.now_ms(), 0)
    if skew_ms <= _SKEW_MS_MAX:
        return Finding(name, good=True, detail=f"within {_SKEW_MS_MAX} ms of ours")
    return Finding(name, good=False, detail=f"{skew_ms} ms away from ours", cure="run NTP (chrony) on both machines")
