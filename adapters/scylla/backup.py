"""Copies the hot store's rows with their timestamps and the rest of their lives, and puts them into empty tables.

A row keeps the timestamp that says what it is as of (docs/adr/0008): what is written afterwards wins or loses against
it as it would have. And it keeps the day of its end: no restore prolongs a life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple

import msgspec
from cassandra.util import Date

from adapters.erased_shoppers import Buried, ErasedShoppers
from adapters.scylla.failed_events import STATEMENTS as FAILED_STATEMENTS
from adapters.scylla.session import Row, Session
from adapters.scylla.timestamps import delete_timestamp
from adapters.sealed_parts import Sink
from domain.errors import PortError, Refused
from domain.ports.clock import Clock
from domain.ports.failed_events import FailedEvent

_ROWS_MAX: Final = 50
_MS: Final = 1_000
_DAY_MS: Final = 86_400_000
_SIZE_BYTES: Final = 4
_FOR_GOOD: Final = 0


class Table(NamedTuple):
    """A table's columns.

    Attributes:
        name: of the table.
        place: of the table partition; `key`: the rest of the primary key; `values`: what is not in it, the row's
            timestamp being that of the last.
    """

    name: str
    place: tuple[str, ...]
    key: tuple[str, ...]
    values: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All, in the order of a copied row."""
        return (*self.place, *self.key, *self.values)


TABLES: Final = (
    Table("watermarks", ("partition",), (), ("watermark_ms",)),
    Table("snapshot_heads", ("partition",), (), ("position",)),
    Table("timers", ("partition",), ("retailer_id", "shopper"), ("due_at_ms",)),
    Table("snapshots", ("retailer_id", "slot"), ("shopper",), ("snapshot",)),
    Table("trees", ("retailer_id", "slot"), ("shopper", "generation"), ("tree",)),
    # Their index by day is made of them.
    Table("failed_events", ("failed_id",), (), ("expires_at_ms", "event")),
    Table("events", ("retailer_id", "day", "partition"), ("shopper", "event_id"), ("event",)),
    Table("decided", ("retailer_id", "day", "partition"), ("shopper", "trigger_event_id"), ("record",)),
)


def _statements(table: Table) -> dict[str, str]:
    columns, place, last = ", ".join(table.columns), ", ".join(table.place), table.values[-1]
    marks = ", ".join("?" * len(table.columns))
    of = f"{{keyspace}}.{table.name}"
    return {
        f"copy_{table.name}": f"SELECT {columns}, WRITETIME({last}), TTL({last}) FROM {of}"  # noqa: S608 - names above
        f" WHERE token({place}) > ? AND token({place}) <= ?",
        f"fill_{table.name}": f"INSERT INTO {of} ({columns}) VALUES ({marks}) USING TIMESTAMP ? AND TTL ?",  # noqa: S608
        f"any_{table.name}": f"SELECT {place} FROM {of} LIMIT 1",  # noqa: S608
    }


STATEMENTS: Final = {name: cql for table in TABLES for name, cql in _statements(table).items()} | {
    "index_failed": FAILED_STATEMENTS["index_failed"]
}
_encoder = msgspec.msgpack.Encoder()
_rows = msgspec.msgpack.Decoder(list[list[Any]])  # Any: columns are of many types
_failed = msgspec.msgpack.Decoder(FailedEvent)


async def dump(
    session: Session,
    clock: Clock,
    part: Callable[[str], AbstractContextManager[Sink]],
    seen: Callable[[int, int], None],
) -> int:
    """Writes a part for each table, and gives how many rows; snapshots before the events that they are made from.

    Raises:
        PortError: the store can't be read now.
        Refused: a part can't be written.
    """
    count = 0
    for number, table in enumerate(TABLES, start=1):
        with part(table.name) as sink:
            async for page in session.scan(f"copy_{table.name}"):
                now_s = clock.now_ms() // _MS
                rows = [_copied(row, now_s) for row in page]
                count += len(rows)
                if rows:
                    frame = _encoder.encode(rows)
                    sink.write(len(frame).to_bytes(_SIZE_BYTES, "big") + frame)
        seen(number, len(TABLES))
    return count


