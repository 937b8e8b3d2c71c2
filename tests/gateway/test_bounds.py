"""Every bound of the gateway: set small, exceeded, and what is then answered and counted."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from domain.ids import Position
from domain.records import SCHEMA_VERSION, Decided, Decision, Progress
from tests.gateway.bound import REFUSED, Bound, refused
from tests.gateway.claim_bounds import CLAIM_BOUNDS
from tests.gateway.conftest import Stand
from tests.gateway.page import listening
from tests.gateway.standing import Standing, added, until
from tests.gateway.trace_bounds import TRACE_BOUNDS
from tests.unit.experiences import shown

CHECKOUT = Path(__file__).resolve().parents[2]


async def posted(standing: Standing, body: Any, **headers: str) -> tuple[int, str, bool]:
    """Posts events; gives status, error and whether the answer says when to come back."""
    answer = await standing.post(body, standing.shop.write | headers)
    return answer.status_code, answer.json().get("error", ""), "retry-after" in answer.headers


async def large_event(standing: Standing, _: Path) -> object:
    """One event of 2 KB."""
    return await posted(standing, added(session_id="s" * 2_000))


async def large_body(standing: Standing, _: Path) -> object:
    """Small events of 2 KB in all."""
    return await posted(standing, {"events": [added() for _ in range(10)]})


async def silent_body(standing: Standing, _: Path) -> object:
    """A body of which nothing comes."""
    return await _waiting(standing, asyncio.Event())


async def trickling_body(standing: Standing, _: Path) -> object:
    """A body of which a byte comes again and again."""
    return await _waiting(standing, None)


async def _waiting(standing: Standing, forever: asyncio.Event | None) -> object:
    """Sends a body that never ends; without `forever` it goes on all the time."""

    async def body() -> Any:
        yield b"{"
        while True:
            await (forever.wait() if forever else asyncio.sleep(0.01))
            yield b" "

    headers = {"content-type": "application/json"} | standing.shop.write
    answered: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/events",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    parts = body()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(parts), "more_body": True}

    async def send(message: Any) -> None:
        answered.append(message)

    await standing.gateway(scope, receive, send)
    await parts.aclose()
    return answered[0]["status"], json.loads(answered[1]["body"])["error"], False


async def request_behind_another(standing: Standing, _: Path) -> object:
    """A second request while the first one's body is awaited."""
    first = asyncio.create_task(_waiting(standing, asyncio.Event()))

    async def is_in_hand() -> bool:
        return standing.gateway.in_flight == 1

    await until(is_in_hand, "the first request has begun")
    second = await posted(standing, added())
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    return second


async def fast_events(standing: Standing, _: Path) -> object:
    """More events than a key has, then another key's, then those of the next second."""
    first = await posted(standing, {"events": [added(), added()]})
    second = await posted(standing, added())
    other = (await standing.post(added(), standing.other.write)).status_code
    stored = len(await standing.stored_ids())
    return first[0], second, other, stored


async def full_log(standing: Standing, data: Path) -> object:
    """A request more than may wait for a log whose file is held by somebody else."""
    with _held(data):
        waiting = [asyncio.create_task(posted(standing, added())) for _ in range(6)]
        answers = await asyncio.gather(*waiting)
    return [answer for answer in answers if answer[1] == "log_full"][:1]


async def stuck_log(standing: Standing, data: Path) -> object:
    """A log whose file is held by somebody else for too long."""
    with _held(data):
        return await posted(standing, added())


