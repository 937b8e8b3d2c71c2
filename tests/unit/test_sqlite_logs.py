"""What only the embedded logs promise: damaged rows, reading from the file, retention, and the fence of a commit."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

from adapters.settings import load_settings
from adapters.sqlite.database import Database
from adapters.sqlite.experience_log import SqliteExperienceLog
from adapters.sqlite.log_rows import SCHEMA
from adapters.wiring import Ports, embedded
from domain.errors import Fenced, PortError
from domain.ids import BEGINNING, Position
from domain.ports.event_log import Committed
from domain.records import SCHEMA_VERSION, Progress, Record, Undecodable, encode
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.contract.consumer import WITHIN_S, events, polled, start
from tests.story import NOON_MS
from tests.unit.log_writer_of import writer_of

DAY_MS = 86_400_000
QUEUE_MAX = 10
T = TypeVar("T")


class Bench(NamedTuple):
    """The embedded ports of a directory, with a memory of ten records."""

    data: Path
    clock: StoppedClock

    def open(self) -> Ports:
        """Opens the ports."""
        return embedded(self.data, load_settings(log_queue_events_max=QUEUE_MAX, hot_days=2), Metrics(), self.clock)

    def change(self, statement: str, *values: object) -> None:
        """Changes the log's file behind everybody's back."""
        connection = sqlite3.connect(self.data / "log.db")
        with connection:
            connection.execute(statement, values)
        connection.close()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty directory."""
    return Bench(tmp_path / "data", StoppedClock())


@pytest.fixture
async def ports(bench: Bench) -> AsyncIterator[Ports]:
    """Its ports."""
    opened = bench.open()
    yield opened
    await opened.close()


def progress(token: int, offset: int) -> Progress:
    """A batch ends."""
    return Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, offset))


async def test_a_reader_who_fell_behind_reads_the_file(ports: Ports) -> None:
    """What memory has let go of is read from rows, then memory goes on where the rows end: no gap, no repeat."""
    await start(ports.events)
    for number in range(0, 60, 3):
        await ports.events.append(events(3, first=number))
    assert list(enumerate(events(60))) == [
        (place.position.offset, record) for place, record in await polled(ports.events, 60, records_max=7)
    ]


async def test_a_payload_that_is_no_record_comes_in_its_place(bench: Bench) -> None:
    """One undecodable record costs nobody else of its row."""
    ports = bench.open()
    newer = encode(events(1)[0]).replace(b"\xaeschema_version\x01", b"\xaeschema_version\x63")
    payloads = [encode(events(1)[0]), b"\xc1 no record", newer, encode(events(1, first=3)[0])]
    await writer_of(ports).append(payloads, payloads, NOON_MS, lambda first, count: None)
    await ports.close()
    ports = bench.open()
    await start(ports.events)
    found = [record for _, record in await polled(ports.events, 4)]
    await ports.close()
    assert [Record, Undecodable, Undecodable, Record] == [type(record) for record in found]
    assert [b"\xc1 no record", newer] == [record.payload for record in found if isinstance(record, Undecodable)]
    assert isinstance(found[2], Undecodable)
    assert "newer" in found[2].reason


@pytest.mark.parametrize("blob", [b"\xc1\xff", b"\x91\xc4\x01a", b""], ids=["garbage", "too few", "empty"])
async def test_a_damaged_row_is_one_undecodable_an_offset(bench: Bench, blob: bytes) -> None:
    """The rows around it are delivered, its bytes are kept once, and every offset has its place."""
    ports = bench.open()
    for number in (0, 3, 6):
        await ports.events.append(events(3, first=number))
    await ports.close()
    bench.change("UPDATE events SET payloads = ? WHERE first_offset = 3", blob)
    ports = bench.open()
    await start(ports.events)
    found = await polled(ports.events, 9)
    await ports.close()
    assert list(range(9)) == [place.position.offset for place, _ in found]
    records = [record for _, record in found]
    assert [*events(3), *events(3, first=6)] == [*records[:3], *records[6:]]
    damaged = [record for record in records if isinstance(record, Undecodable)]
    assert [blob, b"", b""] == [record.payload for record in damaged]
    assert all("offsets 3 to 5" in record.reason for record in damaged)


async def test_a_missing_row_is_stepped_over(bench: Bench) -> None:
    """A gap in the file ends a batch, and the next one begins behind it, at its own offset."""
    ports = bench.open()
    for number in (0, 3, 6):
        await ports.events.append(events(3, first=number))
    await ports.close()
    bench.change("DELETE FROM events WHERE first_offset = 3")
    ports = bench.open()
    await start(ports.events)
    found = await polled(ports.events, 6)
    await ports.close()
    assert [0, 1, 2, 6, 7, 8] == [place.position.offset for place, _ in found]
    assert [*events(3), *events(3, first=6)] == [record for _, record in found]


