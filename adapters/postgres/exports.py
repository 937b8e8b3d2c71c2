"""The production exports (`domain.ports.exports`), in Postgres; a connection is opened for each call."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.export_rows import EXPIRE, FORGET, GET, IS_ERASED, KEEP, MADE, OLDEST, export_of, made_of, row_of
from adapters.postgres.database import Database, in_postgres
from domain.ports.exports import Export, Made


class PostgresExports:
    """Rows of one table; no version is raised, since nobody's control data change."""

    def __init__(self, database: Database) -> None:
        """Takes the database; nothing is connected before it is asked for."""
        self._database = database

    async def keep(self, request_id: str, digest: str, export: Export) -> None:
        """Writes the row, in the transaction that asks about erasures.

        An erasure that is opened at the same moment visits its stores later, and finds the row.
        """
        async with self._database.session() as session, session.transaction():
            is_erased = await session.rows(in_postgres(IS_ERASED), (digest, request_id, export.made_at_ms))
            kept = export._replace(sealed=b"") if is_erased else export
            await session.rows(in_postgres(KEEP), row_of(request_id, digest, kept))

    async def get(self, retailer_id: str, request_id: str, digest: str) -> Export | None:
        """Asks the server for the row."""
        async with self._database.session() as session:
            rows = await session.rows(in_postgres(GET), (retailer_id, request_id, digest))
        return export_of(rows[0]) if rows else None

    async def made(self, request_id: str) -> Sequence[Made]:
        """Asks the server for the request's rows, without what is sealed."""
        found: list[Made] = []
        async with self._database.session() as session, session.transaction("BEGIN READ ONLY"):
            async for rows in session.slices(in_postgres(MADE), (request_id,)):
                found += map(made_of, rows)
        return found

    async def forget(self, retailer_id: str, digests: Sequence[str]) -> int:
        """Empties the rows, in one transaction; the server's vacuum overwrites what that frees."""
        removed = 0
        async with self._database.session() as session, session.transaction():
            for digest in digests:
                removed += await session.count(in_postgres(FORGET), (b"", digest, retailer_id))
        return removed

    async def expire(self, now_ms: int) -> int:
        """Empties the rows."""
        async with self._database.session() as session:
            return await session.count(in_postgres(EXPIRE), (b"", now_ms))

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Asks the server."""
        async with self._database.session() as session:
            ((oldest,),) = await session.rows(in_postgres(OLDEST), (retailer_id, before_ms))
        return None if oldest is None else int(oldest)