class _held:  # noqa: N801 - reads as what it does
    """Holds the write lock of the log's file."""

    def __init__(self, data: Path) -> None:
        self._connection = sqlite3.connect(data / "0" / "log.db", isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


async def long_wait(standing: Standing, _: Path) -> object:
    """A wish to wait for a minute where nobody works."""
    answer = await standing.post(added(), {"prefer": "wait=60"} | standing.shop.secret)
    return answer.status_code, answer.json()["experiences"]


async def second_wait(standing: Standing, _: Path) -> object:
    """A second request that wants to wait."""
    wait = {"prefer": "wait=30"} | standing.shop.secret
    first = asyncio.create_task(standing.post(added(), wait))

    async def waits() -> bool:
        return standing.gateway.waiting == 1

    await until(waits, "the first request waits")
    answer = await standing.post(added(), wait)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    return answer.status_code, answer.json()["experiences"]


async def second_stream(standing: Standing, _: Path) -> object:
    """A second stream, of another shopper."""
    address = await standing.listen()
    tokens = [await standing.subscription(shopper) for shopper in ("c-1", "c-2")]
    async with listening(address, tokens[0]):
        answer = await standing.http.get("/v1/experiences", params={"subscription": tokens[1]})
    return answer.status_code, answer.json()["error"], "retry-after" in answer.headers


async def second_stream_of_the_shopper(standing: Standing, _: Path) -> object:
    """A second stream of the same shopper."""
    address = await standing.listen()
    token = await standing.subscription("c-1")
    async with listening(address, token) as first, listening(address, token) as second:
        hint, end = await first.next(), await first.next()
        assert hint is not None
        return hint.name, end, second.head.status_code


async def burst_of_deliveries(standing: Standing, _: Path) -> object:
    """More slots in one moment than may wait in a stream."""
    address = await standing.listen()
    async with listening(address, await standing.subscription("c-1")) as page:

        async def is_open() -> bool:
            return standing.counted("streams_open") == 1

        await until(is_open, "the stream is registered")
        await decided(standing, "c-1", [f"slot-{number}" for number in range(3)])
        with pytest.raises(Exception, match=r"peer closed|without sending|incomplete"):
            while await page.next() is not None:
                pass
    return "cut"


async def old_experience(standing: Standing, _: Path) -> object:
    """An experience that was decided longer ago than the memory lasts, of which no snapshot knows."""
    await decided(standing, "c-1", ["main"])
    standing.clock.ahead_s += 1.1
    await decided(standing, "c-2", ["main"])
    return standing.gateway.remembered


async def many_experiences(standing: Standing, _: Path) -> object:
    """One experience more than memory holds."""
    for number in range(3):
        await decided(standing, f"c-{number}", ["main"])
    return standing.gateway.remembered


async def ended_token(standing: Standing, _: Path) -> object:
    """A token, a second and a half later."""
    token = await standing.subscription("c-1")
    standing.clock.shift_ms += 1_500
    return (await standing.http.get("/v1/experiences", params={"subscription": token})).status_code


async def days_of_a_request(standing: Standing, _: Path) -> int:
    """Asks that a shopper is suppressed, and gives within how many days that has to be done."""
    body = {"kind": "suppress", "shopper_ids": ["c-7"]}
    told = (await standing.http.post("/v1/privacy/requests", json=body, headers=standing.shop.secret)).json()
    due_at, opened_at = (datetime.fromisoformat(told[name]) for name in ("due_at", "opened_at"))
    return (due_at - opened_at).days


async def slow_drain(standing: Standing, _: Path) -> object:
    """A drain while a request's body never ends."""
    held = asyncio.create_task(_waiting(standing, asyncio.Event()))

    async def is_in_hand() -> bool:
        return standing.gateway.in_flight == 1

    await until(is_in_hand, "the request has begun")
    await standing.gateway.drain()
    still = standing.gateway.in_flight
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)
    return still


async def silent_stream(standing: Standing, _: Path) -> object:
    """A stream on which nothing happens."""
    address = await standing.listen()
    async with listening(address, await standing.subscription("c-1")) as page:
        message = await page.next(comments=True)
    assert message is not None
    return message.name


async def decided(standing: Standing, shopper_id: str, slots: list[str]) -> None:
    """Lets a worker, played by the test, decide experiences in these slots; returns when the gateway knows."""
    log = standing.ports.experiences
    key = standing.key(shopper_id)
    token = await log.own(0, "played")
    position = Position(1, await log.end(0))
    record = Decided(
        schema_version=SCHEMA_VERSION,
        token=token,
        position=position,
        trigger_event_id=shown("main").trigger_event_id,
        retailer_id=key.retailer_id,
        shopper=key.shopper,
        received_at_ms=standing.clock.now_ms(),
        generation=1,
        node_id="n",
        walked_from="n",
        decisions=tuple(Decision(experience=shown(slot), path=("n",), why=()) for slot in slots),
    )
    await log.append(0, token, [record, Progress(schema_version=SCHEMA_VERSION, token=token, through=position)])

    async def is_known() -> bool:
        return standing.gateway.is_processed(0, position)

    await until(is_known, "the gateway has read it")


