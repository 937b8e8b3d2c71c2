"""The embedded exports (`domain.ports.exports`), in the control file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial

from adapters.export_rows import (
    AT_ONCE,
    EXPIRE,
    FORGET,
    GET,
    IS_ERASED,
    KEEP,
    MADE,
    OLDEST,
    export_of,
    made_of,
    row_of,
)
from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.database import soil
from domain.ports.exports import Export, Made


class SqliteExports:
    """Rows of one table; no version is raised, since nobody's control data change."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._database = control.database

    async def keep(self, request_id: str, digest: str, export: Export) -> None:
        """Writes the row, in the transaction that asks about erasures."""

        def write(connection: sqlite3.Connection) -> None:
            is_erased = connection.execute(IS_ERASED, (digest, request_id, export.made_at_ms)).fetchone()
            kept = export._replace(sealed=b"") if is_erased else export
            connection.execute(KEEP, row_of(request_id, digest, kept))

        await self._database.write(write)

    async def get(self, retailer_id: str, request_id: str, digest: str) -> Export | None:
        """Reads the row."""
        asked = retailer_id, request_id, digest
        row = await self._database.read(lambda connection: connection.execute(GET, asked).fetchone())
        return None if row is None else export_of(row)

    async def made(self, request_id: str) -> Sequence[Made]:
        """Reads the request's rows, without what is sealed."""
        rows = await self._database.read(lambda connection: connection.execute(MADE, (request_id,)).fetchall())
        return [made_of(row) for row in rows]

    async def forget(self, retailer_id: str, digests: Sequence[str]) -> int:
        """Empties the rows, some hundreds at once; then the file is written anew, so that no copy is left there."""
        removed = 0
        for first in range(0, len(digests), AT_ONCE):
            rows = [(b"", digest, retailer_id) for digest in digests[first : first + AT_ONCE]]
            removed += await self._database.write(partial(_empty, FORGET, rows))
        await self._database.scrub()
        return removed

    async def expire(self, now_ms: int) -> int:
        """Empties the rows; the file is written anew if there were any."""
        removed = await self._database.write(partial(_empty, EXPIRE, [(b"", now_ms)]))
        if removed:
            await self._database.scrub()
        return removed

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Asks the table."""
        asked = retailer_id, before_ms
        row = await self._database.read(lambda connection: connection.execute(OLDEST, asked).fetchone())
        oldest: int | None = row[0]
        return oldest


def _empty(statement: str, rows: Sequence[tuple[object, ...]], connection: sqlite3.Connection) -> int:
    emptied: int = connection.executemany(statement, rows).rowcount
    if emptied:
        soil(connection)
    return emptied
