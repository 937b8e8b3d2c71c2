"""Campaigns in force, and a purse that pays for them, in few words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from domain.arbitration import Market
from domain.campaigns import Budget, Campaign, Definition, Range, State
from domain.campaigns_in_force import InForce
from domain.ids import Position
from domain.purse import Amounts, CampaignKey, Purse
from domain.records import SCHEMA_VERSION, Decided, Known, Lease
from domain.timestamps import from_unix_ms
from tests.story import NOON_MS, RETAILER, SHOPPER

DAY_MS = 86_400_000
NOTHING = Amounts()
PLENTY = Amounts(10**9, 10**6)
"""Leased to a purse that is never empty."""


def campaign(campaign_id: str, *, state: State = "scheduled", **fields: Any) -> Campaign:
    """A promotion of 100 off from a day before noon for a year, with other fields where they are given."""
    usual: dict[str, Any] = {
        "name": campaign_id,
        "kind": "personalised_promotion",
        "starts_at": from_unix_ms(NOON_MS - DAY_MS),
        "ends_at": from_unix_ms(NOON_MS + 365 * DAY_MS),
    }
    if fields.get("kind", "personalised_promotion") == "personalised_promotion" and "percent" not in fields:
        usual |= {"amount_minor": Range(usual=100), "budget": Budget(money_minor=10**6)}
    return Campaign(
        retailer_id=RETAILER,
        campaign_id=campaign_id,
        version=1,
        state=state,
        definition=Definition(**(usual | fields)),
        changed_at_ms=NOON_MS,
    )


def in_force(*campaigns: Campaign, known: Mapping[str, Known] | None = None) -> InForce:
    """Campaigns of one retailer, all in UTC."""
    return InForce(campaigns, known or {}, lambda _: UTC, "UTC")


def market(
    *campaigns: Campaign, leased: Mapping[str, Amounts] | None = None, known: Mapping[str, Known] | None = None
) -> Market:
    """A market with these campaigns; each has plenty leased, unless told otherwise."""
    purse = Purse()
    for one in campaigns:
        lend(purse, one.campaign_id, (leased or {}).get(one.campaign_id, PLENTY))
    return Market({RETAILER: in_force(*campaigns, known=known)}, purse)


def lend(purse: Purse, campaign_id: str, leased: Amounts, returned: Amounts = NOTHING) -> None:
    """Folds a lease into a purse, by its totals."""
    purse.lease([lease(campaign_id, leased, returned)])


def lease(campaign_id: str, leased: Amounts, returned: Amounts = NOTHING) -> Lease:
    """A lease of a campaign of the stories' retailer."""
    return Lease(
        retailer_id=RETAILER,
        campaign_id=campaign_id,
        leased_minor=leased.minor,
        leased_count=leased.promises,
        returned_minor=returned.minor,
        returned_count=returned.promises,
    )


def key(campaign_id: str) -> CampaignKey:
    """A campaign of the stories' retailer."""
    return CampaignKey(RETAILER, campaign_id)


def decided(offset: int = 0, **fields: Any) -> Decided:
    """What some event of the stories' shopper did: nothing, but for the fields."""
    return Decided(
        schema_version=SCHEMA_VERSION,
        token=0,
        position=Position(1, offset),
        trigger_event_id=UUID(int=offset + 1),
        retailer_id=RETAILER,
        shopper=SHOPPER,
        received_at_ms=NOON_MS,
        generation=1,
        node_id="start",
        walked_from="start",
        **fields,
    )
