"""What each campaign changed: from the warehouse to its table `uplift`, to people and to files.

Spark adds up what each shopper did; the driver holds four numbers a shopper of one campaign at a time, of at most about
`SHOPPERS_MAX`: of a larger campaign a sample by hash, which keeps the groups' shares and is the same every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import Struct
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from batch.campaign_csv import write_csv_files
from batch.jobs import Job
from batch.learning import of_retailer
from batch.uplift.report import Cell, Shoppers, Uplift, measure
from batch.uplift_shoppers import BEFORE_DAYS, entered, measured, promoted, purchases
from domain.campaigns import PPM, Campaign
from domain.timestamps import from_unix_ms, rfc3339, unix_ms

WINDOW_DAYS: Final = 7
SHOPPERS_MAX: Final = 1_000_000
"""Of one campaign on the driver: about a tenth of a gigabyte while it is measured."""
_PARTS: Final = 1_000_000
_DAY: Final = timedelta(days=1)


class Asked(NamedTuple):
    """What is to be measured.

    Attributes:
        campaigns: of the job's retailer.
        window_days: after entering, in which spend and purchases count.
        capped_share: see `batch.uplift.effects.spend_effect`.
        csv: folder for the campaigns' tables as files; None = none are written.
        with_shoppers: whether shoppers' hashes and order ids stand in them.
    """

    campaigns: Sequence[Campaign]
    window_days: int = WINDOW_DAYS
    capped_share: float | None = None
    csv: Path | None = None
    with_shoppers: bool = False


class Told(NamedTuple):
    """What is known of one campaign.

    Attributes:
        campaign: as it is defined now.
        known_until_ms: up to when anything is known.
        entered: shoppers for whom it won a slot by then, shown or held out.
        waiting: of them, whose window was not over; they are left out.
        sample_share: of the others, who were measured, 0..1.
        uplift: of those.
    """

    campaign: Campaign
    known_until_ms: int
    entered: int
    waiting: int
    sample_share: float
    uplift: Uplift

    def as_row(self) -> dict[str, Cell]:
        """Gives one flat row, always of the same columns."""
        return {
            "campaign_id": self.campaign.campaign_id,
            "name": self.campaign.definition.name,
            "known_until": rfc3339(self.known_until_ms),
            "entered": self.entered,
            "waiting": self.waiting,
            "sample_share": self.sample_share,
            **self.uplift.as_row(),
        }

    def sentences(self) -> list[str]:
        """Gives what a marketing team should read."""
        days = self.uplift.window_days
        said = [f"{self.campaign.definition.name} ({self.campaign.campaign_id}): {self.entered:,} shoppers entered."]
        if self.waiting:
            over = "day is" if days == 1 else f"{days} days are"
            said.append(f"{self.waiting:,} of them are left out, because their {over} not over yet.")
        if self.sample_share < 1:
            said.append(f"A sample of {self.sample_share * 100:.1f} % of the others was measured.")
        definition = self.campaign.definition
        if not (definition.products or definition.category_ids):
            meant = "any product" if definition.kind == "basket_tension" else "those of the shopper's first experience"
            said.append(f"The campaign names no products: {meant} count as promoted.")
        return said + self.uplift.sentences()


class Measured(Struct, frozen=True, kw_only=True):
    """What was done.

    Attributes:
        campaigns: that were measured.
        entered: shoppers, counted once a campaign.
        waiting: of them, whose window was not over.
        files: rows of each file that was written.
    """

    campaigns: int
    entered: int
    waiting: int
    files: dict[str, int]


def uplift(job: Job, asked: Asked, tell: Callable[[Told], None]) -> Measured:
    """Measures campaigns as of the job's day; doing it again replaces the rows of that day.

    Args:
        job: its run is named after the day that it knows.
        asked: what.
        tell: is told of each campaign, in the order asked.

    Raises:
        PortError: the warehouse can't be written.
        OSError: the files can't.
    """
    steps = len(asked.campaigns) + 2
    job.report("uplift", 0, steps)
    told: list[Told] = []
    if asked.campaigns:
        exposures = _of(job, "campaign_exposures", asked.campaigns)
        shoppers = entered(exposures).persist(StorageLevel.DISK_ONLY)
        try:
            for number, one in enumerate(_measured(job, asked, shoppers), start=1):
                told.append(one)
                job.report("uplift", number, steps)
        finally:
            shoppers.unpersist()
        _keep(job, told)
    job.report("uplift", steps - 1, steps)
    files: dict[str, int] = {}
    if asked.csv is not None:
        exposures, settlements = (
            _of(job, name, asked.campaigns) for name in ("campaign_exposures", "campaign_settlements")
        )
        rows = [one.as_row() for one in told]
        files = write_csv_files(asked.csv, asked.campaigns, exposures, settlements, rows, asked.with_shoppers)
    for one in told:
        tell(one)
    job.report("uplift", steps, steps)
    return Measured(
        campaigns=len(told),
        entered=sum(one.entered for one in told),
        waiting=sum(one.waiting for one in told),
        files=files,
    )


def known_until_ms(job: Job) -> int:
    """Gives up to when the warehouse knows what happened: the end of the job's day, or when it was last cooled."""
    ends_ms = unix_ms(datetime.combine(job.as_of + _DAY, time(), UTC))
    books = job.warehouse.table("cooled_days").where(sf.col("retailer_id") == job.retailer_id)
    last = books.agg(sf.max(sf.unix_millis("at")).alias("at")).first()
    return ends_ms if last is None or last["at"] is None else min(ends_ms, last["at"])


