"""The follower: which records of the experience log count, when, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from adapters.clock import SystemClock
from adapters.settings import Settings
from domain.errors import PortError
from domain.ids import BEGINNING, Position, ShopperKey
from domain.ports.event_log import Committed
from domain.ports.experience_log import Entry
from domain.records import SCHEMA_VERSION, Decided, Decision, ExperienceRecord, Failed, Owner, Progress
from gateway.follow import Follower
from gateway.recent import Recent
from gateway.stores import Stores
from gateway.waits import Waits
from gateway.wire import Delivery
from monitoring.metrics import Metrics
from tests.unit.experiences import shown

SHOPPER = "0a" * 32


class Tape:
    """Both logs, played from a list of records, as a log reads that refuses nobody; record i stands at offset i."""

    partitions = 1

    def __init__(self, records: Sequence[ExperienceRecord], committed: Committed | None) -> None:
        self.entries = [Entry(0, offset, record) for offset, record in enumerate(records)]
        self._committed = committed
        self.played = asyncio.Event()

    async def committed(self, _: int) -> Committed | None:
        """What the snapshots hold."""
        return self._committed

    async def end(self, _: int) -> int:
        """The last offset."""
        return len(self.entries) - 1

    async def follow(self, after: Mapping[int, int], _: object = None) -> AsyncIterator[Sequence[Entry]]:
        """Everything behind the offset, one by one, then silence."""
        for entry in self.entries:
            if entry.offset > after[0]:
                yield [entry]
        self.played.set()
        await asyncio.Event().wait()


def owner() -> Owner:
    """Somebody takes the partition; the token is its offset."""
    return Owner(schema_version=SCHEMA_VERSION, worker_id="w")


def decided(token: int, offset: int, name: str | None = None) -> Decided:
    """An event at this offset brought an experience."""
    experience = shown("main", experience_id=name or f"x-{offset}")
    return Decided(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=Position(1, offset),
        trigger_event_id=UUID(int=offset),
        retailer_id="r-1",
        shopper=SHOPPER,
        received_at_ms=0,
        generation=1,
        node_id="n",
        walked_from="n",
        decisions=(Decision(experience=experience, path=("n",), why=()),),
    )


def progress(token: int, offset: int) -> Progress:
    """Everything up to this offset is processed."""
    return Progress(schema_version=SCHEMA_VERSION, token=token, through=Position(1, offset))


def failed(token: int, offset: int) -> Failed:
    """An event could not be processed."""
    return Failed(
        schema_version=SCHEMA_VERSION, token=token, position=Position(1, offset), retailer_id="", shopper="",
        event_id="", reason="undecodable", detail="", path="", payload=b"", failed_at_ms=0,
    )  # fmt: skip


async def play(*records: ExperienceRecord, committed: Committed | None = None) -> tuple[list[str], Waits, Recent, bool]:
    """Plays records; gives the ids delivered, in order, what waits know, the memory, and whether it caught up."""
    tape: Any = Tape(records, committed)
    metrics, clock, nobody = Metrics(), SystemClock(), None
    stores = Stores(tape, tape, nobody, nobody, nobody, clock, metrics)  # type: ignore[arg-type]  # only followed
    recent, waits = Recent(Settings(), clock, metrics), Waits()
    delivered: list[Delivery] = []
    follower = Follower(stores, recent, waits, delivered.extend)
    follower.start()
    async with asyncio.timeout(10):
        await tape.played.wait()
    await follower.stop()
    return [delivery.experience_id for delivery in delivered], waits, recent, follower.is_caught_up


async def test_a_record_counts_when_its_progress_has_come() -> None:
    """What a batch decided is held back until the `Progress` that closes it, then delivered in order."""
    delivered, waits, _, _ = await play(owner(), decided(0, 0), decided(0, 1), failed(0, 2))
    assert ([], BEGINNING) == (delivered, waits.through(0))
    delivered, waits, _, _ = await play(owner(), decided(0, 0), decided(0, 1), failed(0, 2), progress(0, 2))
    assert (["x-0", "x-1"], Position(1, 2)) == (delivered, waits.through(0))


async def test_an_old_owner_can_not_speak_any_more() -> None:
    """What a worker that was replaced says afterwards is dropped, and so is what it had not closed before."""
    delivered, waits, _, _ = await play(
        owner(),  # 0
        decided(0, 0, "closed"),
        progress(0, 0),
        decided(0, 1, "not closed"),
        owner(),  # 4
        decided(0, 1, "too late"),
        decided(4, 1, "again"),
        progress(0, 9),
        progress(4, 1),
    )
    assert (["closed", "again"], Position(1, 1)) == (delivered, waits.through(0))


async def test_an_append_that_was_repeated_counts_once() -> None:
    """A batch may stand in the log twice, whole or in part: each event's decisions are taken once."""
    batch = (decided(0, 0), decided(0, 1), progress(0, 1))
    delivered, _, _, _ = await play(owner(), *batch, *batch)
    assert ["x-0", "x-1"] == delivered
    delivered, _, _, _ = await play(owner(), decided(0, 0), *batch, decided(0, 2), progress(0, 2))
    assert ["x-0", "x-1", "x-2"] == delivered


