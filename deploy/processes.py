"""The production processes: a gateway, a worker or an archiver over the servers' stores, each from start to stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import structlog

from actors.campaigns_now import MarketPorts
from actors.partition import Stores as WorkerStores
from actors.worker import Worker
from adapters.backup_keys import BackupKeys
from adapters.clock import SystemClock
from adapters.settings import Settings
from adapters.wiring import Ports, production
from adapters.zones import zone_of
from batch.archive import Archiver
from batch.archive import Stores as ArchiverStores
from deploy.backup_keeping import BackupKeeper
from deploy.house_keeping import HouseKeeper
from deploy.http_server import BACKLOG, HttpServer
from deploy.lifecycle import Back, Front, live
from deploy.listeners import address_of, listen
from deploy.operators_page import Process, one_process
from deploy.privacy_worker import privacy_worker
from deploy.vault_keeping import VaultKeeper
from deploy.warehouse_place import UNVISITED, warehouse_data
from gateway.app import Gateway
from gateway.stores import Keys
from gateway.stores import Stores as GatewayStores
from monitoring.metrics import Metrics
from monitoring.server import MetricsServer
from monitoring.trace_lines import TraceLines

if TYPE_CHECKING:
    from adapters.vault_wiring import OpenedVault

log = structlog.get_logger("hotbasket.process")


class _Opened(NamedTuple):
    """What every process has."""

    ports: Ports
    metrics: Metrics
    clock: SystemClock
    page_url: str

    @property
    def addresses(self) -> dict[str, str]:
        """Of its metrics and of the operator's page, for the line that says it has begun."""
        return {"metrics_url": f"{self.page_url}metrics", "page_url": self.page_url}


def member_id(settings: Settings, kind: str, number: int) -> str:
    """Gives the stable name under which a process consumes: the same after every restart of the same machine."""
    return f"{settings.worker_id or socket.gethostname()}-{kind}-{number}"


async def serve_gateway(host: str, port: int, settings: Settings) -> int:
    """Runs a gateway and gives the exit code.

    Raises:
        Refused: a port is in use, or a setting is missing.
        PortError: a server can't be worked with.
    """
    async with AsyncExitStack() as closing:
        listener = listen(host, port, "end what uses it, or choose another with --port", backlog=BACKLOG)
        closing.callback(listener.close)
        opened = await closing.enter_async_context(_open(settings, settings.metrics_port, "gateway", None))
        ports, identity = opened.ports, opened.ports.identity
        vault = await _open_vault(settings, opened.clock, closing)
        stores = GatewayStores(
            ports.events,
            ports.experiences,
            ports.snapshots,
            ports.trees,
            ports.retailers,
            opened.clock,
            opened.metrics,
            vault and vault.vault,
            ports.campaigns,
            ports.ledger,
            ports.audit,
            ports.privacy,
            ports.words,
            ports.erasures,
            ports.exports,
        )
        claims = vault and vault.keys.claims
        keys = Keys(ports.secrets.subscription, identity.shopper_key, claims, identity.privacy_key)
        gateway = Gateway(stores, keys, settings)
        backs = []
        if vault is not None:
            keeper = VaultKeeper(vault.vault, settings, opened.clock)
            backs.append(Back("vault keeper", keeper.run, keeper.stop))
        front = Front(gateway, HttpServer(gateway, settings), listener)
        listening = {"url": f"http://{address_of(listener)}", **opened.addresses, "pid": os.getpid()}

        async def started() -> None:
            log.info("listening", **listening)

        return await live(front, backs, started)
    raise AssertionError("unreachable: the stack swallows nothing")


