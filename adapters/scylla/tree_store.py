"""The production trees (`domain.ports.tree_store`): blobs here, and in the control plane the row that makes them count.

A push writes everything under a reserved generation first. Until the control plane shows that generation nobody looks
at its rows, and a push that died half-way is never seen, not even when later ones are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from adapters.control_plane import Generations
from adapters.scylla.session import Row, Session
from adapters.scylla.slots import DEFAULT_SLOT, Slice, slices, slot_of
from adapters.scylla.snapshot_store import KEPT_DAYS
from domain.errors import PortError, Refused
from domain.ids import ShopperKey
from domain.ports.tree_store import DEFAULT, StoredTree

STATEMENTS = {
    "put_tree": "INSERT INTO {keyspace}.trees (retailer_id, slot, shopper, generation, tree) VALUES (?, ?, ?, ?, ?)"
    " USING TIMESTAMP ? AND TTL ?",
    "load_trees": "SELECT shopper, generation, tree FROM {keyspace}.trees"
    " WHERE retailer_id = ? AND slot = ? AND shopper IN ?",
    "load_tree": "SELECT tree FROM {keyspace}.trees"
    " WHERE retailer_id = ? AND slot = ? AND shopper = ? AND generation = ?",
    "list_generations": "SELECT shopper, generation FROM {keyspace}.trees"
    " WHERE retailer_id = ? AND slot = ? AND shopper IN ?",
    "forget_tree": "DELETE FROM {keyspace}.trees USING TIMESTAMP ?"
    " WHERE retailer_id = ? AND slot = ? AND shopper = ? AND generation = ?",
}
_TTL_S = KEPT_DAYS * 86_400
_FOR_GOOD = 0
_ROWS_MAX = 50
_GENERATIONS_KEPT = 2
_TRIES = 3
_log = logging.getLogger("hotbasket.scylla")
_NONE: frozenset[int] = frozenset()


class ScyllaTreeStore:
    """Every tree's last two generations; a shopper's own expires when nobody pushed a newer one for three years."""

    def __init__(self, session: Session, generations: Generations) -> None:
        """Takes the session, and the control plane's word on what is visible."""
        self._session = session
        self._generations = generations
        self._defaults: dict[str, StoredTree | None] = {}
        self._defaults_version = -1
        self._defaults_lock = asyncio.Lock()

    def version(self) -> int:
        """Gives the version of what is visible."""
        return self._generations.version()

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, StoredTree]:
        """Reads all storage partitions concerned at once; a retailer's default comes from memory."""
        visible = self._generations.visible()
        found: dict[ShopperKey, StoredTree] = {}
        asked = list(slices(key for key in keys if visible.get(key.retailer_id)))
        for (retailer_id, _, _), rows in zip(asked, await self._session.read("load_trees", asked), strict=True):
            for shopper, generation, blob in rows:
                key = ShopperKey(retailer_id, shopper)
                held = found.get(key)
                if generation in visible[retailer_id] and (held is None or held.generation < generation):
                    found[key] = StoredTree(generation, blob)
        defaults = await self._defaults_of({key.retailer_id for key in keys if key not in found})
        for key in keys:
            default = defaults.get(key.retailer_id)
            if key not in found and default is not None:
                found[key] = default
        return found

    async def get(self, key: ShopperKey, generation: int) -> StoredTree | None:
        """Reads one tree of one generation: the shopper's own, else the default."""
        if generation not in self._generations.visible().get(key.retailer_id, _NONE):
            return None
        found = await self._session.read(
            "load_tree",
            [(key.retailer_id, slot_of(shopper), shopper, generation) for shopper in (key.shopper, DEFAULT)],
        )
        return next((StoredTree(generation, rows[0][0]) for rows in found if rows), None)

    async def push(self, retailer_id: str, trees: Sequence[tuple[str, bytes]]) -> int:
        """Writes all trees under a reserved generation, shows it, and forgets those that are two behind.

        A push that fails on the way uses a generation up, unless the trees themselves are at fault.

        Raises:
            Refused: a tree is no bytes or a shopper no hash; nothing was reserved.
            PortError: nothing became visible, unless the control plane failed while it showed the generation.
        """
        _refuse_bad(trees)
        generation = await self._generations.reserve(retailer_id)
        by_slot: dict[int, list[Row]] = {}
        for shopper, blob in dict(trees).items():
            slot = slot_of(shopper)
            ttl_s = _FOR_GOOD if shopper == DEFAULT else _TTL_S
            by_slot.setdefault(slot, []).append((retailer_id, slot, shopper, generation, blob, generation, ttl_s))
        await self._session.write_batches("put_tree", by_slot.values(), rows_max=_ROWS_MAX, blob_at=4)
        await self._generations.show(retailer_id, generation)
        try:
            await self._forget_old(retailer_id, [ShopperKey(retailer_id, shopper) for shopper, _ in trees])
        except PortError as error:
            # The push is done; the next one forgets what this one could not.
            _log.warning("old trees were not forgotten", extra={"retailer_id": retailer_id, "detail": str(error)})
        return generation

    async def _forget_old(self, retailer_id: str, keys: Sequence[ShopperKey]) -> None:
        """Removes what is older than the second newest visible generation of each shopper, shown or not."""
        asked = list(slices(keys))
        visible = self._generations.visible().get(retailer_id, _NONE)
        old: list[Row] = []
        for one, rows in zip(asked, await self._session.read("list_generations", asked), strict=True):
            by_shopper: dict[str, list[int]] = {}
            for shopper, generation in rows:
                by_shopper.setdefault(shopper, []).append(generation)
            old += [row for shopper, there in by_shopper.items() for row in _too_old(one, shopper, there, visible)]
        await self._session.write("forget_tree", old)

    async def _defaults_of(self, retailer_ids: set[str]) -> Mapping[str, StoredTree | None]:
        """Gives the default trees from memory, read again when anything visible changed."""
        if not retailer_ids:
            return {}
        async with self._defaults_lock:
            # Asked for before it is used: a change in between is read at the next call.
            version = self.version()
            held = self._defaults
            fresh = dict(held) if version == self._defaults_version else {}
            for retailer_id in retailer_ids - fresh.keys():
                fresh[retailer_id] = await self._default(retailer_id, held.get(retailer_id))
            self._defaults = fresh
            self._defaults_version = version
            return fresh

    async def _default(self, retailer_id: str, held: StoredTree | None) -> StoredTree | None:
        """Reads a default tree, or gives the object that residents already hold where it is still the same."""
        for _ in range(_TRIES):
            visible = self._generations.visible().get(retailer_id, _NONE)
            (rows,) = await self._session.read("list_generations", [(retailer_id, DEFAULT_SLOT, [DEFAULT])])
            newest = max((generation for _, generation in rows if generation in visible), default=None)
            if newest is None:
                return None
            if held is not None and held.generation == newest:
                return held
            (rows,) = await self._session.read("load_tree", [(retailer_id, DEFAULT_SLOT, DEFAULT, newest)])
            if rows:
                return StoredTree(newest, rows[0][0])
        raise PortError(
            f"the default tree of retailer {retailer_id} was replaced {_TRIES} times while it was read", retriable=True
        )


def _refuse_bad(trees: Sequence[tuple[str, bytes]]) -> None:
    faults = []
    for number, (shopper, blob) in enumerate(trees):
        try:
            slot_of(shopper)
        except ValueError:
            faults.append(f'trees[{number}]: "{shopper}" is neither a shopper hash nor "{DEFAULT}"')
        if not isinstance(blob, bytes):
            faults.append(f"trees[{number}]: {type(blob).__name__} is no encoded tree; use domain.tree.encode")
    if faults:
        raise Refused(*faults)


def _too_old(one: Slice, shopper: str, there: Sequence[int], visible: frozenset[int]) -> list[Row]:
    """Gives what to delete; a row carries its generation as timestamp, and of equals the delete wins."""
    kept = sorted((generation for generation in there if generation in visible), reverse=True)[:_GENERATIONS_KEPT]
    if len(kept) < _GENERATIONS_KEPT:
        return []
    return [
        (generation, one.retailer_id, one.slot, shopper, generation) for generation in there if generation < kept[-1]
    ]
