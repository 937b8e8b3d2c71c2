"""What a gateway remembers of promises, beside snapshots, and what it knows that it has forgotten."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from msgspec import structs

from adapters.settings import Settings
from domain.ids import BEGINNING, Position
from domain.records import SCHEMA_VERSION, Decided, Decision, Reserved, Settlement
from domain.shopper import Shopper
from gateway.recent import Recent, reservations_of
from monitoring.metrics import Metrics
from tests.unit.experiences import shown
from tests.unit.test_gateway_recent import KEY, NOW_MS, Clock

NOBODY = Shopper(retailer_id=KEY.retailer_id, shopper=KEY.shopper)


def decided(offset: int, **more: Any) -> Decided:
    """An event of the shopper."""
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
        **more,
    )


def promised(offset: int) -> Decided:
    """An event that made a promise."""
    experience = shown("main", experience_id=f"x-{offset}", campaign_id=f"c-{offset}")
    reserved = Reserved(experience_id=f"x-{offset}", campaign_id=f"c-{offset}", cost_minor=10)
    return decided(
        offset,
        decisions=(Decision(experience=experience, path=("start", "n"), why=()),),
        reservations=(reserved,),
    )


def ended(offset: int, of: int) -> Decided:
    """An event that ended the promise of another."""
    settlement = Settlement(
        experience_id=f"x-{of}", campaign_id=f"c-{of}", cause="expired", reserved_minor=-10, reserved_count=-1
    )
    return decided(offset, settlements=(settlement,), stays=True)


def memory(*events: Decided, **settings: Any) -> Recent:
    """A memory after these events."""
    recent = Recent(Settings(**settings), Clock(), Metrics())
    for event in events:
        recent.add(event)
    return recent


def open_of(recent: Recent, state: Shopper | None = None) -> list[str]:
    """The open promises of the shopper."""
    return [one.experience_id for one in reservations_of(state, recent.page(KEY))]


def test_what_came_since_the_snapshot_counts() -> None:
    """Promises made and ended since; what the snapshot has already does not count twice."""
    recent = memory(promised(1), promised(2), ended(3, of=1), promised(4))
    assert ["x-2", "x-4"] == open_of(recent)
    assert ["x-4"] == open_of(recent, structs.replace(NOBODY, position=Position(1, 3)))
    assert [] == open_of(recent, structs.replace(NOBODY, position=Position(1, 4)))
    assert [] == open_of(memory())


def test_an_end_is_remembered_though_no_page_is_told() -> None:
    """A promise of the snapshot that ended since is over."""
    state = structs.replace(
        NOBODY, position=Position(1, 1), reservations=reservations_of(None, memory(promised(1)).page(KEY))
    )
    assert ["x-1"] == open_of(memory(), state)
    recent = memory(ended(2, of=1))
    assert [] == open_of(recent, state)
    assert 1 == recent.size


def test_what_memory_forgot_is_known() -> None:
    """Up to which event promises may be missing, for the shoppers of one bucket; the others lack nothing."""
    clock = Clock()
    recent = Recent(Settings(recent_s=60), clock, Metrics())
    recent.add(promised(1))
    assert BEGINNING == recent.forgotten(KEY.shopper)
    clock.now_s = 61
    recent.add(promised(2))
    assert (Position(1, 1), BEGINNING) == (recent.forgotten(KEY.shopper), recent.forgotten("ff" * 32))
    assert ["x-2"] == open_of(recent)
    clock.now_s = 200
    recent.add(decided(3))
    assert (Position(1, 2), None, 0) == (recent.forgotten(KEY.shopper), recent.page(KEY), recent.size)


def test_promises_count_towards_the_bound() -> None:
    """Beyond `recent_max` the oldest leave, promises too."""
    recent = memory(*(promised(offset) for offset in range(5)), recent_max=4)
    assert (4, ["x-3", "x-4"], Position(1, 2)) == (recent.size, open_of(recent), recent.forgotten(KEY.shopper))
