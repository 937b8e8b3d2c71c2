"""Recent experiences: what memory keeps, and what a page that was away has to be told."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from adapters.settings import Settings
from domain.experiences import Withdrawal
from domain.ids import Position, ShopperKey
from domain.records import SCHEMA_VERSION, Decided, Decision
from domain.shopper import Shopper, Slot
from gateway.recent import Recent, catch_up
from gateway.wire import Delivery, read_place
from monitoring.metrics import Metrics
from tests.unit.experiences import FAR_MS, shown

KEY = ShopperKey("r-1", "0a" * 32)
NOW_MS = 1_790_000_000_000


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return NOW_MS

    def monotonic_s(self) -> float:
        """Seconds."""
        return self.now_s


def decided(offset: int, *slots: str, gone: dict[str, str] | None = None, closed: tuple[str, ...] = ()) -> Decided:
    """An event fills slots (`x-<offset>-<slot>`), takes experiences off theirs, and closes some."""
    experiences = [shown(slot, experience_id=f"x-{offset}-{slot}", trigger_event_id=UUID(int=offset)) for slot in slots]
    return Decided(
        schema_version=SCHEMA_VERSION,
        token=0,
        position=Position(1, offset),
        trigger_event_id=UUID(int=offset),
        retailer_id=KEY.retailer_id,
        shopper=KEY.shopper,
        received_at_ms=NOW_MS,
        generation=1,
        node_id="n",
        walked_from="n",
        decisions=tuple(Decision(experience=experience, path=("n",), why=()) for experience in experiences),
        withdrawals=tuple(Withdrawal(experience_id=one, slot=slot) for slot, one in (gone or {}).items()),
        dismissals=closed,
    )


def memory(*events: Decided, **settings: Any) -> Recent:
    """A memory after these events."""
    recent = Recent(Settings(**settings), Clock(), Metrics())
    for event in events:
        recent.add(event)
    return recent


def snapshot(**slots: tuple[int, str]) -> Shopper:
    """A snapshot with slots: name = (offset, state)."""
    kept = [
        Slot(experience=shown(name, experience_id=f"x-{offset}-{name}"), state=state, position=Position(1, offset))  # type: ignore[arg-type]  # a literal
        for name, (offset, state) in slots.items()
    ]
    return Shopper(retailer_id=KEY.retailer_id, shopper=KEY.shopper, slots=tuple(kept))


def told(state: Shopper | None, recent: Recent, after: tuple[int, int] | None, now_ms: int = NOW_MS) -> list[str]:
    """What a page is told: experience ids, with a minus where they leave."""
    place = None if after is None else (Position(1, after[0]), after[1])
    due = catch_up(state, recent.page(KEY), (), place, now_ms)
    return [("-" if one.experience is None else "") + one.experience_id for one in due]


CASES: list[tuple[str, Shopper | None, tuple[Decided, ...], tuple[int, int] | None, list[str]]] = [
    ("nothing", None, (), None, []),
    ("memory alone", None, (decided(1, "main"),), None, ["x-1-main"]),
    ("snapshot alone", snapshot(main=(1, "open")), (), None, ["x-1-main"]),
    ("latest of a slot", None, (decided(1, "main"), decided(2, "main")), None, ["x-2-main"]),
    ("memory is younger", snapshot(main=(1, "open")), (decided(2, "main"),), None, ["x-2-main"]),
    ("snapshot is younger", snapshot(main=(3, "open")), (decided(2, "main"),), None, ["x-3-main"]),
    ("in order", snapshot(late=(9, "open")), (decided(2, "b", "a"),), None, ["x-2-b", "x-2-a", "x-9-late"]),
    ("behind a position", None, (decided(1, "main"), decided(2, "banner")), (1, 0), ["x-2-banner"]),
    ("within an event", None, (decided(1, "a", "b", "c"),), (1, 1), ["x-1-c"]),
    ("all is known", snapshot(main=(1, "open")), (decided(2, "banner"),), (2, 0), []),
    ("withdrawn, new page", None, (decided(1, "m"), decided(2, gone={"m": "x-1-m"})), None, []),
    ("withdrawn, known page", None, (decided(1, "m"), decided(2, gone={"m": "x-1-m"})), (1, 0), ["-x-1-m"]),
    ("withdrawn in the snapshot", snapshot(m=(2, "withdrawn")), (), (1, 0), ["-x-2-m"]),
    ("withdrawn, then filled", None, (decided(2, "m", gone={"m": "x-1-m"}),), (1, 0), ["x-2-m"]),
    ("dismissed", None, (decided(1, "m"), decided(2, closed=("x-1-m",))), None, []),
    ("dismissed, known page", None, (decided(1, "m"), decided(2, closed=("x-1-m",))), (0, 0), []),
    ("dismissed in the snapshot", snapshot(m=(2, "dismissed")), (), None, []),
    ("dismissed since the snapshot", snapshot(m=(1, "open")), (decided(2, closed=("x-1-m",)),), None, []),
    ("dismissed, then filled", snapshot(m=(1, "dismissed")), (decided(2, "m"),), None, ["x-2-m"]),
]


@pytest.mark.parametrize(("name", "state", "events", "after", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_a_page_is_told(
    name: str, state: Shopper | None, events: tuple[Decided, ...], after: tuple[int, int] | None, expected: list[str]
) -> None:
    """For each slot its latest state, if it is later than what the page knows and may be shown."""
    assert expected == told(state, memory(*events), after), name


def test_what_has_expired_is_not_told() -> None:
    """An experience that is over by the gateway's clock is not delivered."""
    assert [] == told(snapshot(main=(1, "open")), memory(), None, now_ms=FAR_MS)
    assert ["x-1-main"] == told(snapshot(main=(1, "open")), memory(), None, now_ms=FAR_MS - 1)


