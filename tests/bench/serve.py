"""Serves the yardstick, or the gateway without a worker, with the settings that `hotbasket run` gives its server."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop
from starlette.types import ASGIApp

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import embedded
from deploy.http_server import HttpServer
from deploy.listeners import listen
from gateway.app import Gateway
from gateway.stores import Keys, Stores
from monitoring.metrics import Metrics
from tests.bench.noop import application


async def serve(kind: str, port: int, data: Path) -> None:
    """Serves until SIGTERM."""
    settings = load_settings()
    listener = listen("127.0.0.1", port, "")
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    async with AsyncExitStack() as closing:
        app: ASGIApp = application
        if kind == "gateway":
            metrics, clock = Metrics(), SystemClock()
            ports = embedded(data, settings, metrics, clock)
            closing.push_async_callback(ports.close)
            stores = Stores(
                ports.events, ports.experiences, ports.snapshots, ports.trees, ports.retailers, clock, metrics
            )
            gateway = Gateway(stores, Keys(ports.secrets.subscription, ports.identity.shopper_key), settings)
            await gateway.start()
            closing.push_async_callback(gateway.stop)
            app = gateway
        gc.collect()
        gc.freeze()
        server = HttpServer(app, settings)
        serving = asyncio.create_task(server.serve_on(listener))
        await stopping.wait()
        server.stop()
        await serving


def main() -> None:
    """`python -m tests.bench.serve noop|gateway PORT DATA`."""
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))


if __name__ == "__main__":
    main()
