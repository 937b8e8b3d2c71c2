"""Storage partitions: which shoppers of a retailer stand together, and many keys cut into what one read may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from domain.ids import ShopperKey, bucket
from domain.ports.tree_store import DEFAULT

SLOTS = 256
DEFAULT_SLOT = -1
"""Of a retailer's default tree."""
SHOPPERS_AT_ONCE = 100
"""ScyllaDB refuses more than 100 values of a clustering column in one statement."""


class Slice(NamedTuple):
    """Some shoppers of one storage partition."""

    retailer_id: str
    slot: int
    shoppers: Sequence[str]


def slot_of(shopper: str) -> int:
    """Gives the storage partition of a shopper hash, or of `DEFAULT`.

    Raises:
        ValueError: it is neither.
    """
    return DEFAULT_SLOT if shopper == DEFAULT else bucket(shopper) % SLOTS


def slices(keys: Iterable[ShopperKey]) -> Iterator[Slice]:
    """Gives each shopper once, those of one storage partition together, at most a hundred at a time."""
    by_slot: dict[tuple[str, int], dict[str, None]] = {}
    for retailer_id, shopper in keys:
        by_slot.setdefault((retailer_id, slot_of(shopper)), {})[shopper] = None
    for (retailer_id, slot), shoppers in by_slot.items():
        listed = list(shoppers)
        for start in range(0, len(listed), SHOPPERS_AT_ONCE):
            yield Slice(retailer_id, slot, listed[start : start + SHOPPERS_AT_ONCE])
