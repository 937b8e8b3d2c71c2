"""Members come, go, crash and come back: who loses, takes and keeps which partitions, and what is delivered."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from adapters.kafka.membership import stop
from adapters.settings import Settings
from domain.errors import Fenced, PortError
from domain.ports.event_log import Committed
from tests.integration.kafka.conftest import PARTITIONS, SESSION_S, Open, Process, fresh_topics
from tests.integration.kafka.polling import Turns, spread, together
from tests.services.kafka.broker import Kafka
from tests.services.processes import free_port
from tests.services.proxy import Proxy

ALL = set(range(PARTITIONS))


async def crash(process: Process) -> None:
    """Ends a member as a kill does: it says nothing to its group."""
    events = process.logs.events
    membership, events._membership = events._membership, None
    assert membership is not None
    # Without the name the library would say goodbye; with it, it never does.
    await stop(membership.consumer)


async def test_a_second_member_takes_a_part_and_the_rest_is_kept(settings: Settings, opened: Open) -> None:
    """Who joins takes partitions; the first keeps the others, which are delivered on without a gap or a repeat."""
    first = await opened(settings, "worker-1")
    await first.logs.events.append(spread(100, PARTITIONS))
    one = Turns(first.logs.events)
    await one.until(lambda: one.came == 100)
    assert ALL == one.owned
    second = await opened(settings, "worker-2")
    two = Turns(second.logs.events)
    writing = asyncio.create_task(_write(first, 40, first_number=100))
    await together(one, two, holds=lambda: len(one.owned) == len(two.owned) == PARTITIONS // 2)
    await writing
    await together(one, two, holds=lambda: sum(len(one.numbers[number]) for number in one.owned) == 250)
    assert ALL == one.owned | two.owned
    last = one.told[-1]
    assert (two.owned, (), one.owned) == (set(last.lost), last.taken, set(last.kept))
    for partition in one.owned:
        assert list(range(250 // 2)) == one.offsets[partition]
    await two.until(lambda: all(len(two.offsets[number]) == 125 for number in two.owned))
    assert {partition: list(range(125)) for partition in two.owned} == dict(two.offsets)


async def test_a_member_that_leaves_hands_over_at_once(settings: Settings, opened: Open) -> None:
    """Closing says goodbye although members are static: the other takes over long before the session runs out."""
    one, two, _, second = await _two(settings, opened)
    started_s = time.monotonic()
    await second.logs.close()
    await one.until(lambda: one.owned == ALL)
    assert time.monotonic() - started_s < SESSION_S / 2
    assert two.owned == set(one.told[-1].taken)


async def test_a_member_that_crashed_and_came_back_disturbs_nobody(settings: Settings, opened: Open) -> None:
    """The same name within the session gets the same partitions, and the other member is told nothing."""
    one, two, _, second = await _two(settings, opened)
    told = len(one.told)
    await crash(second)
    back = Turns((await opened(settings, "worker-2")).logs.events)
    await together(one, back, holds=lambda: back.owned == two.owned)
    assert told == len(one.told)


@pytest.mark.slow
async def test_a_member_that_stays_away_loses_its_partitions(settings: Settings, opened: Open) -> None:
    """When the session of a crashed member has run out, the others take what was its."""
    one, _, _, second = await _two(settings, opened)
    await crash(second)
    await one.until(lambda: one.owned == ALL)


async def test_a_name_that_is_taken_over_ends_the_first(settings: Settings, opened: Open) -> None:
    """Two processes with one name would put each other out for ever: the first is told, and stays out."""
    first, second = await opened(settings, "worker-1"), await opened(settings, "worker-1")
    one, two = Turns(first.logs.events), Turns(second.logs.events)
    await one.until(lambda: one.owned == ALL)
    await two.until(lambda: two.owned == ALL)
    with pytest.raises(PortError, match="'worker-1' was taken over") as refusal:
        await one.until(lambda: False)
    assert not refusal.value.retriable
    assert [ALL, set()] == [set(one.told[-1].lost), one.owned]
    told = len(two.told)
    await first.logs.close()
    heartbeats = time.monotonic() + 3 * SESSION_S / 10
    await two.until(lambda: time.monotonic() > heartbeats)
    assert told == len(two.told)


async def test_only_owned_partitions_can_be_committed(settings: Settings, opened: Open) -> None:
    """A commit for a partition that went to somebody else is fenced; what is owned is saved for all to see."""
    one, two, first, second = await _two(settings, opened)
    await first.logs.events.append(spread(PARTITIONS, PARTITIONS))
    await together(one, two, holds=lambda: one.came + two.came >= PARTITIONS)
    lost, own = min(two.owned), min(one.owned)
    committed = Committed(one.through(own), 7, 9)
    await first.logs.events.commit(own, committed)
    with pytest.raises(Fenced):
        await first.logs.events.commit(lost, Committed(two.through(lost), 7, 9))
    with pytest.raises(Fenced):
        await first.logs.events.commit(own, Committed(one.through(own), 6, 9))
    assert [committed, None] == await asyncio.gather(*(second.logs.events.committed(one) for one in (own, lost)))


async def test_groups_are_saved_apart_and_seen_by_outsiders(settings: Settings, opened: Open) -> None:
    """A gateway reads the hot group's commit without being in the group, and the cold group has its own."""
    worker = await opened(settings, "worker-1")
    hot = Turns(worker.logs.events)
    await worker.logs.events.append(spread(PARTITIONS, PARTITIONS))
    await hot.until(lambda: hot.came == PARTITIONS)
    committed = Committed(hot.through(0), 3, 4)
    await worker.logs.events.commit(0, committed)
    gateway, archiver = await opened(settings), await opened(settings, "archiver-1", is_cold=True)
    assert committed == await gateway.logs.events.committed(0)
    assert await archiver.logs.events.committed(0) is None
    cold = Turns(archiver.logs.events)
    await cold.until(lambda: cold.came == PARTITIONS)
    assert hot.owned == cold.owned == ALL