def _of(job: Job, table: str, campaigns: Sequence[Campaign]) -> DataFrame:
    return of_retailer(job, table).where(sf.col("campaign_id").isin([one.campaign_id for one in campaigns]))


def _measured(job: Job, asked: Asked, shoppers: DataFrame) -> list[Told]:
    known_ms = known_until_ms(job)
    everybody = _counts(shoppers)
    over_ms = known_ms - asked.window_days * 86_400_000
    over = shoppers.where(sf.col("entered_at") <= sf.timestamp_millis(sf.lit(over_ms)))
    rows: DataFrame | None = None
    if everybody:
        of = promoted(job.spark, asked.campaigns, job.catalogue)
        rows = measured(over, _bought(job, shoppers, asked.window_days), of, asked.window_days)
        rows = rows.persist(StorageLevel.DISK_ONLY)
    try:
        counted = {} if rows is None else _counts(rows)
        return [_told(job, asked, campaign, rows, (known_ms, everybody, counted)) for campaign in asked.campaigns]
    finally:
        if rows is not None:
            rows.unpersist()


def _bought(job: Job, shoppers: DataFrame, window_days: int) -> DataFrame:
    """Gives the purchases of every shopper's days before and window, with a day more on either side for odd clocks."""
    first, last = sf.to_date(sf.min("entered_at")), sf.to_date(sf.max("entered_at"))
    span = shoppers.agg(first.alias("first"), last.alias("last")).first()
    assert span is not None, "an aggregate has one row"
    begins, ends = span["first"] - (BEFORE_DAYS + 1) * _DAY, span["last"] + (window_days + 1) * _DAY
    near = sf.col("day").between(sf.lit(begins), sf.lit(ends))
    orders, sold, events = (of_retailer(job, name).where(near) for name in ("orders", "sold_products", "events"))
    return purchases(orders, sold, events, job.retailer.currency)


def _told(
    job: Job,
    asked: Asked,
    campaign: Campaign,
    rows: DataFrame | None,
    known: tuple[int, Mapping[str, int], Mapping[str, int]],
) -> Told:
    known_ms, everybody, counted = known
    campaign_id = campaign.campaign_id
    count = counted.get(campaign_id, 0)
    kept = min(_PARTS, _PARTS * SHOPPERS_MAX // max(count, 1))
    shoppers = Shoppers([], [], [], [])
    if rows is not None and count:
        shoppers = _arrays(rows.where(sf.col("campaign_id") == campaign_id), kept)
    return Told(
        campaign=campaign,
        known_until_ms=known_ms,
        entered=everybody.get(campaign_id, 0),
        waiting=everybody.get(campaign_id, 0) - count,
        sample_share=kept / _PARTS,
        uplift=measure(
            campaign_id,
            shoppers,
            holdout_share=campaign.definition.holdout_ppm / PPM,
            currency=job.retailer.currency,
            window_days=asked.window_days,
            capped_share=asked.capped_share,
        ),
    )


def _arrays(rows: DataFrame, kept: int) -> Shoppers:
    """Gives a campaign's shoppers, or so many parts of a million of them, in an order that is the same every time."""
    if kept < _PARTS:
        rows = rows.where(sf.pmod(sf.xxhash64("campaign_id", "shopper_id"), sf.lit(_PARTS)) < kept)
    columns = ("held_out", "spend_minor", "spend_before_minor", "converted")
    # Any: a DataFrame of pandas, which has no types here.
    found: Any = rows.orderBy("shopper_id").select(*columns).toPandas()
    return Shoppers(
        treated=~found["held_out"].to_numpy(dtype=bool),
        spend_minor=found["spend_minor"].to_numpy(dtype=float),
        converted=found["converted"].to_numpy(dtype=bool),
        spend_before_minor=found["spend_before_minor"].to_numpy(dtype=float),
    )


def _counts(rows: DataFrame) -> dict[str, int]:
    return {row["campaign_id"]: row["count"] for row in rows.groupBy("campaign_id").count().collect()}


def _keep(job: Job, told: Sequence[Told]) -> None:
    """Puts these campaigns' rows in the place of those that the run has of them."""
    names = job.warehouse.schema("uplift").names
    rows = []
    for one in told:
        row = one.as_row()
        row |= {"retailer_id": job.retailer_id, "run_id": job.run_id}
        rows.append(tuple(from_unix_ms(one.known_until_ms) if name == "known_until" else row[name] for name in names))
    fresh = job.warehouse.rows("uplift", rows)
    of_run = (sf.col("retailer_id") == job.retailer_id) & (sf.col("run_id") == job.run_id)
    is_fresh = sf.col("campaign_id").isin([one.campaign.campaign_id for one in told])
    others = job.warehouse.table("uplift").where(of_run & ~is_fresh)
    job.warehouse.replace_run("uplift", others.unionByName(fresh), job.retailer_id, job.run_id)
