"""Records of a made-up shop, told in few words, and the DataFrames that the warehouse would have of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from batch.arrow_rows import batch
from batch.flat import Unusable, flat
from batch.flat_decisions import flat_decisions
from batch.table_forms import DECISIONS, EVENTS
from domain.ids import Position
from domain.records import Decided, Record
from tests.story import record

DAY_S = 86_400.0
KNOWN = {"tea": {"category_id": "drinks", "brand": "Leaf", "price_minor": 300, "currency": "EUR"}}


def paid(number: int, at_s: float, order_id: str, lines: Sequence[tuple[str, int, int]], **fields: Any) -> Record:
    """A paid order; a line is (product, quantity, unit price); the total is their sum unless it is told."""
    total = fields.pop("total_minor", sum(quantity * price for _, quantity, price in lines))
    return record(
        "OrderPaid",
        at_s,
        number,
        order_id=order_id,
        lines=[{"product_id": p, "quantity": quantity, "price_minor": price} for p, quantity, price in lines],
        total_minor=total,
        **{"currency": "EUR", "known": KNOWN, **fields},
    )


def became(number: int, at_s: float, order_id: str, status: str, *returned: tuple[str, int], **fields: Any) -> Record:
    """An order's new status, with what was returned."""
    lines = [{"product_id": product, "quantity": quantity} for product, quantity in returned]
    return record("OrderStatusChanged", at_s, number, order_id=order_id, status=status, lines=lines, **fields)


def added(number: int, at_s: float, product: str, **fields: Any) -> Record:
    """A product put in the basket."""
    return record("AddedToBasket", at_s, number, product={"product_id": product}, **{"known": KNOWN, **fields})


def viewed(number: int, at_s: float, product: str | None = None, **fields: Any) -> Record:
    """A page viewed: a product's, or the first one."""
    page = {"kind": "product", "product_id": product} if product else {"kind": "home"}
    return record("PageViewed", at_s, number, page=page, **{"known": KNOWN, **fields})


def events_of(spark: SparkSession, records: Iterable[Record]) -> DataFrame:
    """The records as the warehouse's events."""
    rows = [flat(one, 0, Position(1, offset)) for offset, one in enumerate(records)]
    return _frame(spark, [row for row in rows if not isinstance(row, Unusable)], EVENTS)


def decisions_of(spark: SparkSession, decided: Iterable[Decided]) -> DataFrame:
    """The decisions as the warehouse's."""
    return _frame(spark, [row for one in decided for row in flat_decisions(one, 0)], DECISIONS)


def _frame(spark: SparkSession, rows: list[tuple[Any, ...]], ddl: str) -> DataFrame:
    schema = StructType.fromDDL(ddl)
    assert isinstance(schema, StructType)
    arrow = to_arrow_schema(schema, timezone="UTC")
    one = batch(rows, arrow) if rows else pa.RecordBatch.from_pylist([], schema=arrow)
    return spark.createDataFrame(pa.Table.from_batches([one]), schema)
