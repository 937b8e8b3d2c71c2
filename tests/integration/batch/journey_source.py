"""The real baskets as records in an event log, as a replay of them leaves there: all received at one time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec
from pyarrow import parquet

from deploy import complete_journey
from deploy.complete_journey import Basket, Sold
from deploy.convert import PRODUCT_COLUMNS
from domain.records import SCHEMA_VERSION, Record
from domain.timestamps import unix_ms

RETAILER = "r-journey"
RECEIVED_MS = 1_500_000_000_000
"""In 2017, after all of the baskets and before any clock that runs a test."""


class Journey(NamedTuple):
    """Baskets in the order of time, and products by id."""

    baskets: list[Basket]
    products: dict[int, Sold]


@cache
def journey(real_data: Path, days: int) -> Journey:
    """Gives the real baskets of the first days."""
    table = parquet.read_table(
        real_data / "baskets_day1_79.parquet", columns=["day", "household_id", "basket_id", "product_id"]
    )
    rows = list(zip(*(table.column(name).to_pylist() for name in table.column_names), strict=True))
    rows = [row for row in rows if row[0] <= days]
    known = parquet.read_table(real_data / "products.parquet", columns=list(PRODUCT_COLUMNS)).to_pylist()
    return Journey(complete_journey.baskets(rows), {row["product_id"]: complete_journey.sold(row) for row in known})


def records(source: Journey) -> Iterator[Record]:
    """Gives the records that the gateway would have stored; shopper hashes are those of `shopper`."""
    for event in complete_journey.events(source.baskets, source.products):
        at_ms = unix_ms(event.occurred_at)
        yield Record(
            schema_version=SCHEMA_VERSION,
            retailer_id=RETAILER,
            received_at_ms=RECEIVED_MS,
            event_time_ms=at_ms,
            event=msgspec.structs.replace(event, shopper_id=shopper(event.shopper_id)),
        )


@cache
def shopper(shopper_id: str) -> str:
    """Gives a household's name in the log."""
    return sha256(shopper_id.encode()).hexdigest()
