"""Group commit: one flush for all that waits, and what a failed one means."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from adapters.settings import load_settings
from adapters.sqlite.database import open_connection
from adapters.sqlite.log_rows import ROW_BYTES_MAX, ROW_RECORDS_MAX, SCHEMA
from adapters.sqlite.log_writer import LogWriter
from domain.errors import Fenced, Full, PortError
from monitoring.metrics import Metrics

EVENTS_MAX = 100


class Bench:
    """A writer over a file of its own, and what it counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = Metrics()
        self.writer = LogWriter(path, load_settings(log_queue_events_max=EVENTS_MAX, sqlite_busy_s=0.05), self.metrics)
        self.seen: list[tuple[int, list[Any]]] = []
        self.writer.on_events(lambda first, records: self.seen.append((first, list(records))))

    def append(self, *payloads: bytes) -> asyncio.Future[Any]:
        """Appends payloads; the future gives (first offset, count)."""
        return self.writer.append([payload.decode() for payload in payloads], list(payloads), 1, _place)

    def rows(self) -> list[tuple[int, int]]:
        """The first offset and the number of records of every row in the file."""
        connection = open_connection(self.path, SCHEMA, busy_s=1)
        rows = connection.execute("SELECT first_offset, count FROM events ORDER BY 1").fetchall()
        connection.close()
        return rows

    def sample(self, name: str) -> float | None:
        """A metric's value."""
        return self.metrics.registry.get_sample_value(name)


def _place(first: int, count: int) -> tuple[int, int]:
    return first, count


@pytest.fixture
async def bench(tmp_path: Path) -> Any:
    """A writer that is closed afterwards."""
    made = Bench(tmp_path / "log.db")
    yield made
    await made.writer.close()


async def test_appends_of_one_turn_share_a_flush(bench: Bench) -> None:
    """Fifty appends that wait together are one transaction and one row."""
    places = await asyncio.gather(*[bench.append(b"%d" % number) for number in range(50)])
    assert [(number, 1) for number in range(50)] == places
    assert 1 == bench.sample("hotbasket_log_commit_seconds_count")
    assert [(0, 50)] == bench.rows()


async def test_what_arrives_during_a_flush_makes_the_next(bench: Bench) -> None:
    """While a batch is with the disk the next one grows, whoever appends."""
    first = bench.append(b"a")
    await asyncio.sleep(0)
    later = [bench.append(b"b"), bench.append(b"c", b"d")]
    assert [(0, 1), (1, 1), (2, 2)] == await asyncio.gather(first, *later)
    assert [(0, 1), (1, 3)] == bench.rows()


async def test_readers_are_told_before_the_future(bench: Bench) -> None:
    """When an append returns, its records have been handed to who polls, in order."""
    await bench.append(b"a", b"b")
    assert [(0, ["a", "b"])] == bench.seen
    await bench.append(b"c")
    assert [(0, ["a", "b"]), (2, ["c"])] == bench.seen


