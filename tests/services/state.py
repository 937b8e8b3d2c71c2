"""The servers that `python -m tests.services` keeps running: started where they are missing, found again, stopped."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.services.cassandra.node import Cassandra
from tests.services.given import VARIABLES
from tests.services.kafka.broker import Kafka
from tests.services.postgres import Postgres
from tests.services.processes import end, started_ticks
from tests.services.server import ENDED_WITHIN_S, Server

FOLDER = Path(__file__).resolve().parents[2] / ".services"

_KINDS: dict[str, Callable[[Path], Server]] = {"kafka": Kafka, "scylla": Cassandra, "postgres": Postgres}
NAMES = tuple(_KINDS)


class Running(NamedTuple):
    """A server that was started.

    Attributes:
        address: as settings have it.
        pid, started_ticks: which process it is.
        stop_signal: what ends it in good order.
        outside: folders that go with it.
    """

    address: str
    pid: int
    started_ticks: int
    stop_signal: int
    outside: list[str]


def variables(addresses: Mapping[str, str]) -> dict[str, str]:
    """Gives the environment variables that say where the servers are, to the product and to the tests."""
    for_tests = dict(zip(NAMES, VARIABLES, strict=True))
    product = {f"HOTBASKET_{name.upper()}": address for name, address in addresses.items()}
    return product | {for_tests[name]: address for name, address in addresses.items()}


def elsewhere(environment: Mapping[str, str]) -> dict[str, str]:
    """Gives the addresses of servers that the environment already points at."""
    found = {name: environment.get(f"HOTBASKET_{name.upper()}", "") for name in NAMES}
    return {name: address for name, address in found.items() if address}


def running() -> dict[str, Running]:
    """Gives the servers that were started and still run."""
    try:
        noted: dict[str, Any] = json.loads(_state().read_text(encoding="utf-8"))  # Any: as `_note` wrote it
    except FileNotFoundError:
        return {}
    found = {name: Running(**fields) for name, fields in noted.items()}
    return {name: one for name, one in found.items() if started_ticks(one.pid) == one.started_ticks}


def start(names: tuple[str, ...]) -> dict[str, Running]:
    """Starts those that do not run yet, all at once, on empty data; gives those that it started.

    Raises:
        ServerError: one did not start; the others were stopped again.
    """
    before = running()
    missing = [name for name in names if name not in before]
    servers: dict[str, Server] = {}
    for name in missing:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
        servers[name] = _KINDS[name](FOLDER / name)
    try:
        with ThreadPoolExecutor(max_workers=len(NAMES)) as threads:
            list(threads.map(lambda server: server.start(), servers.values()))
    except BaseException:
        for server in servers.values():
            server.discard()
        raise
    started = {name: _described(server) for name, server in servers.items()}
    _note(before | started)
    return started


def stop(names: tuple[str, ...]) -> dict[str, Running]:
    """Stops servers that run, all at once; gives those that it stopped."""
    before = running()
    stopped = {name: before[name] for name in names if name in before}

    def stop_one(one: Running) -> None:
        end(one.pid, one.started_ticks, signal.Signals(one.stop_signal), ENDED_WITHIN_S)
        for folder in one.outside:
            shutil.rmtree(folder, ignore_errors=True)

    with ThreadPoolExecutor(max_workers=len(NAMES)) as threads:
        list(threads.map(stop_one, stopped.values()))
    _note({name: one for name, one in before.items() if name not in stopped})
    return stopped


def _described(server: Server) -> Running:
    address = server.url if isinstance(server, Postgres) else server.address
    outside = [str(folder) for folder in server.outside]
    return Running(address, server.pid, server.started_ticks, server.stop_signal, outside)


def _note(servers: dict[str, Running]) -> None:
    FOLDER.mkdir(exist_ok=True)
    _state().write_text(json.dumps({name: one._asdict() for name, one in servers.items()}, indent=1), encoding="utf-8")


def _state() -> Path:
    return FOLDER / "state.json"
