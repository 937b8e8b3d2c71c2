"""What a tree proposes to campaigns; from the campaigns of a retailer, to pages and tensions.

A campaign says within which bounds, the shopper's own numbers say what within them: `domain.terms` draws them in here
as it does on the hot path. Behind what names a campaign stands the same as any campaign's, `*`: one that is made after
the night finds its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batch.journeys.plan import Campaign, Campaigns, Tension
from domain.campaigns import ANY_CAMPAIGN
from domain.contents import (
    BasketTension,
    BasketTensionContent,
    GamifiedPromotion,
    GamifiedPromotionContent,
    PersonalisedPromotion,
    PersonalisedPromotionContent,
    ProductItem,
    Recommendation,
    RecommendationContent,
    Reward,
)
from domain.experiences import Kind
from domain.terms import terms

MAIN, OFFER, BASKET, GAME = "main", "offer", "basket", "game"
"""Slots."""
OFFERED = 2
"""Products of a promotion."""
TENSION_TTL_S = 3_600


def promotion(
    products: Sequence[str], percent: float, campaign: Campaign | None = None
) -> PersonalisedPromotion | None:
    """Gives a promotion of some products; None where nothing comes off them.

    Args:
        products: best first, all of the campaign.
        percent: what pays for this shopper; 0 = nothing does, so that a campaign gives its usual.
        campaign: None = without any.
    """
    shown = tuple(products[:OFFERED])
    proposed: dict[str, Any] = {"products": shown}
    if percent > 0:
        proposed["generosity"] = {"type": "percent", "value": min(percent, 100.0)}
    content = _within(proposed, "personalised_promotion", campaign)
    if not shown or not content.get("generosity"):
        return None
    made = msgspec.convert(content, PersonalisedPromotionContent)
    return PersonalisedPromotion(
        slot=OFFER, content=made, campaign_id=None if campaign is None else campaign.campaign_id
    )


def promotions(named: PersonalisedPromotion, campaigns: Campaigns) -> tuple[PersonalisedPromotion, ...]:
    """Gives a promotion, and behind it the same as any campaign's."""
    if "personalised_promotion" not in campaigns.kinds:
        return (named,)
    return named, msgspec.structs.replace(named, campaign_id=ANY_CAMPAIGN)


def tensions(own: Tension | None, spends_minor: int | None, campaigns: Campaigns) -> tuple[BasketTension, ...]:
    """Gives the tensions that stand in one slot: the first campaign's that moves this shopper, any other's, their own.

    Args:
        own: what pays without a campaign; None = nothing does.
        spends_minor: the usual basket, in minor units; who spends a threshold anyway is not moved by it.
        campaigns: that may be proposed.
    """
    found: list[BasketTension] = []
    for campaign in campaigns.tensions:
        content = _tension_within(own, campaign)
        if content is not None and (spends_minor is None or spends_minor < content.threshold_minor):
            named = BasketTension(slot=BASKET, content=content, ttl_s=TENSION_TTL_S, campaign_id=campaign.campaign_id)
            found = [named, msgspec.structs.replace(named, campaign_id=ANY_CAMPAIGN)]
            break
    if own is not None:
        content = BasketTensionContent(threshold_minor=own.threshold_minor, reward=_reward(own))
        found.append(BasketTension(slot=BASKET, content=content, ttl_s=TENSION_TTL_S))
    return tuple(found)


def any_recommendation(main: Recommendation, campaigns: Campaigns) -> tuple[Recommendation, ...]:
    """Gives what is recommended, and before it the same as any campaign's."""
    if "recommendation" not in campaigns.kinds:
        return (main,)
    return msgspec.structs.replace(main, campaign_id=ANY_CAMPAIGN), main


def any_game(products: Sequence[str], campaigns: Campaigns) -> tuple[GamifiedPromotion, ...]:
    """Gives any campaign's game, about the first of some products; what is played for, the campaign says."""
    if "gamified_promotion" not in campaigns.kinds or not products:
        return ()
    content = GamifiedPromotionContent(game="scratch", products=tuple(products[:1]), prize=Reward(type="surprise"))
    return (GamifiedPromotion(slot=GAME, content=content, campaign_id=ANY_CAMPAIGN),)


def recommendation(products: Sequence[str], reason: str) -> Recommendation:
    """Gives a recommendation of at least one product; the first one says why."""
    first = ProductItem(product_id=products[0], reason=reason)
    return Recommendation(slot=MAIN, content=RecommendationContent(products=(first, *products[1:])))


def _tension_within(own: Tension | None, campaign: Campaign) -> BasketTensionContent | None:
    """Gives a campaign's tension with the shopper's own numbers where its bounds let them; None where numbers lack."""
    proposed: dict[str, Any] = {}
    if own is not None:
        proposed = {"threshold_minor": own.threshold_minor, "reward": msgspec.to_builtins(_reward(own))}
    content = _within(proposed, "basket_tension", campaign)
    if not content.get("reward") or "threshold_minor" not in content:
        return None
    return msgspec.convert(content, BasketTensionContent)


def _reward(tension: Tension) -> Reward:
    return Reward(type="amount", value_minor=tension.reward_minor)


def _within(proposed: Mapping[str, Any], kind: Kind, campaign: Campaign | None) -> Mapping[str, Any]:
    """Gives a content drawn into a campaign's bounds; empty where the campaign can make nothing of it."""
    if campaign is None:
        return proposed
    definition, worth = campaign.definition, "reward" if kind == "basket_tension" else "generosity"
    if definition.percent is None and definition.amount_minor is None and worth not in proposed:
        return {}
    made = terms(definition, campaign.product_ids, kind, proposed)
    return {} if made is None else made.content
