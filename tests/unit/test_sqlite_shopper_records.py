"""Erasures in the embedded logs: blank records stand where a shopper's stood, and nobody stumbles over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from actors.partition import Stores, take
from adapters.sqlite.blank_records import blank_event, blank_experience
from adapters.sqlite.log_rows import Replacement
from domain.events import AnyEvent, IdleElapsed
from domain.fold import apply
from domain.ids import BEGINNING, Position, ShopperKey
from domain.listening import Listener
from domain.ports.event_log import Batch
from domain.ports.experience_log import Entry
from domain.ports.shopper_data import Visit
from domain.records import (
    Decided,
    Failed,
    Progress,
    Record,
    Undecodable,
    decode_experience_record,
    decode_record,
    encode,
)
from domain.shopper import Shopper, decode
from domain.timestamps import from_unix_ms
from monitoring.metrics import Metrics
from tests.contract.consumer import placed, polled, start
from tests.story import NOON_MS, RETAILER, record
from tests.unit.erasing import OTHER_RETAILER, Embedded, decided, erased, event, failed, key, opened, progress

BIG_ORDER: dict[str, Any] = {
    "order_id": "o-1",
    "total_minor": 100,
    "currency": "EUR",
    "lines": [{"product_id": f"rare-{number}", "quantity": 1, "price_minor": 1} for number in range(500)],
}


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Embedded]:
    """Empty stores with a memory of ten records."""
    async with opened(tmp_path / "data", log_queue_events_max=10) as stores:
        yield stores


def smallest_events() -> list[Record]:
    """Each kind of event as short as it gets, of the retailer with the shortest id."""
    given: dict[str, Any] = {
        "page": {"kind": "home"},
        "target": "",
        "query": "",
        "product": {"product_id": "p"},
        "order_id": "o",
        "lines": [],
        "total_minor": 0,
        "currency": "EUR",
        "status": "shipped",
        "experience_id": "e",
        "after_event_id": str(UUID(int=1)),
        "node_id": "n",
        "tries": 0,
    }
    made = []
    for kind in get_args(AnyEvent):
        names = {field.encode_name for field in msgspec.structs.fields(kind)}
        fields = {name: value for name, value in given.items() if name in names}
        made.append(replace(record(kind.__name__, 0, 0, shopper_id="a" * 64, **fields), retailer_id="r"))
    return made


def test_a_blank_event_is_as_long_as_any() -> None:
    """Whatever is erased, in the log nothing moves; the blank is a record of nobody with the same times."""
    for small in smallest_events():
        shortest = len(encode(small))
        for more in (*range(60), 255, 256, 257, 65_535, 65_536, 65_537):
            blank, payload = blank_event(small, shortest + more)
            assert shortest + more == len(payload), type(small.event)
            assert blank == decode_record(payload)
            assert ("", "0000") == blank.key
            assert (small.received_at_ms, small.event_time_ms) == (blank.received_at_ms, blank.event_time_ms)


def test_a_blank_experience_is_as_long_as_any() -> None:
    """Whatever is erased, in the log nothing moves."""
    shortest = min(
        len(encode(replace(decided("a", 1, 0, "r"), node_id="", walked_from=""))),
        len(encode(replace(failed("a", 1, 0, "r"), event_id="", reason="", path="", payload=b""))),
    )
    for more in (*range(60), 255, 256, 257, 65_535, 65_536, 65_537):
        blank, payload = blank_experience(shortest + more)
        assert shortest + more == len(payload)
        assert blank == decode_experience_record(payload)


def test_a_blank_event_does_nothing_to_its_nobody() -> None:
    """The fold takes it for a repeat, as often as it comes."""
    nobody = Shopper(retailer_id="", shopper="0000")
    for offset in range(3):
        blank, _ = blank_event(event("anna", offset), 1_000)
        applied = apply(nobody, blank, Position(1, offset))
        assert applied.repeat
        assert not applied.faults
        assert Shopper(retailer_id="", shopper="0000", position=Position(1, offset)) == applied.state
        nobody = applied.state


def test_nobody_who_listens_hears_a_blank_experience() -> None:
    """Not before any owner, not in the midst of an owner's batch: it closes nothing, and holds nothing back."""
    blank, _ = blank_experience(1_000)
    listener = Listener()
    assert listener.hear(Entry(0, 0, blank)) is None
    assert (BEGINNING, -1) == (listener.through, listener.token)
    kept = decided("bob", 5, 1)
    assert listener.hear(Entry(0, 6, kept)) is None
    assert listener.hear(Entry(0, 7, blank)) is None
    heard = listener.hear(Entry(0, 8, progress(5, 2)))
    assert heard is not None
    assert (kept,) == heard.records


