"""Which adapter stands behind which port: the only place that chooses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from adapters.data_dir import prepare
from adapters.identity_keys import IdentityKeys
from adapters.no_logs import no_logs
from adapters.secret_source import DirectorySecrets, GivenSecrets
from adapters.secrets import Secrets, secrets_of
from adapters.settings import Settings, data_files
from adapters.shopper_exports import ShopperExports, digests_under
from adapters.sqlite import log_rows, state_file
from adapters.sqlite.audit_trail import SqliteAuditTrail
from adapters.sqlite.budget_ledger import SqliteBudgetLedger
from adapters.sqlite.campaigns import SqliteCampaigns
from adapters.sqlite.control_expiry import SqliteControlExpiry
from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.database import Database
from adapters.sqlite.erasures import SqliteErasures
from adapters.sqlite.event_log import SqliteEventLog
from adapters.sqlite.event_store import SqliteEventStore
from adapters.sqlite.experience_log import SqliteExperienceLog
from adapters.sqlite.exports import SqliteExports
from adapters.sqlite.failed_events import SqliteFailedEvents
from adapters.sqlite.gateway_words import SqliteGatewayWords
from adapters.sqlite.identity_keys import SqliteIdentityKeyRows
from adapters.sqlite.log_writer import LogWriter
from adapters.sqlite.privacy_requests import SqlitePrivacyRequests
from adapters.sqlite.retailers import SqliteRetailers
from adapters.sqlite.retention import Retention
from adapters.sqlite.shopper_data import SqliteShopperFailures, SqliteShopperSnapshots, SqliteShopperTrees
from adapters.sqlite.shopper_records import SqliteShopperEvents, SqliteShopperExperiences
from adapters.sqlite.snapshot_store import SqliteSnapshotStore
from adapters.sqlite.tree_releases import SqliteTreeReleases
from adapters.sqlite.tree_store import SqliteTreeStore
from domain.errors import HotbasketError, Refused
from domain.ports.audit_trail import AuditTrail
from domain.ports.budget_ledger import BudgetLedger
from domain.ports.campaigns import Campaigns
from domain.ports.clock import Clock
from domain.ports.control_expiry import ControlExpiry
from domain.ports.erasures import Erasures
from domain.ports.event_log import EventLog
from domain.ports.event_store import EventStore
from domain.ports.experience_log import ExperienceLog
from domain.ports.exports import Exports
from domain.ports.failed_events import FailedEvents
from domain.ports.identity_keys import IdentityKeyRows
from domain.ports.privacy_requests import GatewayWords, PrivacyRequests, RequestsAbout
from domain.ports.retailers import Retailer, Retailers
from domain.ports.shopper_data import ShopperData
from domain.ports.snapshot_store import SnapshotStore
from domain.ports.tree_releases import TreeReleases
from domain.ports.tree_store import TreeStore
from domain.retention import kept_days
from monitoring.metrics import Metrics


class Ports(NamedTuple):
    """Every port of one process, opened.

    Attributes:
        about: the requests that name a shopper; behind it stands what stands behind `privacy`.
        identity: the keys under which shoppers are named; refuses in a process that names nobody.
        shopper_data: every store that holds something of shoppers, in the order in which an erasure visits them.
        appends_late_s: for how long an append may still come through after whoever asked for it has given up.
        control_expiry: what the control plane forgets in time.
        expire_trees: removes a retailer's own trees of before a moment, of shoppers without a snapshot; gives how many.
        expire: removes from the stores that can't do so by themselves what is old and saved; gives how many records.
        close: flushes what was accepted and closes everything; may be repeated.
    """

    events: EventLog
    experiences: ExperienceLog
    archive: EventStore
    snapshots: SnapshotStore
    trees: TreeStore
    releases: TreeReleases
    failed: FailedEvents
    retailers: Retailers
    key_rows: IdentityKeyRows
    identity: IdentityKeys
    campaigns: Campaigns
    ledger: BudgetLedger
    audit: AuditTrail
    privacy: PrivacyRequests
    about: RequestsAbout
    words: GatewayWords
    erasures: Erasures
    exports: Exports
    shopper_data: Sequence[ShopperData]
    appends_late_s: float
    control_expiry: ControlExpiry
    expire_trees: Callable[[str, int], Awaitable[int]]
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
    secrets = DirectorySecrets(data)
    secrets.read()
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
        return _over_files(
            _Files(writer, reader, state, state_reader, control), secrets, settings, clock, opened.pop_all()
        )
    raise AssertionError("unreachable: the stack swallows nothing")


class _Files(NamedTuple):
    """The embedded stores' files, opened."""

    writer: LogWriter
    reader: Database
    state: Database
    state_reader: Database
    control: ControlFile


