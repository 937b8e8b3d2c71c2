"""Which adapter stands behind which port: the only place that chooses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from adapters.data_dir import prepare
from adapters.secrets import Secrets, load_secrets
from adapters.settings import Settings, data_files
from adapters.sqlite import control_file, log_rows, state_file
from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.database import Database
from adapters.sqlite.event_log import SqliteEventLog
from adapters.sqlite.event_store import SqliteEventStore
from adapters.sqlite.experience_log import SqliteExperienceLog
from adapters.sqlite.failed_events import SqliteFailedEvents
from adapters.sqlite.inspection import Report, inspect
from adapters.sqlite.log_writer import LogWriter
from adapters.sqlite.retailers import SqliteRetailers
from adapters.sqlite.retention import Retention
from adapters.sqlite.snapshot_store import SqliteSnapshotStore
from adapters.sqlite.tree_store import SqliteTreeStore
from domain.ports.clock import Clock
from domain.ports.event_log import EventLog
from domain.ports.event_store import EventStore
from domain.ports.experience_log import ExperienceLog
from domain.ports.failed_events import FailedEvents
from domain.ports.retailers import Retailers
from domain.ports.snapshot_store import SnapshotStore
from domain.ports.tree_store import TreeStore
from monitoring.metrics import Metrics


class Ports(NamedTuple):
    """Every port of one process, opened.

    Attributes:
        expire: removes from the stores that can't do so by themselves what is old and saved; gives how many records.
        close: flushes what was accepted and closes everything; may be repeated.
    """

    events: EventLog
    experiences: ExperienceLog
    archive: EventStore
    snapshots: SnapshotStore
    trees: TreeStore
    failed: FailedEvents
    retailers: Retailers
    secrets: Secrets
    expire: Callable[[], Awaitable[int]]
    close: Callable[[], Awaitable[None]]


def embedded(data: Path, settings: Settings, metrics: Metrics, clock: Clock) -> Ports:
    """Opens the SQLite stores of a data directory, made if it is absent.

    Raises:
        Refused: the directory can't be used, or its secrets can't.
        PortError: not retriable: a file is damaged or of a newer version.
    """
    prepare(data)
    secrets = load_secrets(data)
    files = data_files(data)
    busy_s = settings.sqlite_busy_s
    with ExitStack() as opened:
        writer = LogWriter(files["log"], settings, metrics)
        opened.callback(writer.discard)
        reader = Database(files["log"], log_rows.SCHEMA, busy_s=busy_s, check=False)
        opened.callback(reader.close)
        state = Database(files["state"], state_file.SCHEMA, busy_s=busy_s)
        opened.callback(state.close)
        state_reader = Database(files["state"], state_file.SCHEMA, busy_s=busy_s, check=False)
        opened.callback(state_reader.close)
        control = ControlFile(files["control"], busy_s=busy_s)
        opened.callback(control.close)
        events = SqliteEventLog(writer, reader, state, settings)
        experiences = SqliteExperienceLog(writer, reader, settings, clock)
        snapshots, retailers = SqliteSnapshotStore(state, state_reader), SqliteRetailers(control)
        retention = Retention(events, experiences, snapshots, retailers, settings, clock)
        files_opened = opened.pop_all()

        async def close() -> None:
            await writer.close()
            files_opened.close()

        return Ports(
            events=events,
            experiences=experiences,
            archive=SqliteEventStore(reader, clock),
            snapshots=snapshots,
            trees=SqliteTreeStore(control),
            failed=SqliteFailedEvents(state, control, clock),
            retailers=retailers,
            secrets=secrets,
            expire=retention.expire,
            close=close,
        )
    raise AssertionError("unreachable: the stack swallows nothing")


def inspect_files(data: Path, settings: Settings) -> list[Report]:
    """Looks into the files that a data directory holds, without changing them."""
    schemas = {"log": log_rows.SCHEMA, "state": state_file.SCHEMA, "control": control_file.SCHEMA}
    files = data_files(data)
    return [
        inspect(files[name], schema, busy_s=settings.sqlite_busy_s)
        for name, schema in schemas.items()
        if files[name].is_file()
    ]
