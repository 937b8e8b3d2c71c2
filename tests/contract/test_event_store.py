"""The contract of `domain.ports.event_store.EventStore`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID

from msgspec.structs import replace

from adapters.wiring import Ports
from domain.experiences import Withdrawal
from domain.ids import Position, bucket
from domain.ports.event_store import StoredEvent
from domain.records import SCHEMA_VERSION, Decided, Progress, Record, Undecodable
from tests.contract.conftest import System
from tests.story import NOON_MS, RETAILER, SHOPPER, record

DAY_MS = 86_400_000
MIDNIGHT_MS = NOON_MS - NOON_MS % DAY_MS
TODAY = datetime.fromtimestamp(NOON_MS / 1_000, UTC).date()
YESTERDAY = date.fromordinal(TODAY.toordinal() - 1)
ANNA = SHOPPER
BEN = ANNA[:3] + "b" * 61
"""Another shopper, of the same bucket: their events share every partition."""


def viewed(number: int, *, shopper: str = ANNA, received_ms: int = NOON_MS, retailer_id: str = RETAILER) -> Record:
    """A page view; `number` makes its id."""
    page = {"kind": "product", "product_id": f"p-{number}", "path": "/pâtes"}
    told = record("PageViewed", 0, number, page=page)
    event = replace(told.event, shopper_id=shopper)
    return replace(told, event=event, received_at_ms=received_ms, retailer_id=retailer_id)


def decided(event: StoredEvent, node_id: str = "sauce") -> Decided:
    """A decision about an event."""
    return Decided(
        schema_version=SCHEMA_VERSION,
        token=0,
        position=event.position,
        trigger_event_id=event.record.event.event_id,
        retailer_id=event.record.retailer_id,
        shopper=event.record.event.shopper_id,
        received_at_ms=event.record.received_at_ms,
        generation=3,
        node_id=node_id,
        walked_from="start",
        withdrawals=(Withdrawal(experience_id="e-1", slot="main"),),
    )


def partition_of(ports: Ports, shopper: str = ANNA) -> int:
    """The log partition of a shopper."""
    return bucket(shopper) % ports.events.partitions


async def keep(ports: Ports, records: Sequence[Record]) -> list[StoredEvent]:
    """Appends records to the log and archives them, as the archiver does."""
    places = await ports.events.append(records)
    stored = [StoredEvent(place.position, one) for place, one in zip(places, records, strict=True)]
    for partition in {place.partition for place in places}:
        of_it = [one for one, place in zip(stored, places, strict=True) if place.partition == partition]
        await ports.archive.put(partition, of_it)
    return stored


async def keep_decided(ports: Ports, records: Sequence[Decided]) -> None:
    """Appends decisions to the experience log and archives them."""
    for partition in {partition_of(ports, one.shopper) for one in records}:
        token = await ports.experiences.own(partition, "w-1")
        of_it = [one for one in records if partition_of(ports, one.shopper) == partition]
        through = max(one.position for one in of_it)
        await ports.experiences.append(
            partition,
            token,
            [
                *(replace(one, token=token) for one in of_it),
                Progress(schema_version=SCHEMA_VERSION, token=token, through=through),
            ],
        )
        await ports.archive.put_decided(partition, [replace(one, token=token) for one in of_it])


async def events(
    ports: Ports, day: date = TODAY, *, retailer_id: str = RETAILER, partition: int | None = None
) -> list[StoredEvent]:
    """All events of a day and partition, in the order given."""
    number = partition_of(ports) if partition is None else partition
    found = [one async for page in ports.archive.events(retailer_id, day, number) for one in page]
    return [StoredEvent(one.position, one.record) for one in found if isinstance(one.record, Record)]


async def decisions(ports: Ports, day: date = TODAY, *, retailer_id: str = RETAILER) -> list[Decided]:
    """All decisions about events of a day, tokens put aside."""
    pages = ports.archive.decided(retailer_id, day, partition_of(ports))
    return [replace(one, token=0) async for page in pages for one in page]


async def test_events_come_back_whole_by_shopper_then_event_id(ports: Ports) -> None:
    """Position and record are what the log had; the order is that of shoppers and ids, not of arrival."""
    told = [viewed(300), viewed(2), viewed(1, shopper=BEN), viewed(200, shopper=BEN)]
    stored = await keep(ports, told)
    assert [stored[1], stored[0], stored[2], stored[3]] == await events(ports)


async def test_everything_of_a_record_is_kept(ports: Ports) -> None:
    """What the catalogue knew and who sent it come back with the event."""
    known = {"p-1": {"category_id": "pasta", "price_minor": 129, "currency": "EUR"}}
    (stored,) = await keep(
        ports,
        [record("AddedToBasket", 0, 1, product={"product_id": "p-1"}, quantity=2, known=known, verified=True)],
    )
    assert [stored] == await events(ports)


async def test_a_day_is_a_utc_day_of_receipt(ports: Ports) -> None:
    """The last millisecond before midnight belongs to the day before, midnight itself to the new day."""
    stored = await keep(ports, [viewed(1, received_ms=MIDNIGHT_MS - 1), viewed(2, received_ms=MIDNIGHT_MS)])
    assert [stored[0]] == await events(ports, YESTERDAY)
    assert [stored[1]] == await events(ports, TODAY)


async def test_retailers_and_partitions_are_apart(ports: Ports) -> None:
    """A retailer's day holds nobody else's events, and a partition only its own shoppers'."""
    stored = await keep(ports, [viewed(1), viewed(2, retailer_id="r-2")])
    assert [stored[0]] == await events(ports)
    assert [stored[1]] == await events(ports, retailer_id="r-2")
    assert [] == await events(ports, retailer_id="r-3")
    assert [] == await events(ports, partition=partition_of(ports) + 1)
    assert [] == await events(ports, date(2020, 2, 29))


