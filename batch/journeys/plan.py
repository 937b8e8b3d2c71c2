"""What a tree is grown from: what is known of one shopper, and what of the shop; from train, to the gardener."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from domain.campaigns import Definition
from domain.experiences import Kind

NO_CATEGORY = "uncategorised"
"""Stands for the category of products that have none; no event ever names it, so no branch waits for it."""


class Ranked(NamedTuple):
    """A product that the shopper may buy next.

    Attributes:
        score: expected purchases in the next basket, > 0; only ratios matter.
    """

    product_id: str
    category_id: str
    score: float


class Model(Struct, frozen=True, kw_only=True):
    """When a category follows: P(it is added later in this session), as a `score` condition computes it.

    Attributes:
        bias, weights: over the hot features, raw units.
        personal: weight of the shopper's own log-odds above the shop's, which goes into the bias.
        base: share of sessions with the category, 0..1.
    """

    bias: float
    weights: dict[str, float]
    personal: float
    base: float


class Tension(Struct, frozen=True, kw_only=True):
    """A reward for a basket a little above what the shopper would spend anyway."""

    threshold_minor: int
    reward_minor: int


class Campaign(Struct, frozen=True, kw_only=True):
    """A campaign that trees may name.

    Attributes:
        product_ids: no other product is ever shown in its name; None = any.
    """

    campaign_id: str
    definition: Definition
    product_ids: frozenset[str] | None = None


class Campaigns(Struct, frozen=True, kw_only=True):
    """The campaigns that the trees of a night may propose.

    Attributes:
        promotions, tensions: that trees name, the most important first.
        kinds: of which the retailer has any campaign, also one that is not live yet.
    """

    promotions: tuple[Campaign, ...] = ()
    tensions: tuple[Campaign, ...] = ()
    kinds: frozenset[Kind] = frozenset()


NO_CAMPAIGNS = Campaigns()


class ShopperPlan(Struct, frozen=True, kw_only=True):
    """What is known of one shopper on the evening of growth.

    Attributes:
        shopper: the hash.
        products: most probable first; categories as the shop names them.
        category_rates: category → share of the shopper's baskets with it, 0..1, shrunk towards the shop; none = the
            shop's.
        lines: products in a usual basket; 0 = unknown.
        total_median_minor, total_sigma: of the next basket's total, log-normal; None = unknown.
        tension: None = none is worth it.
        generosities: category → percent, above 0 where a promotion pays.
        campaigns: that the tree may propose.
    """

    shopper: str
    products: tuple[Ranked, ...] = ()
    category_rates: Mapping[str, float] = {}
    lines: float = 0.0
    total_median_minor: int | None = None
    total_sigma: float | None = None
    tension: Tension | None = None
    generosities: Mapping[str, float] = {}
    campaigns: Campaigns = NO_CAMPAIGNS


class Texts(Struct, frozen=True, kw_only=True):
    """Reasons as pages show them; `{category}` is replaced by the category's name."""

    goes_with: str = "goes with {category}"
    usual: str = "your usual {category}"
    expected: str = "{category} today?"
    favourite: str = "you often buy this"
    popular: str = "popular here"


class ShopPlan(Struct, frozen=True, kw_only=True):
    """What is known of the shop, the same for every tree of a night.

    Attributes:
        currency: of every amount of the plans; trees hold minor units only.
        popular: most popular first, with shares of baskets as scores.
        goes_with: category → product → how many times more often than usual it is in a basket with the category.
        category_rates: category → share of the shop's baskets with it, 0..1, the most frequent first.
        models: category → when it follows.
        category_names: as shoppers call them; an absent one is read off its id.
        lines: products in a usual basket of the shop.
        promotable: products that may be promoted without a campaign: their own cost and price bear their category's
            generosity; None = all.
    """

    currency: str
    popular: tuple[Ranked, ...] = ()
    goes_with: Mapping[str, Mapping[str, float]] = {}
    category_rates: Mapping[str, float] = {}
    models: Mapping[str, Model] = {}
    category_names: Mapping[str, str] = {}
    lines: float = 8.0
    promotable: frozenset[str] | None = None
    texts: Texts = Texts()

    def name_of(self, category_id: str) -> str:
        """Gives a category's name for people, in lower case where it is read off the id."""
        named = "product" if category_id == NO_CATEGORY else self.category_names.get(category_id)
        return named or category_id.replace("-", " ").replace("_", " ").strip().lower() or category_id
