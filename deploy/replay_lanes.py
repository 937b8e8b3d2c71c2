"""Sends a source's events to a gateway: lanes keep each shopper's order, the schedule does not wait for answers.

Each lane is one connection with one request in flight. What is due in a lane when it comes free leaves together, so
load that the gateway can't follow makes requests larger, not fewer events: the latency of each event is measured from
the moment when it should have left, however long it then waited here.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from deploy.latency import Latencies
from deploy.replay_connection import Connection
from deploy.replay_source import Item, Source
from domain.errors import HotbasketError, PortError, Refused

REQUEST_EVENTS_MAX = 50
REQUEST_BYTES_MAX = 400 * 1_024
LANE_EVENTS_MAX = 1_000
"""Events read ahead for one lane: reading waits for the fullest lane, so memory stays bounded."""
READ_BETWEEN_TURNS = 256
"""Events read before the lanes get their turn: more than a request holds, so that bulk requests are full."""
REQUEST_TIMEOUT_S = 30.0
BACKOFF_S, BACKOFF_MAX_S = 0.1, 5.0
REASONS_MAX = 20


class _Result(msgspec.Struct):
    status: str
    reason: str = ""
    path: str = ""


class _Body(msgspec.Struct):
    results: list[_Result] = []
    error: str = ""
    detail: str = ""


_RETRY = _Result("retry")
_decoder = msgspec.json.Decoder(_Body)


class _Verdict(NamedTuple):
    """What an answer says: the results of each event, when to ask again and why; or to send each event alone."""

    results: Sequence[Sequence[_Result]]
    pause_s: float = 0.0
    trouble: str = ""
    apart: bool = False


class Fault(NamedTuple):
    """The first event that was rejected for a reason."""

    line: int
    reason: str
    path: str


class Tally:
    """What became of the events.

    Attributes:
        sent: events that left, each counted once.
        outcomes: stored, rejected, dropped.
        retried: events that were sent again, each time counted.
        latencies: from when an event should have left to the answer that settled it.
        faults: one event for each of the first REASONS_MAX reasons of a rejection.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.retried = 0
        self.outcomes: Counter[str] = Counter(stored=0, rejected=0, dropped=0)
        self.latencies = Latencies()
        self.faults: dict[str, Fault] = {}

    def settle(self, item: Item, results: Sequence[_Result], latency_s: float) -> None:
        """Counts the final results of a line: one, or those of a line that is a batch in itself."""
        self.sent += len(results) - 1
        for result in results:
            self.outcomes[result.status] += 1
            self.latencies.add(latency_s)
            if result.status == "rejected" and len(self.faults) < REASONS_MAX:
                self.faults.setdefault(result.reason, Fault(item.line, result.reason, result.path))


class Lanes:
    """A fixed number of lanes to one gateway."""

    def __init__(self, connect: Callable[[], Connection], tally: Tally, lanes: int, give_up_after_s: float) -> None:
        self._lanes = [_Lane(connect(), tally, give_up_after_s) for _ in range(lanes)]

    async def send(self, source: Source, progress: Callable[[], None]) -> None:
        """Sends every event of the source and returns when the last one is settled.

        Args:
            source: what to send.
            progress: called now and then.

        Raises:
            Refused: the source or the gateway refused; nothing more is sent.
            PortError: an event stayed unanswered for too long; nothing more is sent.
        """
        began_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes:
                    group.create_task(lane.run(began_s))
                for count, item in enumerate(source, start=1):
                    await self._lanes[item.lane].put(item)
                    if count % READ_BETWEEN_TURNS == 0:
                        progress()
                        await asyncio.sleep(0)
                for lane in self._lanes:
                    lane.end()
        except* HotbasketError as errors:
            raise _first(errors) from None
        finally:
            for lane in self._lanes:
                lane.close()


