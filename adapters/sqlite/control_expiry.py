"""What the embedded control plane forgets (`domain.ports.control_expiry`), in the control file."""

from __future__ import annotations

import sqlite3
from functools import partial
from typing import LiteralString

from adapters.expiry_rows import (
    ENTRIES_AT_ONCE,
    FORGET_ENTRIES,
    FORGET_EXPORTS,
    FORGET_RECEIPTS,
    FORGET_REQUEST,
    FORGET_SUBJECTS,
    FORGET_TOMBSTONES,
    FORGET_WORDS,
    KEPT_SINCE,
    OLDEST_ENTRY,
    OLDEST_REQUEST,
    OVER,
)
from adapters.sqlite.control_file import ControlFile


class SqliteControlExpiry:
    """Rows of several tables; no version is raised, since nobody's control data change."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._database = control.database

    async def audit(self, retailer_id: str, before_ms: int) -> int:
        """Notes the moment, then deletes a thousand entries a transaction."""
        await self._database.write(lambda connection: connection.execute(KEPT_SINCE, (retailer_id, before_ms)))
        gone = 0
        while some := await self._database.write(partial(_forget_entries, (retailer_id, before_ms, ENTRIES_AT_ONCE))):
            gone += some
        return gone

    async def requests(self, retailer_id: str, before_ms: int) -> int:
        """Deletes in a transaction for each request, in the order in which they changed the list."""
        over = await self._database.read(
            lambda connection: connection.execute(OVER, (retailer_id, before_ms)).fetchall()
        )
        return sum([await self._database.write(partial(_forget, request_id, before_ms)) for (request_id,) in over])

    async def words(self, before_ms: int) -> int:
        """Deletes rows."""
        return await self._database.write(lambda connection: connection.execute(FORGET_WORDS, (before_ms,)).rowcount)

    async def oldest_entry_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads the end of an index."""
        return await self._oldest(OLDEST_ENTRY, (retailer_id, before_ms))

    async def oldest_request_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads the requests that are over."""
        return await self._oldest(OLDEST_REQUEST, (retailer_id, before_ms, before_ms))

    async def _oldest(self, query: LiteralString, parameters: tuple[str | int, ...]) -> int | None:
        (found,) = await self._database.read(lambda connection: connection.execute(query, parameters).fetchone())
        return None if found is None else int(found)


def _forget_entries(parameters: tuple[str | int, ...], connection: sqlite3.Connection) -> int:
    return connection.execute(FORGET_ENTRIES, parameters).rowcount


def _forget(request_id: str, before_ms: int, connection: sqlite3.Connection) -> int:
    connection.execute(FORGET_SUBJECTS, (request_id, before_ms))
    connection.execute(FORGET_EXPORTS, (request_id,))
    connection.execute(FORGET_TOMBSTONES, (request_id,))
    connection.execute(FORGET_RECEIPTS, (request_id,))
    return connection.execute(FORGET_REQUEST, (request_id,)).rowcount