async def serve_worker(settings: Settings, number: int, ready: Callable[[], None]) -> int:
    """Runs one worker and gives the exit code.

    Args:
        number: among this machine's workers; its name and its metrics port follow from it.
        ready: called when it has taken what it was first given.

    Raises:
        Refused: a port is in use, or a setting is missing.
        PortError: a server can't be worked with.
    """
    member = member_id(settings, "worker", number)
    async with _open(settings, _port(settings, number), "worker", member) as opened:
        ports = opened.ports
        stores = WorkerStores(
            ports.events,
            ports.experiences,
            ports.snapshots,
            ports.trees,
            ports.failed,
            opened.clock,
            opened.metrics,
            expire=ports.expire,
            market=MarketPorts(ports.campaigns, ports.ledger, ports.retailers, zone_of),
            lines=TraceLines(settings.trace_lines_per_s, opened.clock.monotonic_s),
        )
        worker = Worker(stores, settings.model_copy(update={"checkpoint_s": settings.kafka_checkpoint_s}), member)

        async def started() -> None:
            await worker.ready.wait()
            ready()
            log.info("working", member=member, **opened.addresses, pid=os.getpid())

        return await live(None, [Back("worker", worker.run, worker.stop)], started)
    raise AssertionError("unreachable: the stack swallows nothing")


async def serve_archiver(settings: Settings, number: int, ready: Callable[[], None]) -> int:
    """Runs one archiver and gives the exit code.

    Args:
        number: among this machine's archivers; its name and its metrics port follow from it.
        ready: called when it begins.

    Raises:
        Refused: a port is in use, or a setting is missing.
        PortError: a server can't be worked with.
    """
    member = member_id(settings, "archiver", number)
    async with _open(settings, _port(settings, number), "archiver", member) as opened:
        ports = opened.ports
        stores = ArchiverStores(
            ports.events, ports.experiences, ports.archive, ports.failed, opened.clock, opened.metrics
        )
        archiver = Archiver(stores, settings)

        async def started() -> None:
            ready()
            log.info("archiving", member=member, **opened.addresses, pid=os.getpid())

        return await live(None, [Back("archiver", archiver.run, archiver.stop)], started)
    raise AssertionError("unreachable: the stack swallows nothing")


async def serve_privacy_worker(settings: Settings) -> int:
    """Runs the process that does what privacy requests ask for, and gives the exit code.

    Raises:
        Refused: a port is in use, or a setting is missing.
        PortError: a server can't be worked with.
    """
    async with _open(settings, settings.metrics_port, "privacy", None) as opened:
        warehouse = warehouse_data(None, settings)
        if warehouse is None:
            log.warning(UNVISITED)
        worker = privacy_worker(opened.ports, settings, opened.clock, opened.metrics, warehouse)
        house = HouseKeeper(opened.ports, warehouse, settings, opened.clock, opened.metrics)
        backs = [Back("privacy worker", worker.run, worker.stop), Back("house keeper", house.run, house.stop)]
        if settings.backup_keys:
            backups = BackupKeeper(BackupKeys(Path(settings.backup_keys)), opened.clock)
            backs.append(Back("backup keeper", backups.run, backups.stop))

        async def started() -> None:
            log.info("working on privacy requests", **opened.addresses, pid=os.getpid())

        return await live(None, backs, started)
    raise AssertionError("unreachable: the stack swallows nothing")


@asynccontextmanager
async def _open(settings: Settings, metrics_port: int, role: Process, member: str | None) -> AsyncIterator[_Opened]:
    metrics, clock = Metrics(), SystemClock()
    async with AsyncExitStack() as closing:
        subject = one_process(settings, role, member)
        server = MetricsServer(metrics.registry, metrics_port, settings.metrics_host, subject)
        closing.push_async_callback(asyncio.to_thread, server.close)
        ports = await production(settings, metrics, clock, role=role, member=member)
        closing.push_async_callback(ports.close)
        yield _Opened(ports, metrics, clock, server.url)


async def _open_vault(settings: Settings, clock: SystemClock, closing: AsyncExitStack) -> OpenedVault | None:
    """Opens the reward vault for a gateway, None where the settings name none."""
    if not settings.vault:
        return None
    from adapters.vault_wiring import open_vault  # noqa: PLC0415 - a worker's process never even loads it

    opened = await open_vault(None, settings, clock)
    closing.push_async_callback(opened.close)
    return opened


def _port(settings: Settings, number: int) -> int:
    return settings.metrics_port + number if settings.metrics_port else 0
