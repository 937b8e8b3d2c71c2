"""One SQLite file: opened with the right pragmas, checked, brought to its schema, and used from a thread of its own.

Every embedded adapter opens its file here, and here alone SQLite's errors become the ports' errors.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from domain.errors import PortError

T = TypeVar("T")

CHECK_BYTES_MAX = 16 * 1_024 * 1_024
"""A file up to this size is checked whole when it is opened (milliseconds); a larger one would delay the start."""
WAL_PAGES = 1_000
"""Pages (4 KiB each) in the write-ahead log before they are moved into the file: a short stall each 4 MB. 16 MB at once
made appends wait 28 ms instead of 8, for no less work."""
WAL_BYTES_KEPT = 64 * 1_024 * 1_024
"""A write-ahead log that grew beyond this is cut back after the next checkpoint."""
_CUT_WAITS_MS = 100
"""Milliseconds for which the cut of a write-ahead log waits for readers: writers wait behind it."""


class Schema(NamedTuple):
    """The tables of one file.

    Attributes:
        version: kept in the file's `user_version`; a file of a newer one is refused.
        statements: that make the tables of an empty file, as they were before any upgrade.
        synchronous: FULL survives a power cut; NORMAL survives a killed process and loses at most the newest commits
            in a power cut, which suits what the log refills.
        upgrades: each brings the version before it to the next, the last one to `version`.
    """

    version: int
    statements: tuple[str, ...]
    synchronous: Literal["FULL", "NORMAL"]
    upgrades: tuple[tuple[str, ...], ...] = ()

    def steps_from(self, found: int) -> Iterator[str]:
        """Gives the statements that bring a file of an older version here; an empty file goes the whole way."""
        oldest = self.version - len(self.upgrades)
        if found < oldest:
            yield from self.statements
        for upgrade in self.upgrades[max(0, found - oldest) :]:
            yield from upgrade


def open_connection(path: Path, schema: Schema, *, busy_s: float, check: bool = True) -> sqlite3.Connection:
    """Opens a file, made if it is absent, in autocommit mode, for use by one thread at a time.

    Args:
        check: look for damage too; a second connection to the same file need not.

    Raises:
        PortError: not retriable: the file is damaged, of a newer version, or may not be opened.
    """
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        connection.execute(f"PRAGMA synchronous={schema.synchronous}")
        connection.execute("PRAGMA secure_delete=ON").fetchone()
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}").fetchone()
        connection.execute(f"PRAGMA journal_size_limit={WAL_BYTES_KEPT}").fetchone()
        if check and path.stat().st_size <= CHECK_BYTES_MAX:
            _refuse_damage(connection, path)
        _bring_to_schema(connection, path, schema)
    except (sqlite3.Error, OSError) as error:
        if connection is not None:
            connection.close()
        if is_damage(error):
            raise damaged(path, str(error)) from error
        raise PortError(
            f"can't open {path}: {error}; check the folder's permissions and space", retriable=False
        ) from error
    except PortError:
        assert connection is not None
        connection.close()
        raise
    return connection


def damaged(path: Path, what: str) -> PortError:
    """Gives the error for a file whose content can't be trusted."""
    return PortError(
        f"{path} is damaged ({what}): put a backup in its place, or move it and its -wal and -shm files away to start"
        " without it",
        retriable=False,
    )


def port_error(error: sqlite3.Error, path: Path) -> PortError:
    """Gives the port's error for SQLite's: what another process or a full disk caused is worth another try."""
    if is_damage(error):
        return damaged(path, str(error))
    if isinstance(error, sqlite3.OperationalError):
        return PortError(f"{path} can't be used now ({error}); free disk space if it is full", retriable=True)
    return PortError(f"{path} refused a statement ({type(error).__name__}: {error})", retriable=False)


@contextmanager
def transaction(connection: sqlite3.Connection, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[None]:
    """Runs a block in one transaction: commits at its end, rolls back on any error."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back by itself after some errors, a full disk among them.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def soil(connection: sqlite3.Connection) -> None:
    """Notes, in the transaction that deletes, that bytes of what it deletes may be left: `Database.scrub` removes them.

    `secure_delete` overwrites a row where it stands, and no copy that was left behind when a full page was split and
    the row moved to another.
    """
    connection.execute("PRAGMA application_id=1")


class Database:
    """A file with one connection and one thread, so that its work is done in order and off the event loop."""

    def __init__(self, path: Path, schema: Schema, *, busy_s: float, check: bool = True) -> None:
        """Opens the file.

        Raises:
            PortError: see `open_connection`.
        """
        self.path = path
        self._connection = open_connection(path, schema, busy_s=busy_s, check=check)
        self._busy_ms = round(busy_s * 1_000)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"sqlite-{path.stem}")

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in one transaction, so that all its reads see the same moment.

        Raises:
            PortError: SQLite failed.
        """
        return await self._run(work, "DEFERRED")

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Runs `work` in one transaction that is durable when this returns, or that left no trace.

        Raises:
            PortError: SQLite failed.
        """
        return await self._run(work, "IMMEDIATE")

    async def scrub(self) -> None:
        """Leaves nothing of what was deleted in the file, written anew if it is soiled, and cuts its write-ahead log.

        While somebody reads the file the log stays as it is, and so does a soiled file's note: the next call goes on.

        Raises:
            PortError: SQLite failed; the call may be repeated.
        """

        def work(connection: sqlite3.Connection) -> None:
            (is_soiled,) = connection.execute("PRAGMA application_id").fetchone()
            if is_soiled:
                connection.execute("VACUUM")
            connection.execute(f"PRAGMA busy_timeout={_CUT_WAITS_MS}").fetchone()
            try:
                (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                connection.execute(f"PRAGMA busy_timeout={self._busy_ms}").fetchone()
            if is_soiled and not is_busy:
                connection.execute("PRAGMA application_id=0")

        await self._run(work, None)

    def close(self) -> None:
        """Finishes the work accepted so far and closes the file; may be repeated."""
        self._thread.shutdown(wait=True)
        self._connection.close()

    async def _run(self, work: Callable[[sqlite3.Connection], T], kind: Literal["IMMEDIATE", "DEFERRED"] | None) -> T:
        def job() -> T:
            try:
                with transaction(self._connection, kind) if kind is not None else nullcontext():
                    return work(self._connection)
            except sqlite3.Error as error:
                raise port_error(error, self.path) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, job)


def is_damage(error: BaseException | None) -> bool:
    """Tells whether an error says that a file's content can't be trusted."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _refuse_damage(connection: sqlite3.Connection, path: Path) -> None:
    (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise damaged(path, " ".join(str(found).split()))


def _bring_to_schema(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    if _version(connection) != schema.version:
        # Another process may be making the tables at this moment: look again behind its lock.
        with transaction(connection):
            found = _version(connection)
            if found > schema.version:
                raise PortError(
                    f"{path} has schema version {found}, newer than {schema.version}: run the newer hotbasket",
                    retriable=False,
                )
            if found < schema.version:
                for statement in schema.steps_from(found):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version={schema.version}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
