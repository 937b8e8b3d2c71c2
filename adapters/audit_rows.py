"""An entry of the audit trail as a row of a table, the same in SQLite and Postgres."""

from __future__ import annotations

from typing import Any

from domain.ports.audit_trail import AuditEntry


def row_of(entry: AuditEntry) -> tuple[str, int, str, str, str | None, str]:
    """Gives retailer_id, at_ms, who, action, target and outcome."""
    return entry.retailer_id, entry.at_ms, entry.who, entry.action, entry.target, entry.outcome


def entry_of(row: tuple[Any, ...]) -> AuditEntry:  # Any: a row has the types of its statement
    """Gives the entry of a row in the order of `row_of`."""
    retailer_id, at_ms, who, action, target, outcome = row
    return AuditEntry(retailer_id=retailer_id, at_ms=at_ms, who=who, action=action, target=target, outcome=outcome)
