"""`GET /v1/experiences`: what a page hears, and how it goes on where it left off."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from datetime import datetime
from uuid import uuid4

import pytest

from domain.errors import PortError
from domain.shopper import decode
from domain.tree_faults import read_trees
from tests.gateway.conftest import Stand
from tests.gateway.page import Message, Page, listening
from tests.gateway.standing import DEADLINE_S, FOREIGN_ORIGIN, ORIGIN, Standing, added, until

SHOPPER = "c-1842"


HEAVY = {
    "schema_version": 1,
    "shopper": "default",
    "root": "start",
    "nodes": {
        "start": {"edges": [{"to": "play", "when": {"kind": "event", "types": ["AddedToBasket"]}}]},
        "play": {
            "experiences": [
                {
                    "slot": "main",
                    "kind": "gamified_promotion",
                    "ttl_s": 60,
                    "content": {
                        "game": "wheel",
                        "products": [{"product_id": f"{number:0128}"} for number in range(50)],
                        "prize": {"type": "amount", "value_minor": 500},
                    },
                }
            ]
        },
    },
}
"""Every first product of a basket brings kilobytes."""


class Served:
    """A gateway with a worker, on a socket.

    Attributes:
        address: `host:port`.
        token: of SHOPPER.
    """

    def __init__(self, standing: Standing, address: str, token: str) -> None:
        self.standing = standing
        self.address = address
        self.token = token


@pytest.fixture
async def served(stand: Stand) -> Served:
    """The whole live path; comments are frequent, since silence is known by them."""
    standing = await stand(stream_comment_s=0.05)
    await standing.work()
    return Served(standing, await standing.listen(), await standing.subscription(SHOPPER))


async def snapshot_has(served: Served, slots: dict[str, str]) -> None:
    """Waits until the shopper's snapshot has these slots in these states."""
    key = served.standing.key(SHOPPER)

    async def holds() -> bool:
        payload = (await served.standing.ports.snapshots.load([key])).get(key)
        return payload is not None and slots == {slot.experience.slot: slot.state for slot in decode(payload).slots}

    await until(holds, f"the snapshot has {slots}")


async def test_pasta_brings_the_sauce(served: Served) -> None:
    """An event's experience arrives on the shopper's stream, in the form that pages read."""
    async with listening(served.address, served.token) as page:
        event = added("pasta")
        await served.standing.post(event)
        message = await page.next()
    assert message is not None
    shown = message.data
    assert "experience" == message.name
    assert message.id
    assert ("recommendation", "main", event["event_id"]) == (shown["kind"], shown["slot"], shown["trigger_event_id"])
    assert {
        "experience_id", "kind", "slot", "decided_at", "expires_at", "trigger_event_id", "tree_generation",
        "node_id", "content",
    } == set(shown)  # fmt: skip
    decided, expires = (datetime.fromisoformat(shown[name]) for name in ("decided_at", "expires_at"))
    assert 1_800 == (expires - decided).total_seconds()
    assert all(shown[name].endswith("Z") and len(shown[name]) == 24 for name in ("decided_at", "expires_at"))
    assert 1 == served.standing.counted("delivered_experiences_total", kind="recommendation")
    assert 1 == served.standing.counted("experience_seconds_count")


async def test_the_head_comes_before_anything_happens(served: Served) -> None:
    """There is no greeting: the page knows that it is connected by the head alone."""
    async with listening(served.address, served.token, headers={"origin": ORIGIN}) as page:
        assert "text/event-stream; charset=utf-8" == page.head.headers["content-type"]
        assert ORIGIN == page.head.headers["access-control-allow-origin"]
        assert "no-store" == page.head.headers["cache-control"]
        assert 1 == served.standing.counted("streams_open")

    async def is_gone() -> bool:
        return served.standing.counted("streams_open") == 0

    await until(is_gone, "a page that left is forgotten")


async def test_only_the_shopper_hears(served: Served) -> None:
    """A stream carries its own shopper's experiences, whoever else does what."""
    async with listening(served.address, served.token) as page:
        await served.standing.post({"events": [added(shopper_id="c-2"), added("pasta", SHOPPER)]})
        await served.standing.post(added(shopper_id=SHOPPER), served.standing.other.write)
        shown = await page.experience()
        await served.standing.post(added("cheese", SHOPPER))
        assert (await page.experience())["trigger_event_id"] != shown["trigger_event_id"]


async def test_all_streams_of_a_shopper_hear(served: Served) -> None:
    """A token serves several pages at once."""
    async with listening(served.address, served.token) as one, listening(served.address, served.token) as other:
        await served.standing.post(added())
        assert await one.experience() == await other.experience()


async def test_a_tension_goes_on_and_is_withdrawn(served: Served) -> None:
    """Each change of the basket brings the tension again with what is missing; past the threshold it leaves."""
    async with listening(served.address, served.token) as page:
        await served.standing.post(added("wine"))
        assert 4_900 == (await page.experience())["content"]["missing_minor"]
        await served.standing.post(added("bread"))
        last = await page.experience()
        assert 4_800 == last["content"]["missing_minor"]
        await served.standing.post(added("bread", quantity=60))
        gone = await page.next()
        assert gone is not None
        expected = ("withdrawn", {"experience_id": last["experience_id"], "slot": "banner"})
        assert expected == (gone.name, gone.data)