async def load(
    session: Session,
    clock: Clock,
    parts: Mapping[str, Iterable[bytes]],
    erased: ErasedShoppers,
    seen: Callable[[int, int], None],
) -> int:
    """Fills empty tables, but for rows whose life is over and for shoppers who were erased since; gives how many.

    Raises:
        PortError: the store can't be written; empty its tables and begin again.
        Refused: a table holds rows, or a part is damaged.
    """
    for table in TABLES:
        (found,) = await session.read(f"any_{table.name}", [()])
        if found:
            raise Refused(f"the table {table.name} holds rows already: restore into an empty keyspace, or TRUNCATE it")
    count = 0
    for number, table in enumerate(TABLES, start=1):
        for rows in _frames(table.name, parts.get(table.name, ())):
            kept = [row for row in _living(rows, clock.now_ms() // _MS) if not _is_erased(table, row, erased)]
            await _fill(session, table, kept)
            count += len(kept)
        seen(number, len(TABLES))
    return count


async def _fill(session: Session, table: Table, rows: Sequence[Row]) -> None:
    if table.name == "failed_events":
        # The index first: whoever finds an event by it finds the event.
        index = [_index_row(row) for row in rows]
        await session.write("index_failed", index)
    places: dict[Row, list[Row]] = {}
    for row in rows:
        places.setdefault(tuple(row[: len(table.place)]), []).append(_filled(table, row))
    blob_at = len(table.columns) - 1
    await session.write_batches(
        f"fill_{table.name}",
        places.values(),
        rows_max=_ROWS_MAX,
        blob_at=blob_at if rows and isinstance(rows[0][blob_at], bytes) else None,
    )


def _copied(row: Row, now_s: int) -> list[Any]:  # Any: columns are of many types
    """Gives a row as it is kept: days as numbers, and when it ends instead of how long it has."""
    *values, timestamp, ttl_s = row
    plain = [value.days_from_epoch if isinstance(value, Date) else value for value in values]
    return [*plain, timestamp, None if ttl_s is None else now_s + ttl_s]


def _living(rows: Iterable[Sequence[Any]], now_s: int) -> Iterator[Row]:  # Any: see `_copied`
    """Gives the rows whose life is not over, with the rest of it."""
    for *values, timestamp, ends_s in rows:
        if ends_s is None:
            yield (*values, timestamp, _FOR_GOOD)
        elif ends_s > now_s:
            yield (*values, timestamp, ends_s - now_s)


def _filled(table: Table, row: Row) -> Row:
    if "day" not in table.place:
        return row
    at = table.place.index("day")
    return (*row[:at], Date(row[at]), *row[at + 1 :])


def _index_row(row: Row) -> Row:
    event = _failed.decode(row[2])
    return (event.retailer_id, Date(event.failed_at_ms // _DAY_MS), event.failed_at_ms, event.failed_id, *row[-2:])


def _is_erased(table: Table, row: Row, erased: ErasedShoppers) -> bool:
    if table.name == "failed_events":
        event = _failed.decode(row[2])
        buried = erased.of(event.retailer_id, event.shopper)
        return buried is not None and (event.position <= buried.place.position or event.failed_at_ms <= buried.at_ms)
    if "shopper" not in table.columns:
        return False
    named = dict(zip(table.columns, row, strict=False))
    buried = erased.of(named["retailer_id"], named["shopper"])
    return buried is not None and _is_older(table, row[-2], buried)


def _is_older(table: Table, timestamp: int, buried: Buried) -> bool:
    """Tells whether a row is of the shopper who was erased, and not of one who came back."""
    match table.name:
        case "events" | "decided":
            return timestamp <= buried.at_ms * _MS
        case "snapshots" | "timers":
            return timestamp < delete_timestamp(buried.place.position)
        case _:
            # No tree says what it was grown from.
            return True


def _frames(name: str, pieces: Iterable[bytes]) -> Iterator[list[list[Any]]]:  # Any: see `_copied`
    """Gives the pages of a part."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= _SIZE_BYTES:
            end = _SIZE_BYTES + int.from_bytes(held[:_SIZE_BYTES], "big")
            if len(held) < end:
                break
            try:
                yield _rows.decode(held[_SIZE_BYTES:end])
            except msgspec.MsgspecError as error:
                raise PortError(f"the copy of {name} can't be read: {error}", retriable=False) from error
            del held[:end]
    if held:
        raise Refused(f"the copy of {name} ends within a row: restore another backup")
