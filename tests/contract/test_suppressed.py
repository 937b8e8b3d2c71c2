"""The contract of `domain.ports.privacy_requests.PrivacyRequests`: the list, and what happens at once."""

from __future__ import annotations

import asyncio

from adapters.wiring import Ports
from domain.ports.privacy_requests import Kind
from tests.contract.campaigning import OTHER_RETAILER, with_shops
from tests.contract.conftest import System
from tests.contract.consumer import eventually
from tests.contract.privacy import digests, ids, opened, request_id
from tests.story import RETAILER


async def test_requests_make_the_list(ports: Ports) -> None:
    """Suppressing adds shoppers, the opposite takes them off; who is on it or off it already stays so."""
    await with_shops(ports)
    assert {} == ports.privacy.suppressed().digests
    steps: list[tuple[str, Kind, str]] = [
        ("ab", "suppress", "ab"),
        ("bc", "suppress", "abc"),
        ("ax", "unsuppress", "bc"),
        ("x", "unsuppress", "bc"),
        ("b", "suppress", "bc"),
        ("cb", "unsuppress", ""),
        ("a", "suppress", "a"),
    ]
    for number, (shoppers, kind, left) in enumerate(steps):
        await opened(ports, str(number), shoppers, kind)
        assert ({RETAILER: digests(left)} if left else {}) == ports.privacy.suppressed().digests


async def test_the_version_grows_with_each_request(ports: Ports) -> None:
    """It is the request's own, and an older list never has a newer one's."""
    await with_shops(ports)
    versions = [ports.privacy.suppressed().version]
    kinds: tuple[Kind, ...] = ("suppress", "unsuppress")
    for number in range(6):
        given = await opened(ports, str(number), "a", kinds[number % 2])
        versions.append(ports.privacy.suppressed().version)
        assert versions[-1] == given.list_version
    assert sorted(set(versions)) == versions


async def test_retailers_have_lists_of_their_own(ports: Ports) -> None:
    """The same digest of two retailers is two shoppers, and one retailer's list is not made again for another's."""
    await with_shops(ports)
    await opened(ports, "ours", "ab")
    ours = ports.privacy.suppressed().digests[RETAILER]
    await opened(ports, "theirs", "bc", retailer_id=OTHER_RETAILER)
    both = ports.privacy.suppressed().digests
    assert {RETAILER: digests("ab"), OTHER_RETAILER: digests("bc")} == both
    assert ours is both[RETAILER]
    await opened(ports, "back", "bc", "unsuppress", retailer_id=OTHER_RETAILER)
    assert {RETAILER: digests("ab")} == ports.privacy.suppressed().digests


async def test_an_unchanged_list_is_the_same_object(ports: Ports) -> None:
    """A gateway asks with every request and pays nothing; one that was given is never altered."""
    await with_shops(ports)
    await opened(ports, "one", "a")
    first = ports.privacy.suppressed()
    await ports.privacy.advance(request_id("one"), "done", 1)
    assert first is ports.privacy.suppressed()
    await opened(ports, "two", "b")
    assert {RETAILER: digests("a")} == first.digests
    assert {RETAILER: digests("ab")} == ports.privacy.suppressed().digests


async def test_another_process_sees_the_list(system: System) -> None:
    """A running one goes by a request of another process soon after, by each in its turn."""
    async with system() as running, system() as other:
        await with_shops(other)
        steps: tuple[tuple[str, Kind, str], ...] = (
            ("ab", "suppress", "ab"),
            ("a", "unsuppress", "b"),
            ("ac", "suppress", "abc"),
        )
        for number, (shoppers, kind, left) in enumerate(steps):
            given = await opened(other, str(number), shoppers, kind)

            async def is_in_force(version: int = given.list_version) -> bool:
                return version == running.privacy.suppressed().version

            await eventually(is_in_force)
            assert {RETAILER: digests(left)} == running.privacy.suppressed().digests


async def test_several_requests_are_followed_at_once(system: System) -> None:
    """A process that did not look for a while has the list that one has that reads it whole."""
    async with system() as running, system() as other:
        await with_shops(other)
        await opened(other, "first", "abcdef")

        async def has_the_list() -> bool:
            return other.privacy.suppressed() == running.privacy.suppressed()

        await eventually(has_the_list)
        changes: tuple[tuple[str, Kind], ...] = (("abx", "unsuppress"), ("bxy", "suppress"), ("y", "unsuppress"))
        await asyncio.gather(
            *(opened(other, f"{index}", "mno", "suppress", retailer_id=OTHER_RETAILER) for index in range(3))
        )
        for shoppers, kind in changes:
            await opened(other, kind + shoppers, shoppers, kind)
        await eventually(has_the_list)
        assert {RETAILER: digests("bcdefx"), OTHER_RETAILER: digests("mno")} == running.privacy.suppressed().digests
        async with system() as fresh:
            assert fresh.privacy.suppressed() == running.privacy.suppressed()


async def test_two_who_ask_the_same_at_once_get_one_request(system: System) -> None:
    """From two processes, under ids of their own, in another order: all are given the one that is there."""
    async with system() as one, system() as other:
        await with_shops(one)
        before = one.privacy.suppressed().version
        given = await asyncio.gather(
            *(
                opened(ports, f"{number}", shoppers)
                for number, (ports, shoppers) in enumerate([(one, "ab"), (other, "ba")] * 4)
            )
        )
        assert 1 == len({found.request_id for found in given})
        assert [given[0].request_id] == await ids(one)
        assert before + 1 == given[0].list_version

        async def is_in_force() -> bool:
            # Another process may have made it.
            return {RETAILER: digests("ab")} == one.privacy.suppressed().digests

        await eventually(is_in_force)


async def test_two_who_ask_under_one_id_at_once_get_one_request(system: System) -> None:
    """A call that is repeated while the first still runs changes nothing twice."""
    async with system() as one, system() as other:
        await with_shops(one)
        given = await asyncio.gather(*(opened(ports, "one", "ab") for ports in (one, other) * 4))
        assert [given[0]] * 8 == given
        assert [given[0]] == list(await one.privacy.pending())


async def test_the_later_of_two_opposite_requests_wins_whole(system: System) -> None:
    """Suppressing and its opposite at once: the list is as the higher version made it, never half of it."""
    shoppers = [str(number) for number in range(300)]
    async with system() as one, system() as other:
        await with_shops(one)
        for turn in range(5):
            on, off = await asyncio.gather(
                opened(one, f"on {turn}", shoppers), opened(other, f"off {turn}", reversed(shoppers), "unsuppress")
            )
            expected = {RETAILER: digests(shoppers)} if on.list_version > off.list_version else {}
            newest = max(on.list_version, off.list_version)
            assert newest == min(on.list_version, off.list_version) + 1

            async def is_in_force(newest: int = newest) -> bool:
                return {newest} == {ports.privacy.suppressed().version for ports in (one, other)}

            await eventually(is_in_force)
            assert [expected] * 2 == [ports.privacy.suppressed().digests for ports in (one, other)]


async def test_a_request_disturbs_no_other_control_data(ports: Ports) -> None:
    """Nobody reads retailers or campaigns again for it."""
    await with_shops(ports)
    retailers, campaigns = ports.retailers.current(), ports.campaigns.current()
    await opened(ports, "one", "ab")
    assert retailers is ports.retailers.current()
    assert campaigns is ports.campaigns.current()
