"""What the warehouse forgets: shoppers and days, also out of the files that tables no longer show."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from batch.shopper_data import WarehouseData
from batch.warehouse import Warehouse
from domain.ids import Position, ShopperHash, ShopperKey
from domain.ports.event_log import Place
from domain.ports.shopper_data import Erased, Visit
from tests.unit.batch.warehouse_files import places_of

pytestmark = pytest.mark.slow

ONE, TWO = date(2024, 1, 1), date(2024, 1, 2)
AT = datetime(2024, 1, 1, tzinfo=UTC)
GONE, STAYS = "9a" * 32, "7c" * 32
WORD = "quillonaut tea"


def search(day: date, event_id: str, shopper: str, query: str, retailer_id: str = "r-1") -> tuple[Any, ...]:
    """A row of `searches`."""
    return (retailer_id, day, event_id, shopper, None, AT, query, 1)


def model(retailer_id: str) -> tuple[Any, ...]:
    """A row of `models`."""
    return (retailer_id, "2024-01-03", "baskets", AT, "{}", b"learned from everybody")


@pytest.fixture
def warehouse(tmp_path: Path, spark: SparkSession) -> Warehouse:
    """Searches of two days, a prediction each, and models; of two retailers."""
    warehouse = Warehouse(str(tmp_path / "warehouse"), spark)
    for retailer_id in ("r-1", "r-2"):
        rows = [
            search(day, f"{day}-{shopper[:2]}", shopper, WORD if shopper == GONE else "milk", retailer_id)
            for day in (ONE, TWO)
            for shopper in (GONE, STAYS)
        ]
        warehouse.append("searches", rows)
        warehouse.append("predictions", [(retailer_id, "2024-01-03", shopper, [], 1) for shopper in (GONE, STAYS)])
        warehouse.append("models", [model(retailer_id)])
    return warehouse


def in_files(warehouse: Warehouse, retailer_id: str) -> str:
    """Everything that the files of a retailer say, whether a table still shows it or not, and the logs with them."""
    root = Path(warehouse.root)
    files = [path for path in root.rglob("*.parquet") if f"retailer_id={retailer_id}" in str(path)]
    tables = [json.dumps(pq.ParquetFile(path).read().to_pylist(), default=str) for path in files]
    logs = [path.read_text(encoding="utf-8") for path in root.rglob("_delta_log/*.json")]
    return "\n".join((*tables, *logs))


async def test_shoppers_are_forgotten(warehouse: Warehouse) -> None:
    """Without Spark, from what Spark wrote, which it reads and goes on writing; others keep theirs."""
    root = Path(warehouse.root)
    assert all(places_of(root, word) for word in (GONE, STAYS, WORD))
    erased = Erased(ShopperKey("r-1", ShopperHash(GONE)), Place(0, Position(1, 1)), 0)
    part = WarehouseData(warehouse.root, expected=True)
    assert Visit(3, 3, 0) == await part.erase([erased])
    for word in (GONE, WORD):
        assert [] == [place for place in places_of(root, word) if "retailer_id=r-2" not in place]
    again = Warehouse(warehouse.root, warehouse.spark)
    kept = again.table("searches").where("retailer_id = 'r-1'").collect()
    assert [STAYS, STAYS] == [row["shopper_id"] for row in kept]
    assert 2 == again.table("predictions").where(f"shopper_id = '{STAYS}'").count()
    assert ["r-2"] == [row["retailer_id"] for row in again.table("models").select("retailer_id").collect()]
    again.append("searches", [search(ONE, "later", STAYS, "salt")])
    assert (
        2
        == Warehouse(warehouse.root, warehouse.spark)
        .table("searches")
        .where(f"day = DATE'{ONE}' AND retailer_id = 'r-1'")
        .count()
    )
    assert Visit(0, 0, 0) == await part.erase([erased])


async def test_days_are_forgotten(warehouse: Warehouse) -> None:
    """Those before the first that stays, of one retailer, and their files; what is no day's stays."""
    part = WarehouseData(warehouse.root, expected=True)
    assert 1 == await part.expire("r-1", int(datetime.combine(TWO, time(), UTC).timestamp() * 1_000))
    again = Warehouse(warehouse.root, warehouse.spark)
    rows = again.table("searches").select("retailer_id", "day").collect()
    assert [("r-1", TWO)] * 2 + [("r-2", ONE)] * 2 + [("r-2", TWO)] * 2 == sorted((row[0], row[1]) for row in rows)
    assert f"{ONE}-9a" not in in_files(warehouse, "r-1")
    assert 4 == again.table("predictions").count()
