"""A process that puts trees into a generation: `python -m tests.unit.tree_putter DATA GENERATION FIRST COUNT BYTES`.

It says so before it begins, and prints what it put.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from adapters.settings import load_settings
from batch.push import Chunk, put_trees
from tests.story import RETAILER

CHUNK_TREES = 100


def shopper(number: int) -> str:
    """A shopper hash, spread over all buckets."""
    return f"{number * 7_919 % 4_096:03x}{number:061x}"


def tree(generation: int, number: int, size_bytes: int) -> bytes:
    """Bytes that tell whose they are."""
    return f"{generation}-{number}".encode().ljust(size_bytes, b".")


def main(data: str, *rest: str) -> None:
    """Puts its trees in chunks."""
    generation, first, count, size_bytes = map(int, rest)

    def chunks() -> Iterator[Chunk]:
        sys.stdout.write("begins\n")
        sys.stdout.flush()
        for start in range(first, first + count, CHUNK_TREES):
            numbers = range(start, min(start + CHUNK_TREES, first + count))
            yield [(shopper(number), tree(generation, number, size_bytes)) for number in numbers]

    put = put_trees(Path(data), load_settings(), RETAILER, generation, chunks(), check=False)
    sys.stdout.write(f"{put.trees} {put.bytes} {put.skipped}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
