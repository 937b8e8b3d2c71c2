"""Where the warehouse is: of jobs of the night, and of those who erase shoppers from it and tell what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from adapters.settings import Settings
from batch.shopper_data import WarehouseData
from domain.errors import Refused
from domain.ports.shopper_data import ShopperData

UNSET: Final = "HOTBASKET_WAREHOUSE is not set: name the folder or object store URL of the warehouse"
UNVISITED: Final = (
    "HOTBASKET_WAREHOUSE is not set: erasures visit no warehouse, which a night may have filled elsewhere"
)
_GROWN: Final = "trees"


def warehouse_root(data: Path | None, settings: Settings) -> str:
    """Gives a folder, or an address that Spark can write.

    Args:
        data: directory of the embedded system; None = the servers of the settings.
        settings: may name it.

    Raises:
        Refused: they don't, and there is no directory.
    """
    if settings.warehouse:
        return settings.warehouse
    if data is None:
        raise Refused(UNSET)
    return str((data / "warehouse").absolute())


def warehouse_data(data: Path | None, settings: Settings) -> WarehouseData | None:
    """Gives what the warehouse holds of shoppers, None where nothing says where it is; arguments as above."""
    if data is None and not settings.warehouse:
        return None
    return WarehouseData(warehouse_root(data, settings), expected=bool(settings.warehouse))


def in_order(stores: Sequence[ShopperData], warehouse: ShopperData | None) -> list[ShopperData]:
    """Gives the stores as an erasure visits them: along the way that a night takes.

    A night reads events, fills the warehouse, and grows trees from it. Whatever it brought before a store was visited
    stands in a store that is visited later, so the second round is clean; the other way round it would take a third.
    """
    grown = [store for store in stores if store.name == _GROWN]
    others = [store for store in stores if store.name != _GROWN]
    return [*others, *(() if warehouse is None else (warehouse,)), *grown]
