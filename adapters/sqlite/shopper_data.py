"""What the embedded tables hold of shoppers (`domain.ports.shopper_data`): snapshots, trees and failed events.

What is deleted is not readable any more; then the file is written anew, so that no copy of it is left there either.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Final, Literal, TypeVar

import msgspec

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.database import Database, soil
from adapters.sqlite.key_slices import slices
from adapters.sqlite.old_trees import OldTrees
from domain.ids import ShopperKey
from domain.ports.failed_events import FailedEvent
from domain.ports.shopper_data import Erased, Visit
from domain.ports.tree_store import DEFAULT

_AT_ONCE: Final = 500
"""Rows in one transaction, so that others get their turn in between."""
_WAITS_FOR: Final = "rows that were written meanwhile"
_SNAPSHOTS: Final = "FROM snapshots WHERE retailer_id = ? AND shopper = ? AND (epoch, at) <= (?, ?)"

T = TypeVar("T")
_SnapshotRow = tuple[str, str, int, int]
_failed_event = msgspec.msgpack.Decoder(FailedEvent)


class SqliteShopperSnapshots:
    """The snapshots' part in erasures: one row a shopper, unless it is of a later event."""

    name: Final = "snapshots"

    def __init__(self, state: Database, reader: Database) -> None:
        """Takes the state's file, and a reader of it."""
        self._state = state
        self._reader = reader

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Deletes by key, a few hundred at once."""
        rows = [(*one.key, *one.state_until) for one in shoppers]
        found = await self._count(rows)
        removed = 0
        for some in _parts(rows if found else ()):
            removed += await self._state.write(partial(_delete_snapshots, some))
        await self._state.scrub()
        return _visit(found, removed, await self._count(rows) if found else 0)

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads the index of times: a snapshot is as old as its shopper's last event."""
        return await self._reader.read(partial(_oldest, "touched_at_ms", "snapshots", retailer_id, before_ms))

    async def _count(self, rows: Sequence[_SnapshotRow]) -> int:
        return sum([await self._reader.read(partial(_count_snapshots, some)) for some in _parts(rows)])


class SqliteShopperTrees:
    """The trees' part in erasures: every generation of a shopper's own, whenever it was made."""

    name: Final = "trees"

    def __init__(self, control: ControlFile, state_reader: Database) -> None:
        """Takes the control file, and a reader of the state's, which says who is active."""
        self._control = control
        self._old = OldTrees(control, state_reader)

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Deletes by key; workers let go of the trees that they hold."""
        keys = [one.key for one in shoppers if one.key.shopper != DEFAULT]
        found = await self._count(keys)
        removed = 0
        for some in slices(keys if found else ()):
            removed += await self._control.change("trees", partial(_delete_trees, *some))
        await self._control.database.scrub()
        return _visit(found, removed, await self._count(keys) if found else 0)

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Looks for old trees of shoppers without a snapshot: those of the active are replaced."""
        return await self._old.oldest_ms(retailer_id, before_ms)

    async def expire(self, retailer_id: str, before_ms: int) -> int:
        """Removes what `oldest_ms` looks for, and gives how many.

        Raises:
            PortError: some may be removed.
        """
        return await self._old.expire(retailer_id, before_ms)

    async def _count(self, keys: Sequence[ShopperKey]) -> int:
        return sum([await self._control.database.read(partial(_count_trees, *some)) for some in slices(keys)])


class SqliteShopperFailures:
    """The failed events' part in erasures: those of the shoppers, and the requests to replay them."""

    name: Final = "failed events"

    def __init__(self, state: Database, control: ControlFile) -> None:
        """Takes both files."""
        self._state = state
        self._control = control

    async def erase(self, shoppers: Sequence[Erased]) -> Visit:
        """Reads every failed event, for only its bytes say whose it is; forgets events first, then requests."""
        erased = {one.key: one for one in shoppers}
        found = await self._find(erased)
        removed = 0
        for some in _parts(found):
            removed += await self._state.write(partial(_delete_failed, some))
        if found:
            await self._control.change(
                "replays", lambda connection: connection.executemany("DELETE FROM replays WHERE failed_id = ?", found)
            )
        await self._state.scrub()
        return _visit(len(found), removed, len(await self._find(erased)) if found else 0)

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Reads the index of times; bytes that nobody could read are no retailer's."""
        return await self._state.read(partial(_oldest, "failed_at_ms", "failed", retailer_id, before_ms))

    async def _find(self, erased: dict[ShopperKey, Erased]) -> list[tuple[str]]:
        found: list[tuple[str]] = []
        after: str | None = ""
        while after is not None:
            some, after = await self._state.read(partial(_look_at_failed, erased, after))
            found += some
        return found


def _visit(found: int, removed: int, left: int) -> Visit:
    return Visit(found, removed, left, _WAITS_FOR if left else "")


def _oldest(
    column: Literal["touched_at_ms", "failed_at_ms"],
    table: Literal["snapshots", "failed"],
    retailer_id: str,
    before_ms: int,
    connection: sqlite3.Connection,
) -> int | None:
    # The plus keeps SQLite to the index of times: what is old is little, and a retailer has many shoppers.
    (found,) = connection.execute(
        f"SELECT MIN({column}) FROM {table} WHERE +retailer_id = ? AND {column} < ?",  # noqa: S608 - our own words
        (retailer_id, before_ms),
    ).fetchone()
    return None if found is None else int(found)


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _count_snapshots(rows: Sequence[_SnapshotRow], connection: sqlite3.Connection) -> int:
    return sum(connection.execute(f"SELECT COUNT(*) {_SNAPSHOTS}", row).fetchone()[0] for row in rows)


def _delete_snapshots(rows: Sequence[_SnapshotRow], connection: sqlite3.Connection) -> int:
    soil(connection)
    return connection.executemany(f"DELETE {_SNAPSHOTS}", rows).rowcount


def _count_trees(retailer_id: str, shoppers: Sequence[str], connection: sqlite3.Connection) -> int:
    marks = ", ".join("?" * len(shoppers))
    (count,) = connection.execute(
        f"SELECT COUNT(*) FROM trees WHERE retailer_id = ? AND shopper IN ({marks})",  # noqa: S608 - question marks
        (retailer_id, *shoppers),
    ).fetchone()
    return int(count)


def _delete_trees(retailer_id: str, shoppers: Sequence[str], connection: sqlite3.Connection) -> int:
    soil(connection)
    return connection.executemany(
        "DELETE FROM trees WHERE retailer_id = ? AND shopper = ?", [(retailer_id, shopper) for shopper in shoppers]
    ).rowcount


def _look_at_failed(
    erased: Mapping[ShopperKey, Erased], after: str, connection: sqlite3.Connection
) -> tuple[list[tuple[str]], str | None]:
    """Gives the ids that are to go of a slice behind an id, and where the next one begins, None at the end."""
    found: list[tuple[str]] = []
    rows = connection.execute(
        "SELECT failed_id, event FROM failed WHERE failed_id > ? ORDER BY failed_id LIMIT ?", (after, _AT_ONCE)
    ).fetchall()
    for failed_id, blob in rows:
        try:
            event = _failed_event.decode(blob)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        one = erased.get(ShopperKey(event.retailer_id, event.shopper))
        if one is not None and (event.position <= one.place.position or event.failed_at_ms <= one.until_ms):
            found.append((failed_id,))
    return found, rows[-1][0] if rows else None


def _delete_failed(rows: Sequence[tuple[str]], connection: sqlite3.Connection) -> int:
    soil(connection)
    return connection.executemany("DELETE FROM failed WHERE failed_id = ?", rows).rowcount
