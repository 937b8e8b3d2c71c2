"""What databases hold, value by value, with what is packed in a value, so that two databases can be compared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql

from adapters.vault_keys import VaultKeys
from domain.ports.reward_vault import Payout

Atom = str | int | float
NAME_LENGTH_MIN = 8
"""Text shorter than this is looked for as a whole value only: it may stand inside another word by chance."""
_UUID_BYTES = 16


class Cell(NamedTuple):
    """One value of one row; `column` is the table's name, a dot, the column's."""

    column: str
    value: Any  # Any: whatever a database holds


def in_sqlite(paths: Iterable[Path]) -> list[Cell]:
    """Gives all cells of all tables of these files, as another process sees them."""
    cells = []
    for path in paths:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for (table,) in tables:
                rows = connection.execute(f'SELECT * FROM "{table}"')
                names = [f"{path.stem}.{table}.{column}" for column, *_ in rows.description]
                cells += [Cell(name, value) for row in rows for name, value in zip(names, row, strict=True)]
    return cells


def in_postgres(address: str, user: str) -> list[Cell]:
    """Gives all cells of all tables of a database."""
    cells = []
    with psycopg.connect(address, user=user) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            names = [f"{table}.{column.name}" for column in rows.description or ()]
            cells += [Cell(name, value) for row in rows for name, value in zip(names, row, strict=True)]
    return cells


def opened(payouts: Iterable[Payout]) -> list[Cell]:
    """Gives what whoever has the vault's secret sees in it."""
    return [Cell(f"opened.{name}", value) for payout in payouts for name, value in msgspec.to_builtins(payout).items()]


def atoms(cells: Iterable[Cell]) -> set[Atom]:
    """Gives every text and number in cells, and in what is packed in them; bytes as hexadecimal digits or a UUID."""
    return {atom for cell in cells for atom in _atoms(cell.value)}


def shared(vault: Iterable[Cell], others: Iterable[Cell]) -> set[Atom]:
    """Gives the values that stand on both sides, and the texts of one that stand inside a text of the other."""
    ours, theirs = atoms(vault), atoms(others)
    return (ours & theirs) | _inside(ours, theirs) | _inside(theirs, ours)


def forms_of(keys: VaultKeys, experience_id: str) -> Mapping[str, str]:
    """Gives what leads from an experience that won to its row, and what signs and makes that."""
    claim_id = keys.claims.claim_id(experience_id)
    return {
        "claim id": claim_id,
        "payout id": keys.payout_id(claim_id),
        "key of tokens": keys.claims.tokens.hex(),
        "key of claim ids": keys.claims.ids.hex(),
    }


def _inside(names: AbstractSet[Atom], texts: AbstractSet[Atom]) -> set[Atom]:
    whole = "\n".join(text for text in texts if isinstance(text, str))
    return {name for name in names if isinstance(name, str) and len(name) >= NAME_LENGTH_MIN and name in whole}


def _atoms(value: Any) -> Iterator[Atom]:
    match value:
        case None | bool():
            return
        case int() | float():
            yield value
        case str():
            yield value
            if value[:1] in ("{", "["):
                yield from _unpacked(value.encode(), msgspec.json.decode)
        case bytes():
            yield str(UUID(bytes=value)) if len(value) == _UUID_BYTES else value.hex()
            yield from _text(value)
            yield from _unpacked(value, msgspec.json.decode)
            yield from _unpacked(value, msgspec.msgpack.decode)
        case Mapping():
            for key, part in value.items():
                yield from _atoms(key)
                yield from _atoms(part)
        case list() | tuple():
            for part in value:
                yield from _atoms(part)
        case msgspec.msgpack.Ext():
            yield from _atoms(value.data)
        case _:
            yield str(value)


def _text(value: bytes) -> Iterator[str]:
    try:
        yield value.decode()
    except UnicodeDecodeError:
        return


def _unpacked(packed: bytes, decode: Any) -> Iterator[Atom]:
    """The atoms of a list or an object; what is neither was no packed value."""
    try:
        found = decode(packed)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return
    if isinstance(found, Mapping | list):
        yield from _atoms(found)