def _over_files(files: _Files, secrets: DirectorySecrets, settings: Settings, clock: Clock, opened: ExitStack) -> Ports:
    events = SqliteEventLog(files.writer, files.reader, files.state, settings)
    experiences = SqliteExperienceLog(files.writer, files.reader, settings, clock)
    snapshots = SqliteSnapshotStore(files.state, files.state_reader)
    retailers, key_rows = SqliteRetailers(files.control), SqliteIdentityKeyRows(files.control)
    privacy, exports = SqlitePrivacyRequests(files.control), SqliteExports(files.control)
    identity = IdentityKeys(retailers, key_rows, secrets)
    retention = Retention(events, experiences, files.reader, snapshots, retailers, settings, clock)
    own_trees = SqliteShopperTrees(files.control, files.state_reader)

    async def close() -> None:
        await files.writer.close()
        opened.close()

    return Ports(
        events=events,
        experiences=experiences,
        archive=SqliteEventStore(files.reader, clock),
        snapshots=snapshots,
        trees=SqliteTreeStore(files.control, clock),
        releases=SqliteTreeReleases(files.control, clock),
        failed=SqliteFailedEvents(files.state, files.control, clock),
        retailers=retailers,
        key_rows=key_rows,
        identity=identity,
        campaigns=SqliteCampaigns(files.control),
        ledger=SqliteBudgetLedger(files.control, clock),
        audit=SqliteAuditTrail(files.control),
        privacy=privacy,
        about=privacy,
        words=SqliteGatewayWords(files.control),
        erasures=SqliteErasures(files.control),
        exports=exports,
        shopper_data=(
            SqliteShopperFailures(files.state, files.control),
            own_trees,
            SqliteShopperSnapshots(files.state, files.state_reader),
            SqliteShopperEvents(events, files.reader),
            SqliteShopperExperiences(experiences, files.reader),
            _exports_of(exports, identity),
        ),
        # One thread writes the log, in order: what comes late is refused or stands before what comes after it.
        appends_late_s=0,
        control_expiry=SqliteControlExpiry(files.control),
        expire_trees=own_trees.expire,
        secrets=secrets.read(),
        expire=retention.expire,
        close=close,
    )


def _exports_of(exports: Exports, identity: IdentityKeys) -> ShopperExports:
    return ShopperExports(exports, digests_under(identity.privacy_key))


Role = Literal["gateway", "worker", "archiver", "privacy", "command", "batch", "all"]
"""What a process on servers is for; `all` is for tests."""
_NAMES_SHOPPERS: frozenset[Role] = frozenset({"gateway", "privacy", "command", "all"})
"""Who is given the secrets; the others work on hashes alone."""
_WITHOUT_LOGS: frozenset[Role] = frozenset({"command", "batch"})
"""Who opens no log: they are told of no Kafka, and the night's image has no library of it."""
_SERVERS = ("kafka", "scylla", "postgres")


async def production(
    settings: Settings, metrics: Metrics, clock: Clock, *, role: Role, member: str | None = None
) -> Ports:
    """Opens the servers' stores: Kafka, ScyllaDB and Postgres.

    Args:
        role: what the process is for: an archiver consumes the cold group, commands and batch jobs open no log, and
            need neither Kafka nor its library.
        member: under which stable name the process consumes; None = it never does.

    Raises:
        Refused: a setting is missing, or the libraries are.
        PortError: not retriable: a server can't be reached or refuses us, or what it holds can't be worked with.
    """
    has_logs = role not in _WITHOUT_LOGS
    require_servers(settings, _SERVERS if has_logs else ("scylla", "postgres"))
    with libraries():
        from adapters.postgres.open import open_control  # noqa: PLC0415
        from adapters.scylla.open import open_stores  # noqa: PLC0415

        opening, late_s = _logs_of(settings, metrics, clock, role, member) if has_logs else (no_logs, 0.0)
    secrets = secrets_of(settings, needed=role in _NAMES_SHOPPERS)
    async with AsyncExitStack() as opened:
        control, logs = await _side_by_side(opened, open_control(settings, metrics, clock), opening())
        partitions = logs.events.partitions if has_logs else 0
        stores = await open_stores(
            settings,
            metrics,
            clock,
            control.generations,
            control.requests,
            _state_days(control.retailers),
            partitions=partitions,
        )
        opened.push_async_callback(stores.close)
        return _over_servers(control, logs, stores, secrets, late_s, opened.pop_all().aclose)
    raise AssertionError("unreachable: the stack swallows nothing")


def _logs_of(
    settings: Settings, metrics: Metrics, clock: Clock, role: Role, member: str | None
) -> tuple[Callable[[], Coroutine[Any, Any, Any]], float]:
    """How to open the logs, and for how long an append may be late: nothing of Kafka's is loaded before."""
    from adapters.kafka.open import open_logs  # noqa: PLC0415
    from adapters.kafka.producer import BATCH_S  # noqa: PLC0415

    group: Literal["hot", "cold"] = "cold" if role == "archiver" else "hot"
    return partial(open_logs, settings, metrics, clock, group=group, member=member), BATCH_S


