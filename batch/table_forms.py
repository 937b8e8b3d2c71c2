"""What the warehouse's tables look like: columns, partitions, what the transaction log may know of a column.

A column that names a shopper, an event or what somebody typed never has statistics: they would stand in the
transaction log after the shopper is erased.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

SCHEMA_VERSION: Final = 1
"""Of a table that names no other. One of an older version gets the columns that it lacks; of a newer, it is refused."""

_DAYS = ("retailer_id", "day")
_LINE = "struct<product_id: string, category_id: string, brand: string, quantity: int, price_minor: bigint,"
_LINES = f"array<{_LINE} regular_price_minor: bigint>>"


class Form(Struct, frozen=True, kw_only=True):
    """One table.

    Attributes:
        columns: Spark's DDL, in order; all may be null.
        partitioned_by: columns.
        counted: columns whose least and greatest values the transaction log may keep.
        version: kept in the table's properties.
    """

    columns: str
    partitioned_by: tuple[str, ...] = _DAYS
    counted: tuple[str, ...] = ()
    version: int = SCHEMA_VERSION


EVENTS: Final = f"""
    retailer_id string, day date, event_id string, type string, shopper_id string,
    occurred_at timestamp, received_at timestamp, event_time timestamp,
    schema_version int, verified boolean, consent string, session_id string,
    page_kind string, category_id string, product_id string, brand string, path string,
    target string, label string, query string, result_count bigint,
    price_minor bigint, regular_price_minor bigint, currency string, quantity int,
    order_id string, total_minor bigint, status string, lines {_LINES},
    experience_id string, after_event_id string, node_id string,
    log_epoch int, log_partition int, log_offset bigint
"""
DECISIONS: Final = """
    retailer_id string, day date, action string, experience_id string, shopper_id string, trigger_event_id string,
    kind string, slot string, decided_at timestamp, expires_at timestamp, received_at timestamp,
    generation bigint, node_id string, campaign_id string, products array<string>, content string,
    again boolean, reserved_minor bigint, reserved_count int, committed_minor bigint, committed_count int,
    cause string, order_id string, log_epoch int, log_partition int, log_offset bigint
"""
FAILED_EVENTS: Final = """
    retailer_id string, day date, event_id string, reason string,
    log_epoch int, log_partition int, log_offset bigint
