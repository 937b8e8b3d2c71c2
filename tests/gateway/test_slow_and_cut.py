"""Bodies that come slowly, in parts, too large or not to their end: on a socket, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import NamedTuple

from tests.gateway.conftest import Stand
from tests.gateway.standing import DEADLINE_S, Standing, added, until


class Answer(NamedTuple):
    """What came back, and whether the server closed the connection after it."""

    status: int
    error: str
    closed: bool


class Wire:
    """A connection whose bytes the test chooses."""

    def __init__(self, standing: Standing, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.standing = standing
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, standing: Standing, address: str) -> Wire:
        """Connects."""
        host, port = address.split(":")
        return cls(standing, *await asyncio.open_connection(host, int(port)))

    def head(self, length: int, **more: str) -> None:
        """Sends the head of a POST of events."""
        headers = {
            "host": "gateway",
            "content-type": "application/json",
            "content-length": str(length),
            **self.standing.shop.write,
            **more,
        }
        lines = ["POST /v1/events HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.writer.write("\r\n".join(lines).encode())

    async def answer(self) -> Answer:
        """Reads an answer, and looks whether the connection ends with it."""
        async with asyncio.timeout(DEADLINE_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            told = json.loads(await self.reader.readexactly(length))
            closed = "connection: close" in head and await self._is_closed()
        return Answer(int(head.split()[1]), told.get("error", ""), closed)

    async def pour(self, part: bytes) -> None:
        """Sends without end, until the server cuts the connection."""
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(ConnectionError):
                while True:
                    self.writer.write(part)
                    await self.writer.drain()

    async def _is_closed(self) -> bool:
        try:
            return not await self.reader.read(1)
        except ConnectionError:
            return True

    async def close(self) -> None:
        """Leaves."""
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


async def good_event_is_stored(standing: Standing) -> None:
    """Checks that the gateway serves the next request as if nothing had been, and stored nothing else."""
    good = added()
    assert 200 == (await standing.post(good)).status_code
    assert [good["event_id"]] == await standing.stored_ids()


async def test_a_body_may_come_in_parts(standing: Standing) -> None:
    """A body that arrives in pieces is read to its end; the connection serves the next request."""
    wire = await Wire.open(standing, await standing.listen())
    events = [added(), added()]
    for event in events:
        body = json.dumps(event).encode()
        wire.head(len(body))
        for part in (body[:10], body[10:50], body[50:]):
            wire.writer.write(part)
            await wire.writer.drain()
            await asyncio.sleep(0)
        assert Answer(200, "", closed=False) == await wire.answer()
    assert [event["event_id"] for event in events] == await standing.stored_ids()
    await wire.close()


async def test_a_body_that_stops_is_refused(stand: Stand) -> None:
    """No byte for a while: 408, and the connection is closed, since what follows could be anything."""
    standing = await stand(body_idle_s=0.2, body_total_s=60)
    wire = await Wire.open(standing, await standing.listen())
    wire.head(1_000)
    wire.writer.write(json.dumps(added()).encode())
    assert Answer(408, "body_timeout", closed=True) == await wire.answer()
    assert 1 == standing.counted("refused_requests_total", status="408", error="body_timeout")
    await wire.close()
    await good_event_is_stored(standing)


async def test_a_body_that_never_begins_is_refused(stand: Stand) -> None:
    """A head alone holds a request for no longer than a body that stops."""
    standing = await stand(body_idle_s=0.2)
    wire = await Wire.open(standing, await standing.listen())
    wire.head(1_000)
    assert Answer(408, "body_timeout", closed=True) == await wire.answer()
    await wire.close()


async def test_a_body_that_trickles_is_refused(stand: Stand) -> None:
    """A byte now and then keeps nobody waiting for ever."""
    standing = await stand(body_idle_s=60, body_total_s=0.4)
    wire = await Wire.open(standing, await standing.listen())
    wire.head(100_000)

    async def trickle() -> None:
        while True:
            wire.writer.write(b" ")
            await asyncio.sleep(0.01)

    trickling = asyncio.create_task(trickle())
    assert Answer(408, "body_timeout", closed=True) == await wire.answer()
    trickling.cancel()
    await wire.close()
    await good_event_is_stored(standing)


async def test_a_body_that_is_cut_is_forgotten(standing: Standing) -> None:
    """A client that leaves in the middle of its body stored nothing, even if what came was a whole event."""
    wire = await Wire.open(standing, await standing.listen())
    wire.head(10_000)
    wire.writer.write(json.dumps(added()).encode())
    await wire.writer.drain()
    await wire.close()

    async def is_counted() -> bool:
        return standing.counted("refused_requests_total", status="499", error="client_gone") == 1

    await until(is_counted, "the gateway saw the client leave")
    await good_event_is_stored(standing)


async def test_a_large_body_is_read_so_that_its_answer_arrives(standing: Standing) -> None:
    """Up to a megabyte is dropped, then answered; the connection goes on, since the body was read to its end."""
    wire = await Wire.open(standing, await standing.listen())
    wire.head(900_000)
    wire.writer.write(b" " * 900_000)
    assert Answer(413, "body_too_large", closed=False) == await wire.answer()
    body = json.dumps(added()).encode()
    wire.head(len(body))
    wire.writer.write(body)
    assert Answer(200, "", closed=False) == await wire.answer()
    await wire.close()


async def test_an_endless_body_is_cut(standing: Standing) -> None:
    """Beyond a megabyte nothing more is read: it is answered, and the connection is cut, whoever still sends."""
    wire = await Wire.open(standing, await standing.listen())
    wire.head(10**9)
    await wire.pour(b" " * 65_536)
    assert 1 == standing.counted("refused_requests_total", status="413", error="body_too_large")
    await wire.close()
    await good_event_is_stored(standing)


async def test_chunks_without_end_are_cut(standing: Standing) -> None:
    """A body of unknown length is bounded as one that says its length."""
    wire = await Wire.open(standing, await standing.listen())
    head = "POST /v1/events HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n"
    wire.writer.write(f"{head}authorization: {standing.shop.write['authorization']}\r\n\r\n".encode())
    await wire.pour(b"10000\r\n" + b" " * 65_536 + b"\r\n")
    assert 1 == standing.counted("refused_requests_total", status="413", error="body_too_large")
    await wire.close()


async def test_who_asks_before_sending_is_answered_at_once(standing: Standing) -> None:
    """`Expect: 100-continue` with too large a body: the answer is 413, and nothing is waited for."""
    wire = await Wire.open(standing, await standing.listen())
    wire.head(600_000, expect="100-continue")
    assert Answer(413, "body_too_large", closed=True) == await wire.answer()
    await wire.close()


async def test_requests_in_hand_are_finished_by_a_drain(standing: Standing) -> None:
    """A body that is on its way when the gateway is told to stop is read, stored and acknowledged."""
    wire = await Wire.open(standing, await standing.listen())
    body = json.dumps(added()).encode()
    wire.head(len(body))
    wire.writer.write(body[:20])

    async def is_in_hand() -> bool:
        return standing.gateway.in_flight == 1

    await until(is_in_hand, "the request has begun")
    draining = asyncio.create_task(standing.gateway.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    wire.writer.write(body[20:])
    answer = await wire.answer()
    assert 200 == answer.status
    await draining
    assert 1 == len(await standing.stored_ids())
    await wire.close()
