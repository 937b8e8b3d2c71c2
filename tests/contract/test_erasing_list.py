"""The contract of `domain.ports.privacy_requests.PrivacyRequests`: the list while an erasure lasts, and afterwards."""

from __future__ import annotations

from itertools import product

import pytest

from adapters.wiring import Ports
from domain.ports.privacy_requests import Kind
from tests.contract.campaigning import OTHER_RETAILER, with_shops
from tests.contract.conftest import System
from tests.contract.consumer import eventually
from tests.contract.privacy import digests, opened, request_id
from tests.story import NOON_MS, RETAILER

DONE_MS = NOON_MS + 9


def listed(ports: Ports) -> frozenset[str]:
    """Digests of the first retailer's shoppers of whom nothing is taken."""
    return ports.privacy.suppressed().digests.get(RETAILER, frozenset())


@pytest.mark.parametrize(("kind", "left"), [("erase", ""), ("erase_and_suppress", "ab")])
async def test_who_is_erased_is_suppressed_meanwhile(ports: Ports, kind: Kind, left: str) -> None:
    """From the request on; once it is done, only if it says so. Each is another version of the list."""
    await with_shops(ports)
    given = await opened(ports, "one", "ab", kind)
    assert (digests("ab"), given.list_version) == (listed(ports), ports.privacy.suppressed().version)
    for stage in ("gateways", "tombstones", "workers", "stores"):
        await ports.privacy.advance(given.request_id, stage, NOON_MS + 5)
        assert digests("ab") == listed(ports)
    await ports.privacy.advance(given.request_id, "done", DONE_MS)
    assert digests(left) == listed(ports)
    assert [] == list(await ports.privacy.pending())
    assert {b""} == {subject.sealed for subject in await ports.privacy.subjects(given.request_id)}
    if not left:
        assert given.list_version < ports.privacy.suppressed().version


async def test_who_objected_before_stays_suppressed(ports: Ports) -> None:
    """An erasure takes nobody's objection back; other shoppers and other retailers stay as they are."""
    await with_shops(ports)
    await opened(ports, "objection", "ax")
    await opened(ports, "theirs", "ab", "erase", retailer_id=OTHER_RETAILER)
    given = await opened(ports, "one", "ab", "erase")
    await ports.privacy.advance(given.request_id, "done", DONE_MS)
    expected = {RETAILER: digests("ax"), OTHER_RETAILER: digests("ab")}
    assert expected == ports.privacy.suppressed().digests


@pytest.mark.parametrize(("kind", "before"), list(product(("erase", "erase_and_suppress"), (False, True))))
async def test_who_is_let_go_meanwhile_goes_when_it_is_done(ports: Ports, kind: Kind, before: bool) -> None:
    """Nothing may come of them behind their erasure; the last word on suppression counts afterwards."""
    await with_shops(ports)
    if before:
        await opened(ports, "objection", "ab")
    given = await opened(ports, "one", "ab", kind)
    await opened(ports, "back", "bc", "unsuppress")
    assert digests("ab") == listed(ports)
    await ports.privacy.advance(given.request_id, "done", DONE_MS)
    assert digests("a" if before or kind == "erase_and_suppress" else "") == listed(ports)


async def test_who_objects_meanwhile_stays(ports: Ports) -> None:
    """Also where the objection changed nothing, since the shopper was on the list already."""
    await with_shops(ports)
    given = await opened(ports, "one", "ab", "erase")
    await opened(ports, "objection", "b")
    await ports.privacy.advance(given.request_id, "done", DONE_MS)
    assert digests("b") == listed(ports)


async def test_the_last_of_several_erasures_lets_go(ports: Ports) -> None:
    """A shopper of two is kept on the list by the one that is open; what is done once more changes nothing."""
    await with_shops(ports)
    first = await opened(ports, "one", "ab", "erase")
    second = await opened(ports, "two", "bc", "erase")
    await ports.privacy.advance(first.request_id, "done", DONE_MS)
    assert digests("bc") == listed(ports)
    await opened(ports, "objection", "a")
    await ports.privacy.advance(first.request_id, "done", DONE_MS)
    assert digests("abc") == listed(ports)
    await ports.privacy.advance(second.request_id, "done", DONE_MS)
    assert digests("a") == listed(ports)


async def test_another_process_sees_the_end_of_an_erasure(system: System) -> None:
    """A running one lets go too, soon after, and goes by the requests that come then."""
    async with system() as running, system() as other:
        await with_shops(other)
        await opened(other, "one", "ab", "erase")

        async def has_the_list() -> bool:
            return other.privacy.suppressed() == running.privacy.suppressed()

        await eventually(has_the_list)
        assert digests("ab") == listed(running)
        await other.privacy.advance(request_id("one"), "done", DONE_MS)
        await opened(other, "two", "bc")
        await eventually(has_the_list)
        assert digests("bc") == listed(running)
