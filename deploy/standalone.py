"""The whole system in one process: gateway and worker on one loop over the embedded stores, started and stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import structlog
from starlette.routing import BaseRoute

from actors.partition import Stores as WorkerStores
from actors.worker import Worker
from adapters.clock import SystemClock
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
        ports = embedded(options.data, settings, metrics, clock)
        closing.push_async_callback(ports.close)
