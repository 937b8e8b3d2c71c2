"""What the control plane says, in memory: one task looks for changes, and what changed is loaded again.

Each subject has a version in the table `versions`, raised in the transaction of every change. Readers get what was last
loaded, without waiting; a server that is down costs them nothing but freshness.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from adapters.postgres.database import Database, Session
from adapters.settings import Settings
from domain.errors import HotbasketError
from domain.ports.clock import Clock
from monitoring.metrics import Metrics

T = TypeVar("T")
Versions = dict[str, int]
Load = Callable[[Session, Versions], Awaitable[T]]
"""Reads a subject's content within a transaction that sees the moment of these versions."""

_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_NEVER = -1
_log = logging.getLogger("hotbasket.control")


class Kept(Generic[T]):
    """The content of one subject as last loaded."""

    def __init__(self, subject: str, load: Load[T], empty: T) -> None:
        """Takes the subject, what loads it, and what stands until it was loaded."""
        self.subject = subject
        self.version = _NEVER
        self.value = empty
        self._load = load

    async def load(self, session: Session, versions: Versions) -> None:
        """Loads the content as of these versions, if it is another one."""
        version = versions.get(self.subject, 0)
        if version != self.version:
            self.value = await self._load(session, versions)
            self.version = version


class ControlCache:
    """Keeps subjects up to date; changes go through it, so that this process sees its own at once."""

    def __init__(self, database: Database, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        """Takes the database; `start` looks for the first time."""
        self.database = database
        self._poll_s = settings.control_poll_s
        self._metrics = metrics
        self._clock = clock
        self._kept: list[Kept[Any]] = []  # Any: each subject has a content of its own
        self._turn = asyncio.Lock()
        self._session: Session | None = None
        self._looked_s = clock.monotonic_s()
        self._fault = ""
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def keep(self, subject: str, load: Load[T], empty: T) -> Kept[T]:
        """Gives a place in which a subject's content will always stand; before `start`."""
        kept = Kept(subject, load, empty)
        self._kept.append(kept)
        return kept

    async def start(self) -> None:
        """Loads everything once, then follows changes until `close`.

        Raises:
            PortError: it can't be loaded.
        """
        await self._look()
        self._task = asyncio.create_task(self._follow(), name="postgres-control")

    async def change(
        self,
        subjects: Sequence[str],
        work: Callable[[Session], Awaitable[T]],
        *,
        statement_s: float | None = None,
    ) -> T:
        """Runs a change in one transaction and raises the versions of subjects; this process sees it on return.

        Raises:
            PortError: it may be committed or not if the server went away in between; else nothing was changed.
            Refused: `work` said so; nothing was changed.
        """
        async with self.database.session(statement_s=statement_s) as session:
            async with session.transaction():
                result = await work(session)
                for subject in subjects:
                    await session.rows(
                        "INSERT INTO versions VALUES (%s, 1)"
                        " ON CONFLICT (subject) DO UPDATE SET version = versions.version + 1",
                        (subject,),
                    )
            try:
                async with self._turn:
                    await self._load(session)
            except HotbasketError as error:
                # The change stands, and saying that it failed would be worse than seeing it a moment later.
                self._failed(error)
        return result

    async def close(self) -> None:
        """Stops following and closes the connection; may be repeated."""
        self._stop.set()
        if self._session is not None:
            self._session.cut()
        if self._task is not None:
            await asyncio.wait((self._task,))
        if self._session is not None:
            await self._session.close()

    async def _follow(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._stop.wait()
                    return
            try:
                await self._look()
            except HotbasketError as error:
                self._failed(error)
            except Exception:  # noqa: BLE001 - a loop's edge: what was last known stays in force
                _log.exception("looking for changed control data failed")
                self._count()

    async def _look(self) -> None:
        async with self._turn:
            session = self._session = self._session or await self.database.open()
            try:
                await self._load(session)
            except BaseException:
                self._session = None
                await session.close()
                raise

    async def _load(self, session: Session) -> None:
        if self._is_stale(await _versions(session)):
            async with session.transaction(_SNAPSHOT):
                versions = await _versions(session)
                for kept in self._kept:
                    await kept.load(session, versions)
        self._looked_s = self._clock.monotonic_s()
        self._metrics.control_age_s.set(0)
        if self._fault:
            _log.info("control data is up to date again")
            self._fault = ""

    def _is_stale(self, versions: Versions) -> bool:
        return any(kept.version != versions.get(kept.subject, 0) for kept in self._kept)

    def _failed(self, error: HotbasketError) -> None:
        if self._stop.is_set():
            return  # we cut the connection ourselves
        self._count()
        if self._fault != str(error):
            self._fault = str(error)
            _log.error("control data can't be read, the last known stays in force", extra={"detail": self._fault})

    def _count(self) -> None:
        self._metrics.control_errors.inc()
        self._metrics.control_age_s.set(self._clock.monotonic_s() - self._looked_s)


async def _versions(session: Session) -> Versions:
    return dict(await session.rows("SELECT subject, version FROM versions"))
