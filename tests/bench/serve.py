"""Serves the yardstick, or the gateway without a worker, with the settings that `hotbasket run` gives its server."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """`python -m tests.bench.serve noop|gateway PORT DATA`."""
    kind, port, data = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    print(kind, port, data)


if __name__ == "__main__":
    main()
