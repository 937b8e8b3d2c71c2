"""The whole system in one process: gateway and worker on one loop over the embedded stores, started and stopped."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import structlog
from starlette.routing import BaseRoute

from actors.campaigns_now import MarketPorts
from actors.partition import Stores as WorkerStores
from actors.worker import Worker
from adapters.backup_keys import keys_of
from adapters.clock import SystemClock
from adapters.data_dir import DataDirLock, prepare
from adapters.settings import Settings
from adapters.vault_wiring import OpenedVault, open_vault
from adapters.wiring import Ports, embedded
from adapters.zones import zone_of
from deploy.backup_keeping import BackupKeeper
from deploy.demo.setup import Demo, setup
from deploy.house_keeping import HouseKeeper
from deploy.http_server import BACKLOG, HttpServer
from deploy.lifecycle import Back, Front, live
from deploy.listeners import address_of, listen
from deploy.operators_page import whole_system
from deploy.privacy_worker import privacy_worker
from deploy.vault_keeping import VaultKeeper
from deploy.warehouse_place import warehouse_data
from gateway.app import Gateway
from gateway.stores import Keys
from gateway.stores import Stores as GatewayStores
from monitoring.metrics import Metrics
from monitoring.server import MetricsServer
from monitoring.trace_lines import TraceLines

WORKER_ID = "embedded"
log = structlog.get_logger("hotbasket.run")


class Options(NamedTuple):
    """What the command line asks for.

    Attributes:
        data: directory of the embedded stores.
        host, port: where the public port listens; port 0 = any free one.
        demo: whether to serve the demo shop.
    """

    data: Path
    host: str
    port: int
    demo: bool


class _Parts(NamedTuple):
    """What runs."""

    gateway: Gateway
    worker: Worker
    demo: Demo | None


async def serve(options: Options, settings: Settings) -> int:
    """Runs until a signal or the death of a part, and gives the process's exit code.

    Raises:
        Refused: a port or the directory is in use.
        PortError: a store can't be opened, or what it holds can't be worked with.
    """
    async with AsyncExitStack() as closing:
        cure = "end what uses it, or choose another with --port"
        listener = listen(options.host, options.port, cure, backlog=BACKLOG)
        closing.callback(listener.close)
        metrics, clock = Metrics(), SystemClock()
        metrics_server = MetricsServer(
            metrics.registry, settings.metrics_port, settings.metrics_host, whole_system(settings)
        )
        closing.push_async_callback(asyncio.to_thread, metrics_server.close)
        prepare(options.data)
        closing.callback(DataDirLock(options.data).close)
        ports = embedded(options.data, settings, metrics, clock)
        closing.push_async_callback(ports.close)
        vault = await open_vault(options.data, settings, clock)
        closing.push_async_callback(vault.close)
        url = f"http://{address_of(listener)}"
        parts = await _assemble(options, ports, vault, settings, metrics, url, closing)
        listening = {
            "url": url,
            "metrics_url": f"{metrics_server.url}metrics",
            "page_url": metrics_server.url,
            "data": str(options.data),
            "pid": os.getpid(),
            "next": _next_step(options, url, ports),
        }
        front = Front(parts.gateway, HttpServer(parts.gateway, settings), listener)
        worker = Back("worker", parts.worker.run, parts.worker.stop)
        keeper = VaultKeeper(vault.vault, settings, clock)
        warehouse = warehouse_data(options.data, settings)
        privacy = privacy_worker(ports, settings, clock, metrics, warehouse)
        house = HouseKeeper(ports, warehouse, settings, clock, metrics)
        backups = BackupKeeper(keys_of(None, options.data, settings), clock)
        backs = [
            worker,
            Back("vault keeper", keeper.run, keeper.stop),
            Back("privacy worker", privacy.run, privacy.stop),
            Back("house keeper", house.run, house.stop),
            Back("backup keeper", backups.run, backups.stop),
        ]

        async def started() -> None:
            log.info("listening", **listening)
            if parts.demo is not None:
                await parts.demo.run()

        return await live(front, backs, started)


async def _assemble(
    options: Options,
    ports: Ports,
    vault: OpenedVault,
    settings: Settings,
    metrics: Metrics,
    url: str,
    closing: AsyncExitStack,
) -> _Parts:
    clock = SystemClock()
    routes: Sequence[BaseRoute] = ()
    demo = None
    if options.demo:
        demo = await setup(ports, options.data, url)
        closing.push_async_callback(demo.counter.close)
        routes = demo.routes
    stores = GatewayStores(
        ports.events,
        ports.experiences,
        ports.snapshots,
        ports.trees,
        ports.retailers,
        clock,
        metrics,
        vault.vault,
        ports.campaigns,
        ports.ledger,
        ports.audit,
        ports.privacy,
        ports.words,
        ports.erasures,
        ports.exports,
    )
    identity = ports.identity
    keys = Keys(ports.secrets.subscription, identity.shopper_key, vault.keys.claims, identity.privacy_key)
    gateway = Gateway(stores, keys, settings, routes)
    worker_stores = WorkerStores(
        ports.events,
        ports.experiences,
        ports.snapshots,
        ports.trees,
        ports.failed,
        clock,
        metrics,
        expire=ports.expire,
        market=MarketPorts(ports.campaigns, ports.ledger, ports.retailers, zone_of),
        lines=TraceLines(settings.trace_lines_per_s, clock.monotonic_s),
    )
    return _Parts(gateway, Worker(worker_stores, settings, WORKER_ID), demo)


def _next_step(options: Options, url: str, ports: Ports) -> str:
    """What a newcomer may do now."""
    if options.demo:
        return f"open {url}/ in a browser"
    if ports.retailers.current().retailers:
        return (
            f"post events to {url}/v1/events; hotbasket explain SHOPPER --data {options.data} tells what came of them"
        )
    return f"hotbasket retailer add NAME --data {options.data}"
