"""How kept exports lie in the table of a control plane; SQLite and Postgres are asked in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from domain.ports.exports import Export, Made

AT_ONCE = 500
"""Digests of one statement."""
IS_ERASED: LiteralString = (
    "SELECT 1 FROM privacy_subjects JOIN privacy_requests USING (request_id) WHERE digest = ?"
    " AND retailer_id = (SELECT retailer_id FROM privacy_requests WHERE request_id = ?)"
    " AND kind IN ('erase', 'erase_and_suppress') AND (stage <> 'done' OR stage_at_ms >= ?) LIMIT 1"
)
KEEP: LiteralString = (
    "INSERT INTO exports (request_id, digest, made_at_ms, until_ms, sealed_bytes, sealed) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (request_id, digest) DO NOTHING"
)
GET: LiteralString = (
    "SELECT sealed, made_at_ms, until_ms FROM exports JOIN privacy_requests USING (request_id)"
    " WHERE retailer_id = ? AND request_id = ? AND digest = ?"
)
# The size is a column of its own, so that nobody reads megabytes to learn that they are there.
MADE: LiteralString = "SELECT digest, sealed_bytes > 0, until_ms FROM exports WHERE request_id = ? ORDER BY digest"
EXPIRE: LiteralString = "UPDATE exports SET sealed = ?, sealed_bytes = 0 WHERE sealed_bytes > 0 AND until_ms <= ?"
FORGET: LiteralString = (
    "UPDATE exports SET sealed = ?, sealed_bytes = 0 WHERE sealed_bytes > 0 AND digest = ?"
    " AND request_id IN (SELECT request_id FROM privacy_requests WHERE retailer_id = ?)"
)
OLDEST: LiteralString = (
    "SELECT MIN(made_at_ms) FROM exports JOIN privacy_requests USING (request_id)"
    " WHERE sealed_bytes > 0 AND retailer_id = ? AND made_at_ms < ?"
)


def row_of(request_id: str, digest: str, export: Export) -> tuple[str, str, int, int, int, bytes]:
    """Gives a row of the table `exports`."""
    return request_id, digest, export.made_at_ms, export.until_ms, len(export.sealed), export.sealed


def export_of(row: Sequence[Any]) -> Export:  # Any: a row has the types of its columns
    """Reads what `GET` gives."""
    sealed, made_at_ms, until_ms = row
    return Export(bytes(sealed), made_at_ms, until_ms)


def made_of(row: Sequence[Any]) -> Made:  # Any: see above
    """Reads what `MADE` gives."""
    digest, is_there, until_ms = row
    return Made(digest, bool(is_there), until_ms)
