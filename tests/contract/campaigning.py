"""Campaigns for contract tests: made, scheduled, changed and ended as people do it, all at noon."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from adapters.wiring import Ports
from domain.campaigns import Action, Budget, Campaign, Change, Definition, changed, created, moved
from domain.ports.retailers import Retailer
from domain.timestamps import from_unix_ms
from tests.identity import WRAPPED
from tests.story import NOON_MS, RETAILER

OTHER_RETAILER = "r-2"
WEEK_MS = 7 * 86_400_000
BY = "command"
CHAIN_END = bytes(range(32))
"""From which the seeds of every campaign that draws are made here; nowhere else have two the same."""


async def with_shops(ports: Ports) -> None:
    """Adds two retailers."""
    for retailer_id, name in ((RETAILER, "Fresh & Co"), (OTHER_RETAILER, "Épicerie")):
        await ports.retailers.add(Retailer(retailer_id=retailer_id, name=name), f"w {name}", f"s {name}", WRAPPED)


def definition(**fields: Any) -> Definition:
    """A promotion that runs for a week from noon on, with other fields where they are given."""
    made = Definition(
        name="Spring",
        kind="personalised_promotion",
        starts_at=from_unix_ms(NOON_MS),
        ends_at=from_unix_ms(NOON_MS + WEEK_MS),
    )
    return replace(made, **fields)


async def draft(ports: Ports, campaign_id: str = "spring", *, retailer_id: str = RETAILER, **fields: Any) -> Campaign:
    """Adds a campaign."""
    return await put(ports, created(retailer_id, campaign_id, definition(**fields), NOON_MS), "create")


async def scheduled(
    ports: Ports, campaign_id: str = "spring", *, retailer_id: str = RETAILER, **fields: Any
) -> Campaign:
    """Adds a campaign and schedules it."""
    return await move(ports, await draft(ports, campaign_id, retailer_id=retailer_id, **fields), "schedule")


async def move(ports: Ports, campaign: Campaign, action: Action) -> Campaign:
    """Schedules, pauses, resumes or ends a campaign."""
    return await put(ports, moved(campaign, action, NOON_MS), action)


async def with_budget(ports: Ports, campaign: Campaign, budget: Budget | None) -> Campaign:
    """Gives a campaign another budget."""
    return await put(ports, changed(campaign, replace(campaign.definition, budget=budget), NOON_MS), "change")


async def put(ports: Ports, campaign: Campaign, action: Action) -> Campaign:
    """Puts a version."""
    await ports.campaigns.put(Change(campaign=campaign, action=action, by=BY), CHAIN_END)
    return campaign
