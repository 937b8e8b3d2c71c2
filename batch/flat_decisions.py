"""Decisions as flat rows: what a worker emitted and withdrew, one row each; what the warehouse's `decisions` keep."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from batch.flat import DAY_MS
from domain.experiences import Experience, Withdrawal
from domain.records import Decided

COLUMNS: Final = (
    "retailer_id",
    "day",
    "action",
    "experience_id",
    "shopper_id",
    "trigger_event_id",
    "kind",
    "slot",
    "decided_at",
    "expires_at",
    "received_at",
    "generation",
    "node_id",
    "campaign_id",
    "products",
    "content",
    "log_epoch",
    "log_partition",
    "log_offset",
)
"""The columns of a row, in order. Days are counted from 1970-01-01, times are Unix microseconds, both UTC."""
_encoder = msgspec.json.Encoder(order="deterministic")


def flat_decisions(decided: Decided, partition: int) -> list[tuple[Any, ...]]:
    """Gives a row for each experience that an event emitted or withdrew; an event that only moved gives none.

    An emitted experience belongs to the day on which it was decided, in the shopper's time; a withdrawal, which has no
    time of its own, to the day on which its event was received.
    """
    rows = [_emitted(decided, one.experience, partition) for one in decided.decisions]
    return rows + [_withdrawn(decided, one, partition) for one in decided.withdrawals]


def products_of(content: dict[str, Any]) -> list[str]:
    """Gives the ids of the products that an experience is about, in its order; a basket tension is about none."""
    found = []
    for product in content.get("products") or ():
        product_id = product.get("product_id") if isinstance(product, dict) else product
        if isinstance(product_id, str):
            found.append(product_id)
    return found


def _withdrawn(decided: Decided, withdrawal: Withdrawal, partition: int) -> tuple[Any, ...]:
    return (
        decided.retailer_id,
        decided.received_at_ms // DAY_MS,
        "withdrawn",
        withdrawal.experience_id,
        decided.shopper,
        str(decided.trigger_event_id),
        None,
        withdrawal.slot,
        None,
        None,
        decided.received_at_ms * 1_000,
        decided.generation,
        decided.node_id,
        None,
        None,
        None,
        decided.position.epoch,
        partition,
        decided.position.offset,
    )


def _emitted(decided: Decided, experience: Experience, partition: int) -> tuple[Any, ...]:
    return (
        decided.retailer_id,
        experience.decided_at_ms // DAY_MS,
        "emitted",
        experience.experience_id,
        decided.shopper,
        str(decided.trigger_event_id),
        experience.kind,
        experience.slot,
        experience.decided_at_ms * 1_000,
        experience.expires_at_ms * 1_000,
        decided.received_at_ms * 1_000,
        experience.tree_generation,
        experience.node_id,
        experience.campaign_id,
        products_of(experience.content),
        _encoder.encode(experience.content).decode(),
        decided.position.epoch,
        partition,
        decided.position.offset,
    )
