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
from deploy.demo.crowd import Crowd
from deploy.demo.setup import setup
from deploy.http_server import BACKLOG, HttpServer
from deploy.listeners import address_of, listen
from domain.errors import HotbasketError
from gateway.app import Gateway
from gateway.stores import Keys
from gateway.stores import Stores as GatewayStores
from monitoring.metrics import Metrics
from monitoring.server import MetricsServer

WORKER_ID = "embedded"
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


class _Parts(NamedTuple):
    """What runs."""

    gateway: Gateway
    server: HttpServer
    worker: Worker
    crowd: Crowd | None


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
        metrics_server = MetricsServer(metrics.registry, settings.metrics_port)
        closing.push_async_callback(asyncio.to_thread, metrics_server.close)
        prepare(options.data)
        closing.callback(DataDirLock(options.data).close)
        ports = embedded(options.data, settings, metrics, clock)
        closing.push_async_callback(ports.close)
        url = f"http://{address_of(listener)}"
        parts = await _assemble(options, ports, settings, metrics, url, closing)
        listening = {
            "url": url,
            "metrics_url": f"http://127.0.0.1:{metrics_server.port}/metrics",
            "data": str(options.data),
            "pid": os.getpid(),
            "next": _next_step(options, url, ports),
        }
        return await _live(parts, listener, listening)


async def _assemble(
    options: Options, ports: Ports, settings: Settings, metrics: Metrics, url: str, closing: AsyncExitStack
) -> _Parts:
    clock = SystemClock()
    routes: Sequence[BaseRoute] = ()
    crowd = None
    if options.demo:
        demo = await setup(ports, ports.secrets.shopper_key, options.data, url)
        closing.push_async_callback(demo.counter.close)
        routes, crowd = demo.routes, demo.crowd
    stores = GatewayStores(
        ports.events, ports.experiences, ports.snapshots, ports.trees, ports.retailers, clock, metrics
    )
    gateway = Gateway(stores, Keys(ports.secrets.subscription, ports.secrets.shopper_key), settings, routes)
    worker_stores = WorkerStores(
        ports.events,
        ports.experiences,
        ports.snapshots,
        ports.trees,
        ports.failed,
        clock,
        metrics,
        expire=ports.expire,
    )
    return _Parts(gateway, HttpServer(gateway, settings), Worker(worker_stores, settings, WORKER_ID), crowd)


async def _live(parts: _Parts, listener: socket.socket, listening: dict[str, object]) -> int:
    """Runs all parts until a signal or the death of one, then stops them in the order that loses nothing."""
    stopping = _on_signal()
    await parts.gateway.start()
    worker = asyncio.create_task(parts.worker.run(), name="worker")
    server = asyncio.create_task(parts.server.serve_on(listener), name="server")
    # What was made so far lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    started = asyncio.create_task(parts.server.wait_until_started())
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait((started, waiting, worker, server), return_when=asyncio.FIRST_COMPLETED)
    crowd = None
    if started.done():
        log.info("listening", **listening)
        if parts.crowd is not None:
            crowd = asyncio.create_task(parts.crowd.run(), name="crowd")
            crowd.add_done_callback(lambda task: _tell_of_failure(task) and None)
        await asyncio.wait((waiting, worker, server), return_when=asyncio.FIRST_COMPLETED)
    left = [task for task in (started, waiting, crowd) if task is not None]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    return await _stop(parts, worker, server, failed=not stopping.is_set())


def _on_signal() -> asyncio.Event:
    """Gives an event that SIGTERM and SIGINT set; a second signal ends the process at once."""
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            log.warning("stopped at once", reason="second signal")
            os._exit(1)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping


async def _stop(parts: _Parts, worker: asyncio.Task[None], server: asyncio.Task[None], *, failed: bool) -> int:
    """Stops in the order of the events' way, so that nothing acknowledged is left behind, and gives the exit code.

    Raises:
        HotbasketError: the expected failure that ended a part.
    """
    log.info("stopping", reason="a part ended" if failed else "signal")
    await parts.gateway.drain()
    parts.server.stop()
    await asyncio.wait((server,))
    parts.worker.stop()
    await asyncio.wait((worker,), timeout=WORKER_STOP_S)
    if not worker.done():
        worker.cancel()
        log.warning("worker stopped without its last checkpoint", after_s=WORKER_STOP_S)
    await asyncio.gather(worker, server, return_exceptions=True)
    await parts.gateway.stop()
    errors = [error for task in (worker, server) if (error := _tell_of_failure(task)) is not None]
    log.info("stopped", failed=failed or bool(errors))
    for error in errors:
        if isinstance(error, HotbasketError):
            raise error
    return 1 if failed or errors else 0


def _tell_of_failure(task: asyncio.Task[None]) -> BaseException | None:
    """Logs what ended a part, unless it was stopped, and gives it."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        # What was expected is told by its message; a bug needs its traceback.
        trace = None if isinstance(error, HotbasketError) else error
        log.error("part failed", part=task.get_name(), detail=str(error), exc_info=trace)
    return error


def _next_step(options: Options, url: str, ports: Ports) -> str:
    """What a newcomer may do now."""
    if options.demo:
        return f"open {url}/ in a browser"
    if ports.retailers.current().retailers:
        return (
            f"post events to {url}/v1/events; hotbasket explain SHOPPER --data {options.data} tells what came of them"
        )
    return f"hotbasket retailer add NAME --data {options.data}"
