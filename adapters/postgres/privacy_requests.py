"""The production privacy requests (`domain.ports.privacy_requests`), in Postgres; the list is answered from memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from typing import LiteralString

from adapters.postgres.control_cache import ControlCache, Versions
from adapters.postgres.database import Row, Session, in_postgres
from adapters.postgres.retailers import check_known
from adapters.privacy_rows import (
    ABOUT,
    ADD_REQUEST,
    ADVANCE,
    ALIKE,
    FORGET_SEALS,
    LET_GO,
    LIST,
    LIST_CHANGES,
    PENDING,
    REQUEST,
    SUBJECT,
    SUBJECTS,
    SUPPRESS,
    UNSUPPRESS,
    AlreadyThere,
    row_of,
    stored_of,
)
from domain.ports.privacy_requests import ERASING, Request, Stage, Subject, Suppressed
from domain.repeated_requests import ListChange, Stored, as_opened, before, fingerprint, followed, repeated


class PostgresPrivacyRequests:
    """Requests, their shoppers, and the list that they made."""

    def __init__(self, cache: ControlCache) -> None:
        """Takes the cache, not started yet."""
        self._cache = cache
        self._kept = cache.keep(SUBJECT, self._load, Suppressed(0, {}))

    def suppressed(self) -> Suppressed:
        """Gives what was last loaded, at most 2 s old while the server answers."""
        return self._kept.value

    async def open(self, request: Request, subjects: Sequence[Subject]) -> Request:
        """Writes the request and its shoppers, and changes the list by them."""
        shoppers = fingerprint(subjects)

        async def write(session: Session) -> Request:
            await check_known(session, request.retailer_id)
            # Who opens another waits here: each finds those before it, and has a version of the list of its own.
            ((version,),) = await session.rows("SELECT version FROM versions WHERE subject = %s FOR UPDATE", (SUBJECT,))
            found = repeated(
                request,
                shoppers,
                await _stored(session, REQUEST, (request.request_id,)),
                _request(await _stored(session, ALIKE, (request.retailer_id, request.kind, shoppers))),
            )
            if found is not None:
                raise AlreadyThere(found)
            new = as_opened(request, len(subjects), version + 1)
            await session.rows(in_postgres(ADD_REQUEST), row_of(Stored(new, shoppers)))
            await session.copy(
                "COPY privacy_subjects (request_id, digest, sealed) FROM STDIN",
                ((new.request_id, digest, sealed) for digest, sealed in subjects),
            )
            if new.kind != "export":
                await session.rows(in_postgres(UNSUPPRESS if new.kind == "unsuppress" else SUPPRESS), (new.request_id,))
            return new

        try:
            if request.kind == "export":
                async with self._cache.database.session() as session, session.transaction():
                    return await write(session)
            return await self._cache.change((SUBJECT,), write)
        except AlreadyThere as there:
            return there.request

    async def get(self, retailer_id: str, request_id: str) -> Request | None:
        """Asks the server for the request."""
        async with self._cache.database.session() as session:
            found = _request(await _stored(session, REQUEST, (request_id,)))
        return found if found is not None and found.retailer_id == retailer_id else None

    async def pending(self) -> Sequence[Request]:
        """Asks the server for the requests that are not done."""
        async with self._cache.database.session() as session, session.transaction("BEGIN READ ONLY"):
            return [stored_of(row).request for row in await _all(session, PENDING)]

    async def about(self, retailer_id: str, digest: str) -> Sequence[Request]:
        """Asks the server for the requests that name a shopper."""
        async with self._cache.database.session() as session, session.transaction("BEGIN READ ONLY"):
            return [stored_of(row).request for row in await _all(session, ABOUT, (retailer_id, digest))]

    async def subjects(self, request_id: str) -> Sequence[Subject]:
        """Asks the server for a request's shoppers."""
        async with self._cache.database.session() as session, session.transaction("BEGIN READ ONLY"):
            return [Subject(*row) for row in await _all(session, SUBJECTS, (request_id,))]

    async def advance(self, request_id: str, stage: Stage, now_ms: int) -> None:
        """Changes the request, and empties its seals once it is done; the server's vacuum overwrites what it frees."""

        async def write(session: Session) -> None:
            for earlier in before(stage):
                await session.rows(in_postgres(ADVANCE), (stage, now_ms, request_id, earlier))
            if stage == "done":
                await session.rows(in_postgres(FORGET_SEALS), (b"", request_id))

        async def let_go(session: Session) -> None:
            await write(session)
            await session.rows(in_postgres(LET_GO), (request_id,))

        if stage == "done" and await self._is_erasing(request_id):
            await self._cache.change((SUBJECT,), let_go)
            return
        async with self._cache.database.session() as session, session.transaction():
            await write(session)

    async def _is_erasing(self, request_id: str) -> bool:
        async with self._cache.database.session() as session:
            found = _request(await _stored(session, REQUEST, (request_id,)))
        return found is not None and found.kind in ERASING and found.stage != "done"

    async def _load(self, session: Session, versions: Versions) -> Suppressed:
        version, held = versions.get(SUBJECT, 0), self._kept.value
        if held.version:
            # This is the event loop: the whole list is not read again for every change.
            rows = await _all(session, LIST_CHANGES, (held.version, version))
            found = followed(held, version, starmap(ListChange, rows))
            if found is not None:
                return found
        digests: dict[str, set[str]] = {}
        async for some in session.slices(LIST):
            for retailer_id, digest in some:
                digests.setdefault(retailer_id, set()).add(digest)
        return Suppressed(version, {retailer_id: frozenset(some) for retailer_id, some in digests.items()})


async def _all(session: Session, query: LiteralString, parameters: Sequence[str | int] = ()) -> list[Row]:
    found: list[Row] = []
    async for rows in session.slices(in_postgres(query), parameters):
        found += rows
    return found


async def _stored(session: Session, query: LiteralString, parameters: Sequence[str]) -> Stored | None:
    rows = await session.rows(in_postgres(query), parameters)
    return stored_of(rows[0]) if rows else None


def _request(stored: Stored | None) -> Request | None:
    return None if stored is None else stored.request
