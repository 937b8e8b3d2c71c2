"""Group commit: everything that waits for the log goes into one transaction, flushed once, in a thread of its own.

Between the event and experience logs, which append on the event loop, and the disk. At most one batch is with the
thread; what arrives meanwhile makes the next, so that batches grow with the load and a flush always serves many.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Protocol

from adapters.settings import Settings
from adapters.sqlite.database import is_damage, open_connection, port_error, transaction
from adapters.sqlite.log_rows import SCHEMA, LogRows
from domain.errors import Full, PortError
from monitoring.metrics import LogMetrics

_log = logging.getLogger("hotbasket.log")
PRUNED_ROWS_MAX = 50
"""Rows removed in one transaction: appends wait behind it."""


class Written(Protocol):
    """Takes what became durable, on the event loop."""

    def __call__(self, first: int, records: Sequence[Any], /) -> None:
        """Takes the first record's offset and the records."""
        ...


class Append:
    """Event records that wait for the flush."""

    __slots__ = ("future", "payloads", "places", "received_at_ms", "records")

    def __init__(
        self,
        records: Sequence[Any],  # Any: the writer hands them on and never looks inside
        payloads: list[bytes],
        received_at_ms: int,
        places: Callable[[int, int], Any],
        future: asyncio.Future[Any],
    ) -> None:
        self.records = records
        self.payloads = payloads
        self.received_at_ms = received_at_ms
        self.places = places
        self.future = future


class Work:
    """Other work in the same transaction; `run` gives the result, or the error of this work alone."""

    __slots__ = ("done", "future", "run")

    def __init__(
        self,
        run: Callable[[sqlite3.Connection], Any],  # Any: whatever the work gives to its own future
        future: asyncio.Future[Any],
        done: Callable[[Any], None] | None,
    ) -> None:
        self.run = run
        self.future = future
        self.done = done


