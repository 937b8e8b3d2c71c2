"""`hotbasket gateway`, `worker` and `archiver`: the processes of a production system."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
import uvloop

from adapters.settings import load_settings
from monitoring import logs

Processes = typer.Option("--processes", min=1, max=256, help="How many; each has a name and a metrics port of its own.")


def gateway(
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Public port; 0 = any free one.")] = 8080,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 = every one of this machine.")
    ] = "127.0.0.1",
) -> None:
    """Run a gateway: collect events into Kafka, deliver experiences; any gateway serves any shopper.

    It needs the servers named by HOTBASKET_KAFKA, HOTBASKET_SCYLLA and HOTBASKET_POSTGRES, prepared once with hotbasket
    migrate. SIGTERM drains: requests in hand are answered, streams end with a hint when to return.

    Example: hotbasket gateway --host 0.0.0.0 --port 8080
    """
    from deploy.processes import serve_gateway  # noqa: PLC0415 - the other commands need not wait for its libraries

    logs.configure("stdout")
    sys.exit(uvloop.run(serve_gateway(host, port, load_settings())))


def worker(processes: Annotated[int | None, Processes] = None) -> None:
    """Run workers: follow every shopper, decide what to show; by default one process a core.

    Each takes its share of the partitions. One that dies is started again at once under the same name, and nobody else
    notices; on SIGTERM they save, leave, and the others take over.

    Example: hotbasket worker --processes 4
    """
    from deploy.processes import serve_worker  # noqa: PLC0415
    from deploy.supervisor import Supervisor  # noqa: PLC0415

    logs.configure("stdout")
    settings = load_settings()
    count = processes or os.cpu_count() or 1
    supervisor = Supervisor("worker", count, lambda number, ready: uvloop.run(serve_worker(settings, number, ready)))
    sys.exit(supervisor.run())


def archiver(processes: Annotated[int, Processes] = 1) -> None:
    """Run the archiver: copy events, decisions and failed events from Kafka to ScyllaDB, for the cold half.

    It commits only what is stored, and catches up after an outage by itself.

    Example: hotbasket archiver
    """
    from deploy.processes import serve_archiver  # noqa: PLC0415
    from deploy.supervisor import Supervisor  # noqa: PLC0415

    logs.configure("stdout")
    settings = load_settings()
    supervisor = Supervisor(
        "archiver", processes, lambda number, ready: uvloop.run(serve_archiver(settings, number, ready))
    )
    sys.exit(supervisor.run())
