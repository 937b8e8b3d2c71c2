"""The production snapshots (`domain.ports.snapshot_store`): one blob a shopper, written under the place in the log.

The database itself refuses an older position: its timestamp is smaller. Three tables are written one after the other,
each before what relies on it: pending timers, the snapshots, and how far a partition's snapshots are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

import msgspec

from adapters.scylla.session import Row, Session
from adapters.scylla.slots import SLOTS, slices, slot_of
from adapters.scylla.timestamps import delete_timestamp, write_timestamp
from domain.ids import Position, ShopperKey
from domain.ports.clock import Clock
from domain.ports.snapshot_store import Snapshot

_DAY_S = 86_400
_ROWS_MAX = 50

STATEMENTS = {
    "save_snapshot": "INSERT INTO {keyspace}.snapshots (retailer_id, slot, shopper, snapshot) VALUES (?, ?, ?, ?)"
    " USING TIMESTAMP ? AND TTL ?",
    "load_snapshots": "SELECT shopper, snapshot FROM {keyspace}.snapshots"
    " WHERE retailer_id = ? AND slot = ? AND shopper IN ?",
    "list_snapshots": "SELECT retailer_id, slot, shopper, snapshot FROM {keyspace}.snapshots"
    " WHERE retailer_id = ? AND slot = ?",
    "forget_snapshot": "DELETE FROM {keyspace}.snapshots USING TIMESTAMP ?"
    " WHERE retailer_id = ? AND slot = ? AND shopper = ?",
    "save_timer": "INSERT INTO {keyspace}.timers (partition, retailer_id, shopper, due_at_ms) VALUES (?, ?, ?, ?)"
    " USING TIMESTAMP ? AND TTL ?",
    "load_timers": "SELECT retailer_id, shopper FROM {keyspace}.timers WHERE partition = ?",
    "save_head": "INSERT INTO {keyspace}.snapshot_heads (partition, position) VALUES (?, ?) USING TIMESTAMP ?",
    "load_head": "SELECT position FROM {keyspace}.snapshot_heads WHERE partition = ?",
}
_encoder = msgspec.msgpack.Encoder()
_snapshot_decoder = msgspec.msgpack.Decoder(tuple[int, int, int | None, int, bytes])
_position_decoder = msgspec.msgpack.Decoder(tuple[int, int])


class ScyllaSnapshotStore:
    """Every shopper's last snapshot, for as many days after it was saved as the retailer says."""

    def __init__(self, session: Session, clock: Clock, kept_days: Callable[[str], int]) -> None:
        """Takes the session, the clock from which a timer's remaining life is counted, and the days by retailer id."""
        self._session = session
        self._clock = clock
        self._kept_days = kept_days

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, bytes]:
        """Reads all storage partitions concerned at once."""
        return {one.key: one.payload for one in await self._load(keys)}

    async def save(self, partition: int, snapshots: Sequence[Snapshot]) -> None:
        """Writes timers, then snapshots, then the highest position among them; each survives without the next."""
        if not snapshots:
            return
        now_ms = self._clock.now_ms()
        timers = [
            (
                partition,
                *one.key,
                one.due_at_ms,
                write_timestamp(one.position),
                # A timer that nobody armed within a day after it was due belongs to a session that is long over.
                _DAY_S + max(0, one.due_at_ms - now_ms) // 1_000,
            )
            for one in snapshots
            if one.due_at_ms is not None
        ]
        by_slot: dict[tuple[str, int], list[Row]] = {}
        for one in snapshots:
            retailer_id, shopper = one.key
            slot = slot_of(shopper)
            blob = _encoder.encode((*one.position, one.due_at_ms, one.touched_at_ms, one.payload))
            by_slot.setdefault((retailer_id, slot), []).append(
                (retailer_id, slot, shopper, blob, write_timestamp(one.position), self._kept_days(retailer_id) * _DAY_S)
            )
        await self._session.write_batches("save_timer", [timers], rows_max=_ROWS_MAX, blob_at=None)
        await self._session.write_batches("save_snapshot", by_slot.values(), rows_max=_ROWS_MAX, blob_at=3)
        newest = max(one.position for one in snapshots)
        await self._session.write("save_head", [(partition, _encoder.encode(newest), write_timestamp(newest))])

    async def timers(self, partition: int) -> Sequence[tuple[ShopperKey, int]]:
        """Reads who may have a timer, then their snapshots: only what these say counts.

        A snapshot that lost its timer thus needs no delete in the table of timers.
        """
        found: list[tuple[ShopperKey, int]] = []
        async for rows in self._session.pages("load_timers", (partition,)):
            keys = [ShopperKey(retailer_id, shopper) for retailer_id, shopper in rows]
            found += [(one.key, one.due_at_ms) for one in await self._load(keys) if one.due_at_ms is not None]
        return found

    async def newest(self, partition: int) -> Position | None:
        """Reads one row."""
        ((*rows,),) = await self._session.read("load_head", [(partition,)])
        return Position(*_position_decoder.decode(rows[0][0])) if rows else None

    async def expire(self, retailer_id: str, untouched_since_ms: int) -> int:
        """Reads the retailer's snapshots page by page, and removes the inactive.

        TTL does the daily work. This is for those that were saved while the retailer still kept them longer.
        """
        gone = 0
        async for old in old_snapshots(self._session, retailer_id, untouched_since_ms):
            await self._session.write(
                "forget_snapshot",
                (
                    (delete_timestamp(one.position), one.key.retailer_id, slot_of(one.key.shopper), one.key.shopper)
                    for one in old
                ),
            )
            gone += len(old)
        return gone

    async def _load(self, keys: Iterable[ShopperKey]) -> list[Snapshot]:
        asked = list(slices(keys))
        found = await self._session.read("load_snapshots", asked)
        return [
            one
            for (retailer_id, slot, _), rows in zip(asked, found, strict=True)
            for one in _decoded((retailer_id, slot, *row) for row in rows)
        ]


async def old_snapshots(session: Session, retailer_id: str, before_ms: int) -> AsyncIterator[Sequence[Snapshot]]:
    """Gives those of a retailer's snapshots that were last touched before a moment, page by page.

    Raises:
        PortError: can't be read now.
    """
    for slot in range(SLOTS):
        async for rows in session.pages("list_snapshots", (retailer_id, slot)):
            old = [one for one in _decoded(rows) if one.touched_at_ms < before_ms]
            if old:
                yield old


def _decoded(rows: Iterable[Row]) -> Iterable[Snapshot]:
    for retailer_id, _, shopper, blob in rows:
        epoch, offset, due_at_ms, touched_at_ms, payload = _snapshot_decoder.decode(blob)
        yield Snapshot(ShopperKey(retailer_id, shopper), Position(epoch, offset), payload, due_at_ms, touched_at_ms)
