"""The contract of `domain.ports.experience_log.ExperienceLog`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from adapters.wiring import Ports
from domain.errors import Fenced
from domain.ids import Position
from domain.ports.experience_log import Entry, ExperienceLog
from domain.records import SCHEMA_VERSION, Decided, ExperienceRecord, Failed, Owner, Progress
from tests.contract.conftest import System
from tests.contract.consumer import WITHIN_S
from tests.story import NOON_MS, RETAILER, SHOPPER

PARTITION = 0


def progress(token: int, offset: int) -> Progress:
    """A batch ends."""
    return Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, offset))


def said(token: int, offset: int) -> list[Decided | Failed | Progress]:
    """What a worker says about a batch of two events: one moved its shopper, one failed."""
    decided = Decided(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=Position(1, offset),
        trigger_event_id=UUID(int=offset),
        retailer_id=RETAILER,
        shopper=SHOPPER,
        received_at_ms=NOON_MS,
        generation=1,
        node_id="sauce",
        walked_from="start",
    )
    failed = Failed(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=Position(1, offset + 1),
        retailer_id="",
        shopper="",
        event_id="",
        reason="undecodable",
        detail="no record",
        path="$",
        payload=b"\xc1",
        failed_at_ms=0,
    )
    return [decided, failed, progress(token, offset + 1)]


async def everything(log: ExperienceLog, records_max: int = 100) -> list[Entry]:
    """Reads the whole partition, a part at a time."""
    entries: list[Entry] = []
    after = -1
    while part := await log.read(PARTITION, after=after, records_max=records_max):
        assert len(part) <= records_max
        entries += part
        after = part[-1].offset
    return entries


async def followed(entries: AsyncIterator[Sequence[Entry]], count: int) -> list[Entry]:
    """Takes entries of the partition from a follower until there are so many."""
    found: list[Entry] = []
    async with asyncio.timeout(WITHIN_S):
        while len(found) < count:
            found += [entry for entry in await anext(entries) if entry.partition == PARTITION]
    return found


async def test_own_appends_an_owner_whose_offset_is_the_token(ports: Ports) -> None:
    """The token is the place of the `Owner` record, which every reader sees."""
    token = await ports.experiences.own(PARTITION, "worker-1")
    owner: ExperienceRecord = Owner(schema_version=SCHEMA_VERSION, worker_id="worker-1")
    assert [Entry(PARTITION, token, owner)] == await everything(ports.experiences)


async def test_a_newer_owner_has_a_newer_token(ports: Ports) -> None:
    """Tokens grow, also when the same worker takes the partition again."""
    tokens = [await ports.experiences.own(PARTITION, "worker-1") for _ in range(3)]
    assert sorted(set(tokens)) == tokens


async def test_append_keeps_the_order_and_gives_the_last_offset(ports: Ports) -> None:
    """Records stand in the order given, behind their owner, and the last one's place is the result."""
    token = await ports.experiences.own(PARTITION, "worker-1")
    last = await ports.experiences.append(PARTITION, token, said(token, 0))
    entries = await everything(ports.experiences)
    assert said(token, 0) == [entry.record for entry in entries[1:]]
    assert last == entries[-1].offset == await ports.experiences.end(PARTITION)


async def test_offsets_grow_within_a_partition(ports: Ports) -> None:
    """No two entries share an offset, and later ones have higher offsets."""
    token = await ports.experiences.own(PARTITION, "worker-1")
    for number in range(5):
        await ports.experiences.append(PARTITION, token, said(token, 2 * number))
    offsets = [entry.offset for entry in await everything(ports.experiences)]
    assert sorted(set(offsets)) == offsets


async def test_what_was_appended_is_there_after_reopening(system: System) -> None:
    """Owners and records are durable when the calls return."""
    async with system() as ports:
        token = await ports.experiences.own(PARTITION, "worker-1")
        last = await ports.experiences.append(PARTITION, token, said(token, 0))
        before = await everything(ports.experiences)
    async with system() as ports:
        assert before == await everything(ports.experiences)
        assert last == await ports.experiences.end(PARTITION)


