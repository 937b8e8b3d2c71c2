"""The tables of the log's file: rows that each hold a batch of records, so that a row costs once for many.

Written by the log writer's thread, read by the logs when memory no longer has what a reader wants.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Generic, Literal, NamedTuple, TypeVar

import msgspec

from adapters.sqlite.database import Schema

T = TypeVar("T")
ROW_RECORDS_MAX = 256
ROW_BYTES_MAX = 1_024 * 1_024
"""A row is closed when it holds this many records or bytes: what is unreadable or pruned goes by whole rows."""

_BATCHES = """
CREATE TABLE {name} (
    first_offset INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    received_at_ms INTEGER NOT NULL,
    payloads BLOB NOT NULL
)"""

SCHEMA = Schema(
    version=1,
    statements=(
        _BATCHES.format(name="events"),
        _BATCHES.format(name="experiences"),
        "CREATE TABLE owners (partition INTEGER PRIMARY KEY, token INTEGER NOT NULL, worker_id TEXT NOT NULL)",
    ),
    synchronous="FULL",
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[bytes])


class Row(NamedTuple):
    """A batch of consecutive records.

    Attributes:
        first: offset of its first record.
        records: their number.
        payloads: their bytes, None where the row is unreadable.
        blob: the row's bytes, as they are.
    """

    first: int
    records: int
    payloads: list[bytes] | None
    blob: bytes


class Replacement(NamedTuple, Generic[T]):
    """What takes the place of some of a row's records.

    Attributes:
        first: offset of the row's first record.
        records: by offset.
        payloads: the same, encoded.
    """

    first: int
    records: Mapping[int, T]
    payloads: Mapping[int, bytes]


class LogRows:
    """One of the log's tables.

    Its newest row is never pruned: the next offset is read off it, so no offset is ever given twice.
    """

    def __init__(self, table: Literal["events", "experiences"]) -> None:
        # The name is one of two literals: nothing from outside gets into a statement.
        self._next = f"SELECT first_offset + count FROM {table} ORDER BY first_offset DESC LIMIT 1"  # noqa: S608
        self._insert = f"INSERT INTO {table} VALUES (?, ?, ?, ?)"  # noqa: S608
        self._read = (
            f"SELECT first_offset, count, payloads FROM {table} WHERE first_offset >="  # noqa: S608
            f" COALESCE((SELECT MAX(first_offset) FROM {table} WHERE first_offset <= ?), 0) ORDER BY first_offset"
        )
        self._oldest = (
            f"SELECT first_offset, count, received_at_ms FROM {table} WHERE first_offset <"  # noqa: S608
            f" (SELECT MAX(first_offset) FROM {table}) ORDER BY first_offset LIMIT ?"
        )
        self._since = (
            f"SELECT first_offset, count, payloads FROM {table} WHERE received_at_ms >= ? ORDER BY first_offset"  # noqa: S608
        )
        self._oldest_first = (
            f"SELECT first_offset, count, payloads, received_at_ms FROM {table} WHERE first_offset >= ?"  # noqa: S608
            " ORDER BY first_offset LIMIT ?"
        )
        self._newest = (
            f"SELECT first_offset, count, payloads, received_at_ms FROM {table} ORDER BY first_offset DESC LIMIT 1"  # noqa: S608
        )
        self._one = f"SELECT count, payloads FROM {table} WHERE first_offset = ?"  # noqa: S608
        self._update = f"UPDATE {table} SET payloads = ? WHERE first_offset = ?"  # noqa: S608
        self._delete = f"DELETE FROM {table} WHERE first_offset = ?"  # noqa: S608

    def next_offset(self, connection: sqlite3.Connection) -> int:
        """Gives the offset of the next record, from 0."""
        row = connection.execute(self._next).fetchone()
        return 0 if row is None else int(row[0])

    def insert(self, connection: sqlite3.Connection, payloads: Sequence[bytes], received_at_ms: int) -> int:
        """Adds records at the end, in the caller's transaction, and gives the first one's offset."""
        first = offset = self.next_offset(connection)
        for batch in _rows_of(payloads):
            connection.execute(self._insert, (offset, len(batch), received_at_ms, _encoder.encode(batch)))
            offset += len(batch)
        return first

    def read(self, connection: sqlite3.Connection, first: int, records_max: int) -> list[Row]:
        """Gives whole rows from the one that holds offset `first` on, oldest first, until they hold enough records."""
        rows: list[Row] = []
        wanted = first + records_max
        for offset, count, blob in connection.execute(self._read, (first,)):
            if offset + count > first:
                rows.append(Row(offset, count, _payloads(blob, count), blob))
            if offset + count >= wanted:
                break
        return rows

    def since(self, connection: sqlite3.Connection, received_ms: int) -> Iterator[Row]:
        """Gives every row whose latest record was received at that time or later, oldest first."""
        for offset, count, blob in connection.execute(self._since, (received_ms,)):
            yield Row(offset, count, _payloads(blob, count), blob)

    def replace(self, connection: sqlite3.Connection, first: int, payloads: Mapping[int, bytes]) -> int:
        """Puts other bytes in the place of some of a row's records, in the caller's transaction.

        Where they are as long as what was there, SQLite overwrites it on the spot.

        Args:
            first: offset of the row's first record.
            payloads: by offset.

        Returns:
            How many; none where the row was pruned, or can't be read.
        """
        row = connection.execute(self._one, (first,)).fetchone()
        held = _payloads(row[1], row[0]) if row is not None else None
        if held is None:
            return 0
        for offset, payload in payloads.items():
            held[offset - first] = payload
        connection.execute(self._update, (_encoder.encode(held), first))
        return len(payloads)

    def older(
        self, connection: sqlite3.Connection, before_ms: int, first: int, rows_max: int
    ) -> tuple[list[tuple[Row, int]], bool]:
        """Gives the oldest rows from an offset on up to the first that was received at a time or later.

        Returns:
            Rows, each with when its latest record was received, and whether there may be more.
        """
        found = connection.execute(self._oldest_first, (first, rows_max)).fetchall()
        old = [
            (Row(offset, count, _payloads(blob, count), blob), received_at_ms)
            for offset, count, blob, received_at_ms in takewhile(lambda row: row[3] < before_ms, found)
        ]
        return old, len(old) == rows_max

    def newest(self, connection: sqlite3.Connection, before_ms: int, through: int) -> Row | None:
        """Gives the newest row if it was received before a time and does not reach beyond an offset."""
        found = connection.execute(self._newest).fetchone()
        if found is None:
            return None
        offset, count, blob, received_at_ms = found
        is_over = received_at_ms < before_ms and offset + count - 1 <= through
        return Row(offset, count, _payloads(blob, count), blob) if is_over else None

    def prune(self, connection: sqlite3.Connection, before_ms: int, through: int, rows_max: int) -> tuple[int, bool]:
        """Removes the oldest rows of which all records are at or below an offset and were received before a time.

        Returns:
            Records removed, and whether more may be left.
        """
        # The oldest rows alone are looked at, up to the first that stays: the log is long, and appends are waiting.
        oldest = connection.execute(self._oldest, (rows_max,)).fetchall()
        old = list(takewhile(lambda row: row[0] + row[1] - 1 <= through and row[2] < before_ms, oldest))
        for offset, _, _ in old:
            connection.execute(self._delete, (offset,))
        return sum(count for _, count, _ in old), len(old) == rows_max


def _rows_of(payloads: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    if len(payloads) <= ROW_RECORDS_MAX and sum(map(len, payloads)) <= ROW_BYTES_MAX:
        yield payloads
        return
    start = size = 0
    for index, payload in enumerate(payloads):
        if index > start and (index - start == ROW_RECORDS_MAX or size + len(payload) > ROW_BYTES_MAX):
            yield payloads[start:index]
            start, size = index, 0
        size += len(payload)
    yield payloads[start:]


def _payloads(blob: bytes, count: int) -> list[bytes] | None:
    try:
        payloads = _decoder.decode(blob)
    except (msgspec.MsgspecError, TypeError):
        return None
    return payloads if len(payloads) == count else None
