"""The contract of `domain.ports.privacy_requests.PrivacyRequests`: requests, their shoppers, and their stages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.wiring import Ports
from domain.errors import Refused
from domain.ports.privacy_requests import Stage, Subject
from domain.repeated_requests import SUBJECTS_MAX
from tests.contract.campaigning import OTHER_RETAILER, with_shops
from tests.contract.conftest import System
from tests.contract.privacy import digest, ids, opened, request, request_id, subjects
from tests.story import NOON_MS, RETAILER

STAGES: tuple[Stage, ...] = ("log", "gateways", "done")


async def test_a_request_is_given_as_it_stands(ports: Ports) -> None:
    """At the first stage since it was opened, about so many shoppers, with its list; whatever was said of that."""
    await with_shops(ports)
    asked = request("one", shoppers=9, list_version=77, stage="done", stage_at_ms=5)
    given = await ports.privacy.open(asked, subjects("ab"))
    version = ports.privacy.suppressed().version
    assert replace(asked, shoppers=2, list_version=version, stage="log", stage_at_ms=NOON_MS) == given
    assert given == await ports.privacy.get(RETAILER, given.request_id)
    assert [given] == list(await ports.privacy.pending())


async def test_a_request_is_durable(system: System) -> None:
    """It is there when everything was stopped, with its shoppers, its stage and its list."""
    async with system() as ports:
        await with_shops(ports)
        given = await opened(ports, "one", "ab")
        await ports.privacy.advance(given.request_id, "gateways", NOON_MS + 5)
        suppressed = ports.privacy.suppressed()
    async with system() as ports:
        expected = replace(given, stage="gateways", stage_at_ms=NOON_MS + 5)
        assert expected == await ports.privacy.get(RETAILER, given.request_id)
        assert sorted(subjects("ab")) == list(await ports.privacy.subjects(given.request_id))
        assert suppressed == ports.privacy.suppressed()


@pytest.mark.parametrize("stage", STAGES)
async def test_an_id_that_is_there_changes_nothing(ports: Ports, stage: Stage) -> None:
    """It is given as it stands, however far it is, and what was asked since stays: also when it comes in disorder."""
    await with_shops(ports)
    first = await opened(ports, "one", "ab")
    await ports.privacy.advance(first.request_id, stage, NOON_MS + 5)
    await opened(ports, "two", "a", "unsuppress")
    before = ports.privacy.suppressed()
    there = await ports.privacy.get(RETAILER, first.request_id)
    again = await opened(ports, "one", "ba", opened_at_ms=NOON_MS + 9, due_at_ms=NOON_MS + 10)
    assert there == again
    assert before is ports.privacy.suppressed()
    assert there == await ports.privacy.get(RETAILER, first.request_id)


async def test_one_alike_is_given_in_its_place(ports: Ports) -> None:
    """Of the same kind and about the same shoppers in any order, until that is done; the list stays."""
    await with_shops(ports)
    first = await opened(ports, "one", "abc")
    before = ports.privacy.suppressed()
    assert first == await opened(ports, "two", "cab")
    await ports.privacy.advance(first.request_id, "gateways", NOON_MS + 5)
    assert replace(first, stage="gateways", stage_at_ms=NOON_MS + 5) == await opened(ports, "three", "bca")
    assert before is ports.privacy.suppressed()
    assert await ports.privacy.get(RETAILER, request_id("two")) is None
    await ports.privacy.advance(first.request_id, "done", NOON_MS + 6)
    assert request_id("four") == (await opened(ports, "four", "abc")).request_id


@pytest.mark.parametrize(
    ("shoppers", "fields"),
    [
        ("ab", {}),
        ("abcd", {}),
        ("abd", {}),
        ("abc", {"kind": "unsuppress"}),
        ("abc", {"retailer_id": OTHER_RETAILER}),
    ],
)
async def test_others_stand_beside_each_other(ports: Ports, shoppers: str, fields: dict[str, Any]) -> None:
    """About fewer, more or other shoppers, of another kind or retailer: it is another request."""
    await with_shops(ports)
    first = await opened(ports, "one", "abc")
    second = await opened(ports, "two", shoppers, **fields)
    assert request_id("two") == second.request_id
    assert [first, second] == list(await ports.privacy.pending())


@pytest.mark.parametrize("is_done", [True, False])
async def test_one_that_was_taken_back_stands_in_for_none(ports: Ports, is_done: bool) -> None:
    """Who objects again after taking it back, wholly or in part, is suppressed again, while the first request waits."""
    await with_shops(ports)
    for taken_back in ("abc", "b", "bx"):
        await opened(ports, "first " + taken_back, "abc")
        back = await opened(ports, "back " + taken_back, taken_back, "unsuppress")
        if is_done:
            await ports.privacy.advance(back.request_id, "done", NOON_MS + 5)
        again = await opened(ports, "again " + taken_back, "abc")
        assert request_id("again " + taken_back) == again.request_id
        assert {RETAILER: frozenset(map(digest, "abc"))} == ports.privacy.suppressed().digests
        assert again == await opened(ports, "once more", "abc")


async def test_one_that_others_did_not_take_back_stands_in(ports: Ports) -> None:
    """Other shoppers' requests, another retailer's, and those before it change nothing of it."""
    await with_shops(ports)
    await opened(ports, "before", "abc", "unsuppress")
    first = await opened(ports, "one", "abc")
    await opened(ports, "others", "xy", "unsuppress")
    await opened(ports, "theirs", "abc", "unsuppress", retailer_id=OTHER_RETAILER)
    assert first == await opened(ports, "two", "abc")


@pytest.mark.parametrize("stage", STAGES)
async def test_what_is_refused_changes_nothing(ports: Ports, stage: Stage) -> None:
    """An unknown retailer, no shoppers, one twice, another request's id, however far that is."""
    await with_shops(ports)
    first = await opened(ports, "one", "ab")
    await ports.privacy.advance(first.request_id, stage, NOON_MS + 5)
    there = await ports.privacy.get(RETAILER, first.request_id)
    before, known = ports.privacy.suppressed(), await ports.privacy.subjects(first.request_id)
    refused: list[tuple[str, dict[str, Any], str]] = [
        ("ab", {"retailer_id": "nobody"}, "there is no retailer nobody"),
        ("ab", {"retailer_id": OTHER_RETAILER}, "another request has the id"),
        ("ab", {"kind": "unsuppress"}, "another request has the id"),
        ("a", {}, "another request has the id"),
        ("abc", {}, "another request has the id"),
        ("ac", {}, "another request has the id"),
        ("", {}, "1 to 5000 shoppers"),
        ("aba", {}, "twice"),
    ]
    for shoppers, fields, fault in refused:
        with pytest.raises(Refused, match=fault):
            await opened(ports, "one", shoppers, **fields)
        assert before is ports.privacy.suppressed()
        assert there == await ports.privacy.get(RETAILER, first.request_id)
        assert known == await ports.privacy.subjects(first.request_id)


