"""What a node of a Shopping Experience Tree shows: the four kinds of experience with their contents.

As in `domain.conditions`, each class has a named form, as people write it, and a packed one, as trees hold it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from domain.events import Money, Text
from domain.experiences import Kind
from domain.ids import Identifier
from domain.packing import forms_of, named

TTL_S_MAX = 2_592_000
TTL_S_DEFAULT = 1_800
TtlS = Annotated[int, Meta(ge=1, le=TTL_S_MAX)]
Number = int | float


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """A part of what is shown."""


class ProductItem(Part, frozen=True, kw_only=True):
    """A product, and why it is shown."""

    product_id: Identifier
    reason: Text | None = None


class Generosity(Part, frozen=True, kw_only=True):
    """What a promotion takes off: `value` percent, or an amount of `value_minor`."""

    type: Literal["percent", "amount"]
    value: Number | None = None
    value_minor: Money | None = None


class Reward(Part, frozen=True, kw_only=True):
    """What is won: percent, amount, product, delivery, or a type of the retailer's own."""

    type: Identifier
    value: Number | None = None
    value_minor: Money | None = None
    product_id: Identifier | None = None
    label: Text | None = None


class RecommendationContent(Part, frozen=True, kw_only=True):
    """Products that go with what the shopper does; a plain string is a product without a reason."""

    products: Annotated[tuple[Identifier | ProductItem, ...], Meta(min_length=1, max_length=50)]


class PersonalisedPromotionContent(Part, frozen=True, kw_only=True):
    """A price advantage on products, perhaps from a basket of `threshold_minor` on."""

    products: Annotated[tuple[Identifier | ProductItem, ...], Meta(min_length=1, max_length=50)]
    generosity: Generosity
    threshold_minor: Money | None = None


class GamifiedPromotionContent(Part, frozen=True, kw_only=True):
    """A game about products, with a prize."""

    game: Literal["scratch", "wheel"]
    products: Annotated[tuple[Identifier | ProductItem, ...], Meta(min_length=1, max_length=50)]
    prize: Reward


class BasketTensionContent(Part, frozen=True, kw_only=True):
    """A reward once the basket comes to `threshold_minor`."""

    threshold_minor: Money
    reward: Reward


class Shown(Part, frozen=True, kw_only=True, tag_field="kind"):
    """An experience in a tree: where, for how long, for whose budget; subclasses add what.

    Attributes:
        slot: the place on the page.
        content: by kind.
        ttl_s: seconds from decision to expiry; None = TTL_S_DEFAULT.
        campaign_id: whose budget; None = nobody's.
    """

    slot: Identifier
    content: Part
    ttl_s: TtlS | None = None
    campaign_id: Identifier | None = None


class Recommendation(Shown, frozen=True, kw_only=True, tag="recommendation"):
    """Shows products."""

    content: RecommendationContent


class PersonalisedPromotion(Shown, frozen=True, kw_only=True, tag="personalised_promotion"):
    """Shows a price advantage."""

    content: PersonalisedPromotionContent


class GamifiedPromotion(Shown, frozen=True, kw_only=True, tag="gamified_promotion"):
    """Shows a game."""

    content: GamifiedPromotionContent


class BasketTension(Shown, frozen=True, kw_only=True, tag="basket_tension"):
    """Shows what is missing to a reward."""

    content: BasketTensionContent


AnyShown = Recommendation | PersonalisedPromotion | GamifiedPromotion | BasketTension


class NodeExperience(Struct, frozen=True, kw_only=True):
    """An experience as a node proposes it.

    Attributes:
        slot: the place on the page.
        kind: one of four.
        ttl_s: seconds from decision to expiry.
        campaign_id: whose budget, if any.
        content: exactly as it was pushed.
    """

    slot: str
    kind: Kind
    ttl_s: int
    campaign_id: str | None
    content: dict[str, Any]


def proposed(shown: PackedShown) -> NodeExperience:
    """Gives what a packed experience proposes."""
    return NodeExperience(
        slot=shown.slot,
        kind=_KIND[type(shown)],
        ttl_s=TTL_S_DEFAULT if shown.ttl_s is None else shown.ttl_s,
        campaign_id=shown.campaign_id,
        content=named(shown.content),
    )


def product_of(item: Any) -> str:
    """Gives the product id of one of a content's products: a plain string, or an object with a reason."""
    return item if isinstance(item, str) else str(item["product_id"])


class PackedProductItem(ProductItem, frozen=True, kw_only=True, array_like=True):
    """`ProductItem` at rest."""


class PackedGenerosity(Generosity, frozen=True, kw_only=True, array_like=True):
    """`Generosity` at rest."""


class PackedReward(Reward, frozen=True, kw_only=True, array_like=True):
    """`Reward` at rest."""


class PackedRecommendationContent(RecommendationContent, frozen=True, kw_only=True, array_like=True):
    """`RecommendationContent` at rest."""

    products: tuple[Identifier | PackedProductItem, ...]


class PackedPersonalisedPromotionContent(PersonalisedPromotionContent, frozen=True, kw_only=True, array_like=True):
    """`PersonalisedPromotionContent` at rest."""

    products: tuple[Identifier | PackedProductItem, ...]
    generosity: PackedGenerosity


class PackedGamifiedPromotionContent(GamifiedPromotionContent, frozen=True, kw_only=True, array_like=True):
    """`GamifiedPromotionContent` at rest."""

    products: tuple[Identifier | PackedProductItem, ...]
    prize: PackedReward


class PackedBasketTensionContent(BasketTensionContent, frozen=True, kw_only=True, array_like=True):
    """`BasketTensionContent` at rest."""

    reward: PackedReward


class PackedRecommendation(Recommendation, frozen=True, kw_only=True, array_like=True, tag=1):
    """`Recommendation` at rest."""

    content: PackedRecommendationContent


class PackedPersonalisedPromotion(PersonalisedPromotion, frozen=True, kw_only=True, array_like=True, tag=2):
    """`PersonalisedPromotion` at rest."""

    content: PackedPersonalisedPromotionContent


class PackedGamifiedPromotion(GamifiedPromotion, frozen=True, kw_only=True, array_like=True, tag=3):
    """`GamifiedPromotion` at rest."""

    content: PackedGamifiedPromotionContent


class PackedBasketTension(BasketTension, frozen=True, kw_only=True, array_like=True, tag=4):
    """`BasketTension` at rest."""

    content: PackedBasketTensionContent


PackedShown = PackedRecommendation | PackedPersonalisedPromotion | PackedGamifiedPromotion | PackedBasketTension

_KIND: dict[type[Shown], Kind] = {
    PackedRecommendation: "recommendation",
    PackedPersonalisedPromotion: "personalised_promotion",
    PackedGamifiedPromotion: "gamified_promotion",
    PackedBasketTension: "basket_tension",
}

PACKED = forms_of(
    PackedProductItem,
    PackedGenerosity,
    PackedReward,
    PackedRecommendationContent,
    PackedPersonalisedPromotionContent,
    PackedGamifiedPromotionContent,
    PackedBasketTensionContent,
    *get_args(PackedShown),
)
"""The packed class of each named one."""
