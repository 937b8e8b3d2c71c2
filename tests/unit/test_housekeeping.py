"""The worker's slow work, over the embedded stores: replays that people asked for, and expiry."""

from pathlib import Path

import pytest

from actors.housekeeping import Housekeeping
from actors.partition import Partition, Stores, take
from adapters.settings import load_settings
from adapters.wiring import embedded
from domain.ids import BEGINNING, Position
from domain.ports.failed_events import FailedEvent
from domain.ports.tree_store import DEFAULT
from domain.records import encode
from monitoring.metrics import Metrics
from tests.story import NOON_MS, record


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.s = 1_000.0

    def now_ms(self) -> int:
        """Noon, and what passed since."""
        return NOON_MS + int((self.s - 1_000.0) * 1_000)

    def monotonic_s(self) -> float:
        """What passed since the start."""
        return self.s


def failure(payload: bytes, expires_at_ms: int = NOON_MS + 10**10) -> FailedEvent:
    """An event that could not be processed."""
    return FailedEvent(
        failed_id="0-1-0",
        partition=0,
        position=Position(1, 0),
        retailer_id="r-1",
        shopper="0a",
        event_id="",
        reason="not_processed",
        detail="",
        path="$",
        payload=payload,
        failed_at_ms=NOON_MS,
        expires_at_ms=expires_at_ms,
    )


@pytest.mark.parametrize(("payload", "appended"), [(encode(record("LinkClicked", 0, 0, target="x")), 1), (b"\xc1", 0)])
async def test_a_requested_replay_is_appended_under_its_own_id(tmp_path: Path, payload: bytes, appended: int) -> None:
    """What can be read goes into the log again and is forgotten; what can't stays a failed event."""
    clock, settings, metrics = Clock(), load_settings(), Metrics()
    ports = embedded(tmp_path, settings, metrics, clock)
    try:
        stores = Stores(ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, clock, metrics)
        await ports.events.poll(records_max=1, wait_s=0)
        partitions: dict[int, Partition] = {0: await take(0, "w", stores)}
        await ports.failed.put([failure(payload)])
        await ports.failed.request_replay(["0-1-0"])
        await Housekeeping(stores, partitions).work()
        await ports.events.seek(0, BEGINNING)
        poll = await ports.events.poll(records_max=10, wait_s=0)
        assert sum(len(batch.records) for batch in poll.batches) == appended
        assert len(await ports.failed.list("r-1", events_max=10)) == 1 - appended
    finally:
        await ports.close()


async def test_what_is_too_old_expires(tmp_path: Path) -> None:
    """Failed events by their own time, the rest by whoever set the system up."""
    clock, settings, metrics = Clock(), load_settings(), Metrics()
    ports = embedded(tmp_path, settings, metrics, clock)
    asked: list[int] = []

    async def expire() -> int:
        asked.append(1)
        return 0

    try:
        stores = Stores(
            ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, clock, metrics, expire
        )
        housekeeping = Housekeeping(stores, {})
        await ports.failed.put([failure(b"", expires_at_ms=NOON_MS + 1_000)])
        await housekeeping.work()
        assert (len(await ports.failed.list("r-1", events_max=10)), asked) == (1, [])
        clock.s += 3_600
        await housekeeping.work()
        assert (len(await ports.failed.list("r-1", events_max=10)), asked) == (0, [1])
    finally:
        await ports.close()


async def test_trees_in_force_are_shown_with_their_time(tmp_path: Path) -> None:
    """Before any event, by the retailer's name where it is known; a rollback is seen like a release."""
    clock, settings, metrics = Clock(), load_settings(), Metrics()
    ports = embedded(tmp_path, settings, metrics, clock)

    def shown(name: str) -> float | None:
        return metrics.registry.get_sample_value(f"hotbasket_{name}", {"retailer": "r-1"})

    try:
        stores = Stores(ports.events, ports.experiences, ports.snapshots, ports.trees, ports.failed, clock, metrics)
        housekeeping = Housekeeping(stores, {})
        await housekeeping.work()
        assert shown("tree_generation_in_force") is None
        seen = []
        for blob in (b"one", b"two"):
            clock.s += 2.0
            await ports.trees.push("r-1", [(DEFAULT, blob)])
            await housekeeping.work()
            seen.append((shown("tree_generation_in_force"), shown("tree_release_timestamp_seconds")))
        assert [(1.0, NOON_MS / 1_000 + 2), (2.0, NOON_MS / 1_000 + 4)] == seen
        clock.s += 2.0
        await ports.releases.rollback("r-1")
        await housekeeping.work()
        assert 1.0 == shown("tree_generation_in_force")
    finally:
        await ports.close()
