"""The contract of `domain.ports.failed_events.FailedEvents`."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.wiring import Ports
from domain.ids import Position
from domain.ports.failed_events import FailedEvent
from tests.contract.conftest import StoppedClock, System
from tests.contract.consumer import eventually
from tests.story import NOON_MS, RETAILER, SHOPPER

DAY_MS = 86_400_000


def failed(offset: int, *, partition: int = 0, retailer_id: str = RETAILER, reason: str = "undecodable") -> FailedEvent:
    """An event that failed `offset` seconds after noon and is kept for a day."""
    failed_at_ms = NOON_MS + offset * 1_000
    return FailedEvent(
        failed_id=f"{partition}-1-{offset}",
        partition=partition,
        position=Position(1, offset),
        retailer_id=retailer_id,
        shopper=SHOPPER if retailer_id else "",
        event_id="",
        reason=reason,
        detail="no record",
        path="$",
        payload=b"\xc1\x00",
        failed_at_ms=failed_at_ms,
        expires_at_ms=failed_at_ms + DAY_MS,
    )


async def listed(ports: Ports, retailer_id: str = RETAILER, events_max: int = 100) -> Sequence[FailedEvent]:
    """What a person sees."""
    return list(await ports.failed.list(retailer_id, events_max=events_max))


async def requested(ports: Ports, partition: int = 0, events_max: int = 100) -> set[str]:
    """The ids of what a partition's owner is asked to append again."""
    return {event.failed_id for event in await ports.failed.requested(partition, events_max=events_max)}


async def test_list_gives_the_newest_first(ports: Ports) -> None:
    """Every field comes back; the newest failures come first, and no more than asked."""
    await ports.failed.put([failed(1), failed(3), failed(2)])
    assert [failed(3), failed(2), failed(1)] == await listed(ports)
    assert [failed(3), failed(2)] == await listed(ports, events_max=2)


async def test_list_gives_a_retailer_its_own_and_what_nobody_could_read(ports: Ports) -> None:
    """Another retailer's failures stay its own; those of no readable retailer come with all."""
    await ports.failed.put([failed(1), failed(2, retailer_id="r-2"), failed(3, retailer_id="")])
    assert [failed(3, retailer_id=""), failed(1)] == await listed(ports)
    assert [failed(3, retailer_id=""), failed(2, retailer_id="r-2")] == await listed(ports, "r-2")


async def test_the_same_failure_again_changes_nothing(ports: Ports) -> None:
    """One place fails once: a checkpoint that is repeated leaves the first report."""
    await ports.failed.put([failed(1)])
    await ports.failed.put([failed(1, reason="tree_unreadable"), failed(2)])
    assert [failed(2), failed(1)] == await listed(ports)


async def test_failures_are_there_after_reopening(system: System) -> None:
    """What was put lasts, and so does a request."""
    async with system() as ports:
        await ports.failed.put([failed(1), failed(2)])
        assert 1 == await ports.failed.request_replay(["0-1-1"])
    async with system() as ports:
        assert [failed(2), failed(1)] == await listed(ports)
        assert {"0-1-1"} == await requested(ports)


async def test_request_replay_counts_the_new_ones(ports: Ports) -> None:
    """Asking twice for the same event is one request."""
    await ports.failed.put([failed(1), failed(2)])
    assert 1 == await ports.failed.request_replay(["0-1-1"])
    assert 1 == await ports.failed.request_replay(["0-1-1", "0-1-2"])
    assert 0 == await ports.failed.request_replay(["0-1-1"])


async def test_requested_gives_a_partition_its_own(ports: Ports) -> None:
    """The owner of a partition gets the whole failed events to append again, and no more than asked."""
    await ports.failed.put([failed(1), failed(2), failed(3), failed(1, partition=7)])
    assert set() == await requested(ports)
    await ports.failed.request_replay(["0-1-1", "0-1-3", "7-1-1"])
    assert {"0-1-1", "0-1-3"} == await requested(ports)
    assert [failed(1, partition=7)] == list(await ports.failed.requested(7, events_max=10))
    assert 1 == len(await requested(ports, events_max=1))


async def test_another_process_may_ask(system: System) -> None:
    """A request of a command reaches the running system."""
    async with system() as running:
        await running.failed.put([failed(1)])
        assert set() == await requested(running)
        async with system() as command:
            await command.failed.request_replay(["0-1-1"])

        async def is_requested() -> bool:
            return {"0-1-1"} == await requested(running)

        await eventually(is_requested)


async def test_replayed_forgets_event_and_request(ports: Ports) -> None:
    """What is in the log again is neither listed nor requested any more; the rest stays."""
    await ports.failed.put([failed(1), failed(2)])
    await ports.failed.request_replay(["0-1-1"])
    await ports.failed.replayed(["0-1-1"])
    assert [failed(2)] == await listed(ports)
    assert set() == await requested(ports)


async def test_expired_failures_are_not_listed(ports: Ports, clock: StoppedClock) -> None:
    """From the moment it expires a failed event is not shown, whether or not it was removed."""
    await ports.failed.put([failed(1), failed(2)])
    clock.ms = failed(1).expires_at_ms
    assert [failed(2)] == await listed(ports)


async def test_expire_removes_what_has_expired(ports: Ports) -> None:
    """Expiry removes for good and says how many; the rest stays."""
    await ports.failed.put([failed(1), failed(2), failed(3)])
    assert 2 == await ports.failed.expire(failed(2).expires_at_ms)
    assert 0 == await ports.failed.expire(failed(2).expires_at_ms)
    assert [failed(3)] == await listed(ports)


async def test_a_request_for_what_expired_does_not_stand_in_the_way(ports: Ports) -> None:
    """Requests whose event is gone make room for those that can be met."""
    await ports.failed.put([failed(1), failed(2)])
    await ports.failed.request_replay(["0-1-1", "0-1-2"])
    await ports.failed.expire(failed(1).expires_at_ms)
    assert {"0-1-2"} == await requested(ports, events_max=1)