def _over_servers(
    control: Any,
    logs: Any,
    stores: Any,  # Any: their libraries may not be there
    secrets: Secrets,
    late_s: float,
    close: Callable[[], Awaitable[None]],
) -> Ports:
    identity = IdentityKeys(control.retailers, control.key_rows, GivenSecrets(secrets))
    return Ports(
        events=logs.events,
        experiences=logs.experiences,
        archive=stores.archive,
        snapshots=stores.snapshots,
        trees=stores.trees,
        releases=stores.releases,
        failed=stores.failed,
        retailers=control.retailers,
        key_rows=control.key_rows,
        identity=identity,
        campaigns=control.campaigns,
        ledger=control.ledger,
        audit=control.audit,
        privacy=control.privacy,
        about=control.privacy,
        words=control.words,
        erasures=control.erasures,
        exports=control.exports,
        shopper_data=(*stores.shopper_data, *logs.shopper_data, _exports_of(control.exports, identity)),
        appends_late_s=late_s,
        control_expiry=control.expiry,
        expire_trees=stores.expire_trees,
        secrets=secrets,
        expire=_nothing_to_expire,
        close=close,
    )


async def _side_by_side(opened: AsyncExitStack, *opening: Coroutine[Any, Any, Any]) -> list[Any]:  # Any: ports differ
    """Opens several things at once, since a worker that was killed is to be back within a second.

    Args:
        opened: closes what could be opened, whatever becomes of the others.
        opening: each gives something with a `close`.

    Raises:
        Refused: more than one could not be opened, with the fault of each; otherwise what the one raises.
    """
    tasks = [asyncio.ensure_future(one) for one in opening]
    await asyncio.wait(tasks)
    for task in tasks:
        if task.exception() is None:
            opened.push_async_callback(task.result().close)
    errors = [error for task in tasks if (error := task.exception()) is not None]
    if len(errors) > 1 and all(isinstance(error, HotbasketError) for error in errors):
        raise Refused(*map(str, errors))
    return [task.result() for task in tasks]


class ReleasePorts(NamedTuple):
    """What puts trees, opened; `close` may be repeated."""

    releases: TreeReleases
    close: Callable[[], Awaitable[None]]


async def open_releases(data: Path | None, settings: Settings, metrics: Metrics, clock: Clock) -> ReleasePorts:
    """Opens nothing but the releases of trees: for a batch job's many processes, beside a running system.

    Args:
        data: a data directory that is there; None = the servers that the settings name, of which Kafka is not asked.

    Raises:
        Refused: the directory holds no data, a setting is missing, or the libraries are.
        PortError: not retriable: the file can't be opened, or a server can't be reached or worked with.
    """
    if data is not None:
        path = data_files(data)["control"]
        if not path.is_file():
            raise Refused(f"{data} holds no hotbasket data: name the right directory")
        control = ControlFile(path, busy_s=settings.sqlite_busy_s)

        async def close_file() -> None:
            control.close()

        return ReleasePorts(SqliteTreeReleases(control, clock), close_file)
    with libraries():
        from adapters.postgres.open import open_generations  # noqa: PLC0415
        from adapters.scylla import open as scylla  # noqa: PLC0415
    require_servers(settings, ("scylla", "postgres"))
    async with AsyncExitStack() as opened:
        plane = await open_generations(settings, metrics, clock)
        opened.push_async_callback(plane.close)
        stores = await scylla.open_releases(settings, metrics, plane.generations)
        opened.push_async_callback(stores.close)
        return ReleasePorts(stores.releases, opened.pop_all().aclose)
    raise AssertionError("unreachable: the stack swallows nothing")


@contextmanager
def libraries() -> Iterator[None]:
    """Says which libraries are missing: embedded systems run without them, so they are imported on demand."""
    try:
        yield
    except ImportError as error:
        raise Refused(f"{error.name} is not installed: pip install 'hotbasket[kafka,postgres,scylla]'") from None


def has_servers(settings: Settings) -> bool:
    """Tells whether the settings name the servers of a production system."""
    return bool(settings.kafka or settings.scylla or settings.postgres)


def require_servers(settings: Settings, needed: Sequence[str] = _SERVERS) -> None:
    """Refuses settings that don't name every server that is needed."""
    missing = [name for name in needed if not getattr(settings, name)]
    if missing:
        raise Refused(
            *(f"HOTBASKET_{name.upper()} is not set: it says where the server is; see .env.example" for name in missing)
        )


def _state_days(retailers: Retailers) -> Callable[[str], int]:
    """Tells for how many days a shopper's state is kept, by retailer id: three years where nobody said anything."""

    def days(retailer_id: str) -> int:
        known = retailers.current().retailers
        return kept_days(known.get(retailer_id) or Retailer(retailer_id=retailer_id, name=retailer_id), "state")

    return days


async def _nothing_to_expire() -> int:
    """The servers' stores expire by themselves."""
    return 0
