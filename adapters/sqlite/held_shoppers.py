"""Which shoppers the embedded files hold anything of: for a restore, which knows by digest alone who must be gone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from adapters.sqlite.database import port_error
from adapters.sqlite.log_rows import LogRows
from adapters.sqlite.shopper_records import whose_event, whose_experience
from domain.ids import ShopperKey
from domain.ports.failed_events import FailedEvent
from domain.ports.tree_store import DEFAULT

_READ_RECORDS: Final = 1_000
_failed = msgspec.msgpack.Decoder(FailedEvent)


def held_shoppers(files: Mapping[str, Path], *, busy_s: float) -> set[ShopperKey]:
    """Reads files that nobody writes to.

    Args:
        files: by what they hold; all are there.
        busy_s: seconds to wait for another process.

    Raises:
        PortError: one can't be read.
    """
    found: set[ShopperKey] = set()
    for name, read in (("state", _state), ("control", _trees), ("log", _log)):
        try:
            with closing(sqlite3.connect(files[name], timeout=busy_s)) as connection:
                found |= read(connection)
        except sqlite3.Error as error:
            raise port_error(error, files[name]) from error
    return found


def _state(connection: sqlite3.Connection) -> set[ShopperKey]:
    found = {ShopperKey(*row) for row in connection.execute("SELECT retailer_id, shopper FROM snapshots")}
    for (blob,) in connection.execute("SELECT event FROM failed"):
        try:
            event = _failed.decode(blob)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        found.add(ShopperKey(event.retailer_id, event.shopper))
    return found


def _trees(connection: sqlite3.Connection) -> set[ShopperKey]:
    rows = connection.execute("SELECT DISTINCT retailer_id, shopper FROM trees WHERE shopper <> ?", (DEFAULT,))
    return {ShopperKey(*row) for row in rows}


def _log(connection: sqlite3.Connection) -> set[ShopperKey]:
    return _records(connection, LogRows("events"), whose_event) | _records(
        connection, LogRows("experiences"), whose_experience
    )


def _records(
    connection: sqlite3.Connection, table: LogRows, whose: Callable[[bytes], ShopperKey | None]
) -> set[ShopperKey]:
    found: set[ShopperKey] = set()
    first = 0
    while rows := table.read(connection, first, _READ_RECORDS):
        for row in rows:
            found.update(key for payload in row.payloads or () if (key := whose(payload)) is not None)
        first = rows[-1].first + rows[-1].records
    return found