async def test_a_new_request_may_be_refused_too(ports: Ports) -> None:
    """Of an unknown retailer, it is not there afterwards."""
    await with_shops(ports)
    before = ports.privacy.suppressed()
    with pytest.raises(Refused, match="there is no retailer nobody"):
        await opened(ports, "one", "ab", retailer_id="nobody")
    assert await ports.privacy.get("nobody", request_id("one")) is None
    assert [] == list(await ports.privacy.subjects(request_id("one")))
    assert before is ports.privacy.suppressed()


async def test_a_request_has_a_largest_size(ports: Ports) -> None:
    """5,000 shoppers are taken and given by digest, one more is refused."""
    await with_shops(ports)
    many = subjects(map(str, range(SUBJECTS_MAX + 1)))
    with pytest.raises(Refused, match="about 5001: split it"):
        await ports.privacy.open(request("one"), many)
    given = await ports.privacy.open(request("one"), many[1:])
    assert 5_000 == given.shoppers
    assert sorted(many[1:]) == list(await ports.privacy.subjects(given.request_id))
    assert {RETAILER: frozenset(one.digest for one in many[1:])} == ports.privacy.suppressed().digests


async def test_nobody_gets_another_retailers_request(ports: Ports) -> None:
    """For another retailer it is not there, as one that nobody opened."""
    await with_shops(ports)
    given = await opened(ports, "one", "ab")
    assert await ports.privacy.get(OTHER_RETAILER, given.request_id) is None
    assert await ports.privacy.get("nobody", given.request_id) is None
    assert await ports.privacy.get(RETAILER, request_id("two")) is None
    assert given == await ports.privacy.get(RETAILER, given.request_id)


