"""The embedded trees (`domain.ports.tree_store`), in the control file, since commands push them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from adapters.sqlite.control_file import ControlFile
from adapters.sqlite.key_slices import slices
from adapters.sqlite.tree_releases import begin, forget_old, releases_of, show, store
from domain.ids import ShopperKey
from domain.ports.clock import Clock
from domain.ports.tree_releases import Release
from domain.ports.tree_store import DEFAULT, StoredTree
from domain.releases import refuse_bad


class SqliteTreeStore:
    """Every tree's last two visible generations."""

    def __init__(self, control: ControlFile, clock: Clock) -> None:
        """Takes the control file, and the clock that says when something was shown."""
        self._control = control
        self._clock = clock
        self._defaults: dict[str, StoredTree] = {}
        self._defaults_version = 0
        self._newest: Mapping[str, Release] = {}

    def version(self) -> int:
        """Gives the version of all trees."""
        return self._control.version("trees")

    def newest(self) -> Mapping[str, Release]:
        """Gives what the last load found."""
        return self._newest

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, StoredTree]:
        """Reads own trees in one transaction; a retailer's default comes from memory."""
        version = self.version()
        if version != self._defaults_version:
            rows, self._newest = await self._control.database.read(
                lambda connection: (_defaults(connection), _newest(connection))
            )
            self._defaults = {
                retailer_id: self._shared(retailer_id, generation, blob) for retailer_id, generation, blob in rows
            }
            self._defaults_version = version
        found = await self._control.database.read(lambda connection: _own(connection, keys)) if keys else {}
        defaults = self._defaults
        for key in keys:
            if key not in found and key.retailer_id in defaults:
                found[key] = defaults[key.retailer_id]
        return found

    def _shared(self, retailer_id: str, generation: int, blob: bytes) -> StoredTree:
        """Gives the object that residents already hold, where the tree is still the same."""
        held = self._defaults.get(retailer_id)
        return held if held is not None and held.generation == generation else StoredTree(generation, blob)

    async def get(self, key: ShopperKey, generation: int) -> StoredTree | None:
        """Reads one tree of one generation: the shopper's own, else the default."""

        def read(connection: sqlite3.Connection) -> tuple[int, bytes] | None:
            found: tuple[int, bytes] | None = connection.execute(
                "SELECT generation, blob FROM visible_trees WHERE retailer_id = ? AND shopper IN (?, ?)"
                " AND generation = ? ORDER BY shopper = ? LIMIT 1",
                (key.retailer_id, key.shopper, DEFAULT, generation, DEFAULT),
            ).fetchone()
            return found

        row = await self._control.database.read(read)
        return None if row is None else StoredTree(*row)

    async def push(self, retailer_id: str, trees: Sequence[tuple[str, bytes]]) -> int:
        """Does a whole release in one transaction: begin, put, show, and forget what is two behind."""
        refuse_bad(trees)
        at_ms = self._clock.now_ms()

        def write(connection: sqlite3.Connection) -> int:
            generation = begin(connection, retailer_id)
            store(connection, retailer_id, generation, trees)
            shoppers = {shopper for shopper, _ in trees}
            show(connection, retailer_id, generation, len(shoppers), at_ms)
            forget_old(connection, retailer_id, shoppers, releases_of(connection, retailer_id))
            return generation

        return await self._control.change("trees", write)


def _defaults(connection: sqlite3.Connection) -> list[tuple[str, int, bytes]]:
    return connection.execute(
        # CROSS JOIN, so that SQLite goes from the few retailers to their defaults instead of reading every tree.
        "SELECT generations.retailer_id, MAX(visible_trees.generation), blob FROM generations CROSS JOIN visible_trees"
        " ON visible_trees.retailer_id = generations.retailer_id AND shopper = ? GROUP BY generations.retailer_id",
        (DEFAULT,),
    ).fetchall()


def _newest(connection: sqlite3.Connection) -> dict[str, Release]:
    rows = connection.execute(
        # Of a group's other columns SQLite gives those of the row that has the maximum.
        "SELECT retailer_id, MAX(generation), shown_at_ms, trees FROM releases WHERE rolled_back_at_ms IS NULL"
        " GROUP BY retailer_id"
    )
    return {retailer_id: Release(*release) for retailer_id, *release in rows}


def _own(connection: sqlite3.Connection, keys: Sequence[ShopperKey]) -> dict[ShopperKey, StoredTree]:
    found: dict[ShopperKey, StoredTree] = {}
    for retailer_id, shoppers in slices(keys):
        marks = ", ".join("?" * len(shoppers))
        rows = connection.execute(
            # The newest is looked up in the index alone: of older and of staged trees no blob is read.
            "SELECT shopper, generation, blob FROM trees"  # noqa: S608 - marks are question marks
            f" WHERE retailer_id = ? AND shopper IN ({marks}) AND generation = (SELECT newest.generation"
            " FROM visible_trees AS newest WHERE newest.retailer_id = trees.retailer_id"
            " AND newest.shopper = trees.shopper ORDER BY newest.generation DESC LIMIT 1)",
            (retailer_id, *shoppers),
        )
        found.update(
            (ShopperKey(retailer_id, shopper), StoredTree(generation, blob)) for shopper, generation, blob in rows
        )
    return found
