"""The embedded audit trail (`domain.ports.audit_trail`), in the control file, whose triggers keep it append-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from adapters.audit_rows import entry_of, row_of
from adapters.sqlite.control_file import ControlFile
from domain.ports.audit_trail import AuditEntry


class SqliteAuditTrail:
    """Entries, one row each."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._file = control

    async def append(self, entry: AuditEntry) -> None:
        """Writes the entry; no version is raised, since nobody's control data change."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO audit (retailer_id, at_ms, who, action, target, outcome) VALUES (?, ?, ?, ?, ?, ?)",
                row_of(entry),
            )

        await self._file.database.write(write)

    async def read(self, retailer_id: str, since_ms: int, limit: int) -> Sequence[AuditEntry]:
        """Reads by retailer and time."""
        rows = await self._file.database.read(
            lambda connection: connection.execute(
                "SELECT retailer_id, at_ms, who, action, target, outcome FROM audit"
                " WHERE retailer_id = ? AND at_ms >= ? ORDER BY at_ms, number LIMIT ?",
                (retailer_id, since_ms, limit),
            ).fetchall()
        )
        return [entry_of(row) for row in rows]
