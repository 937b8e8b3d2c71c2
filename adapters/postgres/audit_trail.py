"""The production audit trail (`domain.ports.audit_trail`), in Postgres, whose triggers keep it append-only.

One connection is kept: a retailer's server may look shoppers up all day, and each lookup leaves an entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from adapters.audit_rows import entry_of, row_of
from adapters.postgres.database import Database
from adapters.postgres.kept_session import KeptSession
from domain.ports.audit_trail import AuditEntry

_APPEND: LiteralString = (
    "INSERT INTO audit (retailer_id, at_ms, who, action, target, outcome) VALUES (%s, %s, %s, %s, %s, %s)"
)
_READ: LiteralString = (
    "SELECT retailer_id, at_ms, who, action, target, outcome FROM audit"
    " WHERE retailer_id = %s AND at_ms >= %s ORDER BY at_ms, number LIMIT %s"
)


class PostgresAuditTrail:
    """Entries, one row each."""

    def __init__(self, database: Database) -> None:
        """Takes the database; nothing is connected before it is asked for."""
        self._database = database
        self._kept = KeptSession(database)

    async def append(self, entry: AuditEntry) -> None:
        """Writes the entry; on a kept connection that broke meanwhile, once more on a new one."""
        await self._kept.once_more(lambda session: session.rows(_APPEND, row_of(entry)))

    async def read(self, retailer_id: str, since_ms: int, limit: int) -> Sequence[AuditEntry]:
        """Reads by retailer and time, on a connection of its own: those who append need not wait."""
        async with self._database.session() as session:
            rows = await session.rows(_READ, (retailer_id, since_ms, limit))
        return [entry_of(row) for row in rows]

    async def close(self) -> None:
        """Closes the connection, under a call in flight too; may be repeated."""
        await self._kept.close()