async def test_an_event_id_stands_once(ports: Ports) -> None:
    """A tracker's retry is in the log twice and in the store once, with the place of one of the two."""
    first = await keep(ports, [viewed(1), viewed(2)])
    again = await keep(ports, [viewed(1)])
    found = await events(ports)
    assert [viewed(1), viewed(2)] == [one.record for one in found]
    assert found[0].position in {first[0].position, again[0].position}


async def test_a_retry_received_in_the_same_millisecond_is_never_mixed_with_the_first(ports: Ports) -> None:
    """Of two records under one id, one stands, whole, with its own place."""
    told = [replace(viewed(1), event_time_ms=NOON_MS - delay) for delay in (5, 0, 9)]
    stored = await keep(ports, told[:2]) + await keep(ports, told[2:])
    (found,) = await events(ports)
    assert found in stored


async def test_puts_may_be_repeated(ports: Ports) -> None:
    """An archiver that starts again behind its last commit changes nothing."""
    stored = await keep(ports, [viewed(number) for number in range(5)])
    for part in (stored, stored[2:], stored[:1]):
        await ports.archive.put(partition_of(ports), part)
    assert stored == await events(ports)
    await ports.archive.put(partition_of(ports), [])
    assert stored == await events(ports)


async def test_many_events_come_in_pages(ports: Ports) -> None:
    """Thousands of events of one day are given a part at a time, none twice, none missing, in order."""
    told = [viewed(number, shopper=(ANNA, BEN)[number % 2]) for number in range(2_500)]
    stored = await keep(ports, told[:900]) + await keep(ports, told[900:1_800]) + await keep(ports, told[1_800:])
    pages = [page async for page in ports.archive.events(RETAILER, TODAY, partition_of(ports))]
    assert len(pages) > 1
    assert all(pages)
    in_order = sorted(stored, key=lambda one: (one.record.event.shopper_id, str(one.record.event.event_id)))
    assert [tuple(one) for one in in_order] == [tuple(one) for page in pages for one in page]


