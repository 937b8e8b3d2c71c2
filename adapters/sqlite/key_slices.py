"""Many shoppers' keys, cut into what one statement may ask for: one retailer's, a few hundred at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from domain.ids import ShopperKey

_SHOPPERS_AT_ONCE = 200


def slices(keys: Sequence[ShopperKey]) -> Iterator[tuple[str, Sequence[str]]]:
    """Gives retailer ids with some of their shoppers.

    A list of pairs in one statement would read better, but SQLite answers it by reading the whole table.
    """
    by_retailer: dict[str, list[str]] = {}
    for key in keys:
        by_retailer.setdefault(key.retailer_id, []).append(key.shopper)
    for retailer_id, shoppers in by_retailer.items():
        for start in range(0, len(shoppers), _SHOPPERS_AT_ONCE):
            yield retailer_id, shoppers[start : start + _SHOPPERS_AT_ONCE]