async def test_a_damaged_experience_row_is_left_out(bench: Bench) -> None:
    """Readers and followers get what is around it."""
    ports = bench.open()
    token = await ports.experiences.own(0, "w")
    for number in range(3):
        await ports.experiences.append(0, token, [progress(token, number)])
    await ports.close()
    bench.change("UPDATE experiences SET payloads = x'c1' WHERE first_offset = 2")
    ports = bench.open()
    entries = await ports.experiences.read(0, after=-1, records_max=10)
    followed = await anext(ports.experiences.follow({}))
    await ports.close()
    assert [0, 1, 3] == [entry.offset for entry in entries]
    assert list(entries) == list(followed)


async def test_a_log_that_can_not_be_read_is_waited_for(bench: Bench) -> None:
    """A follower outlives a failing file, and then misses nothing."""
    ports = bench.open()
    token = await ports.experiences.own(0, "w")
    await ports.experiences.append(0, token, [progress(token, number) for number in range(20)])
    await ports.close()
    ports = bench.open()
    reader = Unsteady(bench.data / "log.db")
    log = SqliteExperienceLog(writer_of(ports), reader, load_settings(), bench.clock)
    following = asyncio.create_task(_next(log))
    async with asyncio.timeout(WITHIN_S):
        await reader.failed.wait()
        assert list(range(21)) == await following
    reader.close()
    await ports.close()


async def test_a_commit_of_an_older_owner_is_fenced(ports: Ports) -> None:
    """What a newer owner has committed is never taken back by an older one."""
    (place,) = await ports.events.append(events(1))
    newer = Committed(place.position, 7, 9)
    await ports.events.commit(0, newer)
    with pytest.raises(Fenced):
        await ports.events.commit(0, Committed(BEGINNING, 6, 8))
    assert newer == await ports.events.committed(0)


@pytest.mark.parametrize(
    "call",
    [
        lambda ports: ports.events.seek(1, BEGINNING),
        lambda ports: ports.events.committed(1),
        lambda ports: ports.experiences.own(1, "w"),
        lambda ports: ports.experiences.read(1, after=-1, records_max=1),
    ],
    ids=["seek", "committed", "own", "read"],
)
async def test_there_is_one_partition(ports: Ports, call: Callable[[Ports], Awaitable[object]]) -> None:
    """Another partition's number is refused, and the message says what there is."""
    with pytest.raises(PortError, match="partition 0 only") as raised:
        await call(ports)
    assert not raised.value.retriable


class TestRetention:
    """What leaves the log's file."""

    async def test_old_and_saved_rows_go(self, ports: Ports, bench: Bench) -> None:
        """Rows older than the retention and behind the commit are removed from both logs; offsets go on counting."""
        tail = token = await ports.experiences.own(0, "w")
        for number in range(0, 9, 3):
            await ports.events.append(events(3, first=number))
            tail = await ports.experiences.append(0, token, [progress(token, number + 2)])
        await ports.events.commit(0, Committed(Position(1, 7), token, tail))
        assert 0 == await ports.expire()
        bench.clock.ms += 3 * DAY_MS
        # Two rows of events; the owner and two of its three records: the last row of each table stays.
        assert 6 + 3 == await ports.expire()
        await ports.close()
        again = bench.open()
        await start(again.events)
        left = await polled(again.events, 3)
        (place,) = await again.events.append(events(1, first=9))
        said = await again.experiences.append(0, token, [progress(token, 9)])
        await again.close()
        assert [6, 7, 8] == [place.position.offset for place, _ in left]
        assert (9, tail + 1) == (place.position.offset, said)

    async def test_nothing_goes_before_it_is_saved(self, ports: Ports, bench: Bench) -> None:
        """However old, what no snapshot holds stays."""
        for number in range(0, 9, 3):
            await ports.events.append(events(3, first=number))
        bench.clock.ms += 30 * DAY_MS
        assert 0 == await ports.expire()
        await ports.events.commit(0, Committed(Position(1, 4), 0, -1))
        assert 3 == await ports.expire()

    async def test_many_rows_go_in_small_steps(self, ports: Ports, bench: Bench) -> None:
        """All that is due goes, however much it is."""
        for number in range(120):
            await ports.events.append(events(1, first=number))
        await ports.events.commit(0, Committed(Position(1, 119), 0, -1))
        bench.clock.ms += 3 * DAY_MS
        # The last row stays, with a blank record in it.
        assert 119 + 1 == await ports.expire()
        assert 0 == await ports.expire()

    async def test_an_emptied_log_gives_no_offset_twice(self, ports: Ports, bench: Bench) -> None:
        """After everything was pruned a new process goes on behind it."""
        (*_, place) = await ports.events.append(events(3))
        await ports.events.commit(0, Committed(place.position, 0, -1))
        bench.clock.ms += 30 * DAY_MS
        await ports.expire()
        await ports.close()
        again = bench.open()
        (place,) = await again.events.append(events(1))
        await again.close()
        assert 3 == place.position.offset


class Unsteady(Database):
    """A reader of the log's file that fails the first time."""

    def __init__(self, path: Path) -> None:

        super().__init__(path, SCHEMA, busy_s=1)
        self.failed = asyncio.Event()

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Fails once."""
        if not self.failed.is_set():
            self.failed.set()
            raise PortError("not now", retriable=True)
        return await super().read(work)


async def _next(log: SqliteExperienceLog) -> list[int]:
    return [entry.offset for entry in await anext(log.follow({}))]