@pytest.mark.slow
@pytest.mark.usefixtures("kafka_address")
async def test_who_was_put_out_has_lost_everything_it_gets_again(tmp_path: Path, opened: Open) -> None:
    """A member that was cut off for longer than its session takes its partitions anew: somebody may have had them."""
    port = free_port()
    with Kafka(tmp_path, proxy_port=port) as broker, Proxy(broker.behind_proxy, port) as proxy:
        async with fresh_topics(broker.address, kafka_session_s=1.0) as settings:
            process = await opened(settings.model_copy(update={"kafka": proxy.address}), "worker-1")
            one = Turns(process.logs.events)
            await one.until(lambda: one.owned == ALL)
            proxy.cut()
            until_s = time.monotonic() + 2.5
            await one.until(lambda: time.monotonic() > until_s)
            proxy.forward()
            await one.until(lambda: len(one.told) > 1 and one.owned == ALL)
            lost, taken, kept = ({number for poll in one.told[1:] for number in poll[kind]} for kind in range(3))
            assert [ALL, ALL, set()] == [lost, taken, kept]
            await process.logs.close()


async def _two(settings: Settings, opened: Open) -> tuple[Turns, Turns, Process, Process]:
    """Two members that share the partitions."""
    first, second = await opened(settings, "worker-1"), await opened(settings, "worker-2")
    one, two = Turns(first.logs.events), Turns(second.logs.events)
    await together(one, two, holds=lambda: len(one.owned) == len(two.owned) == PARTITIONS // 2)
    return one, two, first, second


async def _write(process: Process, batches: int, first_number: int) -> None:
    """Appends ten records a batch."""
    for number in range(batches):
        await process.logs.events.append(spread(10, PARTITIONS, first=first_number + 10 * number))
