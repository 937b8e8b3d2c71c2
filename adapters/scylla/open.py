"""Opens the production hot store: one session, checked against this version's schema, and the stores over it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from adapters.control_plane import GenerationRows, Generations, ReplayRequests
from adapters.scylla import backup, event_store, failed_events, shopper_data, snapshot_store, tree_releases, tree_store
from adapters.scylla.connection import connect, refusals
from adapters.scylla.event_store import ScyllaEventStore
from adapters.scylla.failed_events import ScyllaFailedEvents
from adapters.scylla.faults import DRIVER_ERRORS, port_error
from adapters.scylla.schema import SCHEMA_VERSION, TABLES, found_tables, found_version, newer_schema
from adapters.scylla.session import Session
from adapters.scylla.shopper_data import ScyllaEventData, ScyllaFailedData, ScyllaSnapshotData, ScyllaTreeData
from adapters.scylla.snapshot_store import ScyllaSnapshotStore
from adapters.scylla.tree_releases import ScyllaTreeReleases
from adapters.scylla.tree_store import ScyllaTreeStore
from adapters.settings import Settings
from domain.errors import PortError
from domain.ports.clock import Clock
from domain.ports.shopper_data import ShopperData
from monitoring.metrics import Metrics


class ScyllaStores(NamedTuple):
    """The stores of one process; `close` ends their session and may be repeated."""

    archive: ScyllaEventStore
    snapshots: ScyllaSnapshotStore
    trees: ScyllaTreeStore
    releases: ScyllaTreeReleases
    failed: ScyllaFailedEvents
    shopper_data: tuple[ShopperData, ...]
    expire_trees: Callable[[str, int], Awaitable[int]]
    close: Callable[[], Awaitable[None]]


class ScyllaReleases(NamedTuple):
    """What a process that only puts trees needs; `close` ends the session and may be repeated."""

    releases: ScyllaTreeReleases
    close: Callable[[], Awaitable[None]]


class ControlPlane(Generations, GenerationRows, Protocol):
    """Everything about generations."""


async def open_stores(
    settings: Settings,
    metrics: Metrics,
    clock: Clock,
    generations: ControlPlane,
    requests: ReplayRequests,
    state_days: Callable[[str], int],
    *,
    partitions: int,
) -> ScyllaStores:
    """Connects, checks the schema and prepares every statement; call it after any fork.

    Args:
        state_days: gives for how many days a retailer's snapshots are kept.
        partitions: of the log; 0 for a process that opened none.

    Raises:
        PortError: not retriable, with the cure: nobody answers, password or TLS is refused, keyspace or tables are
            missing, or the schema is of another version.
    """
    modules = (event_store, snapshot_store, tree_store, tree_releases, failed_events, shopper_data)
    session = await _session(settings, metrics, modules)
    releases = ScyllaTreeReleases(session, generations)
    own_trees = ScyllaTreeData(session, generations)
    failed = ScyllaFailedEvents(session, requests, clock, partitions=partitions)
    return ScyllaStores(
        archive=ScyllaEventStore(session, batch_events_max=settings.archive_batch_events),
        snapshots=ScyllaSnapshotStore(session, clock, state_days),
        trees=ScyllaTreeStore(session, generations, releases),
        releases=releases,
        failed=failed,
        shopper_data=(
            ScyllaFailedData(failed),
            own_trees,
            ScyllaSnapshotData(session),
            ScyllaEventData(session, hot_days=settings.hot_days, partitions=partitions),
        ),
        expire_trees=own_trees.expire,
        close=session.close,
    )


async def open_releases(settings: Settings, metrics: Metrics, rows: GenerationRows) -> ScyllaReleases:
    """Connects, checks the schema and prepares what puts trees; call it after any fork.

    Raises:
        PortError: see `open_stores`.
    """
    session = await _session(settings, metrics, (tree_releases,))
    return ScyllaReleases(ScyllaTreeReleases(session, rows), session.close)


async def open_backup(settings: Settings, metrics: Metrics) -> Session:
    """Connects, checks the schema and prepares what copies tables; whoever asked closes the session.

    Raises:
        PortError: see `open_stores`.
    """
    return await _session(settings, metrics, (backup,))


async def _session(settings: Settings, metrics: Metrics, stores: Sequence[ModuleType]) -> Session:
    """Gives a session with the statements of some stores."""

    def run() -> Any:  # Any: the driver has no types
        with refusals(settings):
            driver = connect(settings)
        try:
            _check(driver, settings.scylla_keyspace)
        except BaseException as error:
            driver.cluster.shutdown()
            if isinstance(error, DRIVER_ERRORS):
                raise PortError(f"{port_error(error, 'schema check')}", retriable=False) from error
            raise
        return driver

    session = Session(await asyncio.to_thread(run), metrics, requests_max=settings.scylla_requests_max)
    try:
        for store in stores:
            await session.prepare(store.STATEMENTS, settings.scylla_keyspace)
    except BaseException:
        await session.close()
        raise
    return session


def _check(driver: Any, keyspace: str) -> None:  # Any: the driver has no types
    """Refuses a keyspace that this version can't work with."""
    tables = found_tables(driver, keyspace)
    if tables is None:
        raise PortError(f"there is no keyspace {keyspace}: run `hotbasket migrate`", retriable=False)
    missing = [name for name in TABLES if name not in tables]
    if missing:
        raise PortError(
            f"keyspace {keyspace} lacks the tables {', '.join(missing)}: run `hotbasket migrate`", retriable=False
        )
    version = found_version(driver, keyspace)
    if version > SCHEMA_VERSION:
        raise newer_schema(keyspace, version)
    if version < SCHEMA_VERSION:
        raise PortError(
            f"keyspace {keyspace} has schema version {version}, older than {SCHEMA_VERSION}: run `hotbasket migrate`",
            retriable=False,
        )