async def test_pending_are_those_not_done_in_order(ports: Ports) -> None:
    """Of all retailers, in the order in which they changed the list, whatever their gateways' clocks said."""
    await with_shops(ports)
    assert [] == list(await ports.privacy.pending())
    for number, (name, retailer_id) in enumerate((("a", RETAILER), ("b", OTHER_RETAILER), ("c", RETAILER))):
        await opened(ports, name, "xy" + name, retailer_id=retailer_id, opened_at_ms=NOON_MS - number)
    assert [request_id(name) for name in "abc"] == await ids(ports)
    await ports.privacy.advance(request_id("a"), "gateways", NOON_MS)
    assert [request_id(name) for name in "abc"] == await ids(ports)
    await ports.privacy.advance(request_id("b"), "done", NOON_MS)
    assert [request_id(name) for name in "ac"] == await ids(ports)


async def test_subjects_come_by_digest(ports: Ports) -> None:
    """In the order of bytes, each with its seal; of an unknown id there are none."""
    await with_shops(ports)
    named = [Subject(name, name.encode()) for name in ("b", "Z", "a-1", "a", "ff", "0")]
    given = await ports.privacy.open(request("one"), named)
    found: Sequence[Subject] = await ports.privacy.subjects(given.request_id)
    assert ["0", "Z", "a", "a-1", "b", "ff"] == [one.digest for one in found]
    assert sorted(named) == list(found)
    assert [] == list(await ports.privacy.subjects(request_id("two")))


async def test_stages_never_go_back(ports: Ports) -> None:
    """A later stage is noted with its moment, even if one was left out; the same or an earlier changes nothing."""
    await with_shops(ports)
    for now, asked in product(STAGES, STAGES):
        given = await opened(ports, now + asked, ["a", now + asked])
        await ports.privacy.advance(given.request_id, now, NOON_MS + 5)
        there = await ports.privacy.get(RETAILER, given.request_id)
        await ports.privacy.advance(given.request_id, asked, NOON_MS + 9)
        if STAGES.index(asked) > STAGES.index(now):
            there = replace(given, stage=asked, stage_at_ms=NOON_MS + 9)
        assert there == await ports.privacy.get(RETAILER, given.request_id)


async def test_seals_are_forgotten_once_it_is_done(ports: Ports) -> None:
    """Until then what has to be done has them; after that the digests stay, and others' seals do."""
    await with_shops(ports)
    given, other = await opened(ports, "one", "ab"), await opened(ports, "two", "abc")
    await ports.privacy.advance(given.request_id, "gateways", NOON_MS)
    assert sorted(subjects("ab")) == list(await ports.privacy.subjects(given.request_id))
    forgotten = [Subject(name, b"") for name in sorted(map(digest, "ab"))]
    for _ in range(2):
        await ports.privacy.advance(given.request_id, "done", NOON_MS)
        assert forgotten == list(await ports.privacy.subjects(given.request_id))
    assert given == replace(await opened(ports, "one", "ab"), stage="log", stage_at_ms=NOON_MS)
    assert forgotten == list(await ports.privacy.subjects(given.request_id))
    assert sorted(subjects("abc")) == list(await ports.privacy.subjects(other.request_id))


async def test_an_unknown_request_comes_to_no_stage(ports: Ports) -> None:
    """Nothing is there afterwards, and what is there stays."""
    await with_shops(ports)
    given = await opened(ports, "one", "ab")
    for stage in STAGES:
        await ports.privacy.advance(request_id("two"), stage, NOON_MS + 5)
    assert [given] == list(await ports.privacy.pending())
    assert await ports.privacy.get(RETAILER, request_id("two")) is None
    assert sorted(subjects("ab")) == list(await ports.privacy.subjects(given.request_id))