async def test_large_events_come_back(ports: Ports) -> None:
    """Events as large as the gateway lets in are kept like small ones."""
    lines = [{"product_id": f"{number:0128}", "quantity": 1, "price_minor": number} for number in range(100)]
    told = [
        record("OrderPaid", 0, number, order_id=f"o-{number}", lines=lines, total_minor=0, currency="EUR")
        for number in range(20)
    ]
    assert await keep(ports, told) == await events(ports)


async def test_decisions_stand_once_for_each_event(ports: Ports) -> None:
    """By shopper, then triggering event; what was said twice about one event stands once."""
    told = [viewed(300), viewed(2), viewed(1, shopper=BEN)]
    stored = await keep(ports, told)
    said = [decided(one) for one in stored]
    await keep_decided(ports, said)
    await keep_decided(ports, said[:2])
    assert [said[1], said[0], said[2]] == await decisions(ports)


async def test_decisions_belong_to_the_day_of_their_event(ports: Ports) -> None:
    """An event of yesterday evening, decided after midnight, has its decision in yesterday."""
    stored = await keep(ports, [viewed(1, received_ms=MIDNIGHT_MS - 1), viewed(2, retailer_id="r-2")])
    said = [decided(one) for one in stored]
    await keep_decided(ports, said)
    assert [said[0]] == await decisions(ports, YESTERDAY)
    assert [] == await decisions(ports, TODAY)
    assert [said[1]] == await decisions(ports, TODAY, retailer_id="r-2")


async def test_many_decisions_come_in_pages(ports: Ports) -> None:
    """Thousands of decisions of one day are given a part at a time, in order."""
    said = [decided(StoredEvent(Position(1, number), viewed(number))) for number in range(1_500)]
    for start in range(0, 1_500, 500):
        await keep_decided(ports, said[start : start + 500])
    pages = [page async for page in ports.archive.decided(RETAILER, TODAY, partition_of(ports))]
    assert len(pages) > 1
    assert all(pages)
    assert [UUID(int=number + 1) for number in range(1_500)] == [one.trigger_event_id for page in pages for one in page]


async def test_a_watermark_never_goes_back(ports: Ports) -> None:
    """What was said to be kept stays kept, whoever publishes an earlier time afterwards."""
    partition = partition_of(ports)
    await ports.archive.publish(partition, NOON_MS - 1_000)
    assert (await ports.archive.watermarks())[partition] >= NOON_MS - 1_000
    await ports.archive.publish(partition, NOON_MS - 9_000)
    assert (await ports.archive.watermarks())[partition] >= NOON_MS - 1_000


async def test_the_store_is_there_after_reopening(system: System) -> None:
    """Events, decisions and watermarks last."""
    async with system() as ports:
        stored = await keep(ports, [viewed(1)])
        await keep_decided(ports, [decided(stored[0])])
        await ports.archive.publish(partition_of(ports), NOON_MS)
    async with system() as ports:
        assert stored == await events(ports)
        assert [decided(stored[0])] == await decisions(ports)
        assert (await ports.archive.watermarks())[partition_of(ports)] >= NOON_MS


async def test_what_a_newer_version_wrote_is_found(ports: Ports) -> None:
    """A record that this process can't read is no reason to stop: it comes as such, beside the others."""
    kept = await keep(ports, [viewed(1), replace(viewed(2), schema_version=SCHEMA_VERSION + 1)])
    found = [one async for page in ports.archive.events(RETAILER, TODAY, partition_of(ports)) for one in page]
    by_place = {one.position: one.record for one in found}
    assert {one.position for one in kept} == set(by_place)
    unread = by_place[kept[1].position]
    assert isinstance(unread, Undecodable)
    assert "newer" in unread.reason
    assert viewed(1) == by_place[kept[0].position]
