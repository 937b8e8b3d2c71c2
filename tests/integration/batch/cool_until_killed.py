"""A process that cools and says how far it is, one step a line, for a test to kill it between two writes."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from batch.cool import cool
from batch.spark import session
from batch.store_source import StoreOptions
from batch.warehouse import Warehouse
from tests.integration.batch.conftest import JAVA_OPTIONS, SETTINGS


def main(data: str, root: str, retailer_id: str, from_day: str, to_day: str, now_ms: str) -> None:
    """Cools these days of one retailer."""
    spark = session(master="local[2]", java_options=JAVA_OPTIONS, settings=SETTINGS)
    cool(
        spark,
        StoreOptions(data=Path(data)),
        Warehouse(root, spark),
        [retailer_id],
        date.fromisoformat(from_day),
        date.fromisoformat(to_day),
        now_ms=int(now_ms),
        report=lambda step, _done, _of: print(step, flush=True),
    )
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
