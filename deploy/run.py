"""`hotbasket run`: the whole system in one process, which needs nothing but a directory."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
import uvloop

from adapters.settings import load_settings
from deploy.options import DATA, Data
from monitoring import logs


def run(
    data: Data = DATA,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Public port; 0 = any free one.")] = 8080,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 = every one of this machine.")
    ] = "127.0.0.1",
    demo: Annotated[bool, typer.Option("--demo", help="Serve the demo shop too, with shoppers in it.")] = False,
) -> None:
    """Run the whole system: collect events, follow every shopper, deliver experiences.

    It makes what it needs in the data directory and is ready without a retailer; add one with hotbasket retailer add.
    It listens until it gets SIGTERM or SIGINT (Ctrl+C), then finishes what it began, within about ten seconds.

    Settings are HOTBASKET_* environment variables, all listed in .env.example; metrics have a port of their own
    (HOTBASKET_METRICS_PORT, 9464).

    Example: hotbasket run --demo

    Example: hotbasket run --data /var/lib/hotbasket --host 0.0.0.0 --port 8080
    """
    from deploy.standalone import Options, serve  # noqa: PLC0415 - the other commands need not wait for a server's libraries

    logs.configure("stdout")
    settings = load_settings()
    code = uvloop.run(serve(Options(data=data, host=host, port=port, demo=demo), settings))
    sys.exit(code)