def test_what_came_meanwhile_is_a_part_of_the_whole() -> None:
    """A delivery that waits in the stream counts, also where memory had no room for it."""
    waiting = Delivery(KEY, (Position(1, 5), 0), "main", "x-5", shown("main", experience_id="x-5"))
    assert ["x-5"] == [one.experience_id for one in catch_up(snapshot(main=(1, "open")), None, [waiting], None, NOW_MS)]


def test_memory_is_bounded_in_time() -> None:
    """After `recent_s` an event's effects are forgotten, those of later events not."""
    clock = Clock()
    recent = Recent(Settings(recent_s=60), clock, Metrics())
    recent.add(decided(1, "main"))
    recent.add(decided(2, "banner", closed=("x-0",)))
    clock.now_s = 59
    recent.add(decided(3, "main"))
    clock.now_s = 61
    recent.add(decided(4))
    page = recent.page(KEY)
    assert page is not None
    assert ({"main"}, {UUID(int=3)}, {}) == (set(page.slots), set(page.triggered), page.closed)
    clock.now_s = 200
    recent.add(decided(5))
    assert (None, 0) == (recent.page(KEY), recent.size)


def test_memory_is_bounded_in_number() -> None:
    """Beyond `recent_max` the oldest leave early, and are counted."""
    metrics = Metrics()
    recent = Recent(Settings(recent_max=3), Clock(), metrics)
    for offset in range(5):
        recent.add(decided(offset, f"slot-{offset}"))
    page = recent.page(KEY)
    assert page is not None
    assert (3, {"slot-2", "slot-3", "slot-4"}) == (recent.size, set(page.slots))
    assert 2 == metrics.registry.get_sample_value("hotbasket_recent_evicted_total")


def test_what_events_brought() -> None:
    """By event id, in order, without what has left the page."""
    recent = memory(decided(1, "a", "b"), decided(2, "a", gone={"b": "x-1-b"}), decided(3, "c"))
    found = recent.triggered(KEY, [UUID(int=2), UUID(int=1), UUID(int=2), UUID(int=9)], NOW_MS)
    assert ["x-1-a", "x-2-a"] == [one.experience_id for one in found]


def test_a_place_is_what_a_frame_says() -> None:
    """The `id` of a frame leads back to its place."""
    recent = memory()
    (gone, came) = recent.add(decided(7, "b", gone={"a": "x-0"}))
    for delivery, number in ((gone, 0), (came, 1)):
        line = delivery.frame.split(b"\n")[0].decode()
        assert (Position(1, 7), number) == delivery.place == read_place(line.removeprefix("id: "))


@pytest.mark.parametrize("text", ["", "1", "1-2", "1-2-3-4", "a-b-c", "-1-2-3", "1-2-", "1" * 10 + "-1-1", "1-2-3\n"])
def test_what_is_no_place(text: str) -> None:
    """Anything else is no place."""
    assert None is read_place(text)
