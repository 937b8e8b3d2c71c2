"""The replay against a gateway that answers as told: order, retries, pace, and what it says in the end."""

import asyncio
import gzip
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from deploy.replay import summary
from deploy.replay_connection import Address, Connection
from deploy.replay_lanes import REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX, Lanes, Tally
from deploy.replay_source import Pace, Source
from domain.errors import PortError, Refused

Event = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]
BULK = Pace()
Script = Callable[[int, list[Event]], Answer | None]


def event(number: int, shopper: str = "c-1", **fields: Any) -> Event:
    """An event whose id says its number."""
    at = f"2024-05-01T10:00:{number % 60:02}Z"
    return {"event_id": f"e-{number}", "shopper_id": shopper, "occurred_at": at, **fields}


def results(events: Sequence[Event], status: str = "stored", **more: str) -> Answer:
    """The same result for every event."""
    return 200, {}, {"results": [{"event_id": one.get("event_id"), "status": status, **more} for one in events]}


class Gateway:
    """Listens on a free port and answers each request by the script; None closes the connection instead."""

    def __init__(self, script: Script) -> None:
        self.requests: list[list[Event]] = []
        self.bodies: list[bytes] = []
        self.heads: list[str] = []
        self.connections: set[asyncio.Task[None] | None] = set()
        self._script = script

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections.add(asyncio.current_task())
        try:
            while head := await self._head(reader):
                length = int(
                    next(line for line in head.split("\r\n") if line.startswith("content-length")).split(":")[1]
                )
                body = await reader.readexactly(length)
                decoded = msgspec.json.decode(body)
                events = decoded.get("events", [decoded])
                self.bodies.append(body)
                self.heads.append(head)
                self.requests.append(events)
                await self._answer(writer, self._script(len(self.requests), events))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> str:
        try:
            return (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return ""

    async def _answer(self, writer: asyncio.StreamWriter, answer: Answer | None) -> None:
        if answer is None:
            raise ConnectionResetError
        status, headers, body = answer
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status} X\r\n{extra}content-length: {len(content)}\r\n\r\n".encode() + content)
        await writer.drain()


async def replay(
    path: Path, script: Script, pace: Pace = BULK, lanes: int = 4, give_up_after_s: float = 10.0
) -> tuple[Gateway, Tally]:
    """Replays a file to a scripted gateway."""
    gateway, tally = Gateway(script), Tally()
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0, limit=1 << 20)
    host, port = server.sockets[0].getsockname()[:2]
    address = Address.of(f"http://{host}:{port}/shop/")
    try:
        with Source(path, pace, lanes) as source:
            connect = lambda: Connection(address, "/v1/events", "wk_key")
            await Lanes(connect, tally, lanes, give_up_after_s).send(source, lambda: None)
    finally:
        server.close()
        await asyncio.gather(*filter(None, gateway.connections))
    return gateway, tally


def written(folder: Path, events: Sequence[Event | bytes], name: str = "events.jsonl") -> Path:
    """A file with one event a line."""
    lines = [one if isinstance(one, bytes) else msgspec.json.encode(one) for one in events]
    content = b"\n".join(lines) + b"\n"
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
async def test_every_event_arrives_and_a_shopper_keeps_the_order(name: str, tmp_path: Path) -> None:
    """All lines of a plain or gzipped file are sent once, each shopper's in the order of the file."""
    events = [event(number, f"c-{number % 7}") for number in range(1_000)]
    gateway, tally = await replay(written(tmp_path, events, name), lambda _, got: results(got))
    arrived = [one for request in gateway.requests for one in request]
    assert (1_000, 1_000) == (tally.sent, tally.outcomes["stored"])
    for shopper in {one["shopper_id"] for one in events}:
        assert [e for e in events if e["shopper_id"] == shopper] == [e for e in arrived if e["shopper_id"] == shopper]
    assert REQUEST_EVENTS_MAX == max(map(len, gateway.requests))


async def test_a_request_carries_key_path_and_type(tmp_path: Path) -> None:
    """The key goes as Basic authorization, to the events of the given address."""
    gateway, _ = await replay(written(tmp_path, [event(1)]), lambda _, got: results(got))
    lines = gateway.heads[0].lower().split("\r\n")
    assert "post /shop/v1/events http/1.1" == lines[0]
    assert {"authorization: basic d2tfa2v5og==", "content-type: application/json"} <= set(lines)


