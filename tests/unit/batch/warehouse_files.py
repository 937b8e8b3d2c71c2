"""A warehouse whose tables a test writes without Spark, and every byte and cell of its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

from batch.table_forms import FORMS

_PLAIN = {
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "binary": pa.binary(),
}
AT = datetime(2024, 1, 1, 12, tzinfo=UTC)
ONE, TWO = date(2024, 1, 1), date(2024, 1, 2)
RUN = "2024-01-03"


def arrow_schema(columns: str) -> pa.Schema:
    """Gives what Spark's DDL of a table says, as Arrow says it."""
    return pa.schema([(name, _kind(kind)) for name, kind in _fields(columns, " ")])


def write(root: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Appends rows to a table, made with its form's columns, partitions and statistics where it is absent."""
    form = FORMS[name]
    statistics = {"delta.dataSkippingStatsColumns": ",".join(form.counted)} if form.counted else {}
    write_deltalake(
        str(root / name),
        pa.Table.from_pylist(rows, schema=arrow_schema(form.columns)),
        mode="append",
        partition_by=list(form.partitioned_by),
        configuration={"delta.dataSkippingNumIndexedCols": "0"} | statistics,
    )


def fill(root: Path, retailer_id: str, shopper: str, word: str) -> None:
    """Puts something of a shopper into tables by day and by run."""
    for day in (ONE, TWO):
        event_id = f"{retailer_id}-{day}-{shopper[:8]}-{word}"
        common = {"retailer_id": retailer_id, "day": day, "event_id": event_id, "shopper_id": shopper}
        write(root, "searches", [common | {"at": AT, "query": word}])
        line = {"product_id": word, "category_id": None, "brand": None, "quantity": 1, "price_minor": 1}
        lines = [line | {"regular_price_minor": None}]
        write(root, "events", [common | {"type": "OrderPaid", "occurred_at": AT, "lines": lines}])
    common = {"retailer_id": retailer_id, "run_id": RUN, "shopper_id": shopper}
    write(root, "predictions", [common | {"total_minor": 5, "products": []}])
    write(root, "grown_trees", [common | {"tree": shopper.encode(), "nodes": 1, "bytes": 1}])


def models(root: Path, retailer_id: str) -> None:
    """Puts a model there, learned from everybody."""
    row = {"retailer_id": retailer_id, "run_id": RUN, "name": "baskets", "created_at": AT, "card": "{}"}
    write(root, "models", [row | {"blob": b"learned"}])


def places_of(root: Path, word: str) -> set[str]:
    """Gives the files that hold a word: in their bytes, or in a cell, which compressed pages hide from a search."""
    found = set()
    for path in root.rglob("*"):
        if path.is_file() and (word.encode() in path.read_bytes() or word in _cells(path)):
            found.add(path.relative_to(root).as_posix())
    return found


def _cells(path: Path) -> str:
    if path.suffix != ".parquet":
        return ""
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    return "\n".join(str(cell) for name in names for cell in file.read(columns=[name]).column(name).to_pylist())


def _kind(kind: str) -> pa.DataType:
    if kind.startswith("array<"):
        return pa.list_(_kind(kind[len("array<") : -1]))
    if kind.startswith("struct<"):
        return pa.struct([(name, _kind(part)) for name, part in _fields(kind[len("struct<") : -1], ":")])
    return _PLAIN[kind]


def _fields(text: str, between: str) -> Iterator[tuple[str, str]]:
    """Gives names and types of a list of columns, whose commas may stand in a type too."""
    depth, parts = 0, [""]
    for sign in re.sub(r"\s+", " ", text.strip()):
        depth += (sign == "<") - (sign == ">")
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    for part in parts:
        name, _, kind = part.strip().partition(between)
        yield name.strip(), kind.strip()
