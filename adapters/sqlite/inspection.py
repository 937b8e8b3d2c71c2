"""Looks into a store's file without changing it: for `hotbasket doctor`, beside a running system too."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from adapters.sqlite.database import Schema


class Report(NamedTuple):
    """What was found in one file.

    Attributes:
        path: the file.
        size_bytes: of it, without its write-ahead log.
        version: of its schema, None where it can't be read.
        known_version: the schema that this process works with.
        fault: what is wrong with its content, None where nothing is.
    """

    path: Path
    size_bytes: int
    version: int | None
    known_version: int
    fault: str | None


def inspect(path: Path, schema: Schema, *, busy_s: float) -> Report:
    """Reads a whole file and checks that its pages and indexes hang together; takes about a second a gigabyte."""
    size_bytes = path.stat().st_size
    version: int | None = None
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=busy_s)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        fault = None if found == "ok" else " ".join(str(found).split())
    except sqlite3.Error as error:
        fault = str(error)
    finally:
        if connection is not None:
            connection.close()
    return Report(path, size_bytes, version, schema.version, fault)