class _Lane:
    """One connection and what waits for it."""

    def __init__(self, connection: Connection, tally: Tally, give_up_after_s: float) -> None:
        self._connection = connection
        self._tally = tally
        self._give_up_after_s = give_up_after_s
        self._waiting: deque[Item] = deque()
        self._ended = False
        self._changed = asyncio.Event()
        self._room = asyncio.Event()

    async def put(self, item: Item) -> None:
        while len(self._waiting) >= LANE_EVENTS_MAX:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(item)
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    def close(self) -> None:
        self._connection.close()

    async def run(self, began_s: float) -> None:
        """Sends what comes due until the source has ended."""
        clock = asyncio.get_running_loop().time
        while True:
            if not self._waiting:
                if self._ended:
                    return
                self._changed.clear()
                await self._changed.wait()
                continue
            early_s = began_s + (self._waiting[0].due_s or 0.0) - clock()
            if early_s > 0:
                await asyncio.sleep(early_s)
            items = self._take(clock() - began_s)
            self._tally.sent += len(items)
            await self._send(items, began_s)

    def _take(self, elapsed_s: float) -> list[Item]:
        """What is due, oldest first, as much as fits one request."""
        taken = [self._waiting.popleft()]
        size = len(taken[0].body)
        while self._waiting and len(taken) < REQUEST_EVENTS_MAX and not taken[0].alone:
            item = self._waiting[0]
            size += len(item.body) + 1
            if item.alone or (item.due_s or 0.0) > elapsed_s or size > REQUEST_BYTES_MAX:
                break
            taken.append(self._waiting.popleft())
        self._room.set()
        return taken

    async def _send(self, items: Sequence[Item], began_s: float) -> None:
        """Sends these events, again and again under the same ids, until each is settled."""
        clock = asyncio.get_running_loop().time
        first_s = clock()
        attempt = 0
        while True:
            verdict = await self._ask(items)
            if verdict.apart:
                for item in items:
                    await self._send([item], began_s)
                return
            now_s = clock()
            left = []
            for item, results in zip(items, verdict.results, strict=True):
                if any(result.status == "retry" for result in results):
                    left.append(item)
                else:
                    should_s = first_s if item.due_s is None else began_s + item.due_s
                    self._tally.settle(item, results, now_s - should_s)
            if not left:
                return
            attempt += 1
            pause_s = max(verdict.pause_s, min(BACKOFF_S * 2**attempt, BACKOFF_MAX_S))
            pause_s *= 1 + random.random() / 2  # noqa: S311 - spreads retries
            if now_s + pause_s - first_s > self._give_up_after_s:
                raise PortError(
                    f"gave up on the event of line {left[0].line} after {now_s - first_s:.1f} s: {verdict.trouble}; "
                    "replay the file again when the gateway is well, the ids keep events from counting twice",
                    retriable=True,
                )
            await asyncio.sleep(pause_s)
            self._tally.retried += len(left)
            items = left

    async def _ask(self, items: Sequence[Item]) -> _Verdict:
        """Posts once and reads what the answer says of each event."""
        try:
            answer = await self._connection.post(_request(items), REQUEST_TIMEOUT_S)
        except PortError as error:
            return _Verdict([[_RETRY]] * len(items), trouble=str(error))
        try:
            body = _decoder.decode(answer.body)
        except msgspec.MsgspecError:
            body = _Body(detail="an answer that is not the gateway's")
        said = f"the gateway answered {answer.status} {body.error}: {body.detail}"
        match answer.status:
            case 200 | 400 if body.results:
                if items[0].alone:
                    return _Verdict([body.results], answer.retry_after_s, "the gateway asked for a retry")
                if len(body.results) == len(items):
                    each = [[result] for result in body.results]
                    return _Verdict(each, answer.retry_after_s, "the gateway asked for a retry")
                raise PortError(f"{len(body.results)} results came for {len(items)} events", retriable=False)
            case 400 | 413 if body.error:
                if len(items) > 1:
                    return _Verdict([], apart=True)
                return _Verdict([[_Result("rejected", body.error)]])
            case 408 | 429 | 500 | 502 | 503 | 504:
                return _Verdict([[_RETRY]] * len(items), answer.retry_after_s, said)
            case _:
                raise Refused(f"{said}; check --url and --key")


def _request(items: Sequence[Item]) -> bytes:
    if items[0].alone:
        return items[0].body
    return b'{"events":[%b]}' % b",".join(item.body for item in items)


def _first(errors: ExceptionGroup[HotbasketError]) -> HotbasketError:
    """The first error of a group, however deep."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, HotbasketError)
    return error
