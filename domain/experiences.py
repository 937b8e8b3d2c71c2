"""What a page shows: the four experience kinds, and how an experience leaves the page again."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from domain.traces import NO_TRACE

Kind = Literal["personalised_promotion", "gamified_promotion", "recommendation", "basket_tension"]


class Experience(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One experience in one slot of one shopper's page.

    Attributes:
        experience_id: made from retailer, shopper, trigger and slot.
        kind: one of four.
        slot: the place on the page; a later experience in it replaces the earlier one.
        decided_at_ms, expires_at_ms: Unix milliseconds of the shopper's time; rendered as RFC 3339 on the wire.
        trigger_event_id: the event that caused it.
        tree_generation, node_id: where it came from.
        content: by kind, as in the tree; a basket tension also has `missing_minor`.
        campaign_id: whose budget, if any.
        trace: of the event that caused it (`domain.traces`); empty where that has none.
    """

    experience_id: str
    kind: Kind
    slot: str
    decided_at_ms: int
    expires_at_ms: int
    trigger_event_id: UUID
    tree_generation: int
    node_id: str
    content: dict[str, Any]
    campaign_id: str | None = None
    trace: str = NO_TRACE


class Withdrawal(Struct, frozen=True, kw_only=True, gc=False):
    """An experience that must leave the page."""

    experience_id: str
    slot: str
