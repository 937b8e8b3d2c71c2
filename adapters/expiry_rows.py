"""How a control plane's tables are asked for what has expired, and told to forget it.

SQLite and Postgres are asked in the same words; only a parameter is written `?` here and `%s` there.
"""

from __future__ import annotations

from typing import Final, LiteralString

ENTRIES_AT_ONCE: Final = 1_000
"""Removed by one statement: whoever appends an entry waits behind it."""

# The triggers let go of what is older, and of nothing else.
KEPT_SINCE: LiteralString = (
    "INSERT INTO audit_kept (retailer_id, since_ms) VALUES (?, ?) ON CONFLICT (retailer_id)"
    " DO UPDATE SET since_ms = excluded.since_ms WHERE audit_kept.since_ms < excluded.since_ms"
)
FORGET_ENTRIES: LiteralString = (
    "DELETE FROM audit WHERE number IN"
    " (SELECT number FROM audit WHERE retailer_id = ? AND at_ms < ? ORDER BY at_ms, number LIMIT ?)"
)
OLDEST_ENTRY: LiteralString = "SELECT MIN(at_ms) FROM audit WHERE retailer_id = ? AND at_ms < ?"

OVER: LiteralString = (
    "SELECT request_id FROM privacy_requests WHERE retailer_id = ?"
    " AND stage = 'done' AND stage_at_ms < ? ORDER BY list_version"
)
# Of a request `due`: it has put them on the list, where they still are.
_IS_LISTED: LiteralString = (
    "due.kind IN ('suppress', 'erase_and_suppress') AND EXISTS (SELECT 1 FROM suppressed"
    " WHERE suppressed.retailer_id = due.retailer_id AND suppressed.digest = privacy_subjects.digest)"
)
# An earlier one about them would have the last word; an export has none. One that put them on the list and is still
# there would have it again when an erasure is done, so what took them off stays as long as that.
_IS_NEEDED: LiteralString = (
    "EXISTS (SELECT 1 FROM privacy_subjects AS others JOIN privacy_requests AS earlier USING (request_id)"
    " WHERE others.digest = privacy_subjects.digest AND earlier.retailer_id = due.retailer_id"
    " AND earlier.kind <> 'export' AND earlier.list_version < due.list_version"
    " AND (earlier.stage <> 'done' OR earlier.stage_at_ms >= ?"
    " OR (due.kind = 'unsuppress' AND earlier.kind IN ('suppress', 'erase_and_suppress'))))"
)
_STAYS: LiteralString = "(" + _IS_LISTED + " OR " + _IS_NEEDED + ")"
FORGET_SUBJECTS: LiteralString = (
    "DELETE FROM privacy_subjects WHERE request_id = ? AND EXISTS (SELECT 1 FROM privacy_requests AS due"  # noqa: S608 - our own words
    " WHERE due.request_id = privacy_subjects.request_id AND NOT " + _STAYS + ")"
)
FORGET_EXPORTS: LiteralString = "DELETE FROM exports WHERE request_id = ?"
FORGET_TOMBSTONES: LiteralString = "DELETE FROM erasure_tombstones WHERE request_id = ?"
FORGET_RECEIPTS: LiteralString = (
    "DELETE FROM erasure_receipts WHERE request_id = ? AND NOT EXISTS (SELECT 1 FROM privacy_subjects"
    " WHERE privacy_subjects.request_id = erasure_receipts.request_id)"
)
FORGET_REQUEST: LiteralString = (
    "DELETE FROM privacy_requests WHERE request_id = ? AND NOT EXISTS (SELECT 1 FROM privacy_subjects"
    " WHERE privacy_subjects.request_id = privacy_requests.request_id)"
)
OLDEST_REQUEST: LiteralString = (
    "SELECT MIN(stage_at_ms) FROM privacy_requests AS due"  # noqa: S608 - our own words
    " WHERE retailer_id = ? AND stage = 'done' AND stage_at_ms < ? AND NOT EXISTS"
    " (SELECT 1 FROM privacy_subjects WHERE privacy_subjects.request_id = due.request_id AND " + _STAYS + ")"
)
FORGET_WORDS: LiteralString = "DELETE FROM gateway_words WHERE at_ms < ?"
