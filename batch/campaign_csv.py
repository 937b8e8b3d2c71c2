"""Campaigns as CSV files with columns that stay: for spreadsheets, and for systems that know nothing of the warehouse.

Shoppers' hashes and the ids of orders, by which a retailer knows a person, leave the warehouse only when asked for.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from batch.uplift.report import Cell
from domain.campaigns import PPM, Budget, Campaign
from domain.timestamps import rfc3339

CAMPAIGNS: Final = (
    "campaign_id",
    "name",
    "kind",
    "state",
    "version",
    "starts_at",
    "ends_at",
    "priority",
    "holdout_share",
    "budget_minor",
    "budget_count",
    "exposures",
    "exposures_held_out",
    "shoppers",
    "shoppers_held_out",
    "reserved_minor",
    "reserved_count",
    "committed_minor",
    "committed_count",
)
"""Exposures and shoppers of treated and held out apart; reserved: promises still open."""
EXPOSURES: Final = (
    "campaign_id",
    "experience_id",
    "kind",
    "slot",
    "decided_at",
    "held_out",
    "reserved_minor",
    "reserved_count",
)
SETTLEMENTS: Final = (
    "campaign_id",
    "experience_id",
    "settled_at",
    "cause",
    "reserved_minor",
    "reserved_count",
    "committed_minor",
    "committed_count",
)
_MOMENT: Final = "yyyy-MM-dd'T'HH:mm:ss.SSSX"
_AMOUNTS: Final = ("reserved_minor", "reserved_count", "committed_minor", "committed_count")


def write_csv_files(
    folder: Path,
    campaigns: Sequence[Campaign],
    exposures: DataFrame,
    settlements: DataFrame,
    uplift: Sequence[Mapping[str, Cell]],
    with_shoppers: bool,
) -> dict[str, int]:
    """Writes campaigns.csv, exposures.csv, settlements.csv and uplift.csv, each whole or not at all.

    Args:
        folder: made if it is absent; files of these names in it are replaced.
        campaigns: of one retailer.
        exposures, settlements: of these campaigns, as in the warehouse; they are streamed.
        uplift: rows of one form.
        with_shoppers: whether shopper_id stands in a last column of exposures and settlements, and order_id before it.

    Returns:
        The rows of each file.

    Raises:
        OSError: a file can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    of_exposures = (*EXPOSURES, "shopper_id") if with_shoppers else EXPOSURES
    of_settlements = (*SETTLEMENTS, "order_id", "shopper_id") if with_shoppers else SETTLEMENTS
    names = list(uplift[0]) if uplift else ["campaign_id"]
    return {
        "campaigns": _write(folder / "campaigns.csv", CAMPAIGNS, _campaigns(campaigns, exposures, settlements)),
        "exposures": _write(folder / "exposures.csv", of_exposures, _streamed(exposures, of_exposures, "decided_at")),
        "settlements": _write(
            folder / "settlements.csv", of_settlements, _streamed(settlements, of_settlements, "settled_at")
        ),
        "uplift": _write(folder / "uplift.csv", names, ([row[name] for name in names] for row in uplift)),
    }


def _write(path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Writes a file beside its place and moves it there, and gives its rows."""
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(names)
            for row in rows:
                writer.writerow([str(cell).lower() if isinstance(cell, bool) else cell for cell in row])
                count += 1
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _streamed(rows: DataFrame, names: Sequence[str], moment: str) -> Iterable[Sequence[Any]]:
    """Gives rows one by one, by campaign and time; a moment as RFC 3339 in UTC."""
    told = rows.orderBy("campaign_id", moment, "experience_id", *(("cause",) if "cause" in names else ()))
    columns = [sf.date_format(name, _MOMENT).alias(name) if name == moment else sf.col(name) for name in names]
    return told.select(*columns).toLocalIterator()


def _campaigns(campaigns: Sequence[Campaign], exposures: DataFrame, settlements: DataFrame) -> Iterable[Sequence[Any]]:
    shown = {(row["campaign_id"], row["held_out"]): row for row in _exposed(exposures).collect()}
    settled = {row["campaign_id"]: row for row in _balance(settlements).collect()}
    for campaign in campaigns:
        definition, campaign_id = campaign.definition, campaign.campaign_id
        treated, kept = shown.get((campaign_id, False)), shown.get((campaign_id, True))
        change = settled.get(campaign_id)
        amounts = {
            name: (treated[name] if treated and name in treated else 0) + (change[name] if change else 0)
            for name in _AMOUNTS
        }
        budget = definition.budget or Budget()
        yield (
            campaign_id,
            definition.name,
            definition.kind,
            campaign.state,
            campaign.version,
            rfc3339(definition.starts_at_ms),
            rfc3339(definition.ends_at_ms),
            definition.priority,
            definition.holdout_ppm / PPM,
            budget.money_minor,
            budget.count,
            *(0 if one is None else one["exposures"] for one in (treated, kept)),
            *(0 if one is None else one["shoppers"] for one in (treated, kept)),
            *amounts.values(),
        )


def _exposed(exposures: DataFrame) -> DataFrame:
    return exposures.groupBy("campaign_id", "held_out").agg(
        sf.count(sf.lit(1)).alias("exposures"),
        sf.count_distinct("shopper_id").alias("shoppers"),
        *(sf.coalesce(sf.sum(name), sf.lit(0)).alias(name) for name in _AMOUNTS[:2]),
    )


def _balance(settlements: DataFrame) -> DataFrame:
    return settlements.groupBy("campaign_id").agg(*(sf.sum(name).alias(name) for name in _AMOUNTS))
