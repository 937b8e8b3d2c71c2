"""Brings a keyspace to this version's tables: called by `hotbasket migrate` with the text of schema.cql."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from string import Template
from typing import Any

from adapters.scylla.connection import connect, refusals
from adapters.scylla.faults import DRIVER_ERRORS, port_error
from adapters.settings import Settings
from domain.errors import PortError

SCHEMA_VERSION = 1
TABLES = (
    "decided",
    "events",
    "failed_by_day",
    "failed_events",
    "schema_version",
    "snapshot_heads",
    "snapshots",
    "timers",
    "trees",
    "watermarks",
)
HOT_TABLES = ("decided", "events")
"""Those whose rows live for `hot_days`."""
_SUBJECT = "tables"
_DAY_S = 86_400
_DDL_S = 60.0
_SCYLLA_TABLE = " AND tombstone_gc = {'mode': 'timeout'}"


async def apply(settings: Settings, cql: str, *, replication: int, is_scylla: bool | None = None) -> Sequence[str]:
    """Makes what is missing and brings the life of raw events to `hot_days`; may be repeated.

    Args:
        cql: the text of schema.cql.
        replication: copies of each row in each data centre.
        is_scylla: whether ScyllaDB's own options are set; None = as the server says of itself.

    Returns:
        What was made or changed, by name; empty where nothing was.

    Raises:
        PortError: not retriable: no connection, a newer schema, or the server refuses.
    """

    def run() -> list[str]:
        with refusals(settings):
            session = connect(settings)
        try:
            return _apply(session, settings, cql, replication, is_scylla)
        except DRIVER_ERRORS as error:
            raise PortError(f"{port_error(error, 'migrate')}", retriable=False) from error
        finally:
            session.cluster.shutdown()

    return await asyncio.to_thread(run)


def found_version(session: Any, keyspace: str) -> int:  # Any: the driver has no types
    """Gives the version that was applied last, 0 before the first."""
    rows = session.execute(
        f"SELECT version FROM {keyspace}.schema_version WHERE subject = %s",  # noqa: S608 - Settings checks the name
        (_SUBJECT,),
    ).current_rows
    return int(rows[0][0]) if rows else 0


def found_tables(session: Any, keyspace: str) -> dict[str, int] | None:  # Any: the driver has no types
    """Gives the default life (seconds, 0 = for ever) of each table by name, None without such a keyspace."""
    names = session.execute(
        "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s", (keyspace,)
    ).current_rows
    if not names:
        return None
    rows = session.execute(
        "SELECT table_name, default_time_to_live FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,)
    ).current_rows
    return dict(rows)


def newer_schema(keyspace: str, version: int) -> PortError:
    """Gives the error for a keyspace that a later hotbasket made."""
    return PortError(
        f"keyspace {keyspace} has schema version {version}, newer than {SCHEMA_VERSION}: run the newer hotbasket",
        retriable=False,
    )


def hot_s(settings: Settings) -> int:
    """Gives the life of raw events in seconds."""
    return settings.hot_days * _DAY_S


def is_scylla_server(session: Any) -> bool:  # Any: the driver has no types
    """Tells ScyllaDB from Cassandra by a system table that only the former has."""
    rows = session.execute(
        "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'system' AND table_name = 'versions'"
    ).current_rows
    return bool(rows)


def _apply(session: Any, settings: Settings, cql: str, replication: int, is_scylla: bool | None) -> list[str]:
    keyspace = settings.scylla_keyspace
    before = found_tables(session, keyspace)
    if before is not None and "schema_version" in before:
        version = found_version(session, keyspace)
        if version > SCHEMA_VERSION:
            raise newer_schema(keyspace, version)
    has_options = is_scylla_server(session) if is_scylla is None else is_scylla
    for statement in statements(cql, settings, replication=replication, is_scylla=has_options):
        session.execute(statement, timeout=_DDL_S)
    after = found_tables(session, keyspace)
    assert after is not None, "the keyspace was just made"
    missing = set(TABLES) - after.keys()
    if missing:
        raise PortError(
            f"schema.cql makes no table {', '.join(sorted(missing))}: it is of another version", retriable=False
        )
    made = [] if before is not None else [f"keyspace {keyspace}"]
    made += [f"table {name}" for name in TABLES if name not in (before or {})]
    for name in HOT_TABLES:
        if after[name] != hot_s(settings):
            session.execute(
                f"ALTER TABLE {keyspace}.{name} WITH default_time_to_live = {hot_s(settings)}", timeout=_DDL_S
            )
            made.append(f"life of {name}: {settings.hot_days} days")
    session.execute(
        f"INSERT INTO {keyspace}.schema_version (subject, version) VALUES (%s, %s) USING TIMESTAMP %s",  # noqa: S608 - as above
        (_SUBJECT, SCHEMA_VERSION, SCHEMA_VERSION),
    )
    return made


def statements(cql: str, settings: Settings, *, replication: int, is_scylla: bool) -> list[str]:
    """Gives the statements of schema.cql with everything filled in."""
    filled = Template(re.sub(r"--.*", "", cql)).substitute(
        keyspace=settings.scylla_keyspace,
        replication=replication,
        hot_s=hot_s(settings),
        table_options=_SCYLLA_TABLE if is_scylla else "",
    )
    return [statement.strip() for statement in filled.split(";") if statement.strip()]
