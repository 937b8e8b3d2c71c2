"""The embedded control plane (`domain.ports.retailers`), in the control file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.kept import Kept
from domain.errors import Refused
from domain.permissions import Scope
from domain.ports.identity_keys import WrappedKeys
from domain.ports.retailers import CatalogueItem, Control, Grant, Retailer
from domain.records import Known

_encoder = msgspec.msgpack.Encoder()
_retailer = msgspec.msgpack.Decoder(Retailer)
_item = msgspec.msgpack.Decoder(CatalogueItem)
_CATALOGUE = "catalogue "
"""Before a retailer id, in the table of versions."""


class SqliteRetailers:
    """Retailers, keys and catalogues."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._file = control
        self._kept = Kept(control, "retailers", self._control, "control data")
        self._catalogues: dict[str, _Catalogue] = {}

    def current(self) -> Control:
        """Gives what is in force now; reads again only when a command changed something."""
        return self._kept.current()

    async def add(
        self, retailer: Retailer, write_key_digest: str, secret_key_digest: str, wrapped: WrappedKeys
    ) -> None:
        """Adds a retailer and its keys."""

        def write(connection: sqlite3.Connection) -> None:
            taken = connection.execute(
                "SELECT 1 FROM retailers WHERE name = ? OR retailer_id = ?", (retailer.name, retailer.retailer_id)
            ).fetchone()
            if taken:
                raise Refused(f"there is a retailer {retailer.name!r} already: choose another name, or retailer set")
            connection.execute(
                "INSERT INTO retailers VALUES (?, ?, ?)",
                (retailer.retailer_id, retailer.name, _encoder.encode(retailer)),
            )
            keys = ((write_key_digest, "write"), (secret_key_digest, "secret"))
            for digest, scope in keys:
                connection.execute("INSERT INTO keys VALUES (?, ?, ?, NULL)", (digest, retailer.retailer_id, scope))
            put_wrapped(connection, retailer.retailer_id, wrapped)

        await self._file.change("retailers", write)

    async def change(self, retailer: Retailer) -> None:
        """Replaces settings."""

        def write(connection: sqlite3.Connection) -> None:
            check_known(connection, retailer.retailer_id)
            taken = connection.execute(
                "SELECT 1 FROM retailers WHERE name = ? AND retailer_id != ?", (retailer.name, retailer.retailer_id)
            ).fetchone()
            if taken:
                raise Refused(f"there is another retailer {retailer.name!r}: choose another name")
            connection.execute(
                "UPDATE retailers SET name = ?, settings = ? WHERE retailer_id = ?",
                (retailer.name, _encoder.encode(retailer), retailer.retailer_id),
            )

        await self._file.change("retailers", write)

    async def rotate_key(
        self,
        retailer_id: str,
        scope: Scope,
        digest: str | None,
        *,
        old_until_ms: int | None,
        only: str | None = None,
    ) -> None:
        """Sets the end of old keys, then adds the new one."""

        def write(connection: sqlite3.Connection) -> None:
            check_known(connection, retailer_id)
            old = connection.execute(
                "SELECT digest FROM keys WHERE retailer_id = ? AND scope = ? AND digest = COALESCE(?, digest)",
                (retailer_id, scope, only),
            ).fetchall()
            if only is not None and not old:
                raise Refused(f"the retailer has no such {scope} key: hotbasket retailer keys shows those there are")
            if old_until_ms is not None:
                connection.executemany(
                    "UPDATE keys SET until_ms = MIN(COALESCE(until_ms, ?), ?) WHERE digest = ?",
                    [(old_until_ms, old_until_ms, found) for (found,) in old],
                )
            if digest is not None:
                connection.execute("INSERT INTO keys VALUES (?, ?, ?, NULL)", (digest, retailer_id, scope))

        await self._file.change("retailers", write)

    async def import_catalogue(self, retailer_id: str, items: Sequence[CatalogueItem]) -> None:
        """Replaces a catalogue in one transaction."""
        rows = [(retailer_id, item.product_id, _encoder.encode(item)) for item in items]

        def write(connection: sqlite3.Connection) -> None:
            check_known(connection, retailer_id)
            connection.execute(
                "INSERT INTO versions VALUES (?, 1) ON CONFLICT (subject) DO UPDATE SET version = version + 1",
                (_CATALOGUE + retailer_id,),
            )
            connection.execute("DELETE FROM catalogue WHERE retailer_id = ?", (retailer_id,))
            connection.executemany("INSERT OR REPLACE INTO catalogue VALUES (?, ?, ?)", rows)

        await self._file.change("retailers", write)

    async def catalogue(self, retailer_id: str) -> Sequence[CatalogueItem]:
        """Reads a catalogue."""
        rows = await self._file.database.read(
            lambda connection: connection.execute(
                "SELECT item FROM catalogue WHERE retailer_id = ? ORDER BY product_id", (retailer_id,)
            ).fetchall()
        )
        return [_item.decode(item) for (item,) in rows]

    def _control(self, connection: sqlite3.Connection, version: int, _: Control | None) -> Control:
        retailers = {
            retailer_id: _retailer.decode(settings)
            for retailer_id, settings in connection.execute("SELECT retailer_id, settings FROM retailers ORDER BY name")
        }
        grants = {
            digest: Grant(retailers[retailer_id], scope, until_ms)
            for digest, retailer_id, scope, until_ms in connection.execute("SELECT * FROM keys")
            if retailer_id in retailers
        }
        origins = frozenset(origin for retailer in retailers.values() for origin in retailer.origins)
        versions = dict(connection.execute("SELECT subject, version FROM versions"))
        held, self._catalogues = self._catalogues, {}
        for one in retailers.values():
            # A catalogue of 100,000 products takes 0.2 s of the event loop: only who imports it should pay that.
            stands_for = (versions.get(_CATALOGUE + one.retailer_id, 0), one.currency)
            found = held.get(one.retailer_id)
            if found is None or found.stands_for != stands_for:
                found = _Catalogue(stands_for, _known(connection, one))
            self._catalogues[one.retailer_id] = found
        known = {retailer_id: found.known for retailer_id, found in self._catalogues.items()}
        return Control(version, retailers, grants, origins, known, wrapped_keys(connection))


