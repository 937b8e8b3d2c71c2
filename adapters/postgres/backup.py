"""Copies the tables of a Postgres database as of one moment, and puts them into one whose tables are empty.

By COPY over our own connection: what runs hotbasket needs no client tools of the server's version beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from adapters.postgres.database import Database, Session
from adapters.postgres.migrations import schema_fault, schema_version
from adapters.sealed_parts import Sink
from domain.errors import Refused

COPY_S: Final = 3_600.0
"""Seconds for one table."""
_NOT_COPIED: Final = ("gateway_words", "migrations")
"""What gateways said a moment ago, and what `migrate` has noted of this very database."""
_FILLED: Final = "versions"
"""Has rows in an empty database."""
_FIRST: Final = "retailers"
"""Others refer to it."""
_LINE: Final = b"\n"


async def dump(
    database: Database,
    known: int,
    part: Callable[[str], AbstractContextManager[Sink]],
    seen: Callable[[int, int], None],
) -> None:
    """Writes a part for each table, all as of one moment; nobody else waits.

    Args:
        database: which.
        known: the version of the schema that this code knows.
        part: gives where a table's rows go; they begin with a line that names its columns.
        seen: told how many tables are done, of how many.

    Raises:
        PortError: the server or the way to it failed, or the schema is of another version.
        Refused: a part can't be written.
    """
    async with (
        database.session(statement_s=COPY_S) as session,
        session.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
    ):
        await _check_version(session, database, known)
        tables = await _tables(session)
        for number, (table, columns) in enumerate(tables.items(), start=1):
            with part(table) as sink:
                sink.write(msgspec.json.encode(columns) + _LINE)
                async for piece in session.copy_out(table, columns):
                    sink.write(piece)
            seen(number, len(tables))


async def load(
    database: Database, known: int, parts: Mapping[str, Iterable[bytes]], seen: Callable[[int, int], None]
) -> None:
    """Fills a database that `migrate` has made, in one transaction.

    Args:
        database: which.
        known: the version of the schema that this code knows, and that was copied.
        parts: by table what `dump` has written.
        seen: told how many tables are done, of how many.

    Raises:
        PortError: the server or the way to it failed, or the schema is of another version; nothing was changed.
        Refused: a table holds rows, or a part is damaged; nothing was changed.
    """
    async with database.session(statement_s=COPY_S) as session:
        await _check_version(session, database, known)
        there = await _tables(session)
        unknown = sorted(parts.keys() - there.keys())
        if unknown:
            raise Refused(f"Postgres at {database.address} has no table {unknown[0]}: run hotbasket migrate")
        async with session.transaction():
            for table in there:
                if table != _FILLED:
                    await _refuse_rows(session, table, database.address)
            if _FILLED in parts:
                await session.rows("DELETE FROM versions")
            for number, table in enumerate(sorted(parts, key=lambda name: (name != _FIRST, name)), start=1):
                columns, rows = _split(parts[table])
                await session.copy_in(table, columns, rows)
                seen(number, len(parts))
            if "audit" in parts:
                await session.rows(
                    "SELECT setval(pg_get_serial_sequence('audit', 'number'),"
                    " coalesce(max(number), 0) + 1, false) FROM audit"
                )
            if _FILLED in parts:
                # Whoever runs already looks at what was restored.
                await session.rows("UPDATE versions SET version = version + 1")


async def _check_version(session: Session, database: Database, known: int) -> None:
    fault = schema_fault(await schema_version(session), database.address, known=known)
    if fault is not None:
        raise fault


async def _tables(session: Session) -> dict[str, list[str]]:
    """Gives the columns of each table that is copied, by name."""
    tables: dict[str, list[str]] = {}
    for table, column in await session.rows(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables"
        " USING (table_catalog, table_schema, table_name)"
        " WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name, ordinal_position"
    ):
        if table not in _NOT_COPIED:
            tables.setdefault(table, []).append(column)
    return tables


async def _refuse_rows(session: Session, table: str, address: str) -> None:
    async for _ in session.copy_out(table, await _columns(session, table)):
        raise Refused(f"Postgres at {address} holds rows already ({table}): restore into a database of its own")


async def _columns(session: Session, table: str) -> list[str]:
    return (await _tables(session))[table]


def _split(pieces: Iterable[bytes]) -> tuple[list[str], Iterator[bytes]]:
    """Gives the columns that a part's first line names, and the rest."""
    rest = iter(pieces)
    head = b""
    while _LINE not in head:
        piece = next(rest, None)
        if piece is None:
            raise Refused("a table's copy ends within its first line: restore another backup")
        head += piece
    line, _, rows = head.partition(_LINE)

    def following() -> Iterator[bytes]:
        yield rows
        yield from rest

    return msgspec.json.decode(line, type=list[str]), following()
