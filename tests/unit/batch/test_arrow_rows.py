"""Rows as Arrow batches: lines in their lists, empty ones and none apart, and memory that holds one batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from batch.arrow_rows import BATCH_ROWS, batch, batches

LINE = pa.struct([("product_id", pa.string()), ("quantity", pa.int32())])
SCHEMA = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", tz="UTC")), ("lines", pa.list_(LINE))])


def test_lists_of_lines_keep_their_rows() -> None:
    """No lines, an empty list and several lines come out as they went in."""
    made = batch([(1, 0, [("a", 1), ("b", 2)]), (2, 1, None), (3, 2, []), (4, None, [("c", None)])], SCHEMA)
    assert [
        [{"product_id": "a", "quantity": 1}, {"product_id": "b", "quantity": 2}],
        None,
        [],
        [{"product_id": "c", "quantity": None}],
    ] == made.column("lines").to_pylist()
    assert [1, 2, 3, 4] == made.column("id").to_pylist()
    made.validate(full=True)


def test_a_batch_without_any_line_is_one_too() -> None:
    """Where no row has lines, the column is there all the same."""
    assert [None, []] == batch([(1, 0, None), (2, 0, [])], SCHEMA).column("lines").to_pylist()


def test_pages_are_taken_as_batches_are() -> None:
    """No page is asked for before the batch in front of it was taken, and no row is lost."""
    asked: list[int] = []

    def pages() -> Iterator[list[tuple[Any, ...]]]:
        for number in range(5):
            asked.append(number)
            yield [(number, 0, None)] * (BATCH_ROWS // 2)

    made = batches(pages(), SCHEMA)
    assert BATCH_ROWS == next(made).num_rows
    assert [0, 1] == asked
    assert [BATCH_ROWS, BATCH_ROWS // 2] == [one.num_rows for one in made]
