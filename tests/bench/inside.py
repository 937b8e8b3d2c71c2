"""Runs one in-process benchmark in a process of its own and prints its figures as JSON."""

from __future__ import annotations

import argparse
import json

from tests.bench.actors import fold_and_decide, residents


def main() -> None:
    """`python -m tests.bench.inside fold` or `... residents COUNT`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("fold", "residents"))
    parser.add_argument("count", type=int, nargs="?", default=1_000_000)
    options = parser.parse_args()
    print(json.dumps(fold_and_decide() if options.what == "fold" else residents(options.count)))


if __name__ == "__main__":
    main()
