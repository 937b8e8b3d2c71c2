"""What is done to stores beside running on them: making what is missing, and looking whether all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from adapters.finding import Finding
from adapters.settings import Settings, data_files
from adapters.sqlite import control_file, log_rows, state_file
from adapters.sqlite.inspection import Report, inspect
from adapters.wiring import libraries, production, require_servers
from domain.errors import HotbasketError, Refused
from domain.ids import Position
from domain.ports.clock import Clock
from monitoring.metrics import Metrics


async def migrate_servers(
    settings: Settings,
    *,
    partitions: int,
    replication: int,
    retention_ms: int,
    cql: str,
    sql: Sequence[tuple[str, str]],
) -> Sequence[str]:
    """Makes the topics and tables that are missing, and gives what it made; may be repeated.

    Args:
        partitions: of each topic.
        replication: copies of everything.
        retention_ms: of the topics.
        cql: the schema of the hot store.
        sql: the numbered migrations of the control plane: name and text.

    Raises:
        Refused: what is there can't become what is asked for.
        PortError: a server can't be worked with.
    """
    require_servers(settings)
    with libraries():
        from adapters.kafka.topics import create_topics  # noqa: PLC0415
        from adapters.postgres.migrations import migrate  # noqa: PLC0415
        from adapters.scylla.schema import apply  # noqa: PLC0415
    made = list(await migrate(settings, sql))
    made += await apply(settings, cql, replication=replication)
    made += await create_topics(settings, partitions=partitions, replication=replication, retention_ms=retention_ms)
    return made


async def inspect_servers(settings: Settings, clock: Clock) -> list[Finding]:
    """Looks at the servers of a production system, and whether what they hold goes together; changes nothing."""
    try:
        require_servers(settings)
        with libraries():
            from adapters.kafka import inspection as kafka  # noqa: PLC0415
            from adapters.postgres import inspection as postgres  # noqa: PLC0415
            from adapters.scylla import inspection as scylla  # noqa: PLC0415
    except Refused as refusal:
        return [Finding("servers", False, fault, "set it, or name --data") for fault in refusal.faults]
    found = await asyncio.gather(
        kafka.inspect(settings), scylla.inspect(settings, clock), postgres.inspect(settings, clock)
    )
    findings = [one for part in found for one in part]
    if all(one.good for one in findings):
        findings.append(await _log_reaches_snapshots(settings, clock, kafka.events_ends))
    return findings


async def _log_reaches_snapshots(
    settings: Settings, clock: Clock, ends_of: Callable[[Settings], Awaitable[Sequence[Position]]]
) -> Finding:
    """Looks whether the log reaches as far as the snapshots that were made from it."""
    check = "snapshots"
    try:
        ends = await ends_of(settings)
        ports = await production(settings, Metrics(), clock, role="command")
        try:
            newest = await asyncio.gather(*(ports.snapshots.newest(number) for number in range(len(ends))))
        finally:
            await ports.close()
    except HotbasketError as error:
        return Finding(check, False, str(error), "look again")
    beyond = [
        f"partition {number} ends before {end.epoch}-{end.offset}, and has a snapshot as of {at.epoch}-{at.offset}"
        for number, (end, at) in enumerate(zip(ends, newest, strict=True))
        if at is not None and at >= end
    ]
    cure = "name the snapshots' own log, or empty the tables snapshots, timers and snapshot_heads"
    return (
        Finding(check, False, beyond[0], cure) if beyond else Finding(check, True, "the log reaches as far as they do")
    )


def inspect_files(data: Path, settings: Settings) -> list[Report]:
    """Looks into the files that a data directory holds, without changing them."""
    schemas = {"log": log_rows.SCHEMA, "state": state_file.SCHEMA, "control": control_file.SCHEMA}
    files = data_files(data)
    return [
        inspect(files[name], schema, busy_s=settings.sqlite_busy_s)
        for name, schema in schemas.items()
        if files[name].is_file()
    ]
