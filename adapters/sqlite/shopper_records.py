"""What the embedded logs hold of shoppers (`domain.ports.shopper_data`): records, of which blank ones take the place.

The file is searched in slices by a reader of its own thread; a few rows at a time are rewritten by the log's writer,
behind which appends wait.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeVar

import msgspec
from msgspec import Struct

from adapters.sqlite.blank_records import blank_event, blank_experience
from adapters.sqlite.database import Database
from adapters.sqlite.event_log import EPOCH, SqliteEventLog
from adapters.sqlite.experience_log import SqliteExperienceLog
from adapters.sqlite.log_rows import LogRows, Replacement
from domain.ids import Position, ShopperKey
from domain.ports.shopper_data import Erased, Visit
from domain.records import Decided, Failed, Progress, Record, decode_experience_record, decode_record

T = TypeVar("T")
Shoppers = Mapping[ShopperKey, Erased]
Blank = Callable[[int, bytes], tuple[T, bytes] | None]
"""Takes a record's offset and bytes, and gives what takes its place; None where it stays."""

_READ_RECORDS: Final = 1_000
"""In one look: other readers of the file wait behind it for some milliseconds."""
_ROWS_READ: Final = 16
_ROWS_AT_ONCE: Final = 4
"""Rewritten in one transaction: appends wait behind it."""
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_WAITS_FOR: Final = "rows that were written meanwhile"


class _Whose(Struct, frozen=True, gc=False):
    """Whose a record of the experience log is; an owner's and a progress are nobody's."""

    retailer_id: str = ""
    shopper: str = ""


class _WhoseEvent(Struct, frozen=True, gc=False):
    """Whose an event within its record is."""

    shopper_id: str


class _WhoseRecord(Struct, frozen=True, gc=False):
    """Whose a record of the event log is: a third of the work of reading it whole."""

    retailer_id: str
    received_at_ms: int
    event: _WhoseEvent


_whose = msgspec.msgpack.Decoder(_Whose)
_whose_record = msgspec.msgpack.Decoder(_WhoseRecord)


def whose_event(payload: bytes) -> ShopperKey | None:
    """Tells whose a record of the event log is; None where it can't be read."""
    try:
        whose = _whose_record.decode(payload)
    except _UNREADABLE:
        return None
    return ShopperKey(whose.retailer_id, whose.event.shopper_id)


def whose_experience(payload: bytes) -> ShopperKey | None:
    """Tells whose a record of the experience log is; None where it can't be read, or is nobody's."""
    try:
        whose = _whose.decode(payload)
    except _UNREADABLE:
        return None
    return ShopperKey(whose.retailer_id, whose.shopper) if whose.shopper else None


class SqliteShopperEvents:
    """The event log's part in erasures: every event of the shoppers, inside ones too, up to their `ShopperErased`.

    One that was received before and stands behind it goes as well: a replay that was under way.
    """

    name: Final = "event log"

    def __init__(self, log: SqliteEventLog, reader: Database) -> None:
        """Takes the log, and a reader of its file."""
        self._log = log
        self._reader = reader

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Puts blank events in the place of theirs."""
        search = partial(_search, self._reader, "events", partial(_blank_event, _by_key(shoppers)))
        return await _erase(self._reader, search, self._log.replace)

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads from the log's beginning on up to the first of the retailer's."""
        return await _oldest_ms(self._reader, "events", _whose_record, retailer_id, before_ms)


class SqliteShopperExperiences:
    """The experience log's part in erasures: what was said of events up to the shoppers' `ShopperErased`."""

    name: Final = "experience log"

    def __init__(self, log: SqliteExperienceLog, reader: Database) -> None:
        """Takes the log, and a reader of its file."""
        self._log = log
        self._reader = reader

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Puts blank records in the place of what was decided about them, and of their failures."""
        search = partial(_search, self._reader, "experiences", partial(_blank_experience, _by_key(shoppers)))
        return await _erase(self._reader, search, self._log.replace)

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads from the log's beginning on up to the first of the retailer's."""
        return await _oldest_ms(self._reader, "experiences", _whose, retailer_id, before_ms)


