"""A made-up shop of four days whose events are cooled, two days first, then what came late; and what tables hold."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
from pyspark.sql import functions as sf

from batch.table_forms import BUSINESS
from batch.warehouse import Warehouse
from domain.records import Decided, Record
from tests.integration.batch.shop_events import DAY_S, added, became, paid, viewed
from tests.story import NOON_MS, TreeStory, record

START_S = -1_000 * DAY_S
"""From noon of the story to that of these days: long past, so that their days are closed by any clock."""
FIRST_DAY = date(1970, 1, 1) + timedelta(days=NOON_MS // 86_400_000 - 1_000)
OTHER = "0b" * 32
EVERYTHING = ("events", "decisions", "failed_events", *BUSINESS)
TREE = {
    "start": {"edges": [{"to": "sauce", "when": {"kind": "product", "action": "added", "product_ids": ["tea"]}}]},
    "sauce": {"experiences": [{"slot": "main", "kind": "recommendation", "content": {"products": ["milk"]}}]},
}


class Told(NamedTuple):
    """What the log holds of some days."""

    records: list[Record]
    decided: list[Decided]


def first_days() -> Told:
    """Two shoppers on two days; one event sent twice, one whose time nobody can mean."""
    story = TreeStory(TREE)
    story.add("tea", START_S + 10, number=3)
    assert story.decided is not None
    shown = story.shown()["main"].experience_id
    unreadable = msgspec.structs.replace(viewed(50, START_S + 60), event_time_ms=10**17)
    records = [
        viewed(1, START_S, "tea"),
        record("ProductsSearched", START_S + 5, 2, query="green tea"),
        added(3, START_S + 10, "tea"),
        record("ExperienceShown", START_S + 11, 4, experience_id=shown),
        paid(5, START_S + 20, "o-1", [("tea", 2, 250), ("milk", 1, 120)], total_minor=600),
        unreadable,
        added(6, START_S + DAY_S, "salt", shopper_id=OTHER),
        paid(7, START_S + DAY_S + 20, "o-2", [("salt", 1, 90)], shopper_id=OTHER),
        # The tracker heard no answer, and sent it again after midnight.
        viewed(1, START_S, "tea", received_s=START_S + DAY_S),
    ]
    return Told(records, [story.decided])


def later_days() -> list[Record]:
    """What the third and fourth day bring: something of the first, an order told again, what became of it."""
    return [
        # From a phone that was offline: between the two events that made up one session.
        viewed(8, START_S + 7, "milk", received_s=START_S + 2 * DAY_S),
        paid(9, START_S + 2 * DAY_S, "o-1", [("tea", 2, 250), ("milk", 1, 120)], total_minor=620),
        became(10, START_S + 2 * DAY_S + 60, "o-1", "delivered"),
        became(11, START_S + 3 * DAY_S, "o-1", "partially_returned", ("tea", 1)),
        paid(12, START_S + 3 * DAY_S, "o-3", [("salt", 2, 90)], shopper_id=OTHER),
    ]


def contents(warehouse: Warehouse, names: Iterable[str] = EVERYTHING) -> dict[str, list[str]]:
    """The rows of each table, as sorted JSON."""
    found: dict[str, list[str]] = {name: [] for name in names}
    frames = [
        warehouse.table(name).select(sf.lit(name).alias("name"), sf.to_json(sf.struct("*")).alias("row"))
        for name in found
    ]
    together = frames[0]
    for frame in frames[1:]:
        together = together.union(frame)
    for name, row in together.collect():
        found[name].append(row)
    return {name: sorted(rows) for name, rows in found.items()}


def versions(root: Path) -> dict[str, int]:
    """How many commits each table of a warehouse in a folder has."""
    return {
        table.name: len(list((table / "_delta_log").glob("*.json")))
        for table in sorted(root.iterdir())
        if (table / "_delta_log").is_dir()
    }
