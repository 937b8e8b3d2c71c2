"""How an embedded file is opened: its pragmas, its schema, and what a damaged or foreign one is told."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from pathlib import Path

import pytest

from adapters.sqlite.database import Database, Schema, open_connection, transaction
from domain.errors import PortError

SCHEMA = Schema(version=3, statements=("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)",), synchronous="FULL")
BUSY_S = 0.05


def made(path: Path, rows: int = 0) -> Path:
    """Makes the file, with as many rows of 1,000 bytes."""
    connection = open_connection(path, SCHEMA, busy_s=BUSY_S)
    with transaction(connection):
        connection.executemany("INSERT INTO t (b) VALUES (?)", [(bytes(1_000),)] * rows)
    connection.close()
    return path


def refusal(path: Path) -> PortError:
    """Gives the error that opening the file raises."""
    with pytest.raises(PortError) as raised:
        open_connection(path, SCHEMA, busy_s=BUSY_S)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    return raised.value


@pytest.mark.parametrize(("synchronous", "level"), [("FULL", 2), ("NORMAL", 1)])
def test_a_file_is_opened_safely(tmp_path: Path, synchronous: str, level: int) -> None:
    """A write-ahead log, flushed as the schema says; deleted bytes are overwritten."""
    schema = SCHEMA._replace(synchronous=synchronous)  # type: ignore[arg-type]
    connection = open_connection(tmp_path / "a.db", schema, busy_s=2.5)
    pragmas = ("journal_mode", "synchronous", "secure_delete", "busy_timeout", "user_version")
    found = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    connection.close()
    assert ["wal", level, 1, 2_500, 3] == found


def test_the_schema_is_made_once(tmp_path: Path) -> None:
    """A file that is opened again keeps what is in it."""
    path = made(tmp_path / "a.db", rows=2)
    connection = open_connection(path, SCHEMA, busy_s=BUSY_S)
    assert 2 == connection.execute("SELECT COUNT(*) FROM t").fetchone()[0]
    connection.close()


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """An old process never touches what a newer one has written; it says which to run."""
    path = made(tmp_path / "a.db")
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version=4")
    newer.close()
    error = refusal(path)
    assert not error.retriable
    assert "newer" in str(error)


@pytest.mark.parametrize(
    "content", [b"this is no database, whatever its name says" * 100, b"SQLite format 3\0" + b"\xff" * 8_000]
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is no database is left as it is, and said to be damaged."""
    path = tmp_path / "a.db"
    path.write_bytes(content)
    error = refusal(path)
    assert (False, True) == (error.retriable, "damaged" in str(error))
    assert content == path.read_bytes()


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    """A file that lost its end is found out when it is opened."""
    path = made(tmp_path / "a.db", rows=100)
    path.write_bytes(path.read_bytes()[: 5 * 4_096])
    error = refusal(path)
    assert (False, True) == (error.retriable, "damaged" in str(error))


def test_a_file_with_a_hole_is_refused(tmp_path: Path) -> None:
    """Garbage in the middle is found out when it is opened, not when somebody reads it."""
    path = made(tmp_path / "a.db", rows=100)
    content = bytearray(path.read_bytes())
    content[2 * 4_096 : 6 * 4_096] = b"\xa5" * (4 * 4_096)
    path.write_bytes(content)
    error = refusal(path)
    assert (False, True) == (error.retriable, "damaged" in str(error))


def test_a_file_that_can_not_be_opened_is_refused(tmp_path: Path) -> None:
    """A directory in the file's place is one sentence."""
    path = tmp_path / "a.db"
    path.mkdir()
    assert not refusal(path).retriable


def test_damage_that_shows_later_is_not_retriable(tmp_path: Path) -> None:
    """What SQLite finds out while it reads reaches the caller as damage of this file."""
    path = made(tmp_path / "a.db", rows=100)
    content = bytearray(path.read_bytes())
    content[2 * 4_096 : 20 * 4_096] = b"\xa5" * (18 * 4_096)
    path.write_bytes(content)
    # A file too large to be checked whole when it is opened is opened like this.
    database = Database(path, SCHEMA, busy_s=BUSY_S, check=False)
    try:
        with pytest.raises(PortError, match=r"a\.db is damaged") as raised:
            asyncio.run(database.read(lambda connection: connection.execute("SELECT SUM(LENGTH(b)) FROM t").fetchone()))
    finally:
        database.close()
    assert not raised.value.retriable


async def test_a_file_that_somebody_else_writes_is_retriable(tmp_path: Path) -> None:
    """A lock that is held for longer than the patience is an error that may pass, and passes."""
    path = made(tmp_path / "a.db")
    other = open_connection(path, SCHEMA, busy_s=BUSY_S)
    database = Database(path, SCHEMA, busy_s=BUSY_S)
    try:
        with transaction(other), pytest.raises(PortError) as raised:
            await database.write(_insert)
        assert raised.value.retriable
        await database.write(_insert)
        assert 1 == await database.read(lambda connection: connection.execute("SELECT COUNT(*) FROM t").fetchone()[0])
    finally:
        database.close()
        other.close()


async def test_a_failed_write_leaves_no_trace(tmp_path: Path) -> None:
    """An error in the middle undoes what was written before it, and the database goes on."""
    database = Database(made(tmp_path / "a.db"), SCHEMA, busy_s=BUSY_S)

    def fail(connection: sqlite3.Connection) -> None:
        _insert(connection)
        raise ValueError("in the middle")

    try:
        with pytest.raises(ValueError, match="in the middle"):
            await database.write(fail)
        assert 0 == await database.read(lambda connection: connection.execute("SELECT COUNT(*) FROM t").fetchone()[0])
        await database.write(_insert)
    finally:
        database.close()


async def test_close_finishes_what_was_accepted(tmp_path: Path) -> None:
    """Work that waits for the thread is done before the file is closed; a second close does nothing."""
    path = made(tmp_path / "a.db")
    database = Database(path, SCHEMA, busy_s=BUSY_S)
    writing = [asyncio.create_task(database.write(_insert)) for _ in range(20)]
    await asyncio.sleep(0)
    database.close()
    database.close()
    await asyncio.gather(*writing)
    again = open_connection(path, SCHEMA, busy_s=BUSY_S)
    assert 20 == again.execute("SELECT COUNT(*) FROM t").fetchone()[0]
    again.close()


def test_deleted_bytes_are_gone_from_the_file(tmp_path: Path) -> None:
    """What was erased can't be read from the file, nor from the write-ahead log once it is moved into the file."""
    path = tmp_path / "a.db"
    connection = open_connection(path, SCHEMA, busy_s=BUSY_S)
    secret = b"a loyalty number that must go"
    connection.execute("INSERT INTO t (b) VALUES (?)", (secret * 50,))
    connection.execute("DELETE FROM t")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.close()
    assert [] == [file.name for file in tmp_path.iterdir() if secret in file.read_bytes()]
    assert stat.S_ISREG(path.stat().st_mode)


def _insert(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO t (b) VALUES (x'00')")
