"""`POST /v1/events`, the hot route: events in, one append to the event log, then the answer.

A request costs its decoding, its validation and one hop into the log's queue: no task, no timer and no log line of
its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct
from starlette.types import Receive, Scope, Send

from adapters.settings import Settings
from domain.door import Accepted, Dropped, Outcome, Rejected
from domain.errors import Full, PortError
from domain.faults import BadBody
from domain.incoming import read
from domain.ports.event_log import Place
from domain.records import Record
from domain.traces import NO_TRACE, read_traceparent
from gateway.access import Access, Doorkeeper
from gateway.answers import JSON, Headers, Refusal
from gateway.body import Bodies, RequestHeaders
from gateway.deadlines import Deadlines
from gateway.stores import Stores
from gateway.tally import Tally
from gateway.wait_for import Experiences, WaitFor
from gateway.withdrawals import Withdrawals

_STORED_HEAD: Final = b'{"results":[{"event_id":'
_STORED_TAIL: Final = b',"status":"stored"}]}'
_STORED_BYTES: Final = len(_STORED_HEAD) + 38 + len(_STORED_TAIL)
_STORED_HEADERS: Final = [JSON, (b"content-length", b"%d" % _STORED_BYTES)]
_UNAVAILABLE_AFTER_S: Final = 1
_encode = msgspec.json.Encoder().encode


class Result(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one sent event."""

    event_id: UUID | None
    status: str
    reason: str | None = None
    path: str | None = None


class _Answer(Struct, omit_defaults=True):
    results: list[Result]
    experiences: list[msgspec.Raw] | None = None