async def test_a_row_is_bounded(bench: Bench) -> None:
    """Many or large records are spread over rows, so that one damaged row costs little; offsets have no gap."""
    many = [b"%d" % number for number in range(ROW_RECORDS_MAX + 1)]
    large = [b"x" * (ROW_BYTES_MAX // 2 + 1), b"y" * (ROW_BYTES_MAX // 2 + 1), b"z" * (ROW_BYTES_MAX + 1)]
    await bench.append(*many)
    await bench.append(*large)
    end = len(many)
    assert [(0, ROW_RECORDS_MAX), (ROW_RECORDS_MAX, 1), (end, 1), (end + 1, 1), (end + 2, 1)] == bench.rows()


async def test_the_queue_is_bounded(bench: Bench) -> None:
    """Beyond the bound nothing is taken, and the metric counts it; what is waiting is not harmed."""
    waiting = bench.append(*[b"x"] * EVENTS_MAX)
    with pytest.raises(Full):
        await bench.append(b"y", b"z")
    assert (0, EVENTS_MAX) == await waiting
    assert 2 == bench.sample("hotbasket_log_refused_events_total")
    assert (EVENTS_MAX, 2) == await bench.append(b"y", b"z")


async def test_an_idle_writer_takes_a_batch_of_any_size(bench: Bench) -> None:
    """A request that is larger than the bound is not refused for ever."""
    assert (0, 3 * EVENTS_MAX) == await bench.append(*[b"x"] * (3 * EVENTS_MAX))


async def test_an_append_that_nobody_waits_for_is_counted_out(bench: Bench) -> None:
    """A caller that gave up leaves its records in the log and its room in the queue."""
    given_up = bench.append(*[b"x"] * EVENTS_MAX)
    given_up.cancel()
    await asyncio.gather(given_up, bench.writer.submit(lambda connection: None), return_exceptions=True)
    assert (EVENTS_MAX, 1) == await bench.append(b"y")


async def test_a_failed_flush_fails_everybody_and_stores_nothing(bench: Bench) -> None:
    """While somebody else holds the file appends fail as retriable; then the same writer goes on, without a gap."""
    await bench.append(b"a")
    other = sqlite3.connect(bench.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    outcomes = await asyncio.gather(bench.append(b"b"), bench.append(b"c"), return_exceptions=True)
    assert [(PortError, True)] * 2 == [(type(found), getattr(found, "retriable", None)) for found in outcomes]
    assert not await bench.writer.accepts()
    other.execute("ROLLBACK")
    other.close()
    assert await bench.writer.accepts()
    assert (1, 1) == await bench.append(b"d")
    assert [(0, 1), (1, 1)] == bench.rows()
    assert [(0, ["a"]), (1, ["d"])] == bench.seen
    assert 2 == bench.sample("hotbasket_log_refused_events_total")


async def test_a_failed_commit_is_not_a_stored_one(bench: Bench) -> None:
    """When the last step fails, nothing of the batch is acknowledged, seen or found; its offsets go to the next."""
    await bench.append(b"a")

    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)")

    def refuse(connection: sqlite3.Connection) -> None:
        # A deferred constraint is checked by COMMIT alone.
        connection.execute("PRAGMA defer_foreign_keys=ON")
        connection.execute("INSERT INTO child VALUES (1)")

    assert bench.writer._connection is not None
    bench.writer._connection.execute("PRAGMA foreign_keys=ON")
    await bench.writer.submit(prepare)
    outcomes = await asyncio.gather(bench.append(b"b"), bench.writer.submit(refuse), return_exceptions=True)
    assert [PortError] * 2 == [type(found) for found in outcomes]
    assert [(0, ["a"])] == bench.seen
    assert (1, 1) == await bench.append(b"c")
    assert [(0, 1), (1, 1)] == bench.rows()


async def test_other_work_shares_the_transaction(bench: Bench) -> None:
    """Work sees the events of its batch, and a refusal of its own fails it alone."""

    def count(connection: sqlite3.Connection) -> int:
        found: int = connection.execute("SELECT SUM(count) FROM events").fetchone()[0]
        return found

    def refuse(connection: sqlite3.Connection) -> None:
        raise Fenced("somebody else's")

    outcomes = await asyncio.gather(
        bench.append(b"a", b"b"), bench.writer.submit(count), bench.writer.submit(refuse), return_exceptions=True
    )
    assert ((0, 2), 2, Fenced) == (outcomes[0], outcomes[1], type(outcomes[2]))
    assert 1 == bench.sample("hotbasket_log_commit_seconds_count")


async def test_a_bug_fails_its_batch_and_no_other(bench: Bench) -> None:
    """An error that nobody expects is an error of its batch; the thread lives on."""

    def fail(connection: sqlite3.Connection) -> None:
        raise ZeroDivisionError

    outcomes = await asyncio.gather(bench.append(b"a"), bench.writer.submit(fail), return_exceptions=True)
    assert [PortError, PortError] == [type(found) for found in outcomes]
    assert (0, 1) == await bench.append(b"b")


async def test_close_flushes_what_was_accepted(tmp_path: Path) -> None:
    """Appends that wait when the writer is closed are stored; later ones are refused; a second close does nothing."""
    bench = Bench(tmp_path / "log.db")
    waiting = [bench.append(b"a"), bench.append(b"b")]
    await bench.writer.close()
    await bench.writer.close()
    assert [(0, 1), (1, 1)] == await asyncio.gather(*waiting)
    with pytest.raises(PortError, match="closed"):
        await bench.append(b"c")
    assert not await bench.writer.accepts()
    assert [(0, 2)] == bench.rows()


async def test_a_writer_without_work_asks_for_no_lock(tmp_path: Path) -> None:
    """A command that only looks is not held up by a running system, nor holds it up."""
    bench = Bench(tmp_path / "log.db")
    other = sqlite3.connect(bench.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    looking = LogWriter(bench.path, load_settings(sqlite_busy_s=0.05), Metrics())
    await looking.close()
    other.execute("COMMIT")
    other.close()
    await bench.writer.close()
