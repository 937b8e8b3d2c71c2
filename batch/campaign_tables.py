"""What campaigns did to shoppers: `decisions` become `campaign_exposures` and `campaign_settlements`. Pure.

Beside a campaign's ledger, which knows its balance alone, these say who was concerned and when.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as sf


def campaign_exposures(decisions: DataFrame) -> DataFrame:
    """Gives one row each time a campaign won a slot for a shopper, shown or held out.

    An open basket tension that is told again is no new exposure.

    Args:
        decisions: as in the warehouse.

    Returns:
        `campaign_exposures`; what is reserved is None where nothing is promised, as for whoever is held out.
    """
    decided = decisions.where(sf.col("action").isin("emitted", "held_out") & sf.col("campaign_id").isNotNull())
    return decided.where(~sf.coalesce("again", sf.lit(False))).select(
        "retailer_id",
        "day",
        "campaign_id",
        "experience_id",
        "shopper_id",
        "kind",
        "slot",
        "products",
        "decided_at",
        "received_at",
        (sf.col("action") == "held_out").alias("held_out"),
        "reserved_minor",
        "reserved_count",
    )


def campaign_settlements(decisions: DataFrame) -> DataFrame:
    """Gives one row each time a promise was redeemed, given back or over, on the day on which that was received.

    Args:
        decisions: as in the warehouse.

    Returns:
        `campaign_settlements`: changes of the campaign's balance. Over a campaign, what exposures reserved and these
        changes sum to what is still reserved. `experience_id` is that of the experience that told the promise last.
    """
    return decisions.where(sf.col("action") == "settled").select(
        "retailer_id",
        "day",
        "campaign_id",
        "experience_id",
        "shopper_id",
        sf.col("trigger_event_id").alias("event_id"),
        sf.col("received_at").alias("settled_at"),
        "cause",
        "order_id",
        "reserved_minor",
        "reserved_count",
        "committed_minor",
        "committed_count",
    )
