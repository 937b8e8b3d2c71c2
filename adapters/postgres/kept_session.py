"""One connection that is kept for whoever writes all day, one user at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from adapters.postgres.database import Database, Session
from domain.errors import PortError

T = TypeVar("T")


class KeptSession:
    """A connection, opened when it is first asked for, and again after an error: any leaves it unusable."""

    def __init__(self, database: Database) -> None:
        """Takes the database; nothing is connected before it is asked for."""
        self._database = database
        self._turn = asyncio.Lock()
        self._kept: Session | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Session]:
        """Gives the connection for a block, while others wait.

        Raises:
            CannotConnect: there is none.
        """
        async with self._turn:
            session = self._kept = self._kept or await self._database.open()
            try:
                yield session
            except BaseException:
                self._kept = None
                await session.close()
                raise

    async def once_more(self, work: Callable[[Session], Awaitable[T]]) -> T:
        """Runs one statement; on a connection that broke since it was last used, once more on a new one.

        Raises:
            PortError: the server or the way to it failed.
        """
        was_open = self._kept is not None
        try:
            async with self.turn() as session:
                return await work(session)
        except PortError as error:
            if not (was_open and error.retriable):
                raise
        # Idle connections are cut by servers and what stands between: that is no reason to refuse anybody.
        async with self.turn() as session:
            return await work(session)

    async def close(self) -> None:
        """Closes the connection, under a call in flight too; may be repeated."""
        if self._kept is not None:
            self._kept.cut()
        async with self._turn:
            if self._kept is not None:
                await self._kept.close()
                self._kept = None
