"""What learning, judging and growing read: a retailer's sales as of a day, and a sample of them."""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from batch.histories import histories
from batch.jobs import Job
from batch.samples import Items, Sample, items_of, sample

EVENT_DAYS = 56
"""Days before `as_of` whose sessions teach what comes next within a session."""
SESSION_SHOPPERS_MAX = 2_000
SESSION_EVENTS_MAX = 2_000
"""Of one shopper, the latest: nobody's fifty thousand events crowd out everybody else's."""


class Known(NamedTuple):
    """What is known as of a day.

    Attributes:
        sold: the retailer's `sold_products` up to that day.
        items: the products that models know.
        sample: a bounded number of shoppers, on the driver.
    """

    sold: DataFrame
    items: Items
    sample: Sample


def known_of(job: Job, items: Items | None = None) -> Known:
    """Reads it.

    Args:
        job: as of its day.
        items: of a model that was trained before; None = the most bought ones now.
    """
    sold, orders = of_retailer(job, "sold_products"), of_retailer(job, "orders")
    items = items or items_of(sold, job.as_of)
    return Known(sold, items, sample(histories(sold), orders, items, job.settings.batch_shoppers_max))


def of_retailer(job: Job, table: str) -> DataFrame:
    """Gives a table's rows of the job's retailer up to its day."""
    rows = job.warehouse.table(table)
    return rows.where((sf.col("retailer_id") == job.retailer_id) & (sf.col("day") <= sf.lit(job.as_of)))
