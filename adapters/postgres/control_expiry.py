"""What the production control plane forgets (`domain.ports.control_expiry`), in Postgres.

A connection is opened for each call: house is kept once a day.
"""

from __future__ import annotations

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
from adapters.postgres.database import Database, in_postgres


class PostgresControlExpiry:
    """Rows of several tables; no version is raised, since nobody's control data change."""

    def __init__(self, database: Database) -> None:
        """Takes the database; nothing is connected before it is asked for."""
        self._database = database

    async def audit(self, retailer_id: str, before_ms: int) -> int:
        """Notes the moment, then deletes a thousand entries a statement."""
        gone = 0
        async with self._database.session() as session:
            await session.rows(in_postgres(KEPT_SINCE), (retailer_id, before_ms))
            while some := await session.count(in_postgres(FORGET_ENTRIES), (retailer_id, before_ms, ENTRIES_AT_ONCE)):
                gone += some
        return gone

    async def requests(self, retailer_id: str, before_ms: int) -> int:
        """Deletes in a transaction for each request, in the order in which they changed the list."""
        gone = 0
        async with self._database.session() as session:
            for (request_id,) in await session.rows(in_postgres(OVER), (retailer_id, before_ms)):
                async with session.transaction():
                    await session.rows(in_postgres(FORGET_SUBJECTS), (request_id, before_ms))
                    await session.rows(in_postgres(FORGET_EXPORTS), (request_id,))
                    await session.rows(in_postgres(FORGET_TOMBSTONES), (request_id,))
                    await session.rows(in_postgres(FORGET_RECEIPTS), (request_id,))
                    gone += await session.count(in_postgres(FORGET_REQUEST), (request_id,))
        return gone

    async def words(self, before_ms: int) -> int:
        """Deletes rows."""
        async with self._database.session() as session:
            return await session.count(in_postgres(FORGET_WORDS), (before_ms,))

    async def oldest_entry_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads the end of an index."""
        return await self._oldest(OLDEST_ENTRY, (retailer_id, before_ms))

    async def oldest_request_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads the requests that are over."""
        return await self._oldest(OLDEST_REQUEST, (retailer_id, before_ms, before_ms))

    async def _oldest(self, query: LiteralString, parameters: tuple[str | int, ...]) -> int | None:
        async with self._database.session() as session:
            ((found,),) = await session.rows(in_postgres(query), parameters)
        return None if found is None else int(found)
