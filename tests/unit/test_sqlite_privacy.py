"""Privacy requests in the control file: a file of before there were any, seals that are gone, a list read whole."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.settings import data_files, load_settings
from adapters.sqlite.control_file import SCHEMA, ControlFile
from adapters.wiring import Ports, embedded
from domain.errors import PortError
from monitoring.metrics import Metrics
from tests.contract.campaigning import with_shops
from tests.contract.conftest import StoppedClock
from tests.contract.consumer import eventually
from tests.contract.privacy import digests, opened, request_id
from tests.story import NOON_MS, RETAILER

SEAL = b"sealed \xffanna"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory."""
    return tmp_path / "data"


@pytest.fixture
async def ports(data: Path) -> AsyncIterator[Ports]:
    """The running system's stores."""
    opening = embedded(data, load_settings(), Metrics(), StoppedClock())
    yield opening
    await opening.close()


def on_disk(data: Path) -> bytes:
    """What the control file and its write-ahead log hold."""
    path = data_files(data)["control"]
    return b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))


def test_a_file_of_before_there_were_requests_is_as_a_fresh_one(tmp_path: Path) -> None:
    """Both have the same tables, and the list has a version."""
    old_file, found = tmp_path / "old.db", []
    with sqlite3.connect(old_file) as old:
        for statement in (*SCHEMA.statements, *(one for upgrade in SCHEMA.upgrades[:-1] for one in upgrade)):
            old.execute(statement)
        old.execute(f"PRAGMA user_version={SCHEMA.version - 1}")
    old.close()
    for path in (old_file, tmp_path / "fresh.db"):
        control = ControlFile(path, busy_s=1)
        assert 1 == control.version("suppressed")
        control.close()
        with sqlite3.connect(path) as connection:
            assert (SCHEMA.version,) == connection.execute("PRAGMA user_version").fetchone()
            found.append(connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall())
        connection.close()
    assert found[0] == found[1]


async def test_no_seal_of_what_is_done_is_left_on_the_disk(data: Path) -> None:
    """It is overwritten in the file, and nothing of it is in the log beside once the system stopped."""
    ports = embedded(data, load_settings(), Metrics(), StoppedClock())
    await with_shops(ports)
    await opened(ports, "one", ["anna"])
    await opened(ports, "two", ["anna", "bob"])
    assert SEAL in on_disk(data)
    for name in ("one", "two"):
        await ports.privacy.advance(request_id(name), "done", NOON_MS)
    await ports.close()
    assert SEAL not in on_disk(data)


async def test_a_list_whose_requests_are_gone_is_read_whole(ports: Ports, data: Path) -> None:
    """What no request tells stands in the list all the same."""
    await with_shops(ports)
    await opened(ports, "one", "a")
    assert {RETAILER: digests("a")} == ports.privacy.suppressed().digests
    with sqlite3.connect(data_files(data)["control"]) as other:
        (anna,) = digests(["anna"])
        other.execute("INSERT INTO suppressed VALUES (?, ?)", (RETAILER, anna))
        other.execute("UPDATE versions SET version = version + 1 WHERE subject = 'suppressed'")
    other.close()

    async def is_in_force() -> bool:
        return {RETAILER: digests(["a", "anna"])} == ports.privacy.suppressed().digests

    await eventually(is_in_force)


async def test_the_last_known_list_stays_in_force(ports: Ports, data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When it can't be read, requests go on under what was read before, and the log says so."""
    await with_shops(ports)
    await opened(ports, "one", "a")
    before = ports.privacy.suppressed()
    with sqlite3.connect(data_files(data)["control"]) as other:
        other.execute("ALTER TABLE suppressed RENAME TO hidden")
        other.execute("UPDATE versions SET version = version + 1 WHERE subject = 'suppressed'")
    other.close()

    async def was_tried() -> bool:
        assert before is ports.privacy.suppressed()
        return "suppressed shoppers can't be read" in caplog.text

    with caplog.at_level(logging.ERROR, "hotbasket.control"):
        await eventually(was_tried)


async def test_a_list_that_was_never_readable_is_told(ports: Ports, data: Path) -> None:
    """Nobody is let through without a list."""
    with sqlite3.connect(data_files(data)["control"]) as other:
        other.execute("ALTER TABLE suppressed RENAME TO hidden")
    other.close()
    with pytest.raises(PortError, match="can't be used now"):
        ports.privacy.suppressed()


async def test_a_newer_hotbaskets_request_is_told(ports: Ports, data: Path) -> None:
    """One of an unknown kind can't be worked on here, and says what to do."""
    await with_shops(ports)
    given = await opened(ports, "one", "a")
    with sqlite3.connect(data_files(data)["control"]) as newer:
        newer.execute("UPDATE privacy_requests SET kind = 'rectify'")
    newer.close()
    with pytest.raises(PortError, match=f"{given.request_id} of {RETAILER} can't be read .*: run the newer hotbasket"):
        await ports.privacy.pending()
    assert {RETAILER: digests("a")} == ports.privacy.suppressed().digests
