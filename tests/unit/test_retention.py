"""What is kept for how long, what removes it, and what the daily look finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.settings import load_settings
from adapters.wiring import Ports, embedded
from deploy.house_keeping import HouseKeeper
from deploy.kept_days import read_kept
from deploy.retention_check import check, contract_days, stores_of
from domain.errors import PortError
from domain.ids import Position
from domain.ports.event_log import Committed
from domain.ports.retailers import Retailer
from domain.ports.snapshot_store import Snapshot
from domain.ports.tree_store import DEFAULT
from domain.retention import DAY_MS, KINDS, kept_days
from monitoring.metrics import Metrics
from tests.contract.conftest import StoppedClock
from tests.contract.test_audit_trail import entry
from tests.contract.test_failed_events import failed
from tests.identity import wrapped
from tests.story import NOON_MS
from tests.unit.erasing import decided, event, key

SHOP = Retailer(retailer_id="r-1", name="shop", retention_days=30, kept_days={"audit": 20})
OTHER = Retailer(retailer_id="r-9", name="other")
SETTINGS = load_settings(hot_days=5, failed_days=6)


def test_days_follow_the_contract() -> None:
    """What it says of a kind, else the retailer's days for history and state, and the usual days for the others."""
    assert ("history", "state", "models", "audit", "requests") == KINDS
    assert [30, 30, 90, 20, 1_095] == [kept_days(SHOP, kind) for kind in KINDS]


def test_options_are_read_or_refused() -> None:
    """Each fault is told with what would be right."""
    faults: list[str] = []
    given = ["history=7", "state=0", "audit=x", "weather=3", "history=8", "models", "requests=3651"]
    assert {"history": 7} == read_kept(given, faults)
    assert 6 == len(faults)
    assert "weather" in faults[2]


@pytest.fixture
def clock() -> StoppedClock:
    """Stands at noon."""
    return StoppedClock()


@pytest.fixture
async def ports(tmp_path: Path, clock: StoppedClock) -> AsyncIterator[Ports]:
    """The embedded stores of two shops."""
    opened = embedded(tmp_path / "data", SETTINGS, Metrics(), clock)
    for shop in (SHOP, OTHER):
        await opened.retailers.add(shop, f"w {shop.name}", f"s {shop.name}", wrapped(opened, shop.retailer_id))
    yield opened
    await opened.close()


async def with_event(ports: Ports) -> None:
    """One that the worker has saved."""
    (place,) = await ports.events.append([event("anna", 0, retailer_id="r-1")])
    await ports.events.commit(0, Committed(place.position, 0, -1))


async def with_decision(ports: Ports) -> None:
    """One that the worker has saved, and nothing behind it."""
    token = await ports.experiences.own(0, "w")
    end = await ports.experiences.append(0, token, [decided("anna", token, 0, "r-1")])
    await ports.events.commit(0, Committed(Position(1, 0), token, end + 1))


async def with_snapshot(ports: Ports) -> None:
    """Of a shopper who is gone."""
    await ports.snapshots.save(0, [Snapshot(key("anna", "r-1"), Position(1, 0), b"state", None, NOON_MS)])


async def with_tree(ports: Ports) -> None:
    """Of a shopper who never came, beside the default."""
    await ports.trees.push("r-1", [(DEFAULT, b"default"), (key("anna").shopper, b"own")])


async def with_failure(ports: Ports) -> None:
    """An event that failed."""
    await ports.failed.put([replace(failed(0, retailer_id="r-1"), failed_at_ms=NOON_MS, expires_at_ms=NOON_MS + 9)])


async def with_entry(ports: Ports) -> None:
    """An audit entry."""
    await ports.audit.append(entry(NOON_MS))


PLANTED: dict[str, tuple[Callable[[Ports], Awaitable[None]], int]] = {
    "event log": (with_event, 5),
    "experience log": (with_decision, 5),
    "snapshots": (with_snapshot, 30),
    "trees": (with_tree, 30),
    "failed events": (with_failure, 6),
    "audit trail": (with_entry, 20),
}


async def found(ports: Ports, clock: StoppedClock) -> list[tuple[str, str, int]]:
    """What the look finds."""
    checked = await check(stores_of(ports, None), [SHOP, OTHER], SETTINGS, clock.now_ms())
    assert {} == checked.unread
    return [(one.store, one.retailer, one.allowed_days) for one in checked.found]


@pytest.mark.parametrize("store", PLANTED)
async def test_old_data_is_found_and_removed(ports: Ports, clock: StoppedClock, store: str) -> None:
    """A day after its time it is found in its store and nowhere else; where house was kept, nothing is."""
    plant, days = PLANTED[store]
    await plant(ports)
    clock.ms += (days + 1) * DAY_MS
    assert [] == await found(ports, clock)
    clock.ms += 1
    assert [(store, "shop", days)] == await found(ports, clock)
    await ports.expire()
    await ports.failed.expire(clock.now_ms())
    metrics = Metrics()
    assert await HouseKeeper(ports, None, SETTINGS, clock, metrics).keep()
    assert [] == await found(ports, clock)
    assert 0 == metrics.privacy_too_old_s.labels(store)._value.get()
    assert clock.now_ms() / 1_000 == metrics.privacy_checked_at_s._value.get()


async def test_a_clean_system_is_clean(ports: Ports, clock: StoppedClock) -> None:
    """Young data of every kind is nowhere too old."""
    for plant, _ in PLANTED.values():
        await plant(ports)
    assert [] == await found(ports, clock)


async def test_trees_of_the_active_stay(ports: Ports, clock: StoppedClock) -> None:
    """However old, a tree belongs to a shopper who has a snapshot; and the default is nobody's."""
    await with_tree(ports)
    clock.ms += 99 * DAY_MS
    young = Snapshot(key("anna", "r-1"), Position(1, 0), b"state", None, clock.ms)
    await ports.snapshots.save(0, [young])
    assert 0 == await ports.expire_trees("r-1", clock.ms)
    assert [] == await found(ports, clock)
    await ports.snapshots.expire("r-1", clock.ms + 1)
    assert 1 == await ports.expire_trees("r-1", clock.ms)
    assert b"default" == (await ports.trees.load([young.key]))[young.key].blob


class AwayWarehouse:
    """A warehouse that can't be used, and of which nothing is known."""

    name = "warehouse"

    async def expire(self, retailer_id: str, before_ms: int) -> int:
        """A night works on it."""
        raise PortError("a job works on the warehouse", retriable=True)

    async def expire_runs(self, retailer_id: str, before_ms: int) -> int:
        """Breaks as a bug would."""
        raise ValueError("a bug")

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Can be told all the same."""
        return None


async def test_what_fails_keeps_nothing_else(ports: Ports, clock: StoppedClock) -> None:
    """Of every retailer the rest is removed; the keeper comes again sooner."""
    await with_snapshot(ports)
    await with_entry(ports)
    clock.ms += 31 * DAY_MS
    warehouse: Any = AwayWarehouse()
    assert not await HouseKeeper(ports, warehouse, SETTINGS, clock, Metrics()).keep()
    assert {} == await ports.snapshots.load([key("anna", "r-1")])
    assert [] == list(await ports.audit.read("r-1", 0, 10))


def test_requests_outlive_backups() -> None:
    """Who restores a backup is told by the tombstones whom to leave out, whatever the contract says."""
    short = replace(SHOP, kept_days={"requests": 1, "audit": 1})
    settings = load_settings(backup_days=20, export_days=7)
    assert (21, 1) == tuple(contract_days(kind, short, settings) for kind in ("requests", "audit"))
    assert 1_095 == contract_days("requests", SHOP, settings)