async def test_events_up_to_the_erasure_are_gone(stores: Embedded) -> None:
    """Outside and inside ones and the erasure itself; later ones, others' and a namesake's of another shop stay."""
    log = [
        event("anna", 0),
        event("bob", 1),
        event("anna", 2, retailer_id=OTHER_RETAILER),
        event("anna", 3, "OrderPaid", **BIG_ORDER),
        event("anna", 4, "IdleElapsed", after_event_id=str(UUID(int=1)), node_id="start"),
        event("anna", 5, "ShopperErased"),
        event("anna", 6),
    ]
    for one in log[:3]:
        await stores.events.append([one])
    await stores.events.append(log[3:])
    assert Visit(4, 4, 0) == await stores.of_events.erase([erased("anna", 5)])
    assert Visit(0, 0, 0) == await stores.of_events.erase([erased("anna", 5)])
    await start(stores.events)
    found = await polled(stores.events, 7)
    assert list(range(7)) == [place.position.offset for place, _ in found]
    assert [log[1], log[2], log[6]] == [found[offset][1] for offset in (1, 2, 6)]
    for offset in (0, 3, 4, 5):
        _, blank = found[offset]
        assert isinstance(blank, Record)
        assert ("", IdleElapsed) == (blank.retailer_id, type(blank.event))
        assert (log[offset].received_at_ms, log[offset].event_time_ms) == (blank.received_at_ms, blank.event_time_ms)


async def test_what_memory_holds_is_gone_too(tmp_path: Path) -> None:
    """Memory and file say the same, of events and of experiences."""
    async with opened(tmp_path / "data") as stores:
        token = await stores.experiences.own(0, "w")
        await stores.events.append([event("anna", 0), event("bob", 1)])
        await stores.events.append([event("anna", 2)])
        said: list[Decided | Failed | Progress] = [
            decided("anna", token, 0),
            decided("bob", token, 1),
            progress(token, 2),
        ]
        await stores.experiences.append(0, token, said)
        held = await stores.experiences.read(0, after=0, records_max=10)
        assert Visit(2, 2, 0) == await stores.of_events.erase([erased("anna", 9)])
        assert Visit(1, 1, 0) == await stores.of_experiences.erase([erased("anna", 9)])
        assert said == [entry.record for entry in held], "what a reader was given stays as it is"
        await start(stores.events)
        events = await polled(stores.events, 3)
        entries = await stores.experiences.read(0, after=-1, records_max=10)
    async with opened(tmp_path / "data") as stores:
        await start(stores.events)
        assert events == await polled(stores.events, 3)
        assert entries == await stores.experiences.read(0, after=-1, records_max=10)
    assert key("anna").shopper.encode() not in b"".join(encode(one) for _, one in events if isinstance(one, Record))


async def test_what_was_said_up_to_the_erasure_is_gone(stores: Embedded) -> None:
    """Decisions and failures, by the position of their event, wherever they stand; what is of later events stays."""
    token = await stores.experiences.own(0, "w")
    said: list[Decided | Failed | Progress] = [
        decided("anna", token, 3),
        failed("anna", token, 4),
        decided("anna", token, 5, OTHER_RETAILER),
        decided("bob", token, 6),
        failed("bob", token, 7),
        decided("anna", token, 8),
        failed("anna", token, 9),
        progress(token, 9),
    ]
    last = await stores.experiences.append(0, token, said)
    assert Visit(2, 2, 0) == await stores.of_experiences.erase([erased("anna", 7)])
    assert Visit(0, 0, 0) == await stores.of_experiences.erase([erased("anna", 7)])
    found = await stores.experiences.read(0, after=token, records_max=100)
    assert said[2:] == [entry.record for entry in found][2:]
    assert all(isinstance(entry.record, Progress) and entry.record.token < -1 for entry in found[:2])
    assert last == found[-1].offset
    listener = Listener(token=token)
    heard = [one for entry in found if (one := listener.hear(entry)) is not None]
    assert [(tuple(said[2:7]), Position(1, 9))] == [(one.records, one.through) for one in heard]


async def test_a_stranger_is_found_nowhere(stores: Embedded) -> None:
    """In empty logs and in others' rows: nothing is found, and nothing changes."""
    for _ in range(2):
        assert Visit(0, 0, 0) == await stores.of_events.erase([erased("cy", 100)])
        assert Visit(0, 0, 0) == await stores.of_experiences.erase([erased("cy", 100)])
        await stores.events.append([event("anna", 0)])
        await stores.experiences.own(0, "w")


async def test_what_is_no_record_stays(stores: Embedded) -> None:
    """A payload and a row that nobody can read are as they were, and those beside them are erased."""
    anna = encode(event("anna", 0))
    newer = anna.replace(b"\xaeschema_version\x01", b"\xaeschema_version\x63")
    payloads = [b"\xc1 no record", anna, newer]
    await stores.writer.append(payloads, payloads, NOON_MS, lambda first, count: None)
    await stores.events.append([event("anna", 1)])
    await stores.writer.submit(
        lambda connection: connection.execute("UPDATE events SET payloads = x'c1' WHERE first_offset = 3")
    )
    await stores.events.append([event("anna", 2)])
    token = await stores.experiences.own(0, "w")
    await stores.writer.submit(
        lambda connection: stores.writer.experiences.insert(connection, [b"\xc1", encode(decided("anna", 0, 1))], 0)
    )
    assert Visit(2, 2, 0) == await stores.of_events.erase([erased("anna", 9)])
    assert Visit(1, 1, 0) == await stores.of_experiences.erase([erased("anna", 9)])
    rows = await stores.writer.submit(
        lambda connection: [row.payloads for row in stores.writer.events.read(connection, 0, 100)]
    )
    assert [payloads[0], payloads[2]] == [rows[0][0], rows[0][2]]
    assert rows[1] is None
    assert token == 0


