"""The stores' one way to the database: prepared statements, bounded requests, one hop from the driver's threads.

The driver answers on threads of its own. Waking the event loop for each answer would cost more than the answer, so
answers gather in a deque, and the loop is woken once for all that have come.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cassandra.query import BatchStatement, BatchType

from adapters.scylla.faults import DRIVER_ERRORS, port_error
from domain.errors import PortError
from monitoring.metrics import Metrics

Row = tuple[Any, ...]  # Any: columns are of many types; each store knows its own
Statement = Any  # the driver's, untyped

BATCH_BYTES_MAX = 128 * 1_024
"""A batch stays below this unless a single row is larger: fifty events of 1 KB never reach it, of 32 KB they do."""
_KEY_BYTES = 128
"""What the other columns of a row come to, about."""
_RANGES = 256
_RANGES_AT_ONCE = 4
_TOKEN_MIN, _TOKEN_MAX = -(2**63), 2**63 - 1


class _Answer(NamedTuple):
    """What a driver's thread hands over.

    Attributes:
        waiter: who waits on the event loop.
        name: of the statement.
        took_s: from sending to the answer.
        rows: of a read; error: why there are none.
    """

    waiter: asyncio.Future[Sequence[Row]]
    name: str
    took_s: float
    rows: Sequence[Row]
    error: BaseException | None


class Session:
    """Statements by short name, which is their label in metrics too; belongs to the event loop that made it."""

    def __init__(self, driver: Any, metrics: Metrics, *, requests_max: int) -> None:  # Any: the driver has no types
        """Takes the driver's session.

        Args:
            requests_max: statements in flight; whoever comes later waits.
        """
        self._driver = driver
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(requests_max)
        self._answers: deque[_Answer] = deque()
        self._is_woken = False
        self._prepared: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}

    async def prepare(self, statements: Mapping[str, str], keyspace: str) -> None:
        """Prepares statements by name, once, in a thread: the driver waits for the server's answer.

        Args:
            statements: CQL by name, each table as `{keyspace}.table`.
            keyspace: of all of them.

        Raises:
            PortError: the server refuses one, or can't be asked.
        """

        def run(name: str, cql: str) -> Any:
            try:
                return self._driver.prepare(cql)
            except DRIVER_ERRORS as error:
                raise port_error(error, name) from error

        for name, cql in statements.items():
            assert name not in self._prepared, f"two statements are called {name}"
            self._prepared[name] = await asyncio.to_thread(run, name, cql.format(keyspace=keyspace))
            self._timings[name] = self._metrics.store_s.labels(name)
            self._metrics.store_errors.labels(name)

    async def write(self, name: str, rows: Iterable[Row]) -> None:
        """Runs a statement for each row of values.

        Raises:
            PortError: some or all did not reach the store, or nobody knows.
        """
        bind = self._prepared[name].bind
        await self._write(name, (bind(row) for row in rows))

    async def write_batches(
        self, name: str, partitions: Iterable[Sequence[Row]], *, rows_max: int, blob_at: int | None
    ) -> None:
        """Runs a statement for each row of values, those of one partition in unlogged batches.

        Args:
            partitions: for each table partition the rows that go there.
            rows_max: in one batch; `BATCH_BYTES_MAX` bounds it too.
            blob_at: the column that makes rows large; None where none does.

        Raises:
            PortError: some or all did not reach the store, or nobody knows.
        """
        prepared = self._prepared[name]
        await self._write(
            name,
            (_batch(prepared, rows) for partition in partitions for rows in _cut(partition, rows_max, blob_at)),
        )

    async def read(self, name: str, many: Iterable[Row]) -> list[list[Row]]:
        """Runs a read for each row of values, at once, and gives all rows of each, in the order asked.

        Raises:
            PortError: the store can't be read now.
        """
        bind = self._prepared[name].bind
        asked: deque[tuple[Statement, asyncio.Future[Sequence[Row]], Any]] = deque()
        found: list[list[Row]] = []
        try:
            for values in many:
                statement = bind(values)
                asked.append((statement, *await self._send(name, statement)))
            while asked:
                statement, waiter, sent = asked[0]
                rows = list(await waiter)
                async for page in self._following(name, statement, sent):
                    rows += page
                found.append(rows)
                asked.popleft()
        finally:
            _abandon(waiter for _, waiter, _ in asked)
        return found

    async def pages(self, name: str, values: Row) -> AsyncIterator[Sequence[Row]]:
        """Runs a read and gives its rows page by page.

        Raises:
            PortError: the store can't be read now.
        """
        statement = self._prepared[name].bind(values)
        waiter, sent = await self._send(name, statement)
        yield await waiter
        async for page in self._following(name, statement, sent):
            yield page

    async def scan(self, name: str) -> AsyncIterator[Sequence[Row]]:
        """Reads a whole table in pages, some token ranges at a time; the statement takes a range's two ends.

        Raises:
            PortError: the store can't be read now.
        """
        step = 2**64 // _RANGES
        ends = [_TOKEN_MIN + number * step for number in range(_RANGES)] + [_TOKEN_MAX]
        for start in range(0, _RANGES, _RANGES_AT_ONCE):
            statements = [self._prepared[name].bind(ends[at : at + 2]) for at in range(start, start + _RANGES_AT_ONCE)]
            asked = [(one, *await self._send(name, one)) for one in statements]
            try:
                for statement, waiter, sent in asked:
                    yield await waiter
                    async for page in self._following(name, statement, sent):
                        yield page
            finally:
                _abandon(waiter for _, waiter, _ in asked)

    async def close(self) -> None:
        """Closes every connection; statements in flight fail. May be repeated."""
        await asyncio.to_thread(self._driver.cluster.shutdown)

    async def _write(self, name: str, statements: Iterable[Statement]) -> None:
        pending: deque[asyncio.Future[Sequence[Row]]] = deque()
        try:
            for statement in statements:
                waiter, _ = await self._send(name, statement)
                pending.append(waiter)
                while pending and pending[0].done():
                    _ = pending.popleft().result()
            while pending:
                _ = await pending[0]
                _ = pending.popleft()
        finally:
            # What is still under way may arrive or not; its timestamp says whether it counts.
            _abandon(pending)

    async def _following(self, name: str, statement: Statement, sent: Any) -> AsyncIterator[Sequence[Row]]:
        while sent.has_more_pages:
            waiter, sent = await self._send(name, statement, after=sent.result().paging_state)
            yield await waiter

    async def _send(
        self, name: str, statement: Statement, after: bytes | None = None
    ) -> tuple[asyncio.Future[Sequence[Row]], Any]:
        """Sends a statement as soon as there is room, and gives the future of its rows and the driver's request."""
        await self._slots.acquire()
        waiter: asyncio.Future[Sequence[Row]] = self._loop.create_future()
        try:
            started_s = time.monotonic()
            sent = self._driver.execute_async(statement, paging_state=after)
        except BaseException as error:
            self._slots.release()
            if isinstance(error, DRIVER_ERRORS):
                raise port_error(error, name) from error
            raise
        arguments = (waiter, name, started_s)
        sent.add_callbacks(self._on_rows, self._on_error, callback_args=arguments, errback_args=arguments)
        return waiter, sent

    def _on_rows(
        self, rows: Sequence[Row] | None, waiter: asyncio.Future[Sequence[Row]], name: str, started_s: float
    ) -> None:
        """On a driver's thread."""
        self._hand_over(_Answer(waiter, name, time.monotonic() - started_s, rows or (), None))

    def _on_error(
        self, error: BaseException, waiter: asyncio.Future[Sequence[Row]], name: str, started_s: float
    ) -> None:
        """On a driver's thread, or within `_send` when there is no node to send to."""
        self._hand_over(_Answer(waiter, name, time.monotonic() - started_s, (), error))

    def _hand_over(self, answer: _Answer) -> None:
        self._answers.append(answer)
        if not self._is_woken:
            self._is_woken = True
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                # The loop is closed: nobody waits any more.
                self._answers.clear()

    def _drain(self) -> None:
        # Cleared first: an answer that comes from here on wakes the loop again.
        self._is_woken = False
        while self._answers:
            answer = self._answers.popleft()
            self._slots.release()
            self._timings[answer.name].observe(answer.took_s)
            if answer.error is None:
                if not answer.waiter.done():
                    answer.waiter.set_result(answer.rows)
                continue
            self._metrics.store_errors.labels(answer.name).inc()
            if not answer.waiter.done():
                answer.waiter.set_exception(_failure(answer.error, answer.name))