class LogWriter:
    """The only writer of the log's file.

    After a failed transaction nothing of its batch counts as stored; the next batch tries again on a fresh connection,
    so that a disk that has space again is noticed without anybody's help.
    """

    def __init__(self, path: Path, settings: Settings, metrics: LogMetrics) -> None:
        """Opens the file.

        Raises:
            PortError: not retriable: the file is damaged, of a newer version, or may not be opened.
        """
        self.events = LogRows("events")
        self.experiences = LogRows("experiences")
        self.path = path
        self._busy_s = settings.sqlite_busy_s
        self._events_max = settings.log_queue_events_max
        self._stuck_s = settings.append_timeout_s
        self._metrics = metrics
        self._metrics.log_queue_max.set(self._events_max)
        self._connection: sqlite3.Connection | None = open_connection(path, SCHEMA, busy_s=self._busy_s)
        self.next_event = self.events.next_offset(self._connection)
        self.next_experience = self.experiences.next_offset(self._connection)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._appends: list[Append] = []
        self._works: list[Work] = []
        self._events = 0
        self._busy_since_s: float | None = None
        self._scheduled = self._failed = self._closed = False
        self._on_events: Written = _nobody
        self._queue: SimpleQueue[tuple[list[Append], list[Work]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._write_batches, name="log-writer", daemon=True)

    def on_events(self, written: Written) -> None:
        """Sets who takes events that became durable."""
        self._on_events = written

    def append(
        self, records: Sequence[Any], payloads: list[bytes], received_at_ms: int, places: Callable[[int, int], Any]
    ) -> asyncio.Future[Any]:
        """Queues event records; the future gives `places(first offset, count)` once they are durable.

        Raises:
            Full: too many events wait; these do not.
        """
        waiting = self._events + len(records)
        if waiting > self._events_max and self._events:
            self._metrics.log_refused.inc(len(records))
            raise Full(f"{self._events} events wait for the log, of {self._events_max} that may: try again in a second")
        future: asyncio.Future[Any] = self._here().create_future()
        self._events = waiting
        self._appends.append(Append(records, payloads, received_at_ms, places, future))
        return future

    def submit(
        self, run: Callable[[sqlite3.Connection], Any], done: Callable[[Any], None] | None = None
    ) -> asyncio.Future[Any]:
        """Queues other work for the next transaction; the future gives what `run` gave, once it is durable.

        Args:
            run: called in the writer's thread; an error that is not SQLite's fails this work alone, and it must
                then have written nothing.
            done: called with the result on the event loop, before the future has it.
        """
        future: asyncio.Future[Any] = self._here().create_future()
        self._works.append(Work(run, future, done))
        return future

    async def accepts(self) -> bool:
        """Tells whether an append would probably succeed now; after a failure a small write finds out."""
        if self._closed or self._events >= self._events_max:
            return False
        if self._busy_since_s is not None and time.monotonic() - self._busy_since_s > self._stuck_s:
            return False
        if self._failed:
            with contextlib.suppress(PortError, TimeoutError):
                await asyncio.wait_for(self.submit(_probe), self._stuck_s)
        return not self._failed

    async def close(self) -> None:
        """Flushes what was accepted, ends the thread and closes the file; may be repeated."""
        if self._closed:
            return
        if self._loop is None:
            # Nothing was ever queued: a command that only reads must not ask for the writers' lock.
            self._closed = True
            self.discard()
            return
        last = self.submit(_nothing)
        self._closed = True
        await asyncio.gather(last, return_exceptions=True)
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def discard(self) -> None:
        """Closes the file of a writer that has no thread: it never got work, or has ended."""
        self._give_up_connection()

    def _here(self) -> asyncio.AbstractEventLoop:
        """Gives the running loop, and makes sure that what is being queued is handed over at the end of its turn."""
        if self._closed:
            raise PortError(f"{self.path} is closed: this process is stopping", retriable=True)
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
            self._thread.start()
        if not self._scheduled and self._busy_since_s is None:
            self._scheduled = True
            loop.call_soon(self._hand_over)
        return loop

    def _hand_over(self) -> None:
        self._scheduled = False
        if self._busy_since_s is None and (self._appends or self._works):
            self._busy_since_s = time.monotonic()
            batch = self._appends, self._works
            self._appends, self._works = [], []
            self._queue.put(batch)

    def _write_batches(self) -> None:
        """The thread: one batch after the other, until None."""
        while (batch := self._queue.get()) is not None:
            outcome = self._write(*batch)
            assert self._loop is not None
            # A loop that was closed without `close` has nobody left to tell.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._finish, *batch, outcome)
        self._give_up_connection()

    def _write(self, appends: list[Append], works: list[Work]) -> tuple[int, list[Any]] | PortError:
        """Gives the first event's offset and the works' results, or why nothing of it is stored."""
        try:
            if self._connection is None:
                self._connection = open_connection(self.path, SCHEMA, busy_s=self._busy_s, check=False)
            connection = self._connection
            first = -1
            with transaction(connection):
                if appends:
                    payloads = [payload for append in appends for payload in append.payloads]
                    received_at_ms = max(append.received_at_ms for append in appends)
                    first = self.events.insert(connection, payloads, received_at_ms)
                results = [_result(work, connection) for work in works]
        except (sqlite3.Error, PortError) as error:
            self._give_up_connection()
            said = port_error(error, self.path) if isinstance(error, sqlite3.Error) else error
            cause = error if isinstance(error, sqlite3.Error) else error.__cause__
            return PortError(str(said), retriable=not is_damage(cause))
        except Exception as error:  # noqa: BLE001 - the thread's edge: a bug fails this batch, not all that follow
            self._give_up_connection()
            _log.exception("log writer failed")
            return PortError(f"the log's writer failed: {error!r}", retriable=True)
        return first, results

    def _give_up_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _finish(self, appends: list[Append], works: list[Work], outcome: tuple[int, list[Any]] | PortError) -> None:
        """Back on the loop: starts the next batch, then tells everybody of this one."""
        events = sum(len(append.records) for append in appends)
        self._events -= events
        assert self._busy_since_s is not None
        self._metrics.log_commit_s.observe(time.monotonic() - self._busy_since_s)
        self._metrics.log_queue_events.set(self._events)
        self._busy_since_s = None
        self._hand_over()
        if isinstance(outcome, PortError):
            self._fail(appends, works, outcome)
            return
        if self._failed:
            self._failed = False
            _log.info("log flush works again", extra={"file": self.path.name})
        offset, results = outcome
        if appends:
            self._on_events(offset, [record for append in appends for record in append.records])
        for append in appends:
            if not append.future.done():
                append.future.set_result(append.places(offset, len(append.records)))
            offset += len(append.records)
        for work, result in zip(works, results, strict=True):
            _tell(work, result)

    def _fail(self, appends: list[Append], works: list[Work], failure: PortError) -> None:
        if not self._failed:
            self._failed = True
            _log.error("log flush failed", extra={"file": self.path.name, "detail": str(failure)})
        self._metrics.log_refused.inc(sum(len(append.records) for append in appends))
        futures = [append.future for append in appends] + [work.future for work in works]
        for future in futures:
            if not future.done():
                future.set_exception(PortError(str(failure), retriable=failure.retriable))


def _result(work: Work, connection: sqlite3.Connection) -> Any:
    try:
        return work.run(connection)
    except PortError as error:
        return error


def _tell(work: Work, result: Any) -> None:
    if isinstance(result, PortError):
        if not work.future.done():
            work.future.set_exception(result)
        return
    if work.done is not None:
        work.done(result)
    if not work.future.done():
        work.future.set_result(result)


def _nobody(first: int, records: Sequence[Any], /) -> None:
    """Takes events of which nobody wants to know."""


def _nothing(connection: sqlite3.Connection) -> None:
    """Waits for what was queued before."""


def _probe(connection: sqlite3.Connection) -> None:
    """Writes a page for certain, and changes nothing."""
    connection.execute(f"PRAGMA user_version={SCHEMA.version}")
