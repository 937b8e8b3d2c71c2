"""Copies a store's file into a backup while others write to it, and puts it back where there is none."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from adapters.sealed_parts import Sink
from adapters.sqlite.database import port_error
from domain.errors import PortError

_PIECE_BYTES = 1_024 * 1_024
# The file's header, https://www.sqlite.org/fileformat.html#the_database_header
_HEADER_BYTES: Final = 100
_WRITE_VERSION, _READ_VERSION, _USER_VERSION = 18, 19, slice(60, 64)
_LEGACY: Final = 1
"""Of both versions: a rollback journal; 2 is WAL."""


def copy_out(path: Path, sink: Sink, *, busy_s: float) -> int:
    """Copies a file as of one moment, and gives the version of its schema.

    By SQLite's online backup, in one step: a writer in another process would make it begin again after each of several.
    The copy on its way loses its name before anything is in it, so that whoever is killed leaves nothing of a shopper.

    Raises:
        PortError: the file can't be read, or there is no room beside it.
    """
    try:
        with _nameless(path.with_name(f".{path.name}.copy")) as (copy, file):
            source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=busy_s)
            try:
                source.backup(copy)
            finally:
                source.close()
                copy.close()
            header = bytearray(file.read(_HEADER_BYTES))
            # Out of WAL, so that the one file is everything.
            header[_WRITE_VERSION] = header[_READ_VERSION] = _LEGACY
            sink.write(bytes(header))
            while piece := file.read(_PIECE_BYTES):
                sink.write(piece)
    except sqlite3.Error as error:
        raise port_error(error, path) from error
    return int.from_bytes(header[_USER_VERSION], "big")


@contextmanager
def _nameless(draft: Path) -> Iterator[tuple[sqlite3.Connection, BinaryIO]]:
    """Gives an empty database of whose file nobody else can find the name, and the file."""
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "rb") as file:
        copy = sqlite3.connect(draft, isolation_level=None)
        try:
            copy.execute("PRAGMA synchronous=OFF")
            copy.execute("PRAGMA journal_mode=OFF").fetchone()
            # SQLite opens its file when it is first read.
            copy.execute("PRAGMA schema_version").fetchone()
            draft.unlink()
            yield copy, file
        finally:
            copy.close()
            draft.unlink(missing_ok=True)


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
