"""The embedded releases of trees (`domain.ports.tree_releases`), in the control file, which several processes write.

A tree counts once its generation stands in the table `releases`, until that row says that it was rolled back: readers
look at the view `visible_trees`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import partial

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.key_slices import slices
from domain.ids import ShopperKey
from domain.ports.clock import Clock
from domain.ports.tree_releases import Release
from domain.releases import Releases, refuse_bad

_TREES_AT_ONCE = 500
"""Deleted in one transaction: others wait for a few milliseconds."""


class SqliteTreeReleases:
    """Generations begun, filled, shown and rolled back."""

    def __init__(self, control: ControlFile, clock: Clock) -> None:
        """Takes the control file, and the clock that says when something was shown."""
        self._control = control
        self._clock = clock

    async def begin(self, retailer_id: str) -> int:
        """Counts; nobody needs to look for that."""
        return await self._control.database.write(lambda connection: begin(connection, retailer_id))

    async def put(self, retailer_id: str, generation: int, trees: Sequence[tuple[str, bytes]]) -> None:
        """Stores and forgets in one transaction."""
        refuse_bad(trees)

        def write(connection: sqlite3.Connection) -> None:
            now = releases_of(connection, retailer_id)
            now.check_open(generation)
            store(connection, retailer_id, generation, trees)
            forget_old(connection, retailer_id, (shopper for shopper, _ in trees), now)

        await self._control.database.write(write)

    async def show(self, retailer_id: str, generation: int, *, trees: int) -> None:
        """Writes the one row."""
        if generation in (await self._now(retailer_id)).visible:
            return
        at_ms = self._clock.now_ms()
        await self._control.change("trees", lambda connection: show(connection, retailer_id, generation, trees, at_ms))

    async def rollback(self, retailer_id: str) -> int:
        """Marks the one row."""

        def hide(connection: sqlite3.Connection) -> int:
            hidden, newest = releases_of(connection, retailer_id).to_roll_back()
            connection.execute(
                "UPDATE releases SET rolled_back_at_ms = ? WHERE retailer_id = ? AND generation = ?",
                (self._clock.now_ms(), retailer_id, hidden),
            )
            return newest

        return await self._control.change("trees", hide)

    async def released(self, retailer_id: str) -> Sequence[Release]:
        """Reads the rows of one retailer."""
        rows = await self._control.database.read(
            lambda connection: connection.execute(
                "SELECT generation, shown_at_ms, trees FROM releases"
                " WHERE retailer_id = ? AND rolled_back_at_ms IS NULL ORDER BY generation DESC",
                (retailer_id,),
            ).fetchall()
        )
        return [Release(*row) for row in rows]

    async def forget(self, retailer_id: str) -> int:
        """Deletes some hundred trees a transaction, so that others get their turn."""
        dead = await self._control.database.read(lambda connection: _dead(connection, retailer_id))
        deleted = 0
        for generation in dead:
            while some := await self._control.database.write(partial(_delete_some, retailer_id, generation)):
                deleted += some
        return deleted

    async def _now(self, retailer_id: str) -> Releases:
        return await self._control.database.read(lambda connection: releases_of(connection, retailer_id))


def begin(connection: sqlite3.Connection, retailer_id: str) -> int:
    """Gives the next generation."""
    (generation,) = connection.execute(
        "INSERT INTO generations VALUES (?, 1) ON CONFLICT (retailer_id)"
        " DO UPDATE SET generation = generation + 1 RETURNING generation",
        (retailer_id,),
    ).fetchone()
    return int(generation)


def store(
    connection: sqlite3.Connection, retailer_id: str, generation: int, trees: Iterable[tuple[str, bytes]]
) -> None:
    """Writes trees; a tree that is there as it is costs no write."""
    connection.executemany(
        "INSERT INTO trees VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET blob = excluded.blob"
        " WHERE blob != excluded.blob",
        ((retailer_id, shopper, generation, blob) for shopper, blob in trees),
    )


def show(connection: sqlite3.Connection, retailer_id: str, generation: int, trees: int, at_ms: int) -> None:
    """Makes a generation visible; one that is stays as it is.

    Raises:
        Refused: it can't be shown.
    """
    now = releases_of(connection, retailer_id)
    if generation not in now.visible:
        now.check_open(generation)
        connection.execute("INSERT INTO releases VALUES (?, ?, ?, ?, NULL)", (retailer_id, generation, trees, at_ms))


def releases_of(connection: sqlite3.Connection, retailer_id: str) -> Releases:
    """Reads a retailer's generations: one row for each that was shown."""
    begun = connection.execute("SELECT generation FROM generations WHERE retailer_id = ?", (retailer_id,)).fetchone()
    shown = connection.execute(
        "SELECT generation, rolled_back_at_ms IS NULL FROM releases WHERE retailer_id = ?", (retailer_id,)
    ).fetchall()
    return Releases(
        begun=begun[0] if begun else 0,
        visible=frozenset(generation for generation, is_visible in shown if is_visible),
        rolled_back=frozenset(generation for generation, is_visible in shown if not is_visible),
    )


def forget_old(connection: sqlite3.Connection, retailer_id: str, shoppers: Iterable[str], now: Releases) -> None:
    """Deletes what of these shoppers nobody will ask for again."""
    there: dict[str, list[int]] = {}
    for _, some in slices([ShopperKey(retailer_id, shopper) for shopper in dict.fromkeys(shoppers)]):
        marks = ", ".join("?" * len(some))
        for shopper, generation in connection.execute(
            f"SELECT shopper, generation FROM trees WHERE retailer_id = ? AND shopper IN ({marks})",  # noqa: S608 - question marks
            (retailer_id, *some),
        ):
            there.setdefault(shopper, []).append(generation)
    connection.executemany(
        "DELETE FROM trees WHERE retailer_id = ? AND shopper = ? AND generation = ?",
        [(retailer_id, shopper, old) for shopper, kept in there.items() for old in now.forgettable(kept)],
    )


def _dead(connection: sqlite3.Connection, retailer_id: str) -> list[int]:
    """Gives the dead generations of which there are trees: one look into the index for each that has any."""
    now = releases_of(connection, retailer_id)
    dead: list[int] = []
    generation = 0
    while True:
        (found,) = connection.execute(
            "SELECT MIN(generation) FROM trees WHERE retailer_id = ? AND generation > ?", (retailer_id, generation)
        ).fetchone()
        if found is None:
            return dead
        generation = found
        if now.is_dead(generation):
            dead.append(generation)


def _delete_some(retailer_id: str, generation: int, connection: sqlite3.Connection) -> int:
    # Dead once, dead for good: it need not be asked again.
    return connection.execute(
        "DELETE FROM trees WHERE rowid IN (SELECT rowid FROM trees WHERE retailer_id = ? AND generation = ? LIMIT ?)",
        (retailer_id, generation, _TREES_AT_ONCE),
    ).rowcount
