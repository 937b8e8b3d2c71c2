"""Campaigns as growing gets them, from what people write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from batch.journeys.plan import Campaign
from domain.campaigns import Definition


def campaign(document: Mapping[str, Any], product_ids: Collection[str] | None, campaign_id: str = "spring") -> Campaign:
    """A campaign of a definition, without what it leaves out as None."""
    given = {name: value for name, value in document.items() if value is not None}
    plain = msgspec.to_builtins(given)
    return Campaign(
        campaign_id=campaign_id,
        definition=msgspec.convert(plain, Definition),
        product_ids=None if product_ids is None else frozenset(product_ids),
    )
