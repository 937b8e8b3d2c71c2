"""The copy of a store's file in a backup: as of one moment, whole in one file, and nameless on its way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from adapters.sqlite.backup import copy_in, copy_out
from domain.errors import PortError

VERSION = 7


class Watched:
    """A sink that looks, at each piece, at what stands beside the file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pieces: list[bytes] = []
        self.beside: set[str] = set()

    def write(self, piece: bytes, /) -> int:
        """Keeps a copy of it, and gives its size."""
        self.pieces.append(bytes(piece))
        self.beside |= {path.name for path in self.folder.iterdir()}
        return len(piece)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in use, in WAL, with more than one piece in it."""
    path = tmp_path / "store" / "state.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE words (word)")
        connection.executemany("INSERT INTO words VALUES (?)", [("pasta" * 400,)] * 1_000)
        connection.execute(f"PRAGMA user_version={VERSION}")
    connection.close()
    return path


def test_a_copy_is_whole_and_of_one_moment(file: Path, tmp_path: Path) -> None:
    """What is still in the write-ahead log is in it, what is not committed is not; it needs no other file."""
    writing = sqlite3.connect(file, isolation_level=None)
    writing.execute("INSERT INTO words VALUES ('sauce')")
    writing.execute("BEGIN IMMEDIATE")
    writing.execute("INSERT INTO words VALUES ('not committed')")
    sink = Watched(file.parent)
    assert VERSION == copy_out(file, sink, busy_s=1)
    writing.execute("COMMIT")
    writing.close()
    restored = tmp_path / "restored.db"
    copy_in(restored, sink.pieces)
    connection = sqlite3.connect(restored)
    assert (1_001, "ok") == (
        connection.execute("SELECT count(*) FROM words").fetchone()[0],
        connection.execute("PRAGMA integrity_check").fetchone()[0],
    )
    assert ("delete",) == connection.execute("PRAGMA journal_mode").fetchone()
    assert (VERSION,) == connection.execute("PRAGMA user_version").fetchone()
    connection.close()


def test_nobody_finds_a_copy_on_its_way(file: Path) -> None:
    """Whoever is killed in between leaves nothing; what an older version left is gone."""
    (file.parent / ".state.db.copy").write_bytes(b"of a backup that was killed")
    sink = Watched(file.parent)
    copy_out(file, sink, busy_s=1)
    assert {"state.db", "state.db-wal", "state.db-shm"} >= sink.beside
    assert ["state.db"] == [path.name for path in file.parent.iterdir() if not path.name.startswith("state.db-")]


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """In a sentence that names it."""
    path = tmp_path / "state.db"
    path.write_bytes(b"no database" * 1_000)
    with pytest.raises(PortError, match=r"state\.db"):
        copy_out(path, Watched(tmp_path), busy_s=1)
    assert ["state.db"] == [one.name for one in tmp_path.iterdir()]
