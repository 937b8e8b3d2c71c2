"""Flat rows as Arrow batches, which Spark takes without looking at each value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import pyarrow as pa

BATCH_ROWS: Final = 8_192
"""Rows of one batch: some megabytes, whatever the day."""


def batches(pages: Iterable[Sequence[tuple[Any, ...]]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Gives rows in batches of at least `BATCH_ROWS`, the last one apart, as pages of them arrive.

    Args:
        pages: rows with the schema's columns in order.
        schema: as Spark translates it to Arrow.
    """
    waiting: list[tuple[Any, ...]] = []
    for page in pages:
        waiting.extend(page)
        if len(waiting) >= BATCH_ROWS:
            yield batch(waiting, schema)
            waiting = []
    if waiting:
        yield batch(waiting, schema)


def batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    """Gives rows as one batch."""
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [_array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if not (pa.types.is_list(kind) and pa.types.is_struct(kind.value_type)):
        return pa.array(values, kind)
    # Column by column: as dictionaries, a line costs ten times as much.
    offsets: list[int | None] = []
    end = 0
    for lines in values:
        offsets.append(None if lines is None else end)
        end += len(lines or ())
    offsets.append(end)
    parts = list(zip(*chain.from_iterable(lines for lines in values if lines), strict=True))
    struct = kind.value_type
    fields = [struct.field(index) for index in range(struct.num_fields)]
    children = [pa.array(parts[index] if parts else [], field.type) for index, field in enumerate(fields)]
    items = pa.StructArray.from_arrays(children, fields=fields)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), items, type=kind)
