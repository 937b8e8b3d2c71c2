"""Who was erased after a backup was begun: a restore leaves them out. Tombstones name them by digest alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from domain.ids import shopper_digest
from domain.ports.event_log import Place


class Buried(NamedTuple):
    """Where and when (Unix milliseconds) a shopper's `ShopperErased` was received."""

    place: Place
    at_ms: int


class ErasedShoppers:
    """Finds shoppers among the newest tombstones.

    Args:
        buried: by retailer and digest.
        privacy_key: gives a retailer's privacy key.
    """

    def __init__(self, buried: dict[tuple[str, str], Buried], privacy_key: Callable[[str], bytes]) -> None:
        self._buried = buried
        self._keys = {retailer_id: privacy_key(retailer_id) for retailer_id, _ in buried}

    def of(self, retailer_id: str, shopper: str) -> Buried | None:
        """Gives where a shopper's end is, by hash; None for whoever was not erased."""
        key = self._keys.get(retailer_id)
        return None if key is None else self._buried.get((retailer_id, shopper_digest(key, shopper)))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._buried)
