"""Trees: what the cold half (or a person) prepared for each shopper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from domain.ids import ShopperKey
from domain.ports.tree_releases import Release

DEFAULT = "default"
"""In place of a shopper hash: the tree of the retailer's shoppers who have none of their own."""


class StoredTree(NamedTuple):
    """An encoded tree (`domain.tree.encode`) and the generation in which it was pushed."""

    generation: int
    blob: bytes


class TreeStore(Protocol):
    """The newest visible tree of every shopper and every retailer's default tree; at least the last two of each.

    What `tree_releases` shows or rolls back is in force for the next `load`.
    """

    def version(self) -> int:
        """Gives a number that changes when any visible tree does; cheap enough for every batch."""
        ...

    def newest(self) -> Mapping[str, Release]:
        """Gives the newest visible generation by retailer id, from memory: as of the last `load` or later."""
        ...

    async def load(self, keys: Sequence[ShopperKey]) -> Mapping[ShopperKey, StoredTree]:
        """Gives each shopper's own tree, else the retailer's default; shoppers with neither are absent.

        The default tree is the same object for all who share it.

        Raises:
            PortError: can't be read now.
        """
        ...

    async def get(self, key: ShopperKey, generation: int) -> StoredTree | None:
        """Gives the tree that this shopper had in a visible generation (own, else default), while it is still kept."""
        ...

    async def push(self, retailer_id: str, trees: Sequence[tuple[str, bytes]]) -> int:
        """Makes trees visible, all or nothing, under a new generation of the retailer, and gives it (from 1).

        Args:
            trees: (shopper hash or DEFAULT, encoded tree); shoppers not named keep theirs.

        Raises:
            Refused: a shopper is no hash or a tree no bytes, with every fault; no generation was used up.
            PortError: nothing became visible, or nobody knows.
        """
        ...
