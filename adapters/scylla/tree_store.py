"""The production trees (`domain.ports.tree_store`): blobs here, and in the control plane the row that makes them count.

Nobody looks at rows of a generation that the control plane does not show: not yet, not any more, or never.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence

from adapters.control_plane import Generations
from adapters.scylla.session import Session
from adapters.scylla.slots import DEFAULT_SLOT, slices, slot_of
from adapters.scylla.tree_releases import ScyllaTreeReleases
from domain.errors import PortError
from domain.ids import ShopperKey
from domain.ports.tree_releases import Release
from domain.ports.tree_store import DEFAULT, StoredTree
from domain.releases import Overtaken, refuse_bad

STATEMENTS = {
    "load_trees": "SELECT shopper, generation, tree FROM {keyspace}.trees"
    " WHERE retailer_id = ? AND slot = ? AND shopper IN ?",
    "load_tree": "SELECT tree FROM {keyspace}.trees"
    " WHERE retailer_id = ? AND slot = ? AND shopper = ? AND generation = ?",
}
_TRIES = 3
_log = logging.getLogger("hotbasket.scylla")
_NONE: frozenset[int] = frozenset()


class ScyllaTreeStore:
    """Every tree's last two visible generations, at least."""

    def __init__(self, session: Session, generations: Generations, releases: ScyllaTreeReleases) -> None:
        """Takes the session, the control plane's word on what is visible, and the writing side."""
        self._session = session
        self._generations = generations
        self._releases = releases
        self._defaults: dict[str, StoredTree | None] = {}
        self._defaults_version = -1
        self._defaults_lock = asyncio.Lock()

    def version(self) -> int:
        """Gives the version of what is visible."""
        return self._generations.version()

    def newest(self) -> Mapping[str, Release]:
        """Gives what the control plane said last."""
        return self._generations.newest()

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
        """Does a whole release, again if a newer one was faster, and forgets what is two behind.

        A push that fails on the way uses a generation up, unless the trees themselves are at fault.

        Raises:
            Refused: a tree is no bytes or a shopper no hash; nothing was reserved.
            PortError: nothing became visible, unless the control plane failed while it showed the generation.
        """
        refuse_bad(trees)
        for _ in range(_TRIES):
            try:
                generation = await self._released(retailer_id, trees)
                break
            except Overtaken:
                continue
        else:
            raise PortError(f"{_TRIES} pushes for retailer {retailer_id} were overtaken by others", retriable=True)
        try:
            await self._releases.forget_old(retailer_id, {shopper for shopper, _ in trees})
        except PortError as error:
            # The push is done; the next one forgets what this one could not.
            _log.warning("old trees were not forgotten", extra={"retailer_id": retailer_id, "detail": str(error)})
        return generation

    async def _released(self, retailer_id: str, trees: Sequence[tuple[str, bytes]]) -> int:
        generation = await self._releases.begin(retailer_id)
        await self._releases.write(retailer_id, generation, trees)
        await self._releases.show(retailer_id, generation, trees=len({shopper for shopper, _ in trees}))
        return generation

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
