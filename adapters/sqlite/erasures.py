"""The embedded tombstones and receipts of erasures (`domain.ports.erasures`), in the control file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from adapters.erasure_rows import (
    NOTE,
    RECEIPTS,
    TOMBSTONES,
    TOMBSTONES_SINCE,
    burials,
    receipt_of,
    row_of,
    tombstone_of,
)
from adapters.sqlite.control_file import ControlFile
from domain.ports.erasures import Receipt, Tombstone


class SqliteErasures:
    """Rows of two tables; no version is raised, since nobody's control data change."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._database = control.database

    async def bury(self, request_id: str, tombstones: Sequence[Tombstone]) -> None:
        """Writes the rows that are not there, in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            for statement, parameters in burials(request_id, tombstones):
                connection.execute(statement, parameters)

        await self._database.write(write)

    async def tombstones(self, request_id: str) -> Sequence[Tombstone]:
        """Reads a request's rows."""
        rows = await self._database.read(lambda connection: connection.execute(TOMBSTONES, (request_id,)).fetchall())
        return [tombstone_of(row) for row in rows]

    async def tombstones_since(self, since_ms: int) -> Sequence[tuple[str, Tombstone]]:
        """Reads rows of two tables."""
        rows = await self._database.read(
            lambda connection: connection.execute(TOMBSTONES_SINCE, (since_ms,)).fetchall()
        )
        return [(row[0], tombstone_of(row[1:])) for row in rows]

    async def note(self, request_id: str, receipt: Receipt) -> None:
        """Writes the store's row."""
        await self._database.write(lambda connection: connection.execute(NOTE, row_of(request_id, receipt)))

    async def receipts(self, request_id: str) -> Sequence[Receipt]:
        """Reads a request's rows."""
        rows = await self._database.read(lambda connection: connection.execute(RECEIPTS, (request_id,)).fetchall())
        return [receipt_of(row) for row in rows]