async def test_a_new_page_gets_what_is_open(served: Served) -> None:
    """Without a position: every slot's open experience, the replaced one not; from memory at once."""
    await processed(served, {"events": [added("pasta"), added("cheese")]})
    async with listening(served.address, served.token) as page:
        assert "cheese" == (await page.experience())["node_id"]
        await is_silent(page)


async def test_a_new_page_gets_what_is_open_from_the_snapshot(served: Served) -> None:
    """Another gateway, which has seen nothing, resumes from the snapshot alone."""
    await processed(served, {"events": [added("wine")]})
    await snapshot_has(served, {"banner": "open"})
    standing = served.standing
    fresh = standing.another()
    standing.gateway, old = fresh, standing.gateway
    await fresh.start()
    address = await standing.listen()
    async with listening(address, served.token) as page:
        assert "banner" == (await page.experience())["slot"]
    await old.stop()


async def test_a_page_goes_on_behind_what_it_knows(served: Served) -> None:
    """With a position only what is later comes: the slot's latest state, once."""
    async with listening(served.address, served.token) as page:
        await served.standing.post(added("pasta"))
        first = await page.next()
    assert first is not None
    async with listening(served.address, served.token, first.id) as page:
        await is_silent(page)
    await processed(served, {"events": [added("cheese")]})
    async with listening(served.address, served.token, first.id) as page:
        assert "cheese" == (await page.experience())["node_id"]


async def test_last_event_id_is_stronger_than_after(served: Served) -> None:
    """What the browser itself remembers is younger than the address of the stream."""
    async with listening(served.address, served.token) as page:
        await served.standing.post(added("pasta"))
        first = await page.next()
    assert first is not None
    async with listening(served.address, served.token, "0-0-0", {"last-event-id": first.id}) as page:
        await is_silent(page)


@pytest.mark.parametrize("position", ["garbage", "1-2", "1-999999999-0", "9-1-0", "1-2-3-4", "-1--1-0", "²-1-0"])
async def test_an_unknown_position_is_none(served: Served, position: str) -> None:
    """A position that is none, or that this log has not reached, gives what a new page gets."""
    await processed(served, {"events": [added("pasta")]})
    async with listening(served.address, served.token, position) as page:
        assert "sauce" == (await page.experience())["node_id"]