class _Catalogue(NamedTuple):
    """A retailer's catalogue in memory, and the version and currency that it stands for."""

    stands_for: tuple[int, str]
    known: dict[str, Known]


def check_known(connection: sqlite3.Connection, retailer_id: str) -> None:
    """Checks that there is such a retailer.

    Raises:
        Refused: there is none.
    """
    if connection.execute("SELECT 1 FROM retailers WHERE retailer_id = ?", (retailer_id,)).fetchone() is None:
        raise Refused(f"there is no retailer {retailer_id}: hotbasket retailer list shows those there are")


def wrapped_keys(connection: sqlite3.Connection) -> dict[str, WrappedKeys]:
    """Gives the wrapped keys that are kept, by retailer id."""
    rows = connection.execute("SELECT retailer_id, kek, shopper, privacy FROM identity_keys")
    return {retailer_id: WrappedKeys(kek, shopper, privacy) for retailer_id, kek, shopper, privacy in rows}


def put_wrapped(connection: sqlite3.Connection, retailer_id: str, wrapped: WrappedKeys) -> None:
    """Keeps a retailer's wrapped keys, in place of those before."""
    connection.execute("INSERT OR REPLACE INTO identity_keys VALUES (?, ?, ?, ?)", (retailer_id, *wrapped))


def _known(connection: sqlite3.Connection, retailer: Retailer) -> dict[str, Known]:
    known: dict[str, Known] = {}
    rows = connection.execute("SELECT product_id, item FROM catalogue WHERE retailer_id = ?", (retailer.retailer_id,))
    for product_id, encoded in rows:
        item = _item.decode(encoded)
        currency = retailer.currency if item.price_minor is not None else None
        known[product_id] = Known(
            category_id=item.category_id, brand=item.brand, price_minor=item.price_minor, currency=currency
        )
    return known
