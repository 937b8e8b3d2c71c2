"""The embedded snapshots (`domain.ports.snapshot_store`), in the state's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from adapters.sqlite.database import Database
from adapters.sqlite.key_slices import slices
from domain.ids import Position, ShopperKey
from domain.ports.snapshot_store import Snapshot

_SAVED_AT_ONCE = 1_000


class SqliteSnapshotStore:
    """Every shopper's last snapshot; one partition."""

    def __init__(self, state: Database, reader: Database) -> None:
        """Takes the state's file, and a reader of it: a batch's prefetch must not wait for a checkpoint's writes."""
        self._state = state
        self._reader = reader

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, bytes]:
        """Reads in slices of a few hundred keys, in one transaction."""
        return await self._reader.read(lambda connection: _load(connection, keys)) if keys else {}

    async def save(self, partition: int, snapshots: Sequence[Snapshot]) -> None:
        """Saves in transactions of a thousand, so that a commit or a failed event gets its turn in between."""
        del partition  # one file, one partition
        for start in range(0, len(snapshots), _SAVED_AT_ONCE):
            rows = [
                (*one.key, *one.position, one.payload, one.due_at_ms, one.touched_at_ms)
                for one in snapshots[start : start + _SAVED_AT_ONCE]
            ]
            await self._state.write(
                lambda connection, rows=rows: connection.executemany(  # type: ignore[misc]  # mypy can't infer defaults
                    "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (retailer_id, shopper) DO UPDATE SET"
                    " epoch = excluded.epoch, at = excluded.at, payload = excluded.payload,"
                    " due_at_ms = excluded.due_at_ms, touched_at_ms = excluded.touched_at_ms"
                    " WHERE (excluded.epoch, excluded.at) >= (epoch, at)",
                    rows,
                )
            )

    async def timers(self, partition: int) -> Sequence[tuple[ShopperKey, int]]:
        """Reads the index of pending timers."""
        del partition
        rows = await self._state.read(
            lambda connection: connection.execute(
                "SELECT retailer_id, shopper, due_at_ms FROM snapshots WHERE due_at_ms IS NOT NULL"
            ).fetchall()
        )
        return [(ShopperKey(retailer_id, shopper), due_at_ms) for retailer_id, shopper, due_at_ms in rows]

    async def newest(self, partition: int) -> Position | None:
        """Reads the end of the index of positions."""
        del partition
        row = await self._state.read(
            lambda connection: connection.execute(
                "SELECT epoch, at FROM snapshots ORDER BY epoch DESC, at DESC LIMIT 1"
            ).fetchone()
        )
        return None if row is None else Position(*row)

    async def expire(self, retailer_id: str, untouched_since_ms: int) -> int:
        """Removes the inactive, who are few, by the index of times: the retailer's shoppers are many."""
        return await self._state.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM snapshots WHERE +retailer_id = ? AND touched_at_ms < ?",
                    (retailer_id, untouched_since_ms),
                ).rowcount
            )
        )


def _load(connection: sqlite3.Connection, keys: Sequence[ShopperKey]) -> dict[ShopperKey, bytes]:
    found: dict[ShopperKey, bytes] = {}
    for retailer_id, shoppers in slices(keys):
        marks = ", ".join("?" * len(shoppers))
        rows = connection.execute(
            f"SELECT shopper, payload FROM snapshots WHERE retailer_id = ? AND shopper IN ({marks})",  # noqa: S608 - marks
            (retailer_id, *shoppers),
        )
        found.update((ShopperKey(retailer_id, shopper), payload) for shopper, payload in rows)
    return found
