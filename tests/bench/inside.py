"""Runs one in-process benchmark in a process of its own and prints its figures as JSON."""

from __future__ import annotations

import argparse
import json

from tests.bench.actors import fold_and_decide, residents, residents_in


def main() -> None:
    """`python -m tests.bench.inside fold`, `... residents COUNT` or `... spread COUNT --partitions N`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("fold", "residents", "spread"))
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--partitions", type=int, default=1)
    options = parser.parse_args()
    match options.what:
        case "fold":
            figures = fold_and_decide()
        case "residents":
            figures = residents(options.count)
        case _:
            figures = {"bytes_each": residents_in(options.count, options.partitions)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
