"""Old trees of shoppers who are gone: nobody replaces them, since the night grows trees for the active alone."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from functools import partial

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.database import Database
from domain.ports.tree_store import DEFAULT

_AT_ONCE = 500
"""Trees in one look, or deleted in one transaction."""


class OldTrees:
    """Shoppers' own trees of releases before a moment, where the shopper has no snapshot any more."""

    def __init__(self, control: ControlFile, state_reader: Database) -> None:
        """Takes the control file, and a reader of the state's."""
        self._control = control
        self._state = state_reader

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the oldest release with such a tree was shown, Unix milliseconds; None where there is none.

        Raises:
            PortError: a file can't be read now.
        """
        async for shown_at_ms, generation, shoppers in self._found(retailer_id, before_ms):
            del generation, shoppers
            return shown_at_ms
        return None

    async def expire(self, retailer_id: str, before_ms: int) -> int:
        """Removes such trees, and gives how many; workers let go of those that they hold.

        Raises:
            PortError: some may be removed.
        """
        gone = 0
        async for _, generation, shoppers in self._found(retailer_id, before_ms):
            gone += await self._control.change("trees", partial(_delete, retailer_id, generation, shoppers))
        return gone

    async def _found(self, retailer_id: str, before_ms: int) -> AsyncIterator[tuple[int, int, Sequence[str]]]:
        """Gives some trees at a time: when they were shown, their generation, and whose they are; the oldest first."""
        database = self._control.database
        for generation, shown_at_ms in await database.read(partial(_releases, retailer_id, before_ms)):
            after = -1
            while rows := await database.read(partial(_shoppers, retailer_id, generation, after)):
                after = rows[-1][0]
                shoppers = [shopper for _, shopper in rows if shopper != DEFAULT]
                there = await self._state.read(partial(_with_snapshot, retailer_id, shoppers))
                inactive = [shopper for shopper in shoppers if shopper not in there]
                if inactive:
                    yield shown_at_ms, generation, inactive


def _releases(retailer_id: str, before_ms: int, connection: sqlite3.Connection) -> list[tuple[int, int]]:
    return connection.execute(
        "SELECT generation, shown_at_ms FROM releases WHERE retailer_id = ? AND shown_at_ms < ? ORDER BY generation",
        (retailer_id, before_ms),
    ).fetchall()


def _shoppers(retailer_id: str, generation: int, after: int, connection: sqlite3.Connection) -> list[tuple[int, str]]:
    return connection.execute(
        "SELECT rowid, shopper FROM trees WHERE retailer_id = ? AND generation = ? AND rowid > ?"
        " ORDER BY rowid LIMIT ?",
        (retailer_id, generation, after, _AT_ONCE),
    ).fetchall()


def _with_snapshot(retailer_id: str, shoppers: Sequence[str], connection: sqlite3.Connection) -> set[str]:
    marks = ", ".join("?" * len(shoppers))
    rows = connection.execute(
        f"SELECT shopper FROM snapshots WHERE retailer_id = ? AND shopper IN ({marks})",  # noqa: S608 - question marks
        (retailer_id, *shoppers),
    )
    return {shopper for (shopper,) in rows}


def _delete(retailer_id: str, generation: int, shoppers: Sequence[str], connection: sqlite3.Connection) -> int:
    return connection.executemany(
        "DELETE FROM trees WHERE retailer_id = ? AND shopper = ? AND generation = ?",
        [(retailer_id, shopper, generation) for shopper in shoppers],
    ).rowcount
