"""The embedded privacy requests (`domain.ports.privacy_requests`), in the control file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import starmap

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
from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.kept import Kept
from adapters.sqlite.retailers import check_known
from domain.ports.privacy_requests import ERASING, Request, Stage, Subject, Suppressed
from domain.repeated_requests import ListChange, Stored, as_opened, before, fingerprint, followed, repeated


class SqlitePrivacyRequests:
    """Requests, their shoppers, and the list that they made."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._file = control
        self._kept = Kept(control, SUBJECT, _load, "suppressed shoppers")

    def suppressed(self) -> Suppressed:
        """Gives the list as of now; reads only what requests changed, and the whole list when it is first asked for."""
        return self._kept.current()

    async def open(self, request: Request, subjects: Sequence[Subject]) -> Request:
        """Writes the request and its shoppers, and changes the list by them."""
        shoppers = fingerprint(subjects)

        def write(connection: sqlite3.Connection) -> Request:
            check_known(connection, request.retailer_id)
            found = repeated(
                request,
                shoppers,
                _stored(connection, REQUEST, (request.request_id,)),
                _request(_stored(connection, ALIKE, (request.retailer_id, request.kind, shoppers))),
            )
            if found is not None:
                raise AlreadyThere(found)
            ((version,),) = connection.execute("SELECT version FROM versions WHERE subject = ?", (SUBJECT,))
            new = as_opened(request, len(subjects), version + 1)
            connection.execute(ADD_REQUEST, row_of(Stored(new, shoppers)))
            connection.executemany(
                "INSERT INTO privacy_subjects (request_id, digest, sealed) VALUES (?, ?, ?)",
                [(new.request_id, digest, sealed) for digest, sealed in subjects],
            )
            if new.kind != "export":
                connection.execute(UNSUPPRESS if new.kind == "unsuppress" else SUPPRESS, (new.request_id,))
            return new

        try:
            if request.kind == "export":
                return await self._file.database.write(write)
            return await self._file.change(SUBJECT, write)
        except AlreadyThere as there:
            return there.request

    async def get(self, retailer_id: str, request_id: str) -> Request | None:
        """Reads the request."""
        found = _request(await self._file.database.read(lambda connection: _stored(connection, REQUEST, (request_id,))))
        return found if found is not None and found.retailer_id == retailer_id else None

    async def pending(self) -> Sequence[Request]:
        """Reads the requests that are not done."""
        rows = await self._file.database.read(lambda connection: connection.execute(PENDING).fetchall())
        return [stored_of(row).request for row in rows]

    async def about(self, retailer_id: str, digest: str) -> Sequence[Request]:
        """Reads the requests that name a shopper."""
        asked = retailer_id, digest
        rows = await self._file.database.read(lambda connection: connection.execute(ABOUT, asked).fetchall())
        return [stored_of(row).request for row in rows]

    async def subjects(self, request_id: str) -> Sequence[Subject]:
        """Reads a request's shoppers."""
        rows = await self._file.database.read(lambda connection: connection.execute(SUBJECTS, (request_id,)).fetchall())
        return [Subject(*row) for row in rows]

    async def advance(self, request_id: str, stage: Stage, now_ms: int) -> None:
        """Changes the request, and overwrites its seals once it is done: `secure_delete` leaves nothing of them."""

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(ADVANCE, [(stage, now_ms, request_id, earlier) for earlier in before(stage)])
            if stage == "done":
                connection.execute(FORGET_SEALS, (b"", request_id))

        def let_go(connection: sqlite3.Connection) -> None:
            write(connection)
            connection.execute(LET_GO, (request_id,))

        if stage == "done" and await self._is_erasing(request_id):
            await self._file.change(SUBJECT, let_go)
        else:
            await self._file.database.write(write)

    async def _is_erasing(self, request_id: str) -> bool:
        found = await self._file.database.read(lambda connection: _stored(connection, REQUEST, (request_id,)))
        return found is not None and found.request.kind in ERASING and found.request.stage != "done"


def _load(connection: sqlite3.Connection, version: int, held: Suppressed | None) -> Suppressed:
    if held is not None:
        # This is the event loop: the whole list is not read again for every change.
        rows = connection.execute(LIST_CHANGES, (held.version, version))
        found = followed(held, version, starmap(ListChange, rows))
        if found is not None:
            return found
    # It may be newer than the version by a change, which is then made once more: that changes nothing.
    digests: dict[str, set[str]] = {}
    for retailer_id, digest in connection.execute(LIST):
        digests.setdefault(retailer_id, set()).add(digest)
    return Suppressed(version, {retailer_id: frozenset(some) for retailer_id, some in digests.items()})


def _stored(connection: sqlite3.Connection, query: str, parameters: tuple[str, ...]) -> Stored | None:
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else stored_of(row)


def _request(stored: Stored | None) -> Request | None:
    return None if stored is None else stored.request