async def test_a_position_that_cannot_be_judged_is_believed(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the log does not say where it ends, a page may know more from another gateway: nothing is told again."""
    await processed(served, {"events": [added("pasta")]})

    async def away(_: int) -> int:
        raise PortError("the log can't be read now", retriable=True)

    monkeypatch.setattr(served.standing.ports.experiences, "end", away)
    async with listening(served.address, served.token, "1-999999999-0") as page:
        await is_silent(page)


async def test_a_withdrawal_reaches_a_page_that_was_away(served: Served) -> None:
    """With a position the slot's withdrawal comes; a new page hears nothing of it."""
    async with listening(served.address, served.token) as page:
        await served.standing.post(added("wine"))
        shown = await page.next()
    assert shown is not None
    await processed(served, {"events": [added("bread", quantity=60)]})
    for _ in range(2):
        async with listening(served.address, served.token, shown.id) as page:
            gone = await page.next()
            assert gone is not None
            assert ("withdrawn", shown.data["experience_id"]) == (gone.name, gone.data["experience_id"])
        async with listening(served.address, served.token) as page:
            await is_silent(page)
        await snapshot_has(served, {"banner": "withdrawn"})


async def test_a_dismissed_experience_does_not_come_back(served: Served) -> None:
    """What the shopper closed stays closed, from memory and from the snapshot, with and without a position."""
    async with listening(served.address, served.token) as page:
        await served.standing.post(added("pasta"))
        shown = await page.experience()
    dismissal = {name: value for name, value in added().items() if name != "product"} | {
        "type": "ExperienceDismissed",
        "experience_id": shown["experience_id"],
    }
    await processed(served, {"events": [dismissal]})
    for _ in range(2):
        for after in (None, "1-0-0"):
            async with listening(served.address, served.token, after) as page:
                await is_silent(page)
        await snapshot_has(served, {"main": "dismissed"})


async def test_an_expired_experience_is_not_delivered(served: Served) -> None:
    """What has expired by the gateway's clock is not shown, live or on resume."""
    await processed(served, {"events": [added("pasta")]})
    late = added("cheese", occurred_at="2020-01-01T00:00:00Z")
    served.standing.clock.shift_ms = 1_801_000
    served.token = await served.standing.subscription(SHOPPER)
    async with listening(served.address, served.token) as page:
        await processed(served, late)
        await is_silent(page)
    assert 0 == served.standing.counted("delivered_experiences_total", kind="recommendation")


async def test_a_stream_ends_with_its_token(stand: Stand) -> None:
    """When the token ends the page is told so, and the stream closes."""
    standing = await stand(subscription_s=2)
    address = await standing.listen()
    async with listening(address, await standing.subscription(SHOPPER)) as page:
        assert [Message("expired", {}), None] == [await page.next(), await page.next()]
    assert 1 == standing.counted("streams_dropped_total", reason="token_expired")


async def test_comments_keep_a_stream_alive(stand: Stand) -> None:
    """A silent stream carries a comment from time to time."""
    standing = await stand(stream_comment_s=0.05)
    address = await standing.listen()
    async with listening(address, await standing.subscription(SHOPPER)) as page:
        assert [Message(":")] * 3 == [await page.next(comments=True) for _ in range(3)]


async def test_a_drain_ends_streams_with_a_hint(served: Served) -> None:
    """A gateway that stops tells its pages when to come back, is not ready, and takes no new stream or event."""
    gateway, http = served.standing.gateway, served.standing.http
    async with listening(served.address, served.token) as page:
        draining = asyncio.create_task(gateway.drain())
        hint, end = await page.next(), await page.next()
        assert hint is not None
        assert ("retry", None) == (hint.name, end)
    await draining
    assert 503 == (await http.get("/health/ready")).status_code
    assert 200 == (await http.get("/health/live")).status_code
    posted = await served.standing.post(added())
    assert (503, "draining") == (posted.status_code, posted.json()["error"])
    assert {"retry-after", "connection"} <= set(posted.headers)
    stream = await http.get("/v1/experiences", params={"subscription": served.token})
    assert (503, "draining") == (stream.status_code, stream.json()["error"])


@contextlib.asynccontextmanager
async def deaf(standing: Standing, address: str, token: str) -> AsyncIterator[None]:
    """A page that opens a stream and never reads it."""
    with socket.socket() as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        page.setblocking(False)
        host, port = address.split(":")
        await asyncio.get_running_loop().sock_connect(page, (host, int(port)))
        page.send(f"GET /v1/experiences?subscription={token} HTTP/1.1\r\nhost: {address}\r\n\r\n".encode())

        async def is_heard() -> bool:
            return standing.counted("streams_open") == 1

        await until(is_heard, "the deaf page is connected")
        yield


async def test_a_reader_who_does_not_read_is_dropped(stand: Stand) -> None:
    """A page that stops reading is cut off when its queue is full, and the others hear everything."""
    standing = await stand(stream_queue_max=2)
    await standing.work()
    await standing.ports.trees.push("r-shop", read_trees(json.dumps(HEAVY).encode()))
    address = await standing.listen()
    token = await standing.subscription(SHOPPER)
    async with deaf(standing, address, token), listening(address, token) as page:

        async def is_dropped() -> bool:
            await standing.post({"events": [added(), paid()]})
            await page.experience()
            return standing.counted("streams_dropped_total", reason="slow") == 1

        async def is_alone() -> bool:
            return standing.counted("streams_open") == 1

        await until(is_dropped, "the deaf page is dropped")
        await until(is_alone, "its stream is forgotten, the other one stays")
        await standing.post(added())
        await page.experience()


async def test_a_reader_who_does_not_read_does_not_delay_a_drain(stand: Stand) -> None:
    """A gateway that stops cuts off who does not read, and waits for nobody."""
    standing = await stand(stream_queue_max=100_000, drain_s=60)
    await standing.work()
    await standing.ports.trees.push("r-shop", read_trees(json.dumps(HEAVY).encode()))
    address = await standing.listen()
    token = await standing.subscription(SHOPPER)
    waiting = {"prefer": "wait=2"} | standing.shop.secret
    async with deaf(standing, address, token):
        for _ in range(100):
            await standing.post({"events": [event for _ in range(20) for event in (added(), paid())]}, waiting)
        async with asyncio.timeout(DEADLINE_S):
            await standing.gateway.drain()
    assert 0 == standing.counted("streams_open")


def paid() -> dict[str, object]:
    """Gives an order, which takes the shopper back to the root."""
    order = {"type": "OrderPaid", "order_id": str(uuid4()), "lines": [], "total_minor": 0, "currency": "EUR"}
    return {name: value for name, value in added().items() if name != "product"} | order


async def processed(served: Served, body: object) -> None:
    """Posts events and waits until they are processed."""
    answer = await served.standing.post(body, {"prefer": "wait=2"} | served.standing.shop.secret)
    assert answer.status_code == 200, answer.text


async def is_silent(page: Page) -> None:
    """Checks that a page that has just come has nothing to be told: the first that it hears is a comment."""
    assert Message(":") == await page.next(comments=True)


async def test_foreign_origin_header_on_error(served: Served) -> None:
    """An error on a stream carries CORS for listed origins alone."""
    for origin, expected in ((ORIGIN, ORIGIN), (FOREIGN_ORIGIN, None)):
        answer = await served.standing.http.get("/v1/experiences", headers={"origin": origin})
        assert 401 == answer.status_code
        assert expected == answer.headers.get("access-control-allow-origin")