async def test_an_old_owner_is_fenced(ports: Ports) -> None:
    """A worker that was replaced can neither append nor confirm, and nothing of what it said is in the log."""
    old = await ports.experiences.own(PARTITION, "worker-1")
    await ports.experiences.append(PARTITION, old, said(old, 0))
    new = await ports.experiences.own(PARTITION, "worker-2")
    before = await everything(ports.experiences)
    with pytest.raises(Fenced):
        await ports.experiences.append(PARTITION, old, said(old, 2))
    with pytest.raises(Fenced):
        await ports.experiences.confirm(PARTITION, old)
    assert before == await everything(ports.experiences)
    await ports.experiences.append(PARTITION, new, said(new, 2))


async def test_an_owner_before_a_restart_is_fenced_by_one_after_it(system: System) -> None:
    """The fence stands in the log and not in a process."""
    async with system() as ports:
        old = await ports.experiences.own(PARTITION, "worker-1")
    async with system() as ports:
        await ports.experiences.own(PARTITION, "worker-1")
        with pytest.raises(Fenced):
            await ports.experiences.append(PARTITION, old, said(old, 0))


async def test_a_fenced_append_fails_alone(ports: Ports) -> None:
    """What others appended at the same moment is stored."""
    old = await ports.experiences.own(PARTITION, "worker-1")
    new = await ports.experiences.own(PARTITION, "worker-2")
    refused, stored = await asyncio.gather(
        ports.experiences.append(PARTITION, old, said(old, 0)),
        ports.experiences.append(PARTITION, new, said(new, 0)),
        return_exceptions=True,
    )
    assert isinstance(refused, Fenced)
    assert stored == await ports.experiences.end(PARTITION)


async def test_confirm_gives_the_last_progress(ports: Ports) -> None:
    """An owner that nobody replaced learns how far it has spoken."""
    token = await ports.experiences.own(PARTITION, "worker-1")
    await ports.experiences.append(PARTITION, token, said(token, 0))
    last = await ports.experiences.append(PARTITION, token, [progress(token, 5)])
    assert last == await ports.experiences.confirm(PARTITION, token)


async def test_read_goes_on_behind_an_offset(ports: Ports) -> None:
    """Reading in small parts gives the same entries as reading at once."""
    token = await ports.experiences.own(PARTITION, "worker-1")
    for number in range(4):
        await ports.experiences.append(PARTITION, token, said(token, 2 * number))
    assert await everything(ports.experiences) == await everything(ports.experiences, records_max=2)


async def test_an_empty_partition_ends_at_minus_one(ports: Ports) -> None:
    """Before the first record there is nothing to read."""
    assert (-1, ()) == (
        await ports.experiences.end(PARTITION),
        tuple(await ports.experiences.read(PARTITION, after=-1, records_max=10)),
    )


async def test_follow_begins_behind_the_given_offset(ports: Ports) -> None:
    """A follower gets what it has not seen; without an offset it begins with the first record."""
    token = await ports.experiences.own(PARTITION, "worker-1")
    await ports.experiences.append(PARTITION, token, said(token, 0))
    entries = await everything(ports.experiences)
    assert entries[2:] == await followed(ports.experiences.follow({PARTITION: entries[1].offset}), 2)
    assert entries == await followed(ports.experiences.follow({}), 4)


async def test_followers_get_what_comes(ports: Ports) -> None:
    """Every follower that waits gets each new record once, in order."""
    token = await ports.experiences.own(PARTITION, "worker-1")
    following = [asyncio.create_task(followed(ports.experiences.follow({PARTITION: token}), 30)) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(10):
        await ports.experiences.append(PARTITION, token, said(token, 2 * number))
    entries = (await everything(ports.experiences))[1:]
    assert [entries] * 3 == await asyncio.gather(*following)


async def test_a_follower_that_comes_late_misses_nothing(system: System) -> None:
    """What was written before the process began is followed as well, and then what comes."""
    async with system() as ports:
        before = await ports.experiences.own(PARTITION, "worker-1")
        await ports.experiences.append(PARTITION, before, [progress(before, number) for number in range(600)])
    async with system() as ports:
        token = await ports.experiences.own(PARTITION, "worker-2")
        entries = await followed(ports.experiences.follow({}), 602)
        assert await everything(ports.experiences) == entries
        assert [progress(before, number) for number in range(600)] == [entry.record for entry in entries[1:-1]]
        assert token == entries[-1].offset
