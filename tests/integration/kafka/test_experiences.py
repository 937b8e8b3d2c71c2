"""The experience log between several processes: who is fenced when, and what readers get."""

from __future__ import annotations

import asyncio
from uuid import UUID

import msgspec
import pytest

from adapters.settings import Settings
from domain.errors import Fenced
from domain.ids import Position
from domain.ports.experience_log import Entry
from domain.records import SCHEMA_VERSION, Progress
from tests.contract.test_experience_log import progress, said
from tests.integration.kafka.conftest import PARTITIONS, Open, fresh_topics

SMALL_BATCH_BYTES = 64 * 1_024


async def test_a_newer_owner_elsewhere_fences_the_checkpoint(settings: Settings, opened: Open) -> None:
    """An owner in another process is found when confirming, if it stands before this owner's last `Progress`."""
    first, second = (await opened(settings)).logs.experiences, (await opened(settings)).logs.experiences
    old = await first.own(0, "worker-1")
    last = await first.append(0, old, said(old, 0))
    new = await second.own(0, "worker-2")
    assert last == await first.confirm(0, old)
    await first.append(0, old, said(old, 2))
    with pytest.raises(Fenced, match=f"owned by token {new}"):
        await first.confirm(0, old)
    with pytest.raises(Fenced):
        await first.append(0, old, said(old, 4))


async def test_an_older_owner_that_still_speaks_fences_nobody(settings: Settings, opened: Open) -> None:
    """Words of a worker that does not know it was replaced are read over: the new owner's checkpoint stands."""
    first, second = (await opened(settings)).logs.experiences, (await opened(settings)).logs.experiences
    old = await first.own(0, "worker-1")
    new = await second.own(0, "worker-2")
    await first.append(0, old, said(old, 0))
    last = await second.append(0, new, said(new, 0))
    await first.append(0, old, said(old, 2))
    assert last == await second.confirm(0, new)
    last = await second.append(0, new, [progress(new, 3)])
    assert last == await second.confirm(0, new)


async def test_an_owner_before_its_first_words_confirms_its_own_place(settings: Settings, opened: Open) -> None:
    """Before the first `Progress` the token itself is what is certain."""
    log = (await opened(settings)).logs.experiences
    token = await log.own(0, "worker-1")
    assert token == await log.confirm(0, token)


async def test_a_large_batch_is_written_in_order_over_several(kafka_address: str, opened: Open) -> None:
    """What does not fit into one batch follows in the next, the closing `Progress` last."""
    async with fresh_topics(kafka_address, kafka_batch_bytes=SMALL_BATCH_BYTES) as settings:
        log = (await opened(settings)).logs.experiences
        token = await log.own(0, "worker-1")
        (decided, *_) = said(token, 0)
        many = [
            msgspec.structs.replace(decided, position=Position(1, number), trigger_event_id=UUID(int=number))
            for number in range(1_500)
        ]
        last = await log.append(0, token, [*many, progress(token, 1_499)])
        entries = [
            entry for part in range(token, last, 1_000) for entry in await log.read(0, after=part, records_max=1_000)
        ]
        assert [*many, progress(token, 1_499)] == [entry.record for entry in entries]
        assert last == entries[-1].offset == await log.confirm(0, token)


async def test_all_partitions_are_read_at_once(settings: Settings, opened: Open) -> None:
    """A worker that takes many partitions reads their tails side by side, each complete."""
    log = (await opened(settings)).logs.experiences
    tokens = [await log.own(number, "worker-1") for number in range(PARTITIONS)]
    for number, token in enumerate(tokens):
        await log.append(number, token, [progress(token, offset) for offset in range(100)])
    parts = await asyncio.gather(*(log.read(number, after=-1, records_max=50) for number in range(PARTITIONS)))
    assert [list(range(50))] * PARTITIONS == [[entry.offset for entry in part] for part in parts]
    rests = await asyncio.gather(*(log.read(number, after=49, records_max=500) for number in range(PARTITIONS)))
    assert [list(range(50, 101))] * PARTITIONS == [[entry.offset for entry in part] for part in rests]
    assert [100] * PARTITIONS == [await log.end(number) for number in range(PARTITIONS)]


async def test_a_follower_of_some_gets_nothing_of_the_others(settings: Settings, opened: Open) -> None:
    """Who follows one partition is not told of another."""
    log = (await opened(settings)).logs.experiences
    followed = log.follow({}, only=[1])
    first = asyncio.ensure_future(anext(followed))
    for number in range(PARTITIONS):
        await log.own(number, "worker-1")
    assert [(1, 0)] == [(entry.partition, entry.offset) for entry in await first]
    await followed.aclose()  # type: ignore[attr-defined]


async def test_a_record_that_nobody_can_read_is_stepped_over(settings: Settings, opened: Open) -> None:
    """Bytes of no known form are left out of reads and follows, and what comes behind them arrives."""
    process = await opened(settings)
    log = process.logs.experiences
    token = await log.own(0, "worker-1")
    await process.logs.events._producer.append(f"{settings.kafka_topics}.experiences", 0, [b"\xc1"])
    last = await log.append(0, token, [progress(token, 0)])
    expected = Entry(0, last, Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, 0)))
    assert [expected] == list(await log.read(0, after=token, records_max=1))
    assert [expected] == list(await anext(log.follow({0: token})))
    assert last == await log.confirm(0, token)