BOUNDS = {
    "event_bytes_max": Bound(
        {"event_bytes_max": 1_024},
        large_event,
        (400, "too_large", False),
        "events_total",
        {"type": "unknown", "outcome": "rejected"},
    ),
    "body_bytes_max": Bound(
        {"body_bytes_max": 1_024}, large_body, (413, "body_too_large", False), REFUSED, refused(413, "body_too_large")
    ),
    "body_idle_s": Bound(
        {"body_idle_s": 0.1}, silent_body, (408, "body_timeout", False), REFUSED, refused(408, "body_timeout")
    ),
    "body_total_s": Bound(
        {"body_total_s": 0.2}, trickling_body, (408, "body_timeout", False), REFUSED, refused(408, "body_timeout")
    ),
    "requests_max": Bound(
        {"requests_max": 1},
        request_behind_another,
        (503, "too_many_requests_in_flight", True),
        REFUSED,
        refused(503, "too_many_requests_in_flight"),
    ),
    "rate_events_per_s": Bound(
        {"rate_events_per_s": 1},
        fast_events,
        (200, (429, "rate_limited", True), 200, 2),
        REFUSED,
        refused(429, "rate_limited"),
    ),
    "log_queue_events_max": Bound(
        {"log_queue_events_max": 5, "sqlite_busy_s": 0.3},
        full_log,
        [(503, "log_full", True)],
        REFUSED,
        refused(503, "log_full"),
    ),
    "append_timeout_s": Bound(
        {"append_timeout_s": 0.1, "sqlite_busy_s": 1},
        stuck_log,
        (503, "log_unavailable", True),
        REFUSED,
        refused(503, "log_unavailable"),
    ),
    "wait_max_s": Bound({"wait_max_s": 0.1}, long_wait, (200, [])),
    "waits_max": Bound({"waits_max": 1, "wait_max_s": 30}, second_wait, (200, []), "waits_refused_total"),
    "streams_max": Bound(
        {"streams_max": 1}, second_stream, (503, "too_many_streams", True), REFUSED, refused(503, "too_many_streams")
    ),
    "streams_per_retailer_max": Bound(
        {"streams_per_retailer_max": 1},
        second_stream,
        (429, "too_many_streams_of_retailer", True),
        REFUSED,
        refused(429, "too_many_streams_of_retailer"),
    ),
    "streams_per_shopper_max": Bound(
        {"streams_per_shopper_max": 1},
        second_stream_of_the_shopper,
        ("retry", None, 200),
        "streams_dropped_total",
        {"reason": "superseded"},
    ),
    "stream_queue_max": Bound(
        {"stream_queue_max": 2}, burst_of_deliveries, "cut", "streams_dropped_total", {"reason": "slow"}
    ),
    "stream_comment_s": Bound({"stream_comment_s": 0.05}, silent_stream, ":"),
    "recent_s": Bound({"recent_s": 1}, old_experience, 1),
    "recent_max": Bound({"recent_max": 2}, many_experiences, 2, "recent_evicted_total"),
    "subscription_s": Bound({"subscription_s": 1}, ended_token, 401, REFUSED, refused(401, "unauthorized")),
    "privacy_due_days": Bound({"privacy_due_days": 3}, days_of_a_request, 3),
    "drain_s": Bound({"drain_s": 0.1}, slow_drain, 1),
    **CLAIM_BOUNDS,
    **TRACE_BOUNDS,
}


@pytest.mark.parametrize("name", BOUNDS)
async def test_a_bound_holds(stand: Stand, tmp_path: Path, name: str) -> None:
    """Set small and exceeded, a bound answers as it should, and what it refused or dropped is counted."""
    bound = BOUNDS[name]
    standing = await stand(**bound.settings)
    assert bound.expected == await bound.exceed(standing, tmp_path)
    if bound.metric:
        assert standing.counted(bound.metric, **bound.labels) >= 1
    if name != "drain_s":
        await standing.gateway.start()
        standing.clock.shift_ms += 60_000
        standing.clock.ahead_s += 60

        async def is_well() -> bool:
            return (await standing.post(added())).status_code == 200

        await until(is_well, "the gateway takes events again")


def test_every_bound_of_the_gateway_is_tried() -> None:
    """Each setting that the gateway reads is a row of the table."""
    read = set()
    for path in (CHECKOUT / "gateway").glob("*.py"):
        read |= set(re.findall(r"settings\.([a-z_]+)", path.read_text(encoding="utf-8")))
    of_the_log = {"log_queue_events_max"}
    assert read | of_the_log == set(BOUNDS)