async def test_a_request_stays_below_the_gateways_limit(tmp_path: Path) -> None:
    """Large events travel in fewer to a request."""
    gateway, _ = await replay(
        written(tmp_path, [event(number, label="x" * 30_000) for number in range(60)]), lambda _, got: results(got)
    )
    assert max(map(len, gateway.bodies)) <= REQUEST_BYTES_MAX + 1_000


@pytest.mark.parametrize(
    "trouble",
    [
        (503, {"retry-after": "0"}, {"error": "unavailable", "detail": "the log is full"}),
        (429, {}, {"error": "too_many", "detail": "slower"}),
        (408, {"connection": "close"}, {"error": "timeout", "detail": "too slow"}),
        (502, {}, b"<html>bad gateway</html>"),
        None,
    ],
    ids=["503", "429", "408", "502-of-a-proxy", "connection-cut"],
)
async def test_what_is_not_acknowledged_is_sent_again(trouble: Answer | None, tmp_path: Path) -> None:
    """A passing failure costs a retry under the same ids and nothing else."""
    gateway, tally = await replay(
        written(tmp_path, [event(1), event(2)]), lambda nth, got: trouble if nth == 1 else results(got), lanes=1
    )
    assert [[event(1), event(2)]] * 2 == gateway.requests
    assert (2, 2, 2) == (tally.sent, tally.outcomes["stored"], tally.retried)


async def test_only_what_asks_for_it_is_retried_and_before_anything_newer(tmp_path: Path) -> None:
    """Of a request of several, the events answered `retry` go again, ahead of the lane's next ones."""
    events = [event(number) for number in range(REQUEST_EVENTS_MAX + 1)]

    def script(nth: int, got: list[Event]) -> Answer:
        answer = results(got)
        if nth == 1:
            answer[2]["results"][3]["status"] = "retry"
        return answer

    gateway, tally = await replay(written(tmp_path, events), script, lanes=1)
    assert [events[:-1], [events[3]], [events[-1]]] == gateway.requests
    assert (len(events), len(events), 1) == (tally.sent, tally.outcomes["stored"], tally.retried)


async def test_final_results_are_counted_and_faults_named(tmp_path: Path) -> None:
    """Rejected and dropped events are final; the first line of each reason is kept for the report."""

    def script(_: int, got: list[Event]) -> Answer:
        statuses = ["stored", "rejected", "dropped", "rejected"]
        made = [{"event_id": None, "status": s, "reason": "bad", "path": "$.x"} for s in statuses[: len(got)]]
        return 200, {}, {"results": made}

    _, tally = await replay(written(tmp_path, [b"", *[event(number) for number in range(4)]]), script, lanes=1)
    assert {"stored": 1, "rejected": 2, "dropped": 1} == dict(tally.outcomes)
    assert [(3, "bad", "$.x")] == [tuple(fault) for fault in tally.faults.values()]


async def test_a_refused_batch_is_taken_apart(tmp_path: Path) -> None:
    """One event that makes the gateway refuse a whole request doesn't take the others with it."""

    def script(_: int, got: list[Event]) -> Answer:
        bad = any(one["event_id"] == "e-1" for one in got)
        return (413, {}, {"error": "too_large", "detail": "too large"}) if bad else results(got)

    _, tally = await replay(written(tmp_path, [event(number) for number in range(3)]), script, lanes=1)
    assert {"stored": 2, "rejected": 1, "dropped": 0} == dict(tally.outcomes)
    assert 3 == tally.sent


async def test_a_line_that_is_a_batch_goes_alone(tmp_path: Path) -> None:
    """A GA4 payload with several events keeps its form and counts all its results."""
    ga4 = {"client_id": "c-1", "events": [{"name": "page_view"}, {"name": "search"}]}
    gateway, tally = await replay(written(tmp_path, [event(1), ga4, event(2)]), lambda _, got: results(got), lanes=1)
    assert msgspec.json.encode(ga4) in gateway.bodies
    assert (4, 4) == (tally.sent, tally.outcomes["stored"])


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_wrong_key_or_address_ends_the_replay(status: int, tmp_path: Path) -> None:
    """What no retry can mend is refused with what the gateway said."""
    with pytest.raises(Refused, match=f"answered {status} unauthorized: no such key; check --url and --key"):
        await replay(
            written(tmp_path, [event(1)]), lambda *_: (status, {}, {"error": "unauthorized", "detail": "no such key"})
        )


