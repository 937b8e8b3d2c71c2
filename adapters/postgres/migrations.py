"""The schema's numbered files, applied forward only: for `hotbasket migrate`, and for whoever must know the version.

Each file is applied in one transaction and recorded with its digest. Two who migrate at once take turns.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from adapters.postgres.database import Database, Session
from adapters.settings import Settings
from domain.errors import PortError, Refused

SCHEMA_VERSION = 9
"""The highest number of a file that this code knows."""
MIGRATION_S = 600.0
"""Seconds for one statement of a file, and for waiting until somebody else has migrated."""

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_LOCK = 7_309_453_018_624_112_744
"""Key of the advisory lock; any number that nobody else takes."""


class Applied(NamedTuple):
    """One recorded file: its number, name and SHA-256 (hex)."""

    number: int
    name: str
    sha256: str


async def migrate(settings: Settings, files: Sequence[tuple[str, str]]) -> Sequence[str]:
    """Brings the control plane's database to this version: see `apply_files`."""
    return await apply_files(Database(settings), files)


async def apply_files(database: Database, files: Sequence[tuple[str, str]]) -> Sequence[str]:
    """Applies the files that are not applied yet, by number.

    Args:
        database: to which.
        files: name (`0001_control.sql`) and text of each.

    Returns:
        The names applied.

    Raises:
        PortError: the database can't be reached, is newer, or refuses a file; files before that one stay applied.
        Refused: a name is none, two have one number, an applied file has changed or is missing, or one comes too late.
    """
    asked = _numbered(files)
    done: list[str] = []
    async with database.session(statement_s=MIGRATION_S) as session:
        await session.rows("SELECT pg_advisory_lock(%s)", (_LOCK,))
        await session.rows(
            "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL,"
            " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for new, text in _missing(asked, await _applied(session)):
            await _apply(session, new, text)
            done.append(new.name)
    return done


async def schema_version(session: Session) -> int:
    """Gives the highest number applied, 0 where nothing was.

    Raises:
        PortError: the server or the way to it failed.
    """
    ((there,),) = await session.rows("SELECT to_regclass('migrations') IS NOT NULL")
    return max((one.number for one in await _applied(session)), default=0) if there else 0


def schema_fault(version: int, address: str, *, known: int = SCHEMA_VERSION) -> PortError | None:
    """Tells why this code can't work with a schema of that version, None where it can.

    Args:
        version: that is there.
        address: of the database.
        known: the version that this code works with.
    """
    if version < known:
        found = f"has schema version {version}, older than {known}" if version else "has no tables yet"
        return PortError(f"Postgres at {address} {found}: run hotbasket migrate", retriable=False)
    if version > known:
        return _newer(version, known, address)
    return None


def _newer(version: int, known: int, address: str) -> PortError:
    return PortError(
        f"Postgres at {address} has schema version {version}, newer than {known}: run the newer hotbasket",
        retriable=False,
    )


async def _applied(session: Session) -> list[Applied]:
    return [Applied(*row) for row in await session.rows("SELECT number, name, sha256 FROM migrations ORDER BY number")]


def _numbered(files: Sequence[tuple[str, str]]) -> dict[int, tuple[Applied, str]]:
    numbered: dict[int, tuple[Applied, str]] = {}
    for name, text in files:
        match = _NAME.fullmatch(name)
        if match is None:
            raise Refused(
                f"{name} is no name of a migration: write a number of four digits first, like 0001_control.sql"
            )
        number = int(match[1])
        if number in numbered:
            raise Refused(f"{numbered[number][0].name} and {name} have one number: give the later one the next")
        numbered[number] = Applied(number, name, hashlib.sha256(text.encode()).hexdigest()), text
    return dict(sorted(numbered.items()))


def _missing(asked: dict[int, tuple[Applied, str]], applied: Sequence[Applied]) -> list[tuple[Applied, str]]:
    last = applied[-1].number if applied else 0
    known = max(asked, default=0)
    if last > known:
        raise PortError(
            f"the schema has version {last}, newer than {known}, the last file here: run the newer hotbasket",
            retriable=False,
        )
    for old in applied:
        if old.number not in asked:
            raise Refused(f"{old.name} was applied and is not here any more: restore the file")
        now = asked[old.number][0]
        if now.sha256 != old.sha256:
            raise Refused(f"{now.name} has changed since it was applied: restore it, and write changes in a new file")
    numbers = {old.number for old in applied}
    late = [new.name for number, (new, _) in asked.items() if number not in numbers and number < last]
    if late:
        raise Refused(f"{late[0]} comes too late, {last:04} is applied already: give it the next number")
    return [found for number, found in asked.items() if number not in numbers]


async def _apply(session: Session, new: Applied, text: str) -> None:
    try:
        async with session.transaction():
            await session.rows(text)
            await session.rows("INSERT INTO migrations (number, name, sha256) VALUES (%s, %s, %s)", new)
    except PortError as error:
        raise PortError(f"nothing of {new.name} was applied: {error}", retriable=error.retriable) from error
