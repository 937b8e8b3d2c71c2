"""`hotbasket doctor`: looks at everything that a system stands on and says what is wrong and the cure."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException
from importlib import metadata
from pathlib import Path
from typing import Annotated
from urllib.request import ProxyHandler, build_opener

import typer

from adapters.clock import SystemClock
from adapters.finding import Finding
from adapters.secrets import load_secrets, secrets_file
from adapters.settings import Settings, data_files, load_settings
from adapters.upkeep import inspect_files, inspect_servers
from adapters.wiring import Ports, has_servers
from deploy.listeners import listen
from deploy.options import DATA, Json, Where, document, progress, say
from deploy.stores import in_stores
from deploy.warehouse_place import UNVISITED, warehouse_data
from domain.errors import HotbasketError, PortError, Refused

LIBRARIES = ("httptools", "msgspec", "prometheus-client", "starlette", "thespian", "typer", "uvicorn", "uvloop")
SERVER_LIBRARIES = ("aiokafka", "psycopg", "scylla-driver")
FREE_BYTES_MIN = 1 << 30
FSYNC_S_MAX = 0.05
FSYNC_TRIES = 20
ANSWER_S = 2.0


def doctor(
    data: Where = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65_535, help="Public port to look at.")] = 8080,
    host: Annotated[str, typer.Option("--host", help="Address to look at.")] = "127.0.0.1",
    as_json: Json = False,
) -> None:
    """Check everything that a system needs, beside a running one or before it starts; it changes nothing.

    With the servers' settings in the environment and without --data it looks at Kafka, ScyllaDB and Postgres. Each
    fault comes with its cure. The exit code is 1 if there is a fault.

    Example: hotbasket doctor --data ./data
    """
    findings = []
    on_servers = data is None and has_servers(_settings())
    checks = server_checks() if on_servers else _checks(data or DATA, host, port)
    with progress("checks") as bar:
        for check in bar.track(checks, description="doctor"):
            findings += check()
    if as_json:
        document({"good": all(one.good for one in findings), "checks": [one._asdict() for one in findings]})
    else:
        for one in findings:
            say(f"{'good' if one.good else 'BAD '}  {one.check}: {one.detail}" + (f"; {one.cure}" if one.cure else ""))
    faults = sum(not one.good for one in findings)
    if faults:
        raise Refused(
            f"{faults} of {len(findings)} checks found a fault: {', '.join(o.check for o in findings if not o.good)}"
        )


def _checks(data: Path, host: str, port: int) -> list[Callable[[], list[Finding]]]:
    return [
        lambda: [python()],
        lambda: list(libraries()),
        lambda: list(settings()),
        lambda: [directory(data)],
        lambda: [secrets(data)],
        lambda: list(files(data)),
        lambda: [snapshots(data)],
        lambda: list(identity_keys(data)),
        lambda: [warehouse(data)],
        lambda: [disk(data)],
        lambda: [fsync(data)],
        lambda: [public_port(host, port)],
        lambda: [metrics_port()],
    ]


def server_checks() -> list[Callable[[], list[Finding]]]:
    """The checks of a production system; the servers are looked at side by side."""
    return [
        lambda: [python()],
        lambda: list(libraries((*LIBRARIES, *SERVER_LIBRARIES))),
        lambda: list(settings()),
        servers,
        lambda: [warehouse(None)],
        lambda: [metrics_port()],
    ]


def servers() -> list[Finding]:
    """Looks at the servers, and at what they hold where all of them can be worked with."""
    found = asyncio.run(inspect_servers(_settings(), SystemClock()))
    return found + list(identity_keys(None)) if all(one.good for one in found) else found


def python() -> Finding:
    """Looks at the interpreter."""
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding("python", good, f"{found} at {sys.executable}", "" if good else "install Python 3.11 or newer")


def libraries(names: Sequence[str] = LIBRARIES) -> Iterator[Finding]:
    """Looks at the libraries that a running system loads."""
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding("libraries", False, f"{', '.join(missing)} not installed", "install hotbasket again")
    else:
        yield Finding("libraries", True, ", ".join(found))


def settings() -> Iterator[Finding]:
    """Looks at the environment variables."""
    try:
        load_settings()
    except Refused as refusal:
        for fault in refusal.faults:
            yield Finding("settings", False, fault, "correct the variable")
    else:
        yield Finding("settings", True, "every HOTBASKET_ variable is in its bounds")


def directory(data: Path) -> Finding:
    """Looks at the data directory."""
    if not data.exists():
        return Finding("directory", True, f"{data} is not there yet; hotbasket run makes it")
    if not data.is_dir():
        return Finding("directory", False, f"{data} is no directory", "name another --data")
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return Finding(
            "directory", False, f"{data} can't be read and written", f"give this user the rights: chmod u+rwx {data}"
        )
    return Finding("directory", True, f"{data} can be read and written")


def secrets(data: Path) -> Finding:
    """Looks at the file of secrets: without it no shopper is recognised again."""
    if not secrets_file(data).exists() and not _holds_data(data):
        return Finding("secrets", True, "not there yet; the first start makes them")
    try:
        load_secrets(data)
    except Refused as refusal:
        detail, _, cure = str(refusal).partition(": ")
        return Finding("secrets", False, detail, cure)
    return Finding("secrets", True, f"{secrets_file(data)} is whole and readable by its owner alone")


def files(data: Path) -> Iterator[Finding]:
    """Looks into each store's file: whether it is whole, and of a version that this program knows."""
    for one in inspect_files(data, _settings()):
        name = one.path.name
        if one.fault is not None:
            cure = "stop the system, then put a backup in its place"
            if one.path == data_files(data)["state"]:
                cure = "stop the system and move it away with its -wal and -shm files: the log refills it"
            yield Finding(name, False, f"damaged: {one.fault}", cure)
        elif one.version is not None and one.version > one.known_version:
            detail = f"schema version {one.version}, this program knows {one.known_version}"
            yield Finding(name, False, detail, "run the newer hotbasket")
        else:
            yield Finding(name, True, f"whole, schema version {one.version}, {one.size_bytes:,} bytes")


