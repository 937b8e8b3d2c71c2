"""The contract of `domain.ports.event_log.EventLog`."""

from __future__ import annotations

import asyncio

import pytest

from adapters.wiring import Ports
from domain.errors import Full, PortError
from domain.ids import BEGINNING, Position
from domain.ports.event_log import Committed
from tests.contract.conftest import QUEUE_EVENTS_MAX, System
from tests.contract.consumer import WITHIN_S, events, partition_of, polled, start, taken


async def test_the_number_of_partitions_is_fixed(system: System) -> None:
    """A log that is opened again has as many partitions as before."""
    async with system() as ports:
        before = ports.events.partitions
    async with system() as ports:
        assert before == ports.events.partitions


async def test_append_gives_the_place_of_every_record(ports: Ports) -> None:
    """The awaitable gives one place a record, in the order of the records, all on the shopper's partition."""
    first = await ports.events.append(events(3))
    second = await ports.events.append(events(2, first=3))
    places = [*first, *second]
    assert [partition_of(ports.events)] * 5 == [place.partition for place in places]
    assert sorted(place.position for place in places) == [place.position for place in places]
    assert 5 == len({place.position for place in places})


async def test_appending_nothing_gives_no_places(ports: Ports) -> None:
    """An empty append succeeds and leaves no trace."""
    assert [] == list(await ports.events.append([]))
    (place,) = await ports.events.append(events(1))
    assert 0 == place.position.offset


async def test_what_was_appended_is_polled_at_its_place(ports: Ports) -> None:
    """A consumer gets each record equal to what was appended, at the place that the append gave."""
    records = events(3)
    places = await ports.events.append(records)
    await start(ports.events)
    assert list(zip(places, records, strict=True)) == await polled(ports.events, 3)


async def test_an_acknowledged_append_is_there_after_reopening(system: System) -> None:
    """What the awaitable confirmed is durable: a new process finds it, and goes on behind it."""
    async with system() as ports:
        places = list(await ports.events.append(events(3)))
    async with system() as ports:
        places += await ports.events.append(events(1, first=3))
        await start(ports.events)
        assert list(zip(places, events(4), strict=True)) == await polled(ports.events, 4)


async def test_the_order_within_a_partition_is_that_of_append(ports: Ports) -> None:
    """Appends that wait together for one flush stand in the order of their calls."""
    appends = [ports.events.append(events(2, first=2 * number)) for number in range(50)]
    places = [place for given in await asyncio.gather(*appends) for place in given]
    await start(ports.events)
    assert list(zip(places, events(100), strict=True)) == await polled(ports.events, 100)


async def test_repeating_an_append_appends_again(ports: Ports) -> None:
    """The log absorbs no repeats: that is for readers, by event id."""
    places = [*await ports.events.append(events(1)), *await ports.events.append(events(1))]
    assert 2 == len(set(places))


async def test_a_full_queue_refuses_at_once_and_accepts_nothing(ports: Ports) -> None:
    """Beyond its bound an append raises Full before it is awaited, and none of its records is ever seen."""
    waiting = ports.events.append(events(QUEUE_EVENTS_MAX))
    with pytest.raises(Full) as refusal:
        await ports.events.append(events(1, first=QUEUE_EVENTS_MAX))
    assert refusal.value.retriable
    assert refusal.value.retry_after_s > 0
    await waiting
    await ports.events.append(events(1, first=QUEUE_EVENTS_MAX + 1))
    await start(ports.events)
    numbers = [*range(QUEUE_EVENTS_MAX), QUEUE_EVENTS_MAX + 1]
    ids = [found.event.event_id.int - 1 for _, found in await polled(ports.events, len(numbers))]  # type: ignore[union-attr]
    assert numbers == ids


async def test_a_healthy_log_accepts(ports: Ports) -> None:
    """Readiness is told without raising."""
    assert await ports.events.accepts()


async def test_a_log_with_a_full_queue_does_not_accept(ports: Ports) -> None:
    """While the queue is full an append would be refused, and `accepts` says so; afterwards it accepts again."""
    waiting = ports.events.append(events(QUEUE_EVENTS_MAX))
    assert not await ports.events.accepts()
    await waiting
    assert await ports.events.accepts()


async def test_the_first_poll_says_what_is_taken(ports: Ports) -> None:
    """A lone consumer gets every partition."""
    assert set(range(ports.events.partitions)) == await taken(ports.events)


