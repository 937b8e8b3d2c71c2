"""Which campaigns the trees of a night may propose; from the control plane, to the plans that trees are grown from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.zones import zone_of
from batch.journeys.plan import Campaign, Campaigns
from domain import campaigns
from domain.campaigns_in_force import InForce, Offer
from domain.experiences import Kind
from domain.ports.retailers import CatalogueItem, Retailer
from domain.records import Known

AHEAD_MS: Final = 2 * 86_400_000
"""A campaign that starts within this time is named: before it, trees are grown again."""
NAMED_MAX: Final = 20
"""Campaigns of a kind that trees name, the most important ones: each costs every shopper's tree a look."""


def proposable(
    retailer: Retailer, catalogue: Iterable[CatalogueItem], listed: Sequence[campaigns.Campaign], now_ms: int
) -> Campaigns:
    """Gives what trees that are grown at a moment may propose.

    Args:
        retailer: whose.
        catalogue: its products.
        listed: all its campaigns, in whatever state.
        now_ms: Unix milliseconds.
    """
    ahead = [one for one in listed if one.state != "ended" and one.definition.ends_at_ms > now_ms]
    known = {item.product_id: Known(category_id=item.category_id) for item in catalogue}
    soon = [
        offer
        for offer in InForce(ahead, known, zone_of, retailer.time_zone).offers
        if offer.starts_at_ms < now_ms + AHEAD_MS
    ]
    return Campaigns(
        promotions=_named(soon, "personalised_promotion"),
        tensions=_named(soon, "basket_tension"),
        kinds=frozenset(one.definition.kind for one in ahead),
    )


def _named(offers: Iterable[Offer], kind: Kind) -> tuple[Campaign, ...]:
    of_kind = [offer for offer in offers if offer.definition.kind == kind]
    return tuple(
        Campaign(campaign_id=offer.key.campaign_id, definition=offer.definition, product_ids=offer.products)
        for offer in of_kind[:NAMED_MAX]
    )
