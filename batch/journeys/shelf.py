"""What can be shown to one shopper, in the order that fits the moment; from the plans, to the pages of a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from batch.journeys.plan import Campaign, Ranked, ShopperPlan, ShopPlan
from batch.journeys.proposals import promotion
from domain.contents import PersonalisedPromotion

POOL = 60
"""Products that a tree may show; what a shopper buys less often than the 60th is not worth a look."""
POPULAR_SHARE = 0.5
"""What a popular product is worth to a shopper of whom nothing says that they buy it."""
LIFT_POWER = 0.7
"""How far a lift moves a product up: categories of one basket say partly the same, so less than in full."""
FOLLOWS_FROM = 1.2
"""Lift from which a product goes with a category: what is merely popular would be given a reason that it has not."""


class Shelf:
    """The products for one shopper.

    Attributes:
        plan, shop: what the shelf is made from.
        pool: best first, at most POOL; products of the plan, then what is popular.
        order: their ids.
        rates: category → share of baskets with it.
        categories: the most frequent first.
    """

    def __init__(self, plan: ShopperPlan, shop: ShopPlan) -> None:
        self.plan = plan
        self.shop = shop
        self.pool = _pool(plan, shop)
        self.order = [product.product_id for product in self.pool]
        rates = self.rates = plan.category_rates or shop.category_rates
        self.categories = sorted(rates, key=lambda category: (-rates[category], category))
        self._category_of = {product.product_id: product.category_id for product in self.pool}
        self._by_category: dict[str, list[str]] = {}
        for product in self.pool:
            self._by_category.setdefault(product.category_id, []).append(product.product_id)
        self._going_with: dict[str, list[str]] = {}

    def going_with(self, category_id: str) -> list[str]:
        """Gives the products of other categories, best first, once something of a category was added."""
        if category_id not in self._going_with:
            self._going_with[category_id] = self._weighed(self.shop.goes_with.get(category_id, {}), category_id)
        return self._going_with[category_id]

    def of_category(self, category_id: str) -> list[str]:
        """Gives the products of a category, best first."""
        return self._by_category.get(category_id, [])

    def offered(self, category_id: str) -> PersonalisedPromotion | None:
        """Gives what may be promoted of a category, in a campaign's name if one has products of it; None = nothing."""
        here = self.of_category(category_id)
        percent = self.plan.generosities.get(category_id, 0.0)
        for campaign in self.plan.campaigns.promotions:
            promoted = promotion(_of_campaign(here, campaign), percent, campaign)
            if promoted is not None:
                return promoted
        promotable = self.shop.promotable
        borne = here if promotable is None else [product for product in here if product in promotable]
        return promotion(borne, percent)

    @property
    def promoted(self) -> list[str]:
        """Gives the categories of which something may be promoted, the most frequent first."""
        if not self.plan.generosities and not self.plan.campaigns.promotions:
            return []
        return [category for category in self.categories if self.offered(category) is not None]

    def of_campaign(self, campaign: Campaign) -> PersonalisedPromotion | None:
        """Gives the shopper's products of a campaign, with what comes off them; None where it has none.

        What pays for this shopper is the generosity of the first product's category, within the campaign's bounds; a
        campaign that leaves it to the tree shows the products of the first category that has a generosity.
        """
        mine = _of_campaign(self.order, campaign)
        leaves_it = campaign.definition.percent is None and campaign.definition.amount_minor is None
        for product in mine:
            category = self._category_of[product]
            percent = self.plan.generosities.get(category, 0.0)
            if not leaves_it:
                return promotion(mine, percent, campaign)
            if percent > 0:
                return promotion([one for one in mine if self._category_of[one] == category], percent, campaign)
        return None

    def _weighed(self, lifts: Mapping[str, float], category_id: str) -> list[str]:
        """Gives the products of other categories by score x lift^LIFT_POWER, what does not follow behind what does.

        Nothing where no lift is known.
        """
        if not lifts:
            return []
        known = lifts.get
        weighed = [
            (known(product_id, 1.0) < FOLLOWS_FROM, -score * known(product_id, 1.0) ** LIFT_POWER, product_id)
            for product_id, category, score in self.pool
            if category != category_id
        ]
        weighed.sort()
        return [product_id for _, _, product_id in weighed]


def _of_campaign(products: Sequence[str], campaign: Campaign) -> Sequence[str]:
    """Gives those of some products that a campaign promotes."""
    promoted = campaign.product_ids
    return products if promoted is None else [product for product in products if product in promoted]


def _pool(plan: ShopperPlan, shop: ShopPlan) -> list[Ranked]:
    """Gives the best products, each once; a product that nobody could ever buy is none."""
    best: dict[str, Ranked] = {}
    popular = (Ranked(product, category, score * POPULAR_SHARE) for product, category, score in shop.popular[:POOL])
    for product in chain(plan.products, popular):
        if product.score > 0 and product.product_id not in best:
            best[product.product_id] = product
    return sorted(best.values(), key=lambda product: (-product.score, product.product_id))[:POOL]