async def test_a_taken_partition_delivers_nothing_before_seek(ports: Ports) -> None:
    """Records wait until the consumer has said where to start."""
    await ports.events.append(events(1))
    await taken(ports.events)
    assert () == (await ports.events.poll(records_max=10, wait_s=0.05)).batches
    await ports.events.seek(partition_of(ports.events), BEGINNING)
    assert 1 == len(await polled(ports.events, 1))


async def test_a_poll_gives_no_more_than_asked(ports: Ports) -> None:
    """`records_max` bounds a poll, and the next one goes on behind it, without a gap or a repeat."""
    await ports.events.append(events(10))
    await start(ports.events)
    poll = await ports.events.poll(records_max=4, wait_s=1)
    assert 4 >= sum(len(batch.records) for batch in poll.batches)
    got = [found for batch in poll.batches for found in batch.records]
    got += [found for _, found in await polled(ports.events, 10 - len(got), records_max=4)]
    assert events(10) == got


async def test_a_poll_without_records_ends_after_its_wait(ports: Ports) -> None:
    """At the end of the log a poll comes back empty instead of waiting for ever."""
    await start(ports.events)
    async with asyncio.timeout(WITHIN_S):
        assert () == (await ports.events.poll(records_max=10, wait_s=0.01)).batches


async def test_a_waiting_poll_is_woken_by_an_append(ports: Ports) -> None:
    """A consumer that waits gets new records as soon as they are durable, long before its wait is over."""
    await start(ports.events)
    async with asyncio.timeout(WITHIN_S):
        polling = asyncio.create_task(ports.events.poll(records_max=10, wait_s=10 * WITHIN_S))
        await asyncio.sleep(0)
        await ports.events.append(events(1))
        assert events(1) == [found for batch in (await polling).batches for found in batch.records]


async def test_seek_starts_behind_a_position(ports: Ports) -> None:
    """The next poll begins with the record after the given place."""
    places = await ports.events.append(events(5))
    await start(ports.events, after=places[2].position)
    assert [places[3], places[4]] == [place for place, _ in await polled(ports.events, 2)]


async def test_seek_back_delivers_again(ports: Ports) -> None:
    """A consumer that goes back sees the same records at the same places."""
    await ports.events.append(events(5))
    await start(ports.events)
    before = await polled(ports.events, 5)
    await ports.events.seek(partition_of(ports.events), before[1][0].position)
    assert before[2:] == await polled(ports.events, 3)


async def test_seek_to_the_end_delivers_only_what_comes(ports: Ports) -> None:
    """Behind the last record there is nothing until something is appended."""
    places = await ports.events.append(events(2))
    await start(ports.events, after=places[-1].position)
    assert () == (await ports.events.poll(records_max=10, wait_s=0.01)).batches
    coming = await ports.events.append(events(1, first=2))
    assert list(coming) == [place for place, _ in await polled(ports.events, 1)]


@pytest.mark.parametrize("beyond", [(0, 1), (1, 0)], ids=["offset", "epoch"])
async def test_seek_beyond_the_end_is_not_retriable(ports: Ports, beyond: tuple[int, int]) -> None:
    """A log that ends before a snapshot is not that snapshot's log, and says what to do."""
    (place,) = await ports.events.append(events(1))
    await taken(ports.events)
    after = Position(place.position.epoch + beyond[0], place.position.offset + beyond[1])
    with pytest.raises(PortError) as refusal:
        await ports.events.seek(partition_of(ports.events), after)
    assert not refusal.value.retriable


async def test_a_group_that_never_committed_has_no_commit(ports: Ports) -> None:
    """Before the first commit there is none."""
    assert await ports.events.committed(partition_of(ports.events)) is None


async def test_the_last_commit_wins_and_lasts(system: System) -> None:
    """A new consumer finds the newest commit, with its token and its tail."""
    async with system() as ports:
        places = await ports.events.append(events(2))
        await start(ports.events)
        number = partition_of(ports.events)
        await ports.events.commit(number, Committed(places[0].position, 0, 1))
        last = Committed(places[1].position, 0, 3)
        await ports.events.commit(number, last)
        assert last == await ports.events.committed(number)
    async with system() as ports:
        assert last == await ports.events.committed(number)


async def test_delivery_is_at_least_once(system: System) -> None:
    """After a restart a consumer that starts behind its commit sees again all that follows, and nothing before."""
    async with system() as ports:
        places = await ports.events.append(events(4))
        await start(ports.events)
        seen = await polled(ports.events, 4)
        await ports.events.commit(partition_of(ports.events), Committed(places[1].position, 0, 0))
    async with system() as ports:
        committed = await ports.events.committed(partition_of(ports.events))
        assert committed is not None
        await start(ports.events, after=committed.through)
        assert seen[2:] == await polled(ports.events, 2)
