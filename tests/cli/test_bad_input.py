"""What bad input gets: start-up and `doctor` say what is wrong and what to do, and nothing half-starts."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from monitoring.server import CONNECTIONS_MAX
from tests.cli.bad_servers import expired, silent
from tests.cli.running import Running, hotbasket, hotbasket_json, status
from tests.services.processes import free_port

Variables = dict[str, str]
PROCESSES = (
    ("gateway", "--port", "0"),
    ("worker", "--processes", "1"),
    ("archiver",),
    ("privacy", "worker"),
)
SERVERS = ("kafka", "scylla", "postgres")
SECRETS = {"HOTBASKET_SUBSCRIPTION_SECRET": "ab" * 32, "HOTBASKET_IDENTITY_SECRET": "cd" * 32}


def named(addresses: dict[str, str]) -> Variables:
    """The settings that name these servers."""
    elsewhere = {"postgres": f"postgresql://{addresses['postgres']}/hotbasket"}
    return {f"HOTBASKET_{name.upper()}": address for name, address in {**addresses, **elsewhere}.items()}


def nobody() -> Variables:
    """Servers at addresses where nobody listens."""
    return named({name: f"127.0.0.1:{free_port()}" for name in SERVERS})


class Given(NamedTuple):
    """A kind of bad server, put in the place of all three.

    Attributes:
        put: puts one there; gives its address, and the settings that it needs more.
        said: of each server, by what it is called in doctor's checks: words of the sentence.
    """

    put: Callable[[str, ExitStack, Path], tuple[str, Variables]]
    said: dict[str, tuple[str, ...]]


def put_nobody(_: str, __: ExitStack, ___: Path) -> tuple[str, Variables]:
    """Leaves the place empty."""
    return f"127.0.0.1:{free_port()}", {}


def put_silent(_: str, closing: ExitStack, __: Path) -> tuple[str, Variables]:
    """Puts one there that says nothing."""
    return closing.enter_context(silent()), {}


def put_expired(server: str, closing: ExitStack, folder: Path) -> tuple[str, Variables]:
    """Puts one there whose certificate has expired, signed by whom we trust."""
    address, signer = closing.enter_context(expired(folder / server, asks_first=server == "postgres"))
    return address, {f"HOTBASKET_{server.upper()}_CA_FILE": str(signer)}


_EXPIRED = ("certificate has expired", "have the server's certificate renewed")
BAD_SERVERS = {
    "nobody is there": Given(
        put_nobody,
        {
            "kafka reachable": ("no Kafka broker answers", "set HOTBASKET_KAFKA"),
            "scylla reachable": ("nobody answers", "correct HOTBASKET_SCYLLA"),
            "postgres server": ("Connection refused", "correct HOTBASKET_POSTGRES"),
        },
    ),
    "it says nothing": Given(
        put_silent,
        {
            "kafka reachable": ("says nothing in 3 s", "see whether the broker hangs"),
            "scylla reachable": ("nobody answers", "correct HOTBASKET_SCYLLA"),
            "postgres server": ("no answer to a connection", "correct HOTBASKET_POSTGRES"),
        },
    ),
    "its certificate has expired": Given(
        put_expired, {"kafka encryption": _EXPIRED, "scylla tls": _EXPIRED, "postgres tls": _EXPIRED}
    ),
}


@pytest.mark.parametrize("what", BAD_SERVERS)
def test_the_doctor_tells_what_is_wrong_with_a_server(what: str, tmp_path: Path) -> None:
    """Each server has one fault, with its address and the cure for just that."""
    given = BAD_SERVERS[what]
    with ExitStack() as closing:
        put = {server: given.put(server, closing, tmp_path) for server in SERVERS}
        variables = named({server: address for server, (address, _) in put.items()})
        for _, more in put.values():
            variables |= more
        ran = hotbasket("doctor", "--json", **variables)
    bad = {one["check"]: one for one in json.loads(ran.stdout)["checks"] if not one["good"]}
    assert (1, given.said.keys()) == (ran.returncode, bad.keys()), ran.stdout
    for (check, words), (address, _) in zip(given.said.items(), put.values(), strict=True):
        told = f"{bad[check]['detail']}; {bad[check]['cure']}"
        assert [] == [word for word in words if word not in told], told
        is_named = address in told or f"port {address.rpartition(':')[2]}" in told
        assert is_named or "no answer to a connection" in told, told


class Start(NamedTuple):
    """A start that can come to nothing.

    Attributes:
        variables: of the environment, given a port that somebody has.
        said: words of what is said.
        commands: that say so.
    """

    variables: Callable[[str], Variables]
    said: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...] = PROCESSES


STARTS = {
    "no server is named": Start(lambda _: SECRETS, tuple(f"HOTBASKET_{name.upper()} is not set" for name in SERVERS)),
    "one server is not named": Start(
        lambda _: {**nobody(), **SECRETS, "HOTBASKET_SCYLLA": ""}, ("HOTBASKET_SCYLLA is not set", ".env.example")
    ),
    "the secrets are not set": Start(
        lambda _: nobody(),
        tuple(f"{name} must be 64 hex digits: make it once with openssl rand -hex 32" for name in SECRETS),
        (("gateway", "--port", "0"),),
    ),
    "a number is none": Start(
        lambda _: {**nobody(), **SECRETS, "HOTBASKET_CHECKPOINT_S": "soon"}, ("HOTBASKET_CHECKPOINT_S",)
    ),
    "no server answers": Start(
        lambda _: nobody() | SECRETS, ("no Kafka broker answers at", "Postgres at", "start it, or")
    ),
    "the metrics port is in use": Start(
        lambda port: {**nobody(), **SECRETS, "HOTBASKET_METRICS_PORT": port},
        ("is in use", "HOTBASKET_METRICS_PORT"),
        (*PROCESSES, ("doctor",)),
    ),
}


@pytest.mark.parametrize("what", STARTS)
def test_a_start_that_comes_to_nothing_says_why(what: str) -> None:
    """Every process ends with 1 and says what is wrong with its environment, without a traceback."""
    start = STARTS[what]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        variables = start.variables(str(taken.getsockname()[1]))
        for command in start.commands:
            ran = hotbasket(*command, **variables)
            told = ran.stdout + ran.stderr
            assert (1, []) == (ran.returncode, [word for word in start.said if word not in told]), (command, told)
            assert "Traceback" not in told, told


def test_data_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """An older hotbasket starts on nothing that it might not understand, and doctor names the file."""
    data = tmp_path / "data"
    hotbasket_json("retailer", "add", "shop", "--data", data)
    with sqlite3.connect(data / "control.db") as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    ran = hotbasket("run", "--data", data, "--port", "0")
    assert (1, 1) == (ran.returncode, len(ran.stderr.splitlines())), ran.stderr
    assert "control.db has schema version 99" in ran.stderr
    assert "run the newer hotbasket" in ran.stderr
    looked = hotbasket("doctor", "--data", data)
    assert (1, True) == (looked.returncode, "BAD   control.db: schema version 99" in looked.stdout), looked.stdout


def test_scrapes_that_hang_hold_up_nobody(tmp_path: Path) -> None:
    """With more silent and slow scrapes than there are places, the next is answered, and so are shoppers."""
    with Running(tmp_path / "data") as running, ExitStack() as closing:
        port = int(running.metrics_url.rpartition(":")[2].partition("/")[0])
        for number in range(2 * CONNECTIONS_MAX):
            hanging = closing.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 2:
                with suppress(OSError):
                    hanging.sendall(b"GET /metrics HTTP/1.1\r\nhost: x\r\n")
        assert 200 == status(running.metrics_url)
        assert 200 == status(f"{running.url}/health/ready")
