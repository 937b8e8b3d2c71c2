"""Old trees of shoppers who are gone: nobody replaces them, since the night grows trees for the active alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

from adapters.control_plane import GenerationRow, GenerationRows
from adapters.scylla.session import Row, Session
from adapters.scylla.slots import SHOPPERS_AT_ONCE, SLOTS
from domain.ports.tree_store import DEFAULT

_ROWS_MAX = 50


class OldTrees:
    """Shoppers' own trees of generations before a moment, where the shopper has no snapshot any more.

    No tree says when it was made: its generation does, that is when it became visible, or a later one did.
    """

    def __init__(self, session: Session, rows: GenerationRows) -> None:
        """Takes the session, with the statements of releases and erasures, and the control plane's rows."""
        self._session = session
        self._rows = rows

    async def oldest_ms(self, retailer_id: str, before_ms: int) -> int | None:
        """Gives when the first such tree was made at the latest, Unix milliseconds; None where there is none.

        Raises:
            PortError: can't be read now.
        """
        made = await self._made(retailer_id, before_ms)
        async for found in self._found(retailer_id, made):
            return min(made[generation] for _, _, generation in found)
        return None

    async def expire(self, retailer_id: str, before_ms: int) -> int:
        """Removes such trees, and gives how many.

        Raises:
            PortError: some may be removed.
        """
        gone = 0
        async for found in self._found(retailer_id, await self._made(retailer_id, before_ms)):
            rows = [(generation, retailer_id, slot, shopper, generation) for slot, shopper, generation in found]
            await self._session.write_batches("forget_tree", [rows], rows_max=_ROWS_MAX, blob_at=None)
            gone += len(rows)
        return gone

    async def _made(self, retailer_id: str, before_ms: int) -> Mapping[int, int]:
        """Gives when each generation was made of those before a moment."""
        made = made_at_ms(await self._rows.rows(retailer_id))
        return {generation: at_ms for generation, at_ms in made.items() if at_ms < before_ms}

    async def _found(self, retailer_id: str, made: Mapping[int, int]) -> AsyncIterator[Sequence[tuple[int, str, int]]]:
        """Gives the trees of some generations, page by page: slot, shopper, generation."""
        if not made:
            return
        for slot in range(SLOTS):
            async for page in self._session.pages("list_slot", (retailer_id, slot)):
                old = [(shopper, generation) for shopper, generation in page if generation in made]
                active = await self._active(retailer_id, slot, dict.fromkeys(shopper for shopper, _ in old))
                found = [
                    (slot, shopper, generation)
                    for shopper, generation in old
                    if shopper not in active and shopper != DEFAULT
                ]
                if found:
                    yield found

    async def _active(self, retailer_id: str, slot: int, shoppers: Iterable[str]) -> set[str]:
        listed = list(shoppers)
        parts: list[Row] = [
            (retailer_id, slot, listed[start : start + SHOPPERS_AT_ONCE])
            for start in range(0, len(listed), SHOPPERS_AT_ONCE)
        ]
        return {shopper for rows in await self._session.read("find_snapshots", parts) for shopper, _ in rows}


def made_at_ms(rows: Iterable[GenerationRow]) -> Mapping[int, int]:
    """Gives when each generation was made at the latest, Unix milliseconds; the newest may have no time yet.

    Args:
        rows: of a retailer.
    """
    made: dict[int, int] = {}
    latest: int | None = None
    for row in sorted(rows, key=lambda row: row.generation, reverse=True):
        latest = row.visible_at_ms if row.visible_at_ms is not None else latest
        if latest is not None:
            made[row.generation] = latest
    return made
