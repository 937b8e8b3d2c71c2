"""The demo's own campaigns, one of each kind: made once, put in force when the shop's past is told.

Not before: thirty days are told in a minute, and shoppers of weeks ago would spend today's budgets in it.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
import structlog

from adapters.zones import is_zone
from deploy.demo.goods import TABLES
from domain.campaign_faults import read_written
from domain.campaigns import Change, Definition, created, moved
from domain.errors import Refused
from domain.ports.campaigns import Campaigns
from domain.timestamps import from_unix_ms

SAUCES: Final = "10-on-sauces"
"""The campaign that trees propose by its name; of the other kinds they take whichever wins."""
BY: Final = "demo"
"""Who made and scheduled them, as their history says."""
LASTS: Final = timedelta(days=365)
_CHAIN_BYTES: Final = 32
log = structlog.get_logger("hotbasket.demo")


def read_campaigns(starts_at: datetime) -> dict[str, Definition]:
    """Gives the campaigns by their ids, each through the door that every campaign passes.

    Args:
        starts_at: with zone; they end a year later.
    """
    documents: list[dict[str, Any]] = msgspec.json.decode((TABLES / "campaigns.json").read_bytes())
    dates = {"starts_at": starts_at.isoformat(), "ends_at": (starts_at + LASTS).isoformat()}
    written = [read_written(document | dates, is_zone, "campaign_id") for document in documents]
    return {str(one.campaign_id): one.definition for one in written}


async def write_drafts(campaigns: Campaigns, retailer_id: str, now_ms: int) -> None:
    """Makes a draft of each campaign that was never made; what became of the others stays.

    Raises:
        PortError: the store can't be read or written.
    """
    known = {campaign.campaign_id for campaign in await campaigns.listed(retailer_id)}
    for campaign_id, definition in read_campaigns(from_unix_ms(now_ms)).items():
        if campaign_id not in known:
            campaign = created(retailer_id, campaign_id, definition, now_ms)
            await campaigns.put(Change(campaign=campaign, action="create", by=BY))


async def schedule_drafts(campaigns: Campaigns, retailer_id: str, now_ms: int) -> None:
    """Puts the demo's own drafts in force; campaigns that were paused or ended stay so, and so do other people's.

    Raises:
        PortError: the store can't be read or written.
    """
    own = read_campaigns(from_unix_ms(now_ms))
    for campaign in await campaigns.listed(retailer_id):
        if campaign.campaign_id not in own or campaign.state != "draft":
            continue
        try:
            scheduled = moved(campaign, "schedule", now_ms)
            await campaigns.put(
                Change(campaign=scheduled, action="schedule", by=BY), chain_end=secrets.token_bytes(_CHAIN_BYTES)
            )
        except Refused as refused:
            # Somebody at a terminal was faster, or wrote an end that is past.
            log.warning("campaign not scheduled", campaign=campaign.campaign_id, detail=str(refused))
