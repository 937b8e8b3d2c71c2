"""The contract of `domain.ports.erasures.Erasures`: tombstones and receipts by request."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from adapters.wiring import Ports
from domain.ids import Position
from domain.ports.erasures import Receipt, Tombstone
from domain.ports.event_log import Place
from domain.repeated_requests import SUBJECTS_MAX
from tests.contract.conftest import System
from tests.contract.privacy import digest, request_id
from tests.story import NOON_MS

ONE, TWO = request_id("one"), request_id("two")
RECEIPT = Receipt(store="snapshots", at_ms=NOON_MS, found=3, removed=2, left=1, waits_for="a later event")


def tombstone(name: str, offset: int = 7) -> Tombstone:
    """A shopper's, at some place of the log."""
    return Tombstone(digest(name), Place(3, Position(1, offset)), NOON_MS + offset)


async def test_a_request_without_any_has_none(ports: Ports) -> None:
    """Nobody need have opened the request."""
    assert [] == list(await ports.erasures.tombstones(ONE))
    assert [] == list(await ports.erasures.receipts(ONE))
    await ports.erasures.bury(ONE, [])
    assert [] == list(await ports.erasures.tombstones(ONE))


async def test_tombstones_come_by_digest(ports: Ports) -> None:
    """As they were noted, wherever they stand, and of the request alone."""
    far = Tombstone(digest("cy"), Place(2**31 - 1, Position(2**40, 2**50)), NOON_MS)
    noted = [tombstone("anna", 0), far, tombstone("bob")]
    await ports.erasures.bury(ONE, noted)
    await ports.erasures.bury(TWO, [tombstone("anna", 9)])
    assert sorted(noted) == list(await ports.erasures.tombstones(ONE))
    assert [tombstone("anna", 9)] == list(await ports.erasures.tombstones(TWO))


async def test_the_first_tombstone_stays(ports: Ports) -> None:
    """Who notes again adds who is missing; a shopper who has one keeps it, and within one call too."""
    await ports.erasures.bury(ONE, [tombstone("anna", 3)])
    for _ in range(2):
        await ports.erasures.bury(ONE, [tombstone("bob", 5), tombstone("anna", 2), tombstone("anna", 4)])
    expected = sorted([tombstone("anna", 3), tombstone("bob", 5)])
    assert expected == list(await ports.erasures.tombstones(ONE))


async def test_a_request_may_have_many(ports: Ports) -> None:
    """As many as a request has shoppers, from two who note them at once."""
    noted = [tombstone(str(number), number) for number in range(SUBJECTS_MAX)]
    await asyncio.gather(ports.erasures.bury(ONE, noted), ports.erasures.bury(ONE, noted[::-1]))
    assert sorted(noted) == list(await ports.erasures.tombstones(ONE))


async def test_receipts_come_by_store(ports: Ports) -> None:
    """In the order of the names' bytes, and of the request alone."""
    said = [replace(RECEIPT, store=store) for store in ("é", "trees", "event log", "Z")]
    for receipt in said:
        await ports.erasures.note(ONE, receipt)
    await ports.erasures.note(TWO, RECEIPT)
    assert [said[3], said[2], said[1], said[0]] == list(await ports.erasures.receipts(ONE))
    assert [RECEIPT] == list(await ports.erasures.receipts(TWO))


async def test_the_last_receipt_counts(ports: Ports) -> None:
    """It takes the place of the store's last one, whatever it says, and of no other."""
    other = replace(RECEIPT, store="trees")
    await ports.erasures.note(ONE, other)
    gone = Receipt(store="snapshots", at_ms=NOON_MS + 1, found=2**40, removed=2**40, left=0, visits=2**33)
    for receipt in (RECEIPT, gone, gone, RECEIPT):
        await ports.erasures.note(ONE, receipt)
        assert [receipt, other] == list(await ports.erasures.receipts(ONE))


async def test_another_process_reads_them_at_once(system: System) -> None:
    """They are read as they are now, and last when everything stops."""
    async with system() as worker, system() as other:
        await worker.erasures.bury(ONE, [tombstone("anna")])
        await worker.erasures.note(ONE, RECEIPT)
        assert [tombstone("anna")] == list(await other.erasures.tombstones(ONE))
        assert [RECEIPT] == list(await other.erasures.receipts(ONE))
    async with system() as again:
        assert [tombstone("anna")] == list(await again.erasures.tombstones(ONE))
        assert [RECEIPT] == list(await again.erasures.receipts(ONE))


async def test_they_disturb_no_control_data(ports: Ports) -> None:
    """Nobody reads anything again for them."""
    retailers, suppressed = ports.retailers.current(), ports.privacy.suppressed()
    await ports.erasures.bury(ONE, [tombstone("anna")])
    await ports.erasures.note(ONE, RECEIPT)
    assert retailers is ports.retailers.current()
    assert suppressed is ports.privacy.suppressed()
