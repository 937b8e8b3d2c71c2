"""Where an event is looked for by its id alone: on which days, and in which order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from adapters.clock import SystemClock
from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from deploy.event_search import Sighting, Wanted, days_of, find, made_at_ms
from domain.ids import Position
from domain.ports.event_store import FoundEvent
from domain.records import Decided, Record, Undecodable
from monitoring.metrics import Metrics
from tests.story import NOON_MS, RETAILER, record

DAY_MS = 86_400_000
TODAY = datetime.fromtimestamp(NOON_MS / 1_000, UTC).date()


def timed(at_ms: int) -> UUID:
    """A UUID of version 7, made then."""
    return UUID(int=at_ms << 80 | 7 << 76 | 2 << 62 | 12_345)


def day(back: int) -> date:
    """A day so many days ago."""
    return date.fromordinal(TODAY.toordinal() - back)


def test_a_timed_id_says_when_it_was_made() -> None:
    """Version 7 alone has a time in it."""
    assert NOON_MS == made_at_ms(timed(NOON_MS))
    assert [None, None] == [made_at_ms(uuid4()), made_at_ms(UUID(int=0))]


@pytest.mark.parametrize(
    ("event_id", "around", "back"),
    [
        (timed(NOON_MS), 1, [0, 1]),
        (timed(NOON_MS - 3 * DAY_MS), 1, [3, 2, 4]),
        (timed(NOON_MS - 3 * DAY_MS), 0, [3]),
        (timed(NOON_MS - 3 * DAY_MS), 2, [3, 2, 1, 4, 5]),
        (timed(NOON_MS + 9 * DAY_MS), 1, [0, 1]),
        (timed(NOON_MS - 90 * DAY_MS), 1, [5, 4]),
        (timed(1), 1, [0, 1, 2, 3, 4, 5]),
        (UUID(int=7), 1, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_likeliest_day_comes_first(event_id: UUID, around: int, back: list[int]) -> None:
    """The day in the id, those after it, those before it; without a believable time every day, newest first."""
    found = days_of(event_id, now_ms=NOON_MS, kept_days=5, around_days=around)
    assert [day(number) for number in back] == found


class LogEnd:
    """The end of a log, in memory."""

    partitions = 1

    def __init__(self, *found: FoundEvent) -> None:
        self.found = found

    async def events(self, partition: int, since_ms: int) -> AsyncIterator[Sequence[FoundEvent]]:
        """What is there."""
        del partition, since_ms
        yield self.found

    async def decided(self, partition: int, since_ms: int) -> AsyncIterator[Sequence[Decided]]:
        """Nothing."""
        del partition, since_ms
        yield ()

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
async def ports(tmp_path: Path) -> AsyncIterator[Ports]:
    """Empty stores."""
    ports = embedded(tmp_path / "data", load_settings(), Metrics(), SystemClock())
    yield ports
    await ports.close()


def viewed(number: int) -> Record:
    """A page view; `number` makes its id."""
    return record("PageViewed", 0, number, page={"kind": "home"})


def wanted(number: int, *, retailer_id: str = RETAILER) -> Wanted:
    """The search for a page view."""
    return Wanted(retailer_id, UUID(int=number + 1), [day(1), TODAY], (0,), {0: NOON_MS})


async def test_an_event_is_found_in_the_store(ports: Ports) -> None:
    """With its place in the log; progress is told, and nothing is read behind it."""
    await ports.events.append([viewed(0), viewed(1)])
    told: list[tuple[int, int]] = []
    found = await find(ports.archive, None, wanted(1), lambda done, of: told.append((done, of)))
    assert Sighting(viewed(1), 0, Position(1, 1), "event store") == found
    assert [(1, 2), (2, 2)] == told
    assert None is await find(ports.archive, None, wanted(7), lambda *_: None)
    assert None is await find(ports.archive, None, wanted(1, retailer_id="r-2"), lambda *_: None)


async def test_the_end_of_the_log_is_read_first(ports: Ports) -> None:
    """What can't be read is passed over, and so is another retailer's."""
    await ports.events.append([viewed(0)])
    tail = LogEnd(
        FoundEvent(Position(1, 5), Undecodable(payload=b"?", reason="unreadable")),
        FoundEvent(Position(1, 6), viewed(0)),
    )
    found = await find(ports.archive, tail, wanted(0), lambda *_: None)
    assert Sighting(viewed(0), 0, Position(1, 6), "event log") == found
    elsewhere = await find(ports.archive, tail, wanted(0, retailer_id="r-2"), lambda *_: None)
    assert None is elsewhere