def _failure(error: BaseException, name: str) -> BaseException:
    """Gives the port's error; what is no error of the driver is a bug and stays as it is."""
    if not isinstance(error, DRIVER_ERRORS):
        return error
    failure: PortError = port_error(error, name)
    failure.__cause__ = error
    return failure


def _abandon(waiters: Iterable[asyncio.Future[Sequence[Row]]]) -> None:
    for waiter in waiters:
        if waiter.done() and not waiter.cancelled():
            # Looked at, or asyncio reports it as forgotten.
            waiter.exception()
        waiter.cancel()


def _cut(rows: Sequence[Row], rows_max: int, blob_at: int | None) -> Iterator[Sequence[Row]]:
    """Gives consecutive rows that fit into one batch."""
    start, size_bytes = 0, 0
    for at, row in enumerate(rows):
        row_bytes = _KEY_BYTES if blob_at is None else _KEY_BYTES + len(row[blob_at])
        if at > start and (at - start >= rows_max or size_bytes + row_bytes > BATCH_BYTES_MAX):
            yield rows[start:at]
            start, size_bytes = at, 0
        size_bytes += row_bytes
    if start < len(rows):
        yield rows[start:]


def _batch(prepared: Any, rows: Sequence[Row]) -> Statement:  # Any: the driver has no types
    if len(rows) == 1:
        return prepared.bind(rows[0])
    batch = BatchStatement(batch_type=BatchType.UNLOGGED)
    for row in rows:
        batch.add(prepared, row)
    return batch
