"""The embedded stores with all that takes part in an erasure, and shoppers of whom they hold something."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from adapters.data_dir import prepare
from adapters.settings import load_settings
from adapters.sqlite import log_rows, state_file
from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.database import Database
from adapters.sqlite.event_log import PARTITION, SqliteEventLog
from adapters.sqlite.event_store import SqliteEventStore
from adapters.sqlite.experience_log import SqliteExperienceLog
from adapters.sqlite.failed_events import SqliteFailedEvents
from adapters.sqlite.log_writer import LogWriter
from adapters.sqlite.shopper_data import SqliteShopperFailures, SqliteShopperSnapshots, SqliteShopperTrees
from adapters.sqlite.shopper_records import SqliteShopperEvents, SqliteShopperExperiences
from adapters.sqlite.snapshot_store import SqliteSnapshotStore
from adapters.sqlite.tree_store import SqliteTreeStore
from domain.ids import Position, ShopperKey
from domain.ports.event_log import Place
from domain.ports.shopper_data import Erased, ShopperData
from domain.records import SCHEMA_VERSION, Decided, Failed, Progress, Record
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.story import NOON_MS, RETAILER, record

OTHER_RETAILER = "r-2"


class Embedded(NamedTuple):
    """The stores, and each one's part in an erasure."""

    clock: StoppedClock
    writer: LogWriter
    events: SqliteEventLog
    experiences: SqliteExperienceLog
    archive: SqliteEventStore
    snapshots: SqliteSnapshotStore
    trees: SqliteTreeStore
    failed: SqliteFailedEvents
    control: ControlFile
    of_events: SqliteShopperEvents
    of_experiences: SqliteShopperExperiences
    of_snapshots: SqliteShopperSnapshots
    of_trees: SqliteShopperTrees
    of_failed: SqliteShopperFailures

    @property
    def parts(self) -> Sequence[ShopperData]:
        """Every store's part."""
        return (self.of_events, self.of_experiences, self.of_snapshots, self.of_trees, self.of_failed)


@asynccontextmanager
async def opened(data: Path, **more: Any) -> AsyncIterator[Embedded]:  # Any: settings validates each
    """Opens the stores of a directory."""
    prepare(data)
    settings, clock = load_settings(**more), StoppedClock()
    writer = LogWriter(data / "log.db", settings, Metrics())
    reader = Database(data / "log.db", log_rows.SCHEMA, busy_s=5, check=False)
    state = Database(data / "state.db", state_file.SCHEMA, busy_s=5)
    state_reader = Database(data / "state.db", state_file.SCHEMA, busy_s=5, check=False)
    control = ControlFile(data / "control.db", busy_s=5)
    events = SqliteEventLog(writer, reader, state, settings)
    experiences = SqliteExperienceLog(writer, reader, settings, clock)
    yield Embedded(
        clock=clock,
        writer=writer,
        events=events,
        experiences=experiences,
        archive=SqliteEventStore(reader, clock),
        snapshots=SqliteSnapshotStore(state, state_reader),
        trees=SqliteTreeStore(control, clock),
        failed=SqliteFailedEvents(state, control, clock),
        control=control,
        of_events=SqliteShopperEvents(events, reader),
        of_experiences=SqliteShopperExperiences(experiences, reader),
        of_snapshots=SqliteShopperSnapshots(state, state_reader),
        of_trees=SqliteShopperTrees(control, state_reader),
        of_failed=SqliteShopperFailures(state, control),
    )
    await writer.close()
    for one in (reader, state, state_reader, control):
        one.close()


def key(name: str, retailer_id: str = RETAILER) -> ShopperKey:
    """A shopper of partition 0, by a hash that stands nowhere by chance."""
    return ShopperKey(retailer_id, hashlib.sha256(name.encode()).hexdigest())


def erased(name: str, offset: int, retailer_id: str = RETAILER) -> Erased:
    """One who is to be gone as of a place in the log."""
    return Erased(key(name, retailer_id), Place(PARTITION, Position(1, offset)), NOON_MS)


def event(name: str, number: int, kind: str = "LinkClicked", retailer_id: str = RETAILER, **fields: Any) -> Record:
    """A shopper's event, a click unless it is said what."""
    if kind == "LinkClicked":
        fields = {"target": f"/{name}/{number}"} | fields
    shopper = key(name).shopper
    return replace(record(kind, number, number, shopper_id=shopper, **fields), retailer_id=retailer_id)


def decided(name: str, token: int, offset: int, retailer_id: str = RETAILER) -> Decided:
    """That an event moved a shopper, some milliseconds after noon: as many as its place."""
    return Decided(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=Position(1, offset),
        trigger_event_id=UUID(int=offset + 1),
        retailer_id=retailer_id,
        shopper=key(name).shopper,
        received_at_ms=NOON_MS + offset,
        generation=1,
        node_id="sauce",
        walked_from="start",
    )


def failed(name: str, token: int, offset: int, retailer_id: str = RETAILER) -> Failed:
    """That an event of a shopper failed, some milliseconds after noon: as many as its place."""
    return Failed(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=Position(1, offset),
        retailer_id=retailer_id,
        shopper=key(name).shopper,
        event_id=str(UUID(int=offset + 1)),
        reason="not_processed",
        detail="",
        path="$",
        payload=b"the event of " + name.encode(),
        failed_at_ms=NOON_MS + offset,
    )


def progress(token: int, offset: int) -> Progress:
    """A batch ends."""
    return Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, offset))
