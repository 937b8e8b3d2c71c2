"""The contract of `domain.ports.exports.Exports`, of the requests that ask for them, and their part in erasures."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from adapters.shopper_exports import ShopperExports
from adapters.wiring import Ports
from domain.errors import Refused
from domain.ids import BEGINNING, ShopperHash, ShopperKey
from domain.ports.event_log import Place
from domain.ports.exports import Export, Made
from domain.ports.shopper_data import Erased, Visit
from tests.contract.campaigning import OTHER_RETAILER, with_shops
from tests.contract.conftest import System
from tests.contract.privacy import digest, ids, opened, request_id
from tests.story import NOON_MS, RETAILER

DAY_MS = 86_400_000
SEALED = b"\x00\xff sealed" * 1_000


def export_of(sealed: bytes = SEALED, made_at_ms: int = NOON_MS) -> Export:
    """A document that is kept for a day."""
    return Export(sealed, made_at_ms, made_at_ms + DAY_MS)


async def test_an_export_changes_no_list(ports: Ports) -> None:
    """It begins at the stores, and whatever becomes of it, the list and its version stay as they are."""
    await with_shops(ports)
    await opened(ports, "objection", "b")
    before = ports.privacy.suppressed()
    first, second = await opened(ports, "one", "abc", "export"), await opened(ports, "two", "d", "export")
    assert [("stores", 0, NOON_MS)] * 2 == [(one.stage, one.list_version, one.stage_at_ms) for one in (first, second)]
    assert {first.request_id, second.request_id, request_id("objection")} == set(await ids(ports))
    await ports.privacy.advance(first.request_id, "done", NOON_MS + 5)
    assert before is ports.privacy.suppressed()
    done = replace(first, stage="done", stage_at_ms=NOON_MS + 5)
    assert done == await ports.privacy.get(RETAILER, first.request_id)
    assert [b""] * 3 == [one.sealed for one in await ports.privacy.subjects(first.request_id)]


async def test_the_same_export_is_one(ports: Ports) -> None:
    """By its id for ever; without one while it is open, whatever was asked about its shoppers since."""
    await with_shops(ports)
    first = await opened(ports, "one", "ab", "export")
    await opened(ports, "objection", "a")
    assert first == await opened(ports, "two", "ba", "export")
    await ports.privacy.advance(first.request_id, "done", NOON_MS + 5)
    assert "done" == (await opened(ports, "one", "ab", "export")).stage
    assert request_id("three") == (await opened(ports, "three", "ab", "export")).request_id
    with pytest.raises(Refused, match="another request has the id"):
        await opened(ports, "one", "ab")


async def test_an_export_keeps_nobody_on_the_list(ports: Ports) -> None:
    """Whoever was erased leaves it, also when an export is all that was ever asked beside."""
    await with_shops(ports)
    await opened(ports, "one", "a", "export")
    erasure = await opened(ports, "two", "a", "erase")
    await opened(ports, "three", "a", "export")
    await ports.privacy.advance(erasure.request_id, "done", NOON_MS + 5)
    assert {} == ports.privacy.suppressed().digests


async def test_what_was_asked_about_a_shopper(ports: Ports) -> None:
    """Every request of the retailer that names the shopper, done or not, oldest first."""
    await with_shops(ports)
    first = await opened(ports, "one", "ab")
    await opened(ports, "two", "b")
    second = await opened(ports, "three", "a", "export", opened_at_ms=NOON_MS + 1)
    await opened(ports, "four", "a", retailer_id=OTHER_RETAILER)
    assert [first, second] == list(await ports.about.about(RETAILER, digest("a")))
    assert [] == list(await ports.about.about(RETAILER, digest("z")))


async def test_a_document_is_durable(system: System) -> None:
    """What was kept first stays, under its request, its retailer and its shopper alone."""
    async with system() as ports:
        await with_shops(ports)
        asked = (await opened(ports, "one", "ab", "export")).request_id
        assert [] == list(await ports.exports.made(asked))
        await ports.exports.keep(asked, digest("a"), export_of())
        await ports.exports.keep(asked, digest("a"), export_of(b"another", NOON_MS + 5))
    async with system() as ports:
        assert export_of() == await ports.exports.get(RETAILER, asked, digest("a"))
        assert [Made(digest("a"), True, NOON_MS + DAY_MS)] == list(await ports.exports.made(asked))
        for place in ((OTHER_RETAILER, asked, "a"), (RETAILER, request_id("two"), "a"), (RETAILER, asked, "b")):
            assert await ports.exports.get(*place[:2], digest(place[2])) is None


async def test_documents_expire(ports: Ports) -> None:
    """At their time and not before; that they were made is remembered, so none is made again."""
    await with_shops(ports)
    asked = (await opened(ports, "one", "ab", "export")).request_id
    await ports.exports.keep(asked, digest("a"), export_of())
    await ports.exports.keep(asked, digest("b"), export_of(made_at_ms=NOON_MS + 1))
    assert 0 == await ports.exports.expire(NOON_MS + DAY_MS - 1)
    assert 1 == await ports.exports.expire(NOON_MS + DAY_MS)
    assert export_of(b"") == await ports.exports.get(RETAILER, asked, digest("a"))
    assert {digest("a"): False, digest("b"): True} == {
        one.digest: one.is_there for one in await ports.exports.made(asked)
    }
    await ports.exports.keep(asked, digest("a"), export_of())
    assert 0 == await ports.exports.expire(NOON_MS + DAY_MS)


async def test_the_oldest_document(ports: Ports) -> None:
    """Of the retailer, made before a moment, and still there."""
    await with_shops(ports)
    asked = (await opened(ports, "one", "abc", "export")).request_id
    for number, name in enumerate("abc"):
        await ports.exports.keep(asked, digest(name), export_of(made_at_ms=NOON_MS + number))
    await ports.exports.forget(RETAILER, [digest("a")])
    assert NOON_MS + 1 == await ports.exports.oldest_ms(RETAILER, NOON_MS + 5)
    assert await ports.exports.oldest_ms(RETAILER, NOON_MS + 1) is None
    assert await ports.exports.oldest_ms(OTHER_RETAILER, NOON_MS + 5) is None


async def test_of_the_erased_nothing_is_kept(ports: Ports) -> None:
    """While it lasts, and of what was read before it was done; what is read later is kept, and others are not meant."""
    await with_shops(ports)
    asked = (await opened(ports, "one", "abz", "export")).request_id
    erasure = (await opened(ports, "two", "ab", "erase")).request_id
    await opened(ports, "three", "z", "erase", retailer_id=OTHER_RETAILER)
    await ports.exports.keep(asked, digest("a"), export_of())
    await ports.privacy.advance(erasure, "done", NOON_MS + 5)
    await ports.exports.keep(asked, digest("b"), export_of(made_at_ms=NOON_MS + 5))
    await ports.exports.keep(asked, digest("z"), export_of())
    assert {digest("z"): True, digest("a"): False, digest("b"): False} == {
        one.digest: one.is_there for one in await ports.exports.made(asked)
    }
    later = (await opened(ports, "four", "a", "export")).request_id
    await ports.exports.keep(later, digest("a"), export_of(made_at_ms=NOON_MS + 6))
    assert export_of(made_at_ms=NOON_MS + 6) == await ports.exports.get(RETAILER, later, digest("a"))


async def test_an_erasure_visits_exports(ports: Ports) -> None:
    """Every document of the shopper in every request goes; a search finds none then; others keep theirs."""
    await with_shops(ports)
    first = (await opened(ports, "one", "ab", "export")).request_id
    second = (await opened(ports, "two", "a", "export")).request_id
    for asked, name in ((first, "a"), (first, "b"), (second, "a")):
        await ports.exports.keep(asked, digest(name), export_of())
    store = ShopperExports(ports.exports, lambda key: digest(key.shopper))
    place = Place(0, BEGINNING)
    erased = [Erased(ShopperKey(RETAILER, ShopperHash(name)), place, NOON_MS) for name in ("a", "never-seen")]
    elsewhere = [Erased(ShopperKey(OTHER_RETAILER, ShopperHash("b")), place, NOON_MS)]
    assert Visit(2, 2, 0) == await store.erase([*erased, *elsewhere])
    assert Visit(0, 0, 0) == await store.erase(erased)
    assert export_of(b"") == await ports.exports.get(RETAILER, second, digest("a"))
    assert export_of() == await ports.exports.get(RETAILER, first, digest("b"))
    assert "exports" in [one.name for one in ports.shopper_data]
