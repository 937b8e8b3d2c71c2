"""One Postgres database: connections with the right settings, and statements that end in time whatever happens.

A connection is opened for each change and closed after it, and one is kept by whoever looks often. That is a few
milliseconds slower than a pool, for changes that people make, and says the true cause at once when there is none.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from typing import Any, LiteralString, NamedTuple
from urllib.parse import urlsplit

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from adapters.postgres.faults import (
    CONTROL_PLANE,
    CannotConnect,
    connection_fault,
    port_error,
    silent_fault,
    untrusted_fault,
)
from adapters.postgres.handshake import why_untrusted
from adapters.settings import Settings
from domain.errors import Refused

Row = tuple[Any, ...]  # Any: a row has the types of its statement; each caller names what it takes out
Value = str | int | bytes | None | Sequence[str] | Sequence[int]

CONNECTIONS_MAX = 3
"""Changes of one process at once, besides the connection that looks for changes; more wait."""
ROWS_MAX = 1_000
"""Rows taken or given at once: about 2 ms of the event loop."""
IDLE_IN_TRANSACTION_MS = 10_000
"""After which the server lets go of the locks of a client that vanished within a transaction."""
_GRACE_S = 0.5
"""Beyond the server's own limit of a statement, before we cut the connection: its answer says more than our cut."""


class Access(NamedTuple):
    """Where a database is, and as whom to go there.

    Attributes:
        variable: how the settings that say so begin.
        url: `postgresql://host:port/database`; empty = nowhere.
        user, password: of the role.
        ca_file: PEM file that signs the server's certificate; empty = no TLS.
        timeout_s: seconds for connecting, and for one statement.
    """

    variable: str
    url: str
    user: str
    password: SecretStr
    ca_file: str
    timeout_s: float


def control_plane(settings: Settings) -> Access:
    """Gives the way to the control plane's database."""
    return Access(
        variable=CONTROL_PLANE,
        url=settings.postgres,
        user=settings.postgres_user,
        password=settings.postgres_password,
        ca_file=settings.postgres_ca_file,
        timeout_s=settings.postgres_timeout_s,
    )


class Session:
    """One connection; any error leaves it unusable: close it, which undoes an open transaction."""

    def __init__(
        self, connection: psycopg.AsyncConnection[Row], address: str, statement_s: float, variable: str
    ) -> None:
        """Takes an open connection in autocommit mode."""
        self._connection = connection
        self._address = address
        self._variable = variable
        self._answer_s = statement_s + _GRACE_S
        self._is_cut = False

    async def rows(self, query: LiteralString, parameters: Sequence[Value] = ()) -> list[Row]:
        """Runs a statement and gives its rows, none if it has no result.

        Raises:
            PortError: the server or the way to it failed.
            Refused: a value can't be stored.
        """
        with self._answer():
            # Without parameters the simple protocol is used, which takes several statements at once.
            cursor = await self._connection.execute(query, parameters or None)
            return await cursor.fetchall() if cursor.description else []

    async def count(self, query: LiteralString, parameters: Sequence[Value] = ()) -> int:
        """Runs a statement and gives how many rows it touched.

        Raises:
            PortError: the server or the way to it failed.
            Refused: a value can't be stored.
        """
        with self._answer():
            return (await self._connection.execute(query, parameters)).rowcount

    async def slices(self, query: LiteralString, parameters: Sequence[Value] = ()) -> AsyncIterator[list[Row]]:
        """Gives a large result in slices of `ROWS_MAX`, within a transaction, so that none holds the event loop long.

        Raises:
            PortError: the server or the way to it failed.
        """
        declare: LiteralString = "DECLARE slices NO SCROLL CURSOR FOR "
        fetch: LiteralString = f"FETCH {ROWS_MAX} FROM slices"
        await self.rows(declare + query, parameters)
        while found := await self.rows(fetch):
            yield found
        await self.rows("CLOSE slices")

    async def copy(self, query: LiteralString, rows: Iterator[Sequence[Value]]) -> None:
        """Sends rows by `COPY ... FROM STDIN`; others on this event loop get their turn every `ROWS_MAX`.

        Raises:
            PortError: the server or the way to it failed.
            Refused: a value can't be stored.
        """
        with self._answer():
            async with self._connection.cursor().copy(query) as copy:
                while some := list(islice(rows, ROWS_MAX)):
                    for row in some:
                        await copy.write_row(row)
                    await asyncio.sleep(0)

    async def copy_out(self, table: str, columns: Sequence[str]) -> AsyncIterator[bytes]:
        """Gives a table by `COPY ... TO STDOUT`, piece by piece.

        Raises:
            PortError: the server or the way to it failed.
        """
        query = sql.SQL("COPY {} ({}) TO STDOUT").format(*_names(table, columns))
        with self._answer():
            async with self._connection.cursor().copy(query) as copy:
                async for piece in copy:
                    yield bytes(piece)

    async def copy_in(self, table: str, columns: Sequence[str], pieces: Iterator[bytes]) -> None:
        """Sends what `copy_out` gave.

        Raises:
            PortError: the server or the way to it failed.
        """
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(*_names(table, columns))
        with self._answer():
            async with self._connection.cursor().copy(query) as copy:
                for piece in pieces:
                    await copy.write(piece)

    @asynccontextmanager
    async def transaction(self, begin: LiteralString = "BEGIN") -> AsyncIterator[None]:
        """Commits at the end of a block; after an error, `close` undoes it.

        Raises:
            PortError: at the end: it may be committed or not.
        """
        await self.rows(begin)
        yield
        await self.rows("COMMIT")

    def cut(self) -> None:
        """Ends the connection under a statement in flight, which then fails at once."""
        if not self._connection.closed:
            self._is_cut = True
            # A cancelled statement would ask the server to stop it first, which a dead server never does.
            with socket.socket(fileno=os.dup(self._connection.fileno())) as line:
                try:
                    line.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # the other side was faster

    async def close(self) -> None:
        """Closes the connection; may be repeated."""
        await self._connection.close()

    @contextmanager
    def _answer(self) -> Iterator[None]:
        timer = asyncio.get_running_loop().call_later(self._answer_s, self.cut)
        try:
            yield
        except psycopg.Error as error:
            cut_after_s = self._answer_s if self._is_cut else None
            raise port_error(error, self._address, cut_after_s=cut_after_s, variable=self._variable) from error
        except UnicodeEncodeError as error:
            raise Refused(f"a text can't be stored ({error.reason}): remove what is no Unicode") from error
        finally:
            timer.cancel()


