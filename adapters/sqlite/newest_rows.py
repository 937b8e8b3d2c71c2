"""Empties the newest row of a log that nobody writes to any more; it counts the offsets, so it is never pruned.

Blank records take the place of what is old, as after an erasure (`adapters.sqlite.blank_records`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeVar

import msgspec

from adapters.sqlite.blank_records import blank_event, blank_experience
from adapters.sqlite.database import Database
from adapters.sqlite.event_log import EPOCH, SqliteEventLog
from adapters.sqlite.experience_log import SqliteExperienceLog
from adapters.sqlite.log_rows import LogRows, Replacement
from domain.ids import Position
from domain.records import Decided, Failed, Progress, Record, decode_experience_record, decode_record

T = TypeVar("T")
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


async def blank_newest_event_row(log: SqliteEventLog, reader: Database, before_ms: int, through: Position) -> int:
    """Empties the event log's newest row if it is older than a moment and not beyond a position.

    Returns:
        Events removed.

    Raises:
        PortError: the file can't be used now; the call may be repeated.
    """
    end = through.offset if through.epoch >= EPOCH else -1
    return await _blank(reader, "events", before_ms, end, _blank_event, log.replace)


async def blank_newest_experience_row(log: SqliteExperienceLog, reader: Database, before_ms: int, through: int) -> int:
    """Does the same with the experience log's; records that name no shopper stay.

    Returns:
        Records removed.

    Raises:
        PortError: the file can't be used now; the call may be repeated.
    """
    return await _blank(reader, "experiences", before_ms, through, _blank_experience, log.replace)


async def _blank(
    reader: Database,
    table: Literal["events", "experiences"],
    before_ms: int,
    through: int,
    blank: Callable[[bytes], tuple[T, bytes] | None],
    replace: Callable[[Sequence[Replacement[T]]], Awaitable[int]],
) -> int:
    rows = LogRows(table)
    row = await reader.read(lambda connection: rows.newest(connection, before_ms, through))
    if row is None:
        return 0
    blanks: Mapping[int, tuple[T, bytes]] = {
        offset: made
        for offset, payload in enumerate(row.payloads or (), start=row.first)
        if (made := blank(payload)) is not None
    }
    if not blanks:
        return 0
    records = {offset: record for offset, (record, _) in blanks.items()}
    payloads = {offset: payload for offset, (_, payload) in blanks.items()}
    return await replace([Replacement(row.first, records, payloads)])


def _blank_event(payload: bytes) -> tuple[Record, bytes] | None:
    record = decode_record(payload)
    # A blank one names no retailer.
    return blank_event(record, len(payload)) if isinstance(record, Record) and record.retailer_id else None


def _blank_experience(payload: bytes) -> tuple[Progress, bytes] | None:
    try:
        record = decode_experience_record(payload)
    except _UNREADABLE:
        return None
    return blank_experience(len(payload)) if isinstance(record, Decided | Failed) else None
