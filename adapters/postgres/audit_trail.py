"""The production audit trail (`domain.ports.audit_trail`), in Postgres, whose triggers keep it append-only.

One connection is kept: a retailer's server may look shoppers up all day, and each lookup leaves an entry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import LiteralString

from adapters.audit_rows import entry_of, row_of
from adapters.postgres.database import Database, Session
from domain.errors import PortError
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
        self._turn = asyncio.Lock()
        self._kept: Session | None = None

    async def append(self, entry: AuditEntry) -> None:
        """Writes the entry; on a kept connection that broke meanwhile, once more on a new one."""
        async with self._turn:
            kept = self._kept
            try:
                await self._append(entry)
            except PortError as error:
                if kept is None or not error.retriable:
                    raise
                # Idle connections are cut by servers and what stands between: that is no reason to refuse anybody.
                await self._append(entry)

    async def read(self, retailer_id: str, since_ms: int, limit: int) -> Sequence[AuditEntry]:
        """Reads by retailer and time, on a connection of its own: those who append need not wait."""
        async with self._database.session() as session:
            rows = await session.rows(_READ, (retailer_id, since_ms, limit))
        return [entry_of(row) for row in rows]

    async def close(self) -> None:
        """Closes the connection, under a call in flight too; may be repeated."""
        if self._kept is not None:
            self._kept.cut()
        async with self._turn:
            if self._kept is not None:
                await self._kept.close()
                self._kept = None

    async def _append(self, entry: AuditEntry) -> None:
        session = self._kept = self._kept or await self._database.open()
        try:
            await session.rows(_APPEND, row_of(entry))
        except BaseException:
            self._kept = None
            await session.close()
            raise
