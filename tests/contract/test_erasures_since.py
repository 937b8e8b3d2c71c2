"""The contract of `domain.ports.erasures.Erasures.tombstones_since`: who was erased after a backup was begun."""

from __future__ import annotations

from adapters.wiring import Ports
from domain.ids import Position
from domain.ports.erasures import Tombstone
from domain.ports.event_log import Place
from tests.contract.campaigning import with_shops
from tests.contract.privacy import digest, opened
from tests.story import NOON_MS, RETAILER


async def test_what_was_done_before_is_over(ports: Ports) -> None:
    """Requests that were open then, or that are still open, give their tombstones; of one digest the newest is last."""
    await with_shops(ports)
    said = {}
    for number, (name, stage_at_ms) in enumerate((("old", NOON_MS + 10), ("new", NOON_MS + 20), ("open", 0)), start=1):
        request = await opened(ports, name, ["anna", name], kind="erase")
        said[name] = [Tombstone(digest(one), Place(0, Position(1, number)), NOON_MS + number) for one in ("anna", name)]
        await ports.erasures.bury(request.request_id, said[name])
        if stage_at_ms:
            await ports.privacy.advance(request.request_id, "done", stage_at_ms)
    found = await ports.erasures.tombstones_since(NOON_MS + 20)
    expected = sorted(((RETAILER, one) for name in ("new", "open") for one in said[name]), key=_by_digest_and_time)
    assert expected == list(found)
    later = await ports.erasures.tombstones_since(NOON_MS + 21)
    assert {digest("open"), digest("anna")} == {one.digest for _, one in later}


def _by_digest_and_time(one: tuple[str, Tombstone]) -> tuple[str, int]:
    return one[1].digest, one[1].at_ms