def snapshots(data: Path) -> Finding:
    """Looks whether the log reaches as far as the snapshots that were made from it."""
    if not _holds_data(data):
        return Finding("snapshots", True, "none yet")
    if any(one.fault is not None for one in inspect_files(data, _settings())):
        return Finding("snapshots", False, "not compared with the log, since a file is damaged", "mend the file first")

    async def work(ports: Ports) -> str:
        for partition in range(ports.events.partitions):
            newest = await ports.snapshots.newest(partition)
            if newest is not None:
                await ports.events.seek(partition, newest)
        return "the log reaches as far as they do"

    try:
        return Finding("snapshots", True, in_stores(data, work))
    except HotbasketError as error:
        cure = "put the log's newer backup in place, or move state.db away: the log refills it"
        return Finding("snapshots", False, str(error), cure)


def identity_keys(data: Path | None) -> Iterator[Finding]:
    """Looks whether every retailer's keys can be opened; nothing where the stores can't, which other checks say.

    Args:
        data: the directory; None = the servers.
    """
    if data is not None and not _holds_data(data):
        return

    async def work(ports: Ports) -> tuple[list[str], int]:
        faults = []
        control = ports.retailers.current()
        for retailer_id in control.retailers:
            try:
                ports.identity.shopper_key(retailer_id)
            except PortError as error:
                faults.append(str(error))
        return faults, len(control.retailers.keys() - control.wrapped.keys())

    try:
        faults, derived = in_stores(data, work)
    except HotbasketError:
        return
    for fault in faults:
        detail, _, cure = fault.partition(": ")
        yield Finding("identity keys", False, detail, cure)
    if not faults:
        hint = f"; {derived} derived, which hotbasket retailer rewrap-keys stores" if derived else ""
        yield Finding("identity keys", True, f"every retailer's can be opened{hint}")


