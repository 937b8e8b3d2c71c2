"""What workers decide for a campaign, told in few words: shown, held out, promised, settled."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain.experiences import Experience, Withdrawal
from domain.ids import Position
from domain.records import SCHEMA_VERSION, Decided, Decision, Reserved, Settlement
from tests.story import NOON_MS, RETAILER, SHOPPER

CAMPAIGN = "spring"


def decision(
    number: int,
    at_s: float,
    *,
    slot: str = "main",
    campaign_id: str | None = CAMPAIGN,
    products: tuple[str, ...] = ("pasta",),
    ttl_s: int = 600,
    again: bool = False,
) -> Decision:
    """A promotion, `e-NUMBER`."""
    at_ms = NOON_MS + int(at_s * 1_000)
    return Decision(
        experience=Experience(
            experience_id=f"e-{number}",
            kind="personalised_promotion",
            slot=slot,
            decided_at_ms=at_ms,
            expires_at_ms=at_ms + ttl_s * 1_000,
            trigger_event_id=UUID(int=number),
            tree_generation=1,
            node_id="offer",
            content={"products": list(products)},
            campaign_id=campaign_id,
        ),
        path=("offer",) if again else ("start", "offer"),
        why=(),
    )


def decided(number: int, at_s: float, *shown: Decision, shopper: str = SHOPPER, **fields: Any) -> Decided:
    """What one event did."""
    return Decided(
        schema_version=SCHEMA_VERSION,
        token=0,
        position=Position(1, number),
        trigger_event_id=UUID(int=number),
        retailer_id=RETAILER,
        shopper=shopper,
        received_at_ms=NOON_MS + int(at_s * 1_000),
        generation=1,
        node_id="offer",
        walked_from="start",
        decisions=shown,
        **fields,
    )


def promised(number: int, at_s: float, cost_minor: int, shopper: str = SHOPPER) -> Decided:
    """A promotion that reserves what it may cost."""
    reserved = Reserved(experience_id=f"e-{number}", campaign_id=CAMPAIGN, cost_minor=cost_minor)
    return decided(number, at_s, decision(number, at_s), shopper=shopper, reservations=(reserved,))


def settled(number: int, at_s: float, of: int, **fields: Any) -> Decided:
    """What became of the promise of an experience."""
    settlement = Settlement(experience_id=f"e-{of}", campaign_id=CAMPAIGN, **fields)
    return decided(number, at_s, settlements=(settlement,))


def withdrawn(number: int, at_s: float, of: int, slot: str = "main") -> Decided:
    """An experience taken off the page."""
    return decided(number, at_s, withdrawals=(Withdrawal(experience_id=f"e-{of}", slot=slot),))