def _names(table: str, columns: Sequence[str]) -> tuple[sql.Composable, sql.Composable]:
    return sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))


def in_postgres(query: LiteralString) -> LiteralString:
    """Gives a statement that SQLite is asked in the same words, where a parameter is written `?`."""
    return query.replace("?", "%s")


class Database:
    """How to reach one database; nothing is connected before it is asked for."""

    def __init__(self, where: Settings | Access) -> None:
        """Takes where it is; settings say where the control plane's is.

        Raises:
            Refused: there is no address.
        """
        access = where if isinstance(where, Access) else control_plane(where)
        if not access.url:
            raise Refused(f"{access.variable} is empty: write postgresql://host:port/database")
        parts = urlsplit(access.url)
        self._access = access
        self._host, self._port = parts.hostname or "", parts.port or 5_432
        self.database = parts.path.removeprefix("/")
        self.server = f"{self._host}:{self._port}"
        self.address = f"{self.server}/{self.database}"
        self._free = asyncio.Semaphore(CONNECTIONS_MAX)

    @asynccontextmanager
    async def session(self, *, statement_s: float | None = None) -> AsyncIterator[Session]:
        """Gives a connection of its own for a block, at most `CONNECTIONS_MAX` at once.

        Args:
            statement_s: seconds for one statement; otherwise the setting.

        Raises:
            CannotConnect: there is none.
        """
        async with self._free:
            session = await self.open(statement_s=statement_s)
            try:
                yield session
            finally:
                await session.close()

    async def open(self, *, statement_s: float | None = None) -> Session:
        """Opens a connection, to be closed by who asked for it.

        Raises:
            CannotConnect: there is none, in the access's `timeout_s` at most.
        """
        timeout_s, variable = self._access.timeout_s, self._access.variable
        statement_s = statement_s or timeout_s
        secrets = (self._access.password.get_secret_value(),)
        try:
            async with asyncio.timeout(timeout_s):
                connection = await psycopg.AsyncConnection.connect(
                    autocommit=True, prepare_threshold=None, conninfo=self._conninfo(statement_s)
                )
        except TimeoutError:
            raise CannotConnect(self.address, silent_fault(timeout_s, variable)) from None
        except psycopg.Error as error:
            # Not chained: the driver's error holds the password.
            fault = connection_fault(error, secrets, timeout_s=timeout_s, variable=variable)
            if fault.stage == "tls" and self._access.ca_file:
                why = await why_untrusted(self._host, self._port, self._access.ca_file, timeout_s)
                fault = untrusted_fault(fault, why)
            raise CannotConnect(self.address, fault) from None
        return Session(connection, self.address, statement_s, variable)

    def _conninfo(self, statement_s: float) -> str:
        access = self._access
        timeout_ms = max(1, round(access.timeout_s * 1_000))
        tls = {"sslmode": "verify-full", "sslrootcert": access.ca_file} if access.ca_file else {"sslmode": "disable"}
        return make_conninfo(
            host=self._host,
            port=self._port,
            dbname=self.database,
            user=access.user,
            password=access.password.get_secret_value(),
            application_name="hotbasket",
            client_encoding="utf8",
            connect_timeout=max(2, round(access.timeout_s)),
            gssencmode="disable",
            keepalives_idle=5,
            keepalives_interval=1,
            keepalives_count=3,
            tcp_user_timeout=timeout_ms,
            options=f"-c statement_timeout={max(1, round(statement_s * 1_000))}"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}",
            **tls,
        )