class Collect:
    """Takes events.

    Args:
        stores: the log, the clock.
        doorkeeper: knows keys and origins.
        bodies: reads bodies.
        deadlines: bounds the wait for the log.
        wait_for: gives the experiences that a request waits for.
        tally: counts.
        withdrawals: begins the erasures of shoppers whose consent ends, where the retailer wants that.
        settings: the bounds.
    """

    def __init__(
        self,
        stores: Stores,
        doorkeeper: Doorkeeper,
        bodies: Bodies,
        deadlines: Deadlines,
        wait_for: WaitFor,
        tally: Tally,
        withdrawals: Withdrawals,
        settings: Settings,
    ) -> None:
        self._log = stores.events
        self._clock = stores.clock
        self._doorkeeper = doorkeeper
        self._bodies = bodies
        self._deadlines = deadlines
        self._wait_for = wait_for
        self._tally = tally
        self._withdrawals = withdrawals
        self._append_timeout_s = settings.append_timeout_s

    async def post(self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers) -> None:
        """Answers one request.

        Raises:
            Refusal: nothing of it was acknowledged.
            Gone: the client left before it had sent everything.
        """
        clock = self._clock
        started_s = clock.monotonic_s()
        access = self._doorkeeper.for_events(headers, scope["query_string"])
        self._bodies.check_type(headers)
        body = await self._bodies.read(receive, headers)
        try:
            named = headers.get(b"traceparent")
            outcomes = read(
                body,
                access.door,
                received_at_ms=clock.now_ms(),
                verified=access.is_verified,
                is_refused=headers.get(b"sec-gpc") == b"1",
                trace=NO_TRACE if named is None else read_traceparent(named),
            )
        except BadBody as bad:
            raise Refusal(bad.error, bad.detail, bad.path) from None
        if len(outcomes) == 1 and type(outcomes[0]) is Accepted and b"prefer" not in headers:
            accepted = outcomes[0]
            records = accepted.records
            self._check_rate(access, 1, records, started_s)
            places = await self._append(records)
            event_id = _encode(records[0].event.event_id)
            await send({"type": "http.response.start", "status": 200, "headers": [*_STORED_HEADERS, *cors]})
            await send({"type": "http.response.body", "body": _STORED_HEAD + event_id + _STORED_TAIL})
            self._tally.stored(accepted)
            self._tally.acknowledged(clock.monotonic_s() - started_s)
            if records[0].trace:
                self._tally.traced(records, places)
            return
        answer = await self._several(outcomes, access, headers, started_s)
        await send({"type": "http.response.start", "status": 200, "headers": _headers(answer, cors)})
        await send({"type": "http.response.body", "body": answer})

    async def _several(
        self, outcomes: Sequence[Outcome], access: Access, headers: RequestHeaders, started_s: float
    ) -> bytes:
        """Stores what is to be stored of a request with several events, bad ones, or one that wants to wait."""
        rejected = [outcome for outcome in outcomes if isinstance(outcome, Rejected)]
        if len(rejected) == len(outcomes):
            self._tally.rejected(rejected)
            first = rejected[0]
            raise Refusal(first.reason, first.detail, first.path, results=_results(outcomes))
        records = _records(outcomes)
        self._check_rate(access, len(outcomes), records, started_s)
        places = await self._append(records) if records else ()
        await self._erase(access, records)
        self._tally.rejected(rejected)
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                self._tally.stored(outcome)
            elif isinstance(outcome, Dropped):
                self._tally.dropped(outcome)
        self._tally.acknowledged(self._clock.monotonic_s() - started_s)
        if b"traceparent" in headers:
            self._tally.traced(records, places)
        experiences: Experiences = None
        if b"prefer" in headers:
            experiences = await self._wait_for.experiences(headers, access, records, places)
        return _encode(_Answer(_results(outcomes), experiences))

    def _check_rate(self, access: Access, events: int, records: Sequence[Record], started_s: float) -> None:
        wait_s = access.bucket.take(events, started_s)
        if wait_s:
            self._tally.retry(records)
            raise Refusal(
                "rate_limited", "too many events a second with this key", retry_after_s=max(1, round(wait_s + 0.5))
            )

    async def _erase(self, access: Access, records: Sequence[Record]) -> None:
        """Begins the erasures that withdrawals among durable records ask for.

        Raises:
            Refusal: 503. Everything is in the log; whoever sends it again does so under the same ids.
        """
        try:
            await self._withdrawals.erase(access, records)
        except Refusal:
            self._tally.retry(records)
            raise

    async def _append(self, records: Sequence[Record]) -> Sequence[Place]:
        """Makes the events durable.

        Raises:
            Refusal: 503. When the log did not answer in time the events may be in it all the same: whoever sends them
                again does so under the same ids.
        """
        task = self._deadlines.task()
        self._deadlines.arm(task, self._append_timeout_s)
        try:
            return await self._log.append(records)
        except Full as full:
            self._tally.retry(records)
            detail = "too many events wait for the event log"
            raise Refusal("log_full", detail, retry_after_s=full.retry_after_s) from None
        except PortError:
            self._tally.retry(records)
            raise _unavailable() from None
        except asyncio.CancelledError:
            if not self._deadlines.is_due(task):
                raise
            self._tally.retry(records)
            raise _unavailable() from None
        finally:
            self._deadlines.disarm(task)


def _records(outcomes: Sequence[Outcome]) -> list[Record]:
    """Gives what is stored of them, in order; that a shopper's consent has ended is said once a request."""
    records: list[Record] = []
    ended: set[str] = set()
    for outcome in outcomes:
        if isinstance(outcome, Accepted):
            records += outcome.records
            ended -= {record.event.shopper_id for record in outcome.records}
        elif isinstance(outcome, Dropped) and outcome.withdrawal is not None:
            shopper = outcome.withdrawal.event.shopper_id
            if shopper not in ended:
                records.append(outcome.withdrawal)
                ended.add(shopper)
    return records


def _results(outcomes: Sequence[Outcome]) -> list[Result]:
    """Gives one result for each sent event, in order."""
    results = []
    for outcome in outcomes:
        match outcome:
            case Accepted():
                results.append(Result(event_id=outcome.event_id, status="stored"))
            case Dropped():
                results.append(Result(event_id=outcome.event_id, status="dropped", reason=outcome.reason))
            case Rejected():
                result = Result(event_id=outcome.event_id, status="rejected", reason=outcome.reason, path=outcome.path)
                results.append(result)
    return results


def _headers(body: bytes, cors: Headers) -> list[tuple[bytes, bytes]]:
    return [JSON, (b"content-length", b"%d" % len(body)), *cors]


def _unavailable() -> Refusal:
    detail = "the event log does not take events now; nothing was acknowledged"
    return Refusal("log_unavailable", detail, retry_after_s=_UNAVAILABLE_AFTER_S)