async def test_it_gives_up_in_the_end(tmp_path: Path) -> None:
    """A gateway that stays down ends the replay with the line and the cause, after the given time."""
    with pytest.raises(PortError, match=r"gave up on the event of line 1 .* the gateway answered 503 down: gone"):
        await replay(
            written(tmp_path, [event(1)]),
            lambda *_: (503, {}, {"error": "down", "detail": "gone"}),
            give_up_after_s=0.2,
        )


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{broken", "line 2 is no event"),
        (b"[]", "line 2 is no event"),
        (b'{"shopper_id":"\xff"}', "line 2 is no event"),
    ],
)
async def test_a_line_that_is_no_event_is_named(line: bytes, fault: str, tmp_path: Path) -> None:
    """What can't be sent is refused with its line."""
    with pytest.raises(Refused, match=fault):
        await replay(written(tmp_path, [event(1), line]), lambda _, got: results(got))


@pytest.mark.parametrize("pace", [Pace(speed=10.0), Pace(shift_to_now=True)])
@pytest.mark.parametrize("at", [None, "yesterday", "2024-05-01T10:00:00", 17])
async def test_a_pace_by_time_needs_times(at: object, pace: Pace, tmp_path: Path) -> None:
    """`--speed` and `--shift-to-now` name the first line without a time and zone."""
    with pytest.raises(Refused, match="line 1 has no occurred_at with a zone"):
        await replay(written(tmp_path, [{"shopper_id": "c-1", "occurred_at": at}]), lambda _, got: results(got), pace)


async def test_a_broken_gzip_file_is_refused(tmp_path: Path) -> None:
    """A cut file says so, and how far it went."""
    path = written(tmp_path, [event(number, label=str(number) * 50) for number in range(500)], "events.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(Refused, match="the gzip data is broken after"):
        await replay(path, lambda _, got: results(got))


def test_speed_and_rate_say_when_each_event_leaves(tmp_path: Path) -> None:
    """By rate events are evenly spaced; by speed the file's own times are, divided."""
    path = written(tmp_path, [event(10), event(12), event(12), event(11)])
    with Source(path, Pace(rate=4.0), 2) as by_rate:
        assert [0.0, 0.25, 0.5, 0.75] == [item.due_s for item in by_rate]
    with Source(path, Pace(speed=2.0), 2) as by_speed:
        assert [0.0, 1.0, 1.0, 0.5] == [item.due_s for item in by_speed]


def test_shifted_events_keep_their_distances(tmp_path: Path) -> None:
    """`--shift-to-now` moves all times by the same amount and changes nothing else."""
    events = [event(10), event(12, label="é"), event(59)]
    with Source(written(tmp_path, events), Pace(shift_to_now=True), 2) as source:
        moved = [msgspec.json.decode(item.body) for item in source]
    times = [msgspec.convert(one.pop("occurred_at"), datetime) for one in moved]
    assert [2.0, 49.0] == [(later - times[0]).total_seconds() for later in times[1:]]
    assert [{k: v for k, v in one.items() if k != "occurred_at"} for one in events] == moved


async def test_latency_counts_from_the_intended_moment(tmp_path: Path) -> None:
    """An event that waited behind a slow answer has that wait in its latency: nothing is hidden by waiting politely."""
    events = [event(number) for number in range(3)]
    _gateway, tally = await replay(
        written(tmp_path, events),
        lambda nth, got: (503, {"retry-after": "1"}, {"error": "full", "detail": "x"}) if nth == 1 else results(got),
        Pace(rate=1_000.0),
        lanes=1,
    )
    assert (3, 3) == (tally.sent, tally.outcomes["stored"])
    assert tally.latencies.quantile_ms(0.01) >= 900


def test_the_result_has_exactly_the_promised_keys() -> None:
    """Programs read these names."""
    assert {
        "sent": 0,
        "stored": 0,
        "rejected": 0,
        "dropped": 0,
        "retried": 0,
        "seconds": 1.5,
        "ack_ms": {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0},
    } == summary(Tally(), 1.5)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://x", "http://", "http://x:99999", "http://[::1"])
def test_a_url_that_is_no_address_is_refused(url: str) -> None:
    """The message shows what an address looks like."""
    with pytest.raises(Refused, match="is no address of a gateway"):
        Address.of(url)
