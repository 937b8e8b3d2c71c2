"""The production tombstones and receipts of erasures (`domain.ports.erasures`), in Postgres.

A connection is opened for each call: an erasure visits its stores every few seconds at most.
"""

from __future__ import annotations

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
from adapters.postgres.database import Database, in_postgres
from domain.ports.erasures import Receipt, Tombstone


class PostgresErasures:
    """Rows of two tables; no version is raised, since nobody's control data change."""

    def __init__(self, database: Database) -> None:
        """Takes the database; nothing is connected before it is asked for."""
        self._database = database

    async def bury(self, request_id: str, tombstones: Sequence[Tombstone]) -> None:
        """Writes the rows that are not there, in one transaction."""
        async with self._database.session() as session, session.transaction():
            for statement, parameters in burials(request_id, tombstones):
                await session.rows(in_postgres(statement), parameters)

    async def tombstones(self, request_id: str) -> Sequence[Tombstone]:
        """Asks the server for a request's rows, in slices: they may be thousands."""
        found: list[Tombstone] = []
        async with self._database.session() as session, session.transaction("BEGIN READ ONLY"):
            async for rows in session.slices(in_postgres(TOMBSTONES), (request_id,)):
                found += map(tombstone_of, rows)
        return found

    async def tombstones_since(self, since_ms: int) -> Sequence[tuple[str, Tombstone]]:
        """Asks the server for rows of two tables, in slices."""
        found: list[tuple[str, Tombstone]] = []
        async with self._database.session() as session, session.transaction("BEGIN READ ONLY"):
            async for rows in session.slices(in_postgres(TOMBSTONES_SINCE), (since_ms,)):
                found += [(row[0], tombstone_of(row[1:])) for row in rows]
        return found

    async def note(self, request_id: str, receipt: Receipt) -> None:
        """Writes the store's row."""
        async with self._database.session() as session:
            await session.rows(in_postgres(NOTE), row_of(request_id, receipt))

    async def receipts(self, request_id: str) -> Sequence[Receipt]:
        """Asks the server for a request's rows."""
        async with self._database.session() as session:
            rows = await session.rows(in_postgres(RECEIPTS), (request_id,))
        return [receipt_of(row) for row in rows]
