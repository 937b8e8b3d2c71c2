"""The embedded control plane (`domain.ports.retailers`), in the control file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from adapters.sqlite.control_file import ControlFile
from domain.errors import Refused
from domain.ports.retailers import CatalogueItem, Control, Grant, Retailer, Scope
from domain.records import Known

_encoder = msgspec.msgpack.Encoder()
_retailer = msgspec.msgpack.Decoder(Retailer)
_item = msgspec.msgpack.Decoder(CatalogueItem)


class SqliteRetailers:
    """Retailers, keys and catalogues."""

    def __init__(self, control: ControlFile) -> None:
        """Takes the control file."""
        self._file = control
        self._current: Control | None = None

    def current(self) -> Control:
        """Gives what is in force now; reads again only when a command changed something."""
        version = self._file.version("retailers")
        current = self._current
        if current is None or current.version != version:
            current = self._current = self._file.read_now(lambda connection: _control(connection, version))
        return current

    async def add(self, retailer: Retailer, write_key_digest: str, secret_key_digest: str) -> None:
        """Adds a retailer and its two keys."""

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

        await self._file.change("retailers", write)

    async def change(self, retailer: Retailer) -> None:
        """Replaces settings."""

        def write(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE retailers SET name = ?, settings = ? WHERE retailer_id = ?",
                (retailer.name, _encoder.encode(retailer), retailer.retailer_id),
            ).rowcount
            if not changed:
                raise Refused(f"there is no retailer {retailer.retailer_id}")

        await self._file.change("retailers", write)

    async def rotate_key(self, retailer_id: str, scope: Scope, digest: str, *, old_until_ms: int) -> None:
        """Adds a key and sets the end of those before it."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE keys SET until_ms = MIN(COALESCE(until_ms, ?), ?) WHERE retailer_id = ? AND scope = ?",
                (old_until_ms, old_until_ms, retailer_id, scope),
            )
            connection.execute("INSERT INTO keys VALUES (?, ?, ?, NULL)", (digest, retailer_id, scope))

        await self._file.change("retailers", write)

    async def import_catalogue(self, retailer_id: str, items: Sequence[CatalogueItem]) -> None:
        """Replaces a catalogue in one transaction."""
        rows = [(retailer_id, item.product_id, _encoder.encode(item)) for item in items]

        def write(connection: sqlite3.Connection) -> None:
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


def _control(connection: sqlite3.Connection, version: int) -> Control:
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
    return Control(version, retailers, grants, origins, _known(connection, retailers))


def _known(connection: sqlite3.Connection, retailers: Mapping[str, Retailer]) -> dict[str, dict[str, Known]]:
    known: dict[str, dict[str, Known]] = {retailer_id: {} for retailer_id in retailers}
    for retailer_id, product_id, encoded in connection.execute("SELECT retailer_id, product_id, item FROM catalogue"):
        if retailer_id not in known:
            continue
        item = _item.decode(encoded)
        currency = retailers[retailer_id].currency if item.price_minor is not None else None
        known[retailer_id][product_id] = Known(
            category_id=item.category_id, brand=item.brand, price_minor=item.price_minor, currency=currency
        )
    return known