async def test_many_shoppers_of_a_long_log(stores: Embedded) -> None:
    """Each up to a place of its own, over many rows and slices, while others append."""
    names = [f"shopper {number % 100}" for number in range(9_000)]
    for first in range(0, 9_000, 9):
        await stores.events.append([event(name, first + index) for index, name in enumerate(names[first : first + 9])])
    gone = [erased(f"shopper {number}", 4_500 + number) for number in range(50)]
    erasing = stores.of_events.erase(gone)
    await stores.events.append([event("shopper 0", 9_000)])
    assert Visit(50 * 46, 50 * 46, 0) == await erasing
    await start(stores.events)
    found = await polled(stores.events, 9_001, records_max=1_000)
    for place, one in found:
        assert isinstance(one, Record)
        number = place.position.offset
        is_gone = number < 9_000 and number % 100 < 50 and number <= 4_500 + number % 100
        assert is_gone == (one.retailer_id == "")


async def test_a_pruned_row_is_not_written_again(stores: Embedded) -> None:
    """What retention removed between search and erasure stays gone: nothing takes its place."""
    for name in ("anna", "bob"):
        await stores.events.append([event(name, 0)])
    assert 1 == await stores.events.prune(NOON_MS + 1, Position(1, 0))
    blank, payload = blank_event(event("anna", 0), 1_000)
    assert 0 == await stores.events.replace([Replacement(0, {0: blank}, {0: payload})])
    await start(stores.events, Position(1, 0))
    assert [event("bob", 0)] == [one for _, one in await polled(stores.events, 1)]


async def test_readers_by_retailer_never_see_a_blank(stores: Embedded) -> None:
    """What jobs and commands read of the days is what is left."""
    log = [event("anna", 0), event("bob", 1), event("anna", 2)]
    await stores.events.append(log)
    token = await stores.experiences.own(0, "w")
    kept = decided("bob", token, 1)
    await stores.experiences.append(0, token, [decided("anna", token, 0), kept, progress(token, 2)])
    for part in (stores.of_events, stores.of_experiences):
        await part.erase([erased("anna", 9)])
    day = from_unix_ms(NOON_MS).date()
    pages = [page async for page in stores.archive.events(RETAILER, day, 0)]
    assert [log[1]] == [found.record for page in pages for found in page]
    assert [kept] == [one async for page in stores.archive.decided(RETAILER, day, 0) for one in page]


@pytest.mark.parametrize("has_snapshots", [True, False], ids=["restart", "without state"])
async def test_a_worker_takes_an_erased_log(tmp_path: Path, has_snapshots: bool) -> None:
    """After a restart, and where all is folded anew, it goes through blanks as through others' events."""
    data = tmp_path / "data"
    names = ["anna", "bob", "anna", "bob"]
    async with opened(data) as stores:
        await stores.events.append([event(name, number) for number, name in enumerate(names)])
        await worked(stores, 4)
        for part in stores.parts:
            await part.erase([erased("anna", 2)])
    if not has_snapshots:
        for file in data.glob("state.db*"):
            file.unlink()
    async with opened(data) as stores:
        await stores.events.append([event("bob", 4)])
        batch = await worked(stores, 1 if has_snapshots else 5)
        assert not [one for _, one in placed(batch) if isinstance(one, Undecodable)]
        held = await stores.snapshots.load([key("anna"), key("bob")])
        assert [key("bob")] == list(held)
        assert 3 == decode(held[key("bob")]).session.events
        assert not await stores.failed.list(RETAILER, events_max=10)
        assert int(not has_snapshots) == await stores.snapshots.expire("", 1), "nobody's snapshot is the oldest of all"
        assert {} == await stores.snapshots.load([ShopperKey("", "0000")])


async def worked(stores: Embedded, count: int) -> Batch:
    """Takes the partition, processes what is there, and saves it."""
    assert (0,) == (await stores.events.poll(records_max=100, wait_s=0)).taken
    ports = Stores(
        events=stores.events,
        experiences=stores.experiences,
        snapshots=stores.snapshots,
        trees=stores.trees,
        failures=stores.failed,
        clock=stores.clock,
        metrics=Metrics(),
    )
    partition = await take(0, "w", ports)
    (batch,) = (await stores.events.poll(records_max=100, wait_s=0)).batches
    assert count == len(batch.records)
    results = await partition.process(batch)
    assert [] == [one for one in results.records if isinstance(one, Failed)]
    await partition.save(await partition.collect(), lambda number, failure: pytest.fail(f"{number}: {failure}"))
    return batch


def test_the_times_of_a_blank_are_far_from_any_shoppers() -> None:
    """It says of no clock what it showed."""
    blank, _ = blank_event(event("anna", 0), 1_000)
    assert datetime(1970, 1, 1, tzinfo=UTC) == blank.event.occurred_at
