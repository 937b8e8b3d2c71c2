"""The production releases of trees (`domain.ports.tree_releases`): many processes write blobs, one row shows them.

A row carries its generation as timestamp, and of equals the delete wins: what is deleted never comes back, whoever is
late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from adapters.control_plane import GenerationRows, releases_of
from adapters.scylla.session import Row, Session
from adapters.scylla.slots import DEFAULT_SLOT, SLOTS, slices, slot_of
from domain.ids import ShopperKey
from domain.ports.tree_releases import Release
from domain.ports.tree_store import DEFAULT
from domain.releases import Releases, refuse_bad

STATEMENTS = {
    "put_tree": "INSERT INTO {keyspace}.trees (retailer_id, slot, shopper, generation, tree) VALUES (?, ?, ?, ?, ?)"
    " USING TIMESTAMP ? AND TTL ?",
    "list_generations": "SELECT shopper, generation FROM {keyspace}.trees"
    " WHERE retailer_id = ? AND slot = ? AND shopper IN ?",
    "list_slot": "SELECT shopper, generation FROM {keyspace}.trees WHERE retailer_id = ? AND slot = ?",
    "forget_tree": "DELETE FROM {keyspace}.trees USING TIMESTAMP ?"
    " WHERE retailer_id = ? AND slot = ? AND shopper = ? AND generation = ?",
}
KEPT_DAYS = 1_095
"""Days after which a shopper's own tree expires by itself, whatever the retailer says."""
_TTL_S = KEPT_DAYS * 86_400
_FOR_GOOD = 0
_ROWS_MAX = 50


class ScyllaTreeReleases:
    """Generations begun, filled, shown and rolled back; a shopper's own tree expires after three years anyway."""

    def __init__(self, session: Session, rows: GenerationRows) -> None:
        """Takes the session, and the control plane's rows."""
        self._session = session
        self._rows = rows

    async def begin(self, retailer_id: str) -> int:
        """Reserves a generation in the control plane."""
        return await self._rows.reserve(retailer_id)

    async def put(self, retailer_id: str, generation: int, trees: Sequence[tuple[str, bytes]]) -> None:
        """Asks the control plane once, then writes; trees of one storage partition go in batches."""
        refuse_bad(trees)
        now = releases_of(await self._rows.rows(retailer_id))
        now.check_open(generation)
        await self.write(retailer_id, generation, trees)
        await self.forget_old(retailer_id, {shopper for shopper, _ in trees}, now)

    async def show(self, retailer_id: str, generation: int, *, trees: int) -> None:
        """Writes the one row in the control plane."""
        await self._rows.show(retailer_id, generation, trees)

    async def rollback(self, retailer_id: str) -> int:
        """Changes the one row in the control plane."""
        return await self._rows.hide(retailer_id)

    async def released(self, retailer_id: str) -> Sequence[Release]:
        """Asks the control plane."""
        return [
            Release(row.generation, row.visible_at_ms, row.trees)
            for row in await self._rows.rows(retailer_id)
            if row.visible_at_ms is not None
        ]

    async def forget(self, retailer_id: str) -> int:
        """Reads the keys of all the retailer's trees, page by page, if there is anything to look for."""
        rows = await self._rows.rows(retailer_id)
        now = releases_of(rows)
        dead = frozenset(row.generation for row in rows if now.is_dead(row.generation) and not row.is_forgotten)
        if not dead:
            return 0
        deleted = 0
        for slot in (DEFAULT_SLOT, *range(SLOTS)):
            async for page in self._session.pages("list_slot", (retailer_id, slot)):
                old = [
                    (generation, retailer_id, slot, shopper, generation)
                    for shopper, generation in page
                    if generation in dead
                ]
                await self._delete([old])
                deleted += len(old)
        await self._rows.forgotten(retailer_id, dead)
        return deleted

    async def write(self, retailer_id: str, generation: int, trees: Iterable[tuple[str, bytes]]) -> None:
        """Writes trees under a generation that the caller knows to be open.

        Raises:
            PortError: some or all may be stored.
        """
        by_slot: dict[int, list[Row]] = {}
        for shopper, blob in dict(trees).items():
            slot = slot_of(shopper)
            ttl_s = _FOR_GOOD if shopper == DEFAULT else _TTL_S
            by_slot.setdefault(slot, []).append((retailer_id, slot, shopper, generation, blob, generation, ttl_s))
        await self._session.write_batches("put_tree", by_slot.values(), rows_max=_ROWS_MAX, blob_at=4)

    async def forget_old(self, retailer_id: str, shoppers: Iterable[str], now: Releases | None = None) -> None:
        """Deletes what of these shoppers nobody will ask for again.

        Args:
            retailer_id: whose shoppers they are.
            shoppers: hashes, or `DEFAULT`.
            now: what is visible, as old as it may be; None = the control plane is asked.

        Raises:
            PortError: some of it may be deleted.
        """
        if now is None:
            now = releases_of(await self._rows.rows(retailer_id))
        asked = list(slices(ShopperKey(retailer_id, shopper) for shopper in shoppers))
        old: list[list[Row]] = []
        for one, found in zip(asked, await self._session.read("list_generations", asked), strict=True):
            there: dict[str, list[int]] = {}
            for shopper, generation in found:
                there.setdefault(shopper, []).append(generation)
            old.append(
                [
                    (generation, retailer_id, one.slot, shopper, generation)
                    for shopper, kept in there.items()
                    for generation in now.forgettable(kept)
                ]
            )
        await self._delete(old)

    async def _delete(self, partitions: Iterable[Sequence[Row]]) -> None:
        await self._session.write_batches("forget_tree", partitions, rows_max=_ROWS_MAX, blob_at=None)
