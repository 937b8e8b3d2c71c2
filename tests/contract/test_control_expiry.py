"""The contract of `domain.ports.control_expiry.ControlExpiry`: what has expired goes, and nothing that is needed."""

from __future__ import annotations

from typing import LiteralString

import pytest

from adapters.wiring import Ports
from domain.errors import PortError
from domain.ports.privacy_requests import Kind
from tests.contract.campaigning import with_shops
from tests.contract.privacy import digest, digests, opened
from tests.contract.test_audit_trail import entry, run
from tests.story import NOON_MS, RETAILER

LATER_MS = NOON_MS + 100


async def done(ports: Ports, name: str, shoppers: str, kind: Kind, at_ms: int = NOON_MS) -> str:
    """A request that was done at a time."""
    request_id = (await opened(ports, name, shoppers, kind)).request_id
    await ports.privacy.advance(request_id, "done", at_ms)
    return request_id


async def test_entries_of_before_go_and_no_others(ports: Ports) -> None:
    """Of one retailer; what stays can still not be deleted, and the note of what expired only grows."""
    for number in range(3):
        await ports.audit.append(entry(NOON_MS + number))
    assert NOON_MS == await ports.control_expiry.oldest_entry_ms("r-1", LATER_MS)
    assert 0 == await ports.control_expiry.audit("r-2", LATER_MS)
    assert 2 == await ports.control_expiry.audit("r-1", NOON_MS + 2)
    assert 0 == await ports.control_expiry.audit("r-1", NOON_MS + 1)
    assert [entry(NOON_MS + 2)] == list(await ports.audit.read("r-1", 0, 10))
    assert await ports.control_expiry.oldest_entry_ms("r-1", NOON_MS + 2) is None
    for statement in ("DELETE FROM audit", "UPDATE audit_kept SET since_ms = 1", "DELETE FROM audit_kept"):
        with pytest.raises(PortError, match="append-only"):
            await run(ports, statement)
    assert [entry(NOON_MS + 2)] == list(await ports.audit.read("r-1", 0, 10))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET at_ms = 0",
        "UPDATE audit SET retailer_id = 'r-1'",
        "DELETE FROM audit WHERE retailer_id = 'r-2'",
        "DELETE FROM audit WHERE retailer_id = 'r-1'",
    ],
)
async def test_an_expiry_opens_no_way_to_what_it_left(ports: Ports, statement: LiteralString) -> None:
    """No entry is dated back or given away to be deleted then, and one retailer's limit is nobody else's."""
    await ports.audit.append(entry(NOON_MS))
    await ports.audit.append(entry(NOON_MS + 1))
    await ports.audit.append(entry(NOON_MS, retailer_id="r-2"))
    assert 1 == await ports.control_expiry.audit("r-1", NOON_MS + 1)
    with pytest.raises(PortError, match="append-only"):
        await run(ports, statement)
    assert [entry(NOON_MS + 1)] == list(await ports.audit.read("r-1", 0, 10))
    assert [entry(NOON_MS, retailer_id="r-2")] == list(await ports.audit.read("r-2", 0, 10))


async def test_requests_that_are_done_go(ports: Ports) -> None:
    """Those done before the moment, with their shoppers; open ones, later ones and another retailer's stay."""
    await with_shops(ports)
    gone = await done(ports, "one", "a", "erase")
    young = await done(ports, "two", "b", "erase", LATER_MS)
    waits = (await opened(ports, "three", "c", "erase")).request_id
    assert NOON_MS == await ports.control_expiry.oldest_request_ms(RETAILER, LATER_MS)
    assert 0 == await ports.control_expiry.requests("nobody", LATER_MS)
    assert 1 == await ports.control_expiry.requests(RETAILER, LATER_MS)
    found = [await ports.privacy.get(RETAILER, one) is not None for one in (gone, young, waits)]
    assert [False, True, True] == found
    assert [] == list(await ports.privacy.subjects(gone))
    assert await ports.control_expiry.oldest_request_ms(RETAILER, LATER_MS) is None


async def test_who_is_suppressed_stays_so(ports: Ports) -> None:
    """The request that put a shopper on the list stays with that shopper, whatever is erased later."""
    await with_shops(ports)
    kept = await done(ports, "one", "ab", "suppress")
    await done(ports, "two", "b", "unsuppress")
    assert 1 == await ports.control_expiry.requests(RETAILER, LATER_MS)
    assert [digest("a")] == [one.digest for one in await ports.privacy.subjects(kept)]
    assert await ports.control_expiry.oldest_request_ms(RETAILER, LATER_MS) is None
    await done(ports, "three", "ab", "erase", LATER_MS)
    assert digests("a") == ports.privacy.suppressed().digests[RETAILER]


async def test_what_takes_an_earlier_request_back_stays_as_long(ports: Ports) -> None:
    """Else the earlier one, done later, would have the last word about the shopper."""
    await with_shops(ports)
    await done(ports, "one", "a", "erase_and_suppress", LATER_MS)
    later = await done(ports, "two", "a", "unsuppress")
    assert 0 == await ports.control_expiry.requests(RETAILER, LATER_MS)
    assert await ports.privacy.get(RETAILER, later) is not None
    assert 2 == await ports.control_expiry.requests(RETAILER, LATER_MS + 1)


async def test_silent_gateways_are_forgotten(ports: Ports) -> None:
    """Those that have said nothing since the moment."""
    await ports.words.confirm("old", 1, NOON_MS)
    await ports.words.confirm("young", 1, LATER_MS)
    assert 1 == await ports.control_expiry.words(LATER_MS)
    assert ["young"] == [one.gateway_id for one in await ports.words.confirmations()]


async def test_an_objection_that_was_taken_back_stays_so(ports: Ports) -> None:
    """An erasure that was open while requests expired puts nobody on the list again who had left it."""
    await with_shops(ports)
    await done(ports, "one", "a", "suppress")
    await done(ports, "two", "a", "unsuppress")
    erasing = (await opened(ports, "three", "a", "erase")).request_id
    for moment_ms in (LATER_MS, LATER_MS + 1):
        await ports.control_expiry.requests(RETAILER, moment_ms)
    await ports.privacy.advance(erasing, "done", LATER_MS + 2)
    assert frozenset() == ports.privacy.suppressed().digests.get(RETAILER, frozenset())