async def test_it_begins_where_the_snapshots_end() -> None:
    """Only what is younger than the last checkpoint is read, even without the `Owner` before it."""
    at = Committed(through=Position(1, 1), token=0, tail=2)
    records = (owner(), decided(0, 0), progress(0, 1), decided(0, 2), progress(0, 2))
    delivered, waits, _, caught_up = await play(*records, committed=at)
    assert (["x-2"], Position(1, 2), True) == (delivered, waits.through(0), caught_up)
    delivered, waits, _, caught_up = await play(*records[:3], committed=at)
    assert ([], Position(1, 1), True) == (delivered, waits.through(0), caught_up)


async def test_an_owner_before_the_snapshots_end_is_known() -> None:
    """The commit's token tells the follower who may speak."""
    at = Committed(through=Position(1, 0), token=2, tail=3)
    records = (owner(), decided(0, 0), owner(), progress(2, 0), decided(0, 1, "old"), progress(0, 1))
    delivered, waits, _, _ = await play(*records, committed=at)
    assert ([], Position(1, 0)) == (delivered, waits.through(0))


async def test_it_is_caught_up_with_an_empty_log() -> None:
    """A gateway whose log is empty has nothing to wait for."""
    _, _, _, caught_up = await play()
    assert caught_up


async def test_what_was_delivered_is_remembered() -> None:
    """The memory has what streams got, for those who come later."""
    _, _, recent, _ = await play(owner(), decided(0, 0), decided(0, 1), progress(0, 1))
    page = recent.page(ShopperKey("r-1", SHOPPER))
    assert page is not None
    assert {"main": "x-1"} == {slot: delivery.experience_id for slot, delivery in page.slots.items()}
    assert ["x-0"] == [one.experience_id for one in recent.triggered(ShopperKey("r-1", SHOPPER), [UUID(int=0)], 0)]


async def test_it_is_current_only_when_the_log_says_so() -> None:
    """A log that is away, or that holds more, leaves open whether a page knows more than this gateway."""

    class Away(Tape):
        """A log that stops answering."""

        is_away = False

        async def end(self, number: int) -> int:
            """The last offset, or no answer."""
            if self.is_away:
                raise PortError("the log can't be read now", retriable=True)
            return await super().end(number)

    tape: Any = Away((owner(), decided(0, 0), progress(0, 0)), None)
    metrics, clock, nobody = Metrics(), SystemClock(), None
    stores = Stores(tape, tape, nobody, nobody, nobody, clock, metrics)  # type: ignore[arg-type]  # only followed
    follower = Follower(stores, Recent(Settings(), clock, metrics), Waits(), lambda _: None)
    assert not await follower.is_current(0)
    follower.start()
    async with asyncio.timeout(10):
        await tape.played.wait()
    assert await follower.is_current(0)
    tape.is_away = True
    assert not await follower.is_current(0)
    tape.is_away = False
    tape.entries.append(Entry(0, 3, progress(0, 0)))
    assert not await follower.is_current(0)
    await follower.stop()


class Slow(Tape):
    """A log of which nothing can be read until the test says so, or whose end nobody knows."""

    def __init__(self, *records: ExperienceRecord) -> None:
        super().__init__(records, None)
        self.readable = asyncio.Event()
        self.is_away = False

    async def end(self, partition: int) -> int:
        """The last offset, or nobody answers."""
        if self.is_away:
            raise PortError("the log can't be reached", retriable=True)
        return await super().end(partition)

    async def follow(self, after: Mapping[int, int], only: object = None) -> AsyncIterator[Sequence[Entry]]:
        """Everything, once it may be read."""
        await self.readable.wait()
        async for entries in super().follow(after, only):
            yield entries


async def test_who_asks_waits_until_all_that_is_there_was_followed() -> None:
    """As long as that takes within the limit; a log that does not answer is not current."""
    tape: Any = Slow(owner(), decided(0, 0), progress(0, 0))
    metrics, clock, nobody = Metrics(), SystemClock(), None
    stores = Stores(tape, tape, nobody, nobody, nobody, clock, metrics)  # type: ignore[arg-type]  # only followed
    recent = Recent(Settings(), clock, metrics)
    follower = Follower(stores, recent, Waits(), lambda _: None)
    assert (await follower.until_current(0, 0)) is False
    follower.start()
    assert (await follower.until_current(0, 0.01)) is False
    waiting = asyncio.create_task(follower.until_current(0, 10))
    tape.readable.set()
    assert await waiting
    assert recent.page(ShopperKey("r-1", SHOPPER)) is not None
    tape.is_away = True
    assert (await follower.until_current(0, 10)) is False
    await follower.stop()