async def _erase(
    reader: Database,
    search: Callable[[], AsyncIterator[Sequence[Replacement[T]]]],
    replace: Callable[[Sequence[Replacement[T]]], Awaitable[int]],
) -> Visit:
    """Replaces what a search gives, searches again, and leaves no old bytes beside the file."""
    found = removed = left = 0
    async for rows in search():
        found += _count(rows)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            removed += await replace(rows[start : start + _ROWS_AT_ONCE])
    if found:
        async for rows in search():
            left += _count(rows)
    await reader.scrub()
    return Visit(found, removed, left, _WAITS_FOR if left else "")


async def _oldest_ms(
    reader: Database,
    table: Literal["events", "experiences"],
    whose: msgspec.msgpack.Decoder[_Whose] | msgspec.msgpack.Decoder[_WhoseRecord],
    retailer_id: str,
    before_ms: int,
) -> int | None:
    rows = LogRows(table)
    first, more = 0, True
    while more:
        found, more = await reader.read(
            lambda connection, first=first: rows.older(connection, before_ms, first, _ROWS_READ)  # type: ignore[misc]  # mypy can't infer defaults
        )
        for row, received_at_ms in found:
            if any(_is_of(retailer_id, whose, payload) for payload in row.payloads or ()):
                return received_at_ms
            first = row.first + row.records
    return None


def _is_of(
    retailer_id: str,
    whose: msgspec.msgpack.Decoder[_Whose] | msgspec.msgpack.Decoder[_WhoseRecord],
    payload: bytes,
) -> bool:
    try:
        return whose.decode(payload).retailer_id == retailer_id
    except _UNREADABLE:
        return False


async def _search(
    reader: Database, table: Literal["events", "experiences"], blank: Blank[T]
) -> AsyncIterator[Sequence[Replacement[T]]]:
    """Looks through a table from its beginning to its end; gives rows with what is to go in."""
    rows = LogRows(table)
    first: int | None = 0
    while first is not None:
        found, first = await reader.read(partial(_look, rows, first, blank))
        if found:
            yield found


def _look(
    table: LogRows, first: int, blank: Blank[T], connection: sqlite3.Connection
) -> tuple[list[Replacement[T]], int | None]:
    """Reads a slice from an offset on; gives what is to go in, and where the next slice begins, None at the end."""
    found: list[Replacement[T]] = []
    rows = table.read(connection, first, _READ_RECORDS)
    for row in rows:
        blanks = {
            offset: made
            for offset, payload in enumerate(row.payloads or (), start=row.first)
            if (made := blank(offset, payload)) is not None
        }
        if blanks:
            records = {offset: record for offset, (record, _) in blanks.items()}
            found.append(Replacement(row.first, records, {offset: payload for offset, (_, payload) in blanks.items()}))
    return found, rows[-1].first + rows[-1].records if rows else None


def _blank_event(shoppers: Shoppers, offset: int, payload: bytes) -> tuple[Record, bytes] | None:
    try:
        whose = _whose_record.decode(payload)
    except _UNREADABLE:
        return None
    one = shoppers.get(ShopperKey(whose.retailer_id, whose.event.shopper_id))
    if one is None or _stays(one, Position(EPOCH, offset), whose.received_at_ms):
        return None
    record = decode_record(payload)
    return blank_event(record, len(payload)) if isinstance(record, Record) else None


def _blank_experience(shoppers: Shoppers, _offset: int, payload: bytes) -> tuple[Progress, bytes] | None:
    try:
        whose = _whose.decode(payload)
        one = shoppers.get(ShopperKey(whose.retailer_id, whose.shopper))
        record = decode_experience_record(payload) if one is not None else None
    except _UNREADABLE:
        return None
    if one is None or not isinstance(record, Decided | Failed):
        return None
    received_at_ms = record.received_at_ms if isinstance(record, Decided) else record.failed_at_ms
    if _stays(one, record.position, received_at_ms):
        return None
    return blank_experience(len(payload))


def _stays(one: Erased, position: Position, received_at_ms: int) -> bool:
    return position > one.place.position and received_at_ms > one.until_ms


def _by_key(shoppers: Sequence[Erased]) -> Shoppers:
    return {one.key: one for one in shoppers}


def _count(rows: Sequence[Replacement[T]]) -> int:
    return sum(len(row.payloads) for row in rows)
