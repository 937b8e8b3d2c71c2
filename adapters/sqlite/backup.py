"""Copies a store's file into a backup while others write to it, and puts it back where there is none."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from adapters.sealed_parts import Sink
from adapters.sqlite.database import port_error
from domain.errors import PortError

_PIECE_BYTES = 1_024 * 1_024


def copy_out(path: Path, sink: Sink, *, busy_s: float) -> int:
    """Copies a file as of one moment, and gives the version of its schema.

    By SQLite's online backup, in one step: a writer in another process would make it begin again after each of several.
    The copy on its way stands beside the file, readable by its owner only, and has no name while it is read.

    Raises:
        PortError: the file can't be read, or there is no room beside it.
    """
    draft = path.with_name(f".{path.name}.copy")
    draft.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=busy_s)
        try:
            copy = sqlite3.connect(draft, isolation_level=None)
            try:
                copy.execute("PRAGMA synchronous=OFF")
                source.backup(copy)
                # Out of WAL, so that the one file is everything.
                copy.execute("PRAGMA journal_mode=DELETE").fetchone()
                (version,) = copy.execute("PRAGMA user_version").fetchone()
            finally:
                copy.close()
        finally:
            source.close()
        with draft.open("rb") as file:
            draft.unlink()
            while piece := file.read(_PIECE_BYTES):
                sink.write(piece)
    except sqlite3.Error as error:
        raise port_error(error, path) from error
    finally:
        draft.unlink(missing_ok=True)
    return int(version)


def copy_in(path: Path, pieces: Iterable[bytes]) -> None:
    """Puts a file where there is none, whole or not at all.

    Raises:
        PortError: there is no room.
    """
    draft = path.with_name(f".{path.name}.copy")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise PortError(f"can't write {path}: {error.strerror}; make room", retriable=False) from error
    finally:
        draft.unlink(missing_ok=True)


def forget_lease_owners(path: Path, *, busy_s: float) -> None:
    """Lets partitions ask for leases again whose log begins behind the one that the ledger knows.

    Raises:
        PortError: the file can't be written.
    """
    connection = sqlite3.connect(path, timeout=busy_s)
    try:
        with connection:
            connection.execute("DELETE FROM lease_owners")
    except sqlite3.Error as error:
        raise port_error(error, path) from error
    finally:
        connection.close()