def warehouse(data: Path | None) -> Finding:
    """Looks whether erasures and exports can get at what the night learns from.

    Args:
        data: the directory; None = only the settings may name it.
    """
    place = warehouse_data(data, _settings())
    if place is None:
        return Finding("warehouse", True, UNVISITED)
    try:
        return Finding("warehouse", True, "can be opened" if place.is_filled() else "no night has come to it yet")
    except PortError as error:
        detail, _, cure = str(error).rpartition(": ")
        return Finding("warehouse", False, detail, cure)


def disk(data: Path) -> Finding:
    """Looks at the space left where the data lies."""
    free = shutil.disk_usage(_existing(data)).free
    good = free >= FREE_BYTES_MIN
    detail = f"{free / (1 << 30):.1f} GiB free"
    return Finding("disk", good, detail, "" if good else "free at least 1 GiB; a full disk refuses events with 503")


def fsync(data: Path) -> Finding:
    """Measures how long the disk takes to keep what it was given: every acknowledged event waits for that once."""
    taken = []
    try:
        with tempfile.TemporaryFile(dir=_existing(data)) as file:
            for _ in range(FSYNC_TRIES):
                file.write(b"x" * 4_096)
                file.flush()
                before = time.perf_counter()
                os.fsync(file.fileno())
                taken.append(time.perf_counter() - before)
    except OSError as error:
        return Finding("fsync", False, f"can't write below {data}: {error.strerror}", "give this user the rights")
    median_s = statistics.median(taken)
    good = median_s <= FSYNC_S_MAX
    detail = f"{median_s * 1_000:.2f} ms (median of {FSYNC_TRIES}), {max(taken) * 1_000:.2f} ms at most"
    return Finding("fsync", good, detail, "" if good else "put the data on a local disk, best an SSD")


def public_port(host: str, port: int) -> Finding:
    """Looks whether the public port is free, or ours."""
    taken = _taken(host, port)
    if taken is None:
        return Finding("port", True, f"{port} of {host} is free")
    if "hotbasket" in _get(f"http://{_in_url(host)}:{port}/tracker.js"):
        ready = "is ready" if _get(f"http://{_in_url(host)}:{port}/health/ready") else "is not ready"
        return Finding("port", True, f"{port} of {host} is taken by a hotbasket that {ready}")
    return Finding("port", False, taken, "end what uses it, or choose another with --port")


def metrics_port() -> Finding:
    """Looks whether the metrics port is free, or ours."""
    port = _settings().metrics_port
    if port == 0:
        return Finding("metrics port", True, "any free one")
    taken = _taken("127.0.0.1", port)
    if taken is None:
        return Finding("metrics port", True, f"{port} is free")
    if "hotbasket_" in _get(f"http://127.0.0.1:{port}/metrics"):
        return Finding("metrics port", True, f"{port} is taken by a running hotbasket")
    return Finding("metrics port", False, taken, "end what uses it, or set HOTBASKET_METRICS_PORT")


def _settings() -> Settings:
    """The settings, or their defaults where they have faults, which another check tells."""
    try:
        return load_settings()
    except Refused:
        return Settings.model_construct()


def _holds_data(data: Path) -> bool:
    return data_files(data)["control"].exists()


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())


def _taken(host: str, port: int) -> str | None:
    """Why nobody can listen there now, or None."""
    try:
        listener: socket.socket = listen(host, port, "")
    except Refused as refusal:
        return str(refusal).rstrip(" :;")
    listener.close()
    return None


def _get(url: str) -> str:
    """The text at an address, empty where there is none or the answer is no success."""
    try:
        # Without the environment's proxies: they know nothing of this machine's ports.
        with build_opener(ProxyHandler({})).open(url, timeout=ANSWER_S) as answer:
            text: str = answer.read().decode(errors="replace")
            return text
    except (OSError, HTTPException):
        return ""


def _in_url(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - asked, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
