"""How tombstones and receipts of erasures lie in the tables of a control plane.

SQLite and Postgres are asked in the same words; only a parameter is written `?` here and `%s` there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

from domain.ids import Position
from domain.ports.erasures import Receipt, Tombstone
from domain.ports.event_log import Place

_BURIED_AT_ONCE = 500
"""Rows in one statement; a request has thousands, and a server answers each statement."""
_BURIED_ROW: LiteralString = "(?, ?, ?, ?, ?, ?)"

TOMBSTONES: LiteralString = (
    "SELECT digest, partition, epoch, at_offset, at_ms FROM erasure_tombstones WHERE request_id = ? ORDER BY digest"
)
TOMBSTONES_SINCE: LiteralString = (
    "SELECT retailer_id, digest, partition, epoch, at_offset, at_ms"
    " FROM erasure_tombstones JOIN privacy_requests USING (request_id)"
    " WHERE stage <> 'done' OR stage_at_ms >= ? ORDER BY retailer_id, digest, at_ms"
)
NOTE: LiteralString = (
    "INSERT INTO erasure_receipts (request_id, store, at_ms, found, removed, not_gone, waits_for, visits)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_id, store) DO UPDATE SET"
    " at_ms = excluded.at_ms, found = excluded.found, removed = excluded.removed, not_gone = excluded.not_gone,"
    " waits_for = excluded.waits_for, visits = excluded.visits"
)
RECEIPTS: LiteralString = (
    "SELECT store, at_ms, found, removed, not_gone, waits_for, visits FROM erasure_receipts"
    " WHERE request_id = ? ORDER BY store"
)


def burials(request_id: str, tombstones: Sequence[Tombstone]) -> Iterator[tuple[LiteralString, tuple[str | int, ...]]]:
    """Gives statements with their parameters that note tombstones, but none that is there.

    By digest, so that two who note the same at once wait for each other and never in a circle.
    """
    rows = [(request_id, digest, place[0], *place[1], at_ms) for digest, place, at_ms in sorted(tombstones)]
    for start in range(0, len(rows), _BURIED_AT_ONCE):
        some = rows[start : start + _BURIED_AT_ONCE]
        statement: LiteralString = (
            "INSERT INTO erasure_tombstones (request_id, digest, partition, epoch, at_offset, at_ms)"  # noqa: S608 - marks
            " VALUES " + ", ".join([_BURIED_ROW] * len(some)) + " ON CONFLICT DO NOTHING"
        )
        yield statement, tuple(value for row in some for value in row)


def tombstone_of(row: Sequence[Any]) -> Tombstone:  # Any: a row has the types of its columns
    """Reads a row of `TOMBSTONES`."""
    digest, partition, epoch, offset, at_ms = row
    return Tombstone(digest, Place(partition, Position(epoch, offset)), at_ms)


def row_of(request_id: str, receipt: Receipt) -> tuple[str, str, int, int, int, int, str, int]:
    """Gives the parameters of `NOTE`."""
    return (
        request_id,
        receipt.store,
        receipt.at_ms,
        receipt.found,
        receipt.removed,
        receipt.left,
        receipt.waits_for,
        receipt.visits,
    )


def receipt_of(row: Sequence[Any]) -> Receipt:  # Any: a row has the types of its columns
    """Reads a row of `RECEIPTS`."""
    store, at_ms, found, removed, left, waits_for, visits = row
    return Receipt(
        store=store, at_ms=at_ms, found=found, removed=removed, left=left, waits_for=waits_for, visits=visits
    )