"""
_TIMES = ("occurred_at", "received_at", "event_time")

BASE: Final[Mapping[str, Form]] = {
    "events": Form(columns=EVENTS, counted=("type", *_TIMES, "log_epoch", "log_partition", "log_offset")),
    "decisions": Form(columns=DECISIONS, counted=("action", "kind", "decided_at", "received_at"), version=2),
    "failed_events": Form(columns=FAILED_EVENTS, counted=("log_epoch", "log_partition", "log_offset")),
    "cooled_days": Form(
        columns="retailer_id string, received_day date, closed boolean, rows_in bigint, rows_out bigint,"
        " rows_repeated bigint, rows_failed bigint, run string, at timestamp",
        partitioned_by=(),
        counted=("received_day", "at"),
    ),
    "stale_days": Form(columns="retailer_id string, day date, what string", partitioned_by=(), counted=("day",)),
}
"""What years are kept of, and the books that cooling keeps about itself."""

BUSINESS: Final[Mapping[str, Form]] = {
    "sold_products": Form(
        columns="retailer_id string, day date, order_id string, shopper_id string, event_id string, line int,"
        " product_id string, category_id string, brand string, quantity int, price_minor bigint,"
        " regular_price_minor bigint, discount_minor bigint, amount_minor bigint, currency string,"
        " paid_at timestamp, verified boolean",
        counted=("product_id", "category_id", "quantity", "price_minor", "amount_minor", "paid_at"),
    ),
    "orders": Form(
        columns="retailer_id string, day date, order_id string, shopper_id string, event_id string,"
        " paid_at timestamp, total_minor bigint, currency string, lines int, quantity bigint, status string,"
        " status_at timestamp, returned_lines array<struct<product_id: string, quantity: int>>, verified boolean",
        counted=("paid_at", "total_minor", "status", "status_at"),
    ),
    "basket_changes": Form(
        columns="retailer_id string, day date, event_id string, shopper_id string, session_id string, at timestamp,"
        " action string, product_id string, category_id string, brand string, quantity int, price_minor bigint,"
        " regular_price_minor bigint, currency string",
        counted=("at", "action", "product_id", "category_id"),
    ),
    "searches": Form(
        columns="retailer_id string, day date, event_id string, shopper_id string, session_id string, at timestamp,"
        " query string, result_count bigint",
        counted=("at", "result_count"),
    ),
    "product_views": Form(
        columns="retailer_id string, day date, event_id string, shopper_id string, session_id string, at timestamp,"
        " product_id string, category_id string, brand string, regular_price_minor bigint",
        counted=("at", "product_id", "category_id"),
    ),
    "sessions": Form(
        columns="retailer_id string, day date, shopper_id string, started_at timestamp, ended_at timestamp,"
        " events bigint, page_views bigint, searches bigint, added bigint, removed bigint, orders bigint,"
        " paid_minor bigint",
        counted=("started_at", "ended_at", "events"),
    ),
    "experiences": Form(
        columns="retailer_id string, day date, experience_id string, shopper_id string, trigger_event_id string,"
        " kind string, slot string, generation bigint, node_id string, campaign_id string, products array<string>,"
        " content string, decided_at timestamp, expires_at timestamp, shown_at timestamp, clicked_at timestamp,"
        " dismissed_at timestamp, withdrawn_at timestamp, order_id string, ordered_at timestamp,"
        " bought_products array<string>, bought_quantity bigint, bought_minor bigint, held_out boolean,"
        " replaced_at timestamp, fate string",
        counted=("kind", "decided_at", "shown_at", "clicked_at", "ordered_at"),
        version=2,
    ),
    "campaign_exposures": Form(
        columns="retailer_id string, day date, campaign_id string, experience_id string, shopper_id string,"
        " kind string, slot string, products array<string>, decided_at timestamp, received_at timestamp,"
        " held_out boolean, reserved_minor bigint, reserved_count int",
        counted=("campaign_id", "decided_at"),
    ),
    "campaign_settlements": Form(
        columns="retailer_id string, day date, campaign_id string, experience_id string, shopper_id string,"
        " event_id string, settled_at timestamp, cause string, order_id string, reserved_minor bigint,"
        " reserved_count int, committed_minor bigint, committed_count int",
        counted=("campaign_id", "settled_at", "cause"),
    ),
}
"""What the other jobs read; each can be made again from events and decisions."""

LEARNED: Final[Mapping[str, Form]] = {
    "models": Form(
        columns="retailer_id string, run_id string, name string, created_at timestamp, card string, blob binary",
        partitioned_by=("retailer_id", "run_id"),
        counted=("name", "created_at"),
    ),
    "rules": Form(
        columns="retailer_id string, run_id string, kind string, name string, elasticity double,"
        " elasticity_error double, raw double, raw_error double, weight double, lift double, rests_on string,"
        " why string, capped boolean, margin_share double, margin_source string, generosity_percent int",
        partitioned_by=("retailer_id", "run_id"),
        counted=("kind", "name"),
    ),
    "predictions": Form(
        columns="retailer_id string, run_id string, shopper_id string, products array<struct<product_id: string,"
        " category_id: string, score: double>>, total_minor bigint",
        partitioned_by=("retailer_id", "run_id"),
    ),
    "grown_trees": Form(
        columns="retailer_id string, run_id string, shopper_id string, tree binary, nodes int, bytes int",
        partitioned_by=("retailer_id", "run_id"),
        counted=("nodes", "bytes"),
    ),
    "runs": Form(
        columns="retailer_id string, run_id string, step string, state string, ended_at timestamp, said string",
        partitioned_by=("retailer_id",),
        counted=("step", "state", "ended_at"),
    ),
}
"""What the jobs after cooling leave for each other."""


def _effect(prefix: str, unit: str) -> str:
    """Gives the columns of one effect, as `batch.uplift.report` names them."""
    parts = ("treated_mean", "held_out_mean", "effect", "low", "high", "standard_error")
    numbers = [*(f"{part}{unit}" for part in parts), "relative", "relative_low", "relative_high"]
    columns = (f"{prefix}_method string", *(f"{prefix}_{one} double" for one in numbers), f"{prefix}_note string")
    return ", ".join(columns)


MEASURED: Final[Mapping[str, Form]] = {
    "uplift": Form(
        columns="retailer_id string, run_id string, campaign_id string, name string, known_until timestamp,"
        " entered bigint, waiting bigint, sample_share double, currency string, window_days int, treated bigint,"
        " held_out bigint, holdout_planned double, holdout_seen double, sample_ratio_p double,"
        f" sample_ratio_holds boolean, {_effect('spend_plain', '_minor')}, spend_capped_at_minor double,"
        f" {_effect('spend', '_minor')}, spend_variance_reduction double, spend_smallest_effect_minor double,"
        f" spend_shoppers_needed bigint, {_effect('conversion', '')}, conversion_smallest_effect double,"
        " conversion_shoppers_needed bigint, sought double, warnings string",
        partitioned_by=("retailer_id", "run_id"),
        counted=("campaign_id", "known_until"),
    ),
}
"""What campaigns brought."""

FORMS: Final[Mapping[str, Form]] = {**BASE, **BUSINESS, **LEARNED, **MEASURED}

SHOPPER: Final = "shopper_id"
BY_SHOPPER: Final = tuple(name for name, form in FORMS.items() if f"{SHOPPER} string" in form.columns)
"""Tables whose rows say whose they are."""
BY_DAY: Final = tuple(name for name, form in FORMS.items() if "day" in form.partitioned_by)
MODELS: Final = "models"
"""Learned from everybody's history: after an erasure none of the retailer's is kept, and the next night trains anew."""
RUNS: Final = "runs"
"""The book of the nights' steps."""
STAGING: Final = "_staging"
"""A folder beside the tables where cooling puts what it reads, for as long as it works."""
RESTORING: Final = "_restoring"
"""A folder beside the tables where they are put from a backup, until whoever was erased since is gone from them."""
