"""The pages of a tree: what is shown, and when; from a shopper's shelf, to the stages that the gardener strings up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from batch.journeys.odds import personal_bias
from batch.journeys.shelf import Shelf
from domain.conditions import AllOf, AnyCondition, AnyOf
from domain.contents import (
    AnyShown,
    Generosity,
    PersonalisedPromotion,
    PersonalisedPromotionContent,
    ProductItem,
    Recommendation,
    RecommendationContent,
)
from domain.event_conditions import PageIs, ProductIs, SearchHas
from domain.state_conditions import InBasket, Score
from domain.text import words_of_term

SHOWN = 5
"""Products of a page."""
KEPT = 3
"""Of these, the ones that stay from stage to stage while nobody bought them; the others give way to the next."""
OFFERED = 2
"""Products of a promotion."""
EXPECTED = 0.4
"""Probability from which a category is expected."""
TERM_CHARS_MAX = 200
MAIN, OFFER = "main", "offer"


class Page(NamedTuple):
    """A page of a stage.

    Attributes:
        name: what it is within its stage.
        when: none of its products is in the basket, and what else it waits for.
        product_ids: shown, in any slot.
        shown: its experiences.
        asked: the category that shoppers ask for to come here; None where they need not ask.
    """

    name: str
    when: AnyCondition
    product_ids: tuple[str, ...]
    shown: tuple[AnyShown, ...]
    asked: str | None = None


def usual(shelf: Shelf, stage: int) -> Page | None:
    """Gives what this shopper buys anyway: the best, and further ones at each stage; at first, a campaign's offer."""
    rest = KEPT + (SHOWN - KEPT) * stage
    products = (*shelf.order[:KEPT], *shelf.order[rest : rest + SHOWN - KEPT])
    offer = None if stage else _campaign_offer(shelf)
    return _page("top", products, _favourite(shelf), None, offer)


def stripe(shelf: Shelf, number: int) -> Page | None:
    """Gives every other one of the best products: when one of them is bought, the other stripe has its neighbours."""
    return _page(f"more{number}", shelf.order[number : 2 * SHOWN : 2], _favourite(shelf), None)


def further(shelf: Shelf, number: int) -> Page | None:
    """Gives the products behind the stripes, for baskets that hold something of each."""
    start = (2 + number) * SHOWN
    return _page(f"rest{number}", shelf.order[start : start + SHOWN], _favourite(shelf), None)


def going_with(shelf: Shelf, rank: int) -> Page | None:
    """Gives what goes with the shopper's most frequent category but `rank`, once something of it was added."""
    if rank >= len(shelf.categories):
        return None
    category = shelf.categories[rank]
    products = shelf.going_with(category)[:SHOWN]
    trigger = ProductIs(action="added", category_ids=(category,))
    return _page(f"with{rank}", products, _reason(shelf, shelf.shop.texts.goes_with, category), trigger)


def asked(shelf: Shelf, rank: int) -> Page | None:
    """Gives what the shopper buys of the most frequent category but `rank`, when looking or searching for it."""
    if rank >= len(shelf.categories):
        return None
    category = shelf.categories[rank]
    products = shelf.of_category(category)[:SHOWN]
    trigger = asking_for(shelf, (category,))
    page = _page(
        f"ask{rank}", products, _reason(shelf, shelf.shop.texts.usual, category), trigger, _offer(shelf, category)
    )
    return None if page is None else page._replace(asked=category)


def timely(shelf: Shelf, rank: int) -> Page | None:
    """Gives a promotion that pays, of the most frequent category but `rank`, while that is absent but expected."""
    promoted = [category for category in shelf.promoted if category in shelf.shop.models]
    if rank >= len(promoted):
        return None
    category = promoted[rank]
    own = shelf.of_category(category)[: SHOWN - 1]
    others = [product for product in shelf.order if product not in own][: SHOWN - len(own)]
    model = shelf.shop.models[category]
    bias = personal_bias(model, shelf.rates[category])
    follows = Score(bias=bias, weights=model.weights, at_least=EXPECTED)
    trigger = AllOf(of=(InBasket(category_ids=(category,), at_least=0, at_most=0), follows))
    reason = _reason(shelf, shelf.shop.texts.expected, category)
    return _page(f"deal{rank}", (*own, *others), reason, trigger, _offer(shelf, category))


def asking_for(shelf: Shelf, categories: Sequence[str]) -> AnyCondition:
    """Gives the condition that an event views one of the categories or searches for it by name."""
    viewed = PageIs(category_ids=tuple(categories))
    terms = tuple(
        name for name in map(shelf.shop.name_of, categories) if words_of_term(name) and len(name) <= TERM_CHARS_MAX
    )
    return AnyOf(of=(viewed, SearchHas(terms=terms))) if terms else viewed


def _page(
    name: str,
    products: Sequence[str],
    reason: str,
    trigger: AnyCondition | None,
    offer: PersonalisedPromotion | None = None,
) -> Page | None:
    """Gives a page that shows nothing of the basket; None where it would show nothing at all."""
    if not products:
        return None
    first = ProductItem(product_id=products[0], reason=reason)
    main = Recommendation(slot=MAIN, content=RecommendationContent(products=(first, *products[1:])))
    everything = tuple(products)
    if offer is not None:
        everything += tuple(str(product) for product in offer.content.products if product not in products)
    absent = InBasket(product_ids=everything, at_least=0, at_most=0)
    when: AnyCondition = absent if trigger is None else AllOf(of=(trigger, absent))
    return Page(name, when, everything, (main,) if offer is None else (main, offer))


def _offer(shelf: Shelf, category: str) -> PersonalisedPromotion | None:
    found = shelf.offered(category)
    if found is None:
        return None
    products, percent, campaign = found
    return _promotion(products, percent, campaign)


def _campaign_offer(shelf: Shelf) -> PersonalisedPromotion | None:
    for campaign in shelf.plan.campaigns:
        found = shelf.of_campaign(campaign)
        if found is not None:
            return _promotion(*found, campaign.campaign_id)
    return None


def _promotion(products: Sequence[str], percent: float, campaign: str | None) -> PersonalisedPromotion:
    generosity = Generosity(type="percent", value=min(percent, 100.0))
    content = PersonalisedPromotionContent(products=tuple(products[:OFFERED]), generosity=generosity)
    return PersonalisedPromotion(slot=OFFER, content=content, campaign_id=campaign)


def _favourite(shelf: Shelf) -> str:
    texts = shelf.shop.texts
    return texts.favourite if shelf.plan.products else texts.popular


def _reason(shelf: Shelf, text: str, category: str) -> str:
    return text.replace("{category}", shelf.shop.name_of(category))
