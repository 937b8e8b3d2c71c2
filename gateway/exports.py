"""`POST /v1/privacy/requests/{id}/export`: one shopper's document of an export, as long as it is kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.types import Receive, Scope, Send

from adapters.sealed_exports import ExportSealer
from domain.errors import HotbasketError, PortError, Refused
from domain.ids import shopper_digest
from domain.ports.clock import Clock
from domain.ports.exports import Exports
from domain.ports.privacy_requests import PrivacyRequests
from gateway.access import Access, Doorkeeper
from gateway.answers import JSON, NO_STORE, Headers, Refusal
from gateway.audited import Auditor
from gateway.body import Bodies, RequestHeaders
from gateway.shopper_named import read_shopper
from gateway.stores import Keys

AT_ONCE_MAX: Final = 4
"""Documents on their way to one retailer: each is up to 16 MiB in memory, for as long as its reader takes."""
_RETRY_AFTER_S: Final = 1
_NOT_READY_S: Final = 10


class ExportDesk:
    """Hands out documents.

    Args:
        requests: the port.
        exports: the port.
        doorkeeper: asks for a key that may do this.
        auditor: takes down who asked, and of whom.
        bodies: reads bodies.
        clock: tells whether a document's time is over.
        keys: of which the privacy keys are asked.
    """

    def __init__(
        self,
        requests: PrivacyRequests,
        exports: Exports,
        doorkeeper: Doorkeeper,
        auditor: Auditor,
        bodies: Bodies,
        clock: Clock,
        keys: Keys,
    ) -> None:
        self._requests = requests
        self._exports = exports
        self._doorkeeper = doorkeeper
        self._auditor = auditor
        self._bodies = bodies
        self._clock = clock
        self._privacy_key = keys.privacy_key
        self._at_once: Counter[str] = Counter()

    async def post(
        self, request_id: str, _: Scope, receive: Receive, send: Send, headers: RequestHeaders, cors: Headers
    ) -> None:
        """Gives the document in pieces, so that nobody holds megabytes of it at once.

        Raises:
            Refusal: 404 where the request or the shopper is not of it, 409 where it is not made yet, 410 where its
                time is over, 429 where others are on their way.
        """
        access = self._doorkeeper.for_action(headers, "privacy")
        self._bodies.check_type(headers)
        shopper = read_shopper(await self._bodies.read(receive, headers), access.door)
        if self._privacy_key is None:
            raise Refusal("not_found", "this gateway holds no privacy keys")
        try:
            privacy_key = self._privacy_key(access.door.retailer_id)
        except HotbasketError:
            raise _unreadable() from None
        digest = shopper_digest(privacy_key, shopper)
        with self._counted(access):
            async with self._auditor.noting(access, "privacy.export", digest):
                sealed = await self._sealed(access.door.retailer_id, request_id, digest)
                try:
                    pieces = await asyncio.to_thread(ExportSealer(privacy_key).chunks, sealed, request_id, digest)
                except Refused:
                    detail = "the document was sealed under another key: ask for another export"
                    raise Refusal("expired_export", detail) from None
            await send({"type": "http.response.start", "status": 200, "headers": [JSON, NO_STORE, *cors]})
            async for piece in _in_a_thread(pieces):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    @contextmanager
    def _counted(self, access: Access) -> Iterator[None]:
        retailer_id = access.door.retailer_id
        if self._at_once[retailer_id] >= AT_ONCE_MAX:
            detail = f"{AT_ONCE_MAX} documents are on their way to you: read them first"
            raise Refusal("rate_limited", detail, retry_after_s=_RETRY_AFTER_S)
        self._at_once[retailer_id] += 1
        try:
            yield
        finally:
            self._at_once[retailer_id] -= 1

    async def _sealed(self, retailer_id: str, request_id: str, digest: str) -> bytes:
        try:
            request = await self._requests.get(retailer_id, request_id)
            if request is None or request.kind != "export":
                raise Refusal("unknown_request", "this retailer has made no such request for an export")
            found = await self._exports.get(retailer_id, request_id, digest)
            subjects = () if found is not None else await self._requests.subjects(request_id)
        except PortError:
            raise _unreadable() from None
        if found is None:
            if digest not in {subject.digest for subject in subjects}:
                raise Refusal("unknown_shopper", "the request is not about this shopper")
            detail = "this shopper's document is not made yet: ask again later"
            raise Refusal("not_made_yet", detail, retry_after_s=_NOT_READY_S)
        if found.until_ms <= self._clock.now_ms():
            raise Refusal("expired_export", "the document's time is over: ask for another export")
        if not found.sealed:
            raise Refusal("unknown_shopper", "this shopper was erased, and the document with them")
        return found.sealed


def _unreadable() -> Refusal:
    return Refusal("requests_unavailable", "exports can't be read now", retry_after_s=_RETRY_AFTER_S)


async def _in_a_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Inflates off the event loop, a piece at a time."""
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece
