"""The whole system in one process: gateway and worker on one loop over the embedded stores, started and stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import structlog
from starlette.routing import BaseRoute

from actors.partition import Stores as WorkerStores
from actors.worker import Worker
from adapters.clock import SystemClock
from adapters.data_dir import DataDirLock, prepare
from adapters.settings import Settings
from adapters.wiring import Ports, embedded
from deploy.http_server import BACKLOG, HttpServer
from deploy.listeners import address_of, listen
from gateway.app import Gateway
from gateway.stores import Keys
from gateway.stores import Stores as GatewayStores
from monitoring.metrics import Metrics
from monitoring.server import MetricsServer

log = structlog.get_logger("hotbasket.run")
WORKER_STOP_S = 5.0
"""Seconds that the worker has for its batch and its last checkpoint; what it does not save, the log repeats."""


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


async def serve(options: Options, settings: Settings) -> int:
    """Runs until a signal or the death of a part, and gives the process's exit code.

    Raises:
        Refused: a port or the directory is in use.
        PortError: a store can't be opened.
    """
    async with AsyncExitStack() as closing:
        listener = listen(
            options.host, options.port, "end what uses it, or choose another with --port", backlog=BACKLOG
        )
        closing.callback(listener.close)
        metrics, clock = Metrics(), SystemClock()
        metrics_server = MetricsServer(metrics.registry, settings.metrics_port)
        closing.callback(metrics_server.close)
        prepare(options.data)
        closing.callback(DataDirLock(options.data).close)
        ports = embedded(options.data, settings, metrics, clock)
        closing.push_async_callback(ports.close)
        gateway_stores = GatewayStores(
            ports.events, ports.experiences, ports.snapshots, ports.trees, ports.retailers, clock, metrics
        )
        keys = Keys(ports.secrets.subscription, ports.secrets.shopper_key)
        address = address_of(listener)
        routes = await _demo(options, closing, ports, settings, clock, f"http://{address}")
        gateway = Gateway(gateway_stores, keys, settings, routes)
        worker_stores = WorkerStores(
            ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, clock, metrics
        )
        worker = Worker(worker_stores, settings, f"run-{os.getpid()}")
        return await _live(gateway, worker, HttpServer(gateway, settings), listener, options)


async def _live(gateway: Gateway, worker: Worker, server: HttpServer, listener: socket.socket, options: Options) -> int:
    """Runs all parts until a signal or the death of one, then stops them in the order that loses nothing."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    working = asyncio.create_task(worker.run())
    await gateway.start()
    serving = asyncio.create_task(server.serve_on(listener))
    told = asyncio.create_task(stopping.wait())
    gc.collect()
    gc.freeze()
    address = address_of(listener)
    log.info("listening", url=f"http://{address}", data=str(options.data), demo=options.demo)
    await asyncio.wait((working, serving, told), return_when=asyncio.FIRST_COMPLETED)
    code = 0
    for part, task in (("worker", working), ("server", serving)):
        if task.done() and not stopping.is_set():
            code = 1
            failure = task.exception()
            log.error("a part ended by itself", part=part, detail=str(failure or "it returned"), exc_info=failure)
    log.info("stopping")
    await gateway.drain()
    server.stop()
    worker.stop()
    done, late = await asyncio.wait((working, serving), timeout=WORKER_STOP_S)
    for task in late:
        task.cancel()
    await asyncio.gather(working, serving, return_exceptions=True)
    await gateway.stop()
    told.cancel()
    log.info("stopped", code=code, in_time=len(done))
    return code


async def _demo(
    options: Options, closing: AsyncExitStack, ports: Ports, settings: Settings, clock: SystemClock, url: str
) -> Sequence[BaseRoute]:
    """Gives the demo shop's routes, none where it was not asked for."""
    if not options.demo:
        return ()
    from deploy.demo.setup import setup  # noqa: PLC0415 - its catalogue and pictures are loaded only when shown

    demo = await setup(ports, settings, clock, url)
    closing.push_async_callback(demo.close)
    return demo.routes
