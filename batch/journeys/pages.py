"""The pages of a tree: what is shown, and when; from a shopper's shelf, to the stages that the gardener strings up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from batch.journeys.odds import personal_bias
from batch.journeys.plan import NO_CAMPAIGNS, Campaigns
from batch.journeys.proposals import any_game, any_recommendation, promotions, recommendation
from batch.journeys.shelf import Shelf
from domain.conditions import AllOf, AnyCondition, AnyOf
from domain.contents import AnyShown, PersonalisedPromotion
from domain.event_conditions import PageIs, ProductIs, SearchHas
from domain.state_conditions import InBasket, Score
from domain.text import words_of_term

SHOWN = 5
"""Products of a page."""
KEPT = 3
"""Of these, the ones that stay from stage to stage while nobody bought them; the others give way to the next."""
EXPECTED = 0.4
"""Probability from which a category is expected."""
TERM_CHARS_MAX = 200


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
    """Gives what this shopper buys anyway: the best, and further ones at each stage.

    At first campaigns have their say here, on the second stage their games.
    """
    rest = KEPT + (SHOWN - KEPT) * stage
    products = (*shelf.order[:KEPT], *shelf.order[rest : rest + SHOWN - KEPT])
    campaigns = shelf.plan.campaigns
    if stage == 0:
        return _page("top", products, _favourite(shelf), None, _campaign_offers(shelf), campaigns)
    return _page("top", products, _favourite(shelf), None, any_game(products, campaigns) if stage == 1 else ())


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
    reason = _reason(shelf, shelf.shop.texts.usual, category)
    page = _page(f"ask{rank}", products, reason, trigger, _offers(shelf, category))
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
    return _page(f"deal{rank}", (*own, *others), reason, trigger, _offers(shelf, category))


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
    beside: Sequence[AnyShown] = (),
    campaigns: Campaigns = NO_CAMPAIGNS,
) -> Page | None:
    """Gives a page that shows nothing of the basket; None where it would show nothing at all.

    Args:
        name: within its stage.
        products: recommended, best first.
        reason: of the first.
        trigger: what else it waits for.
        beside: what it shows in other slots.
        campaigns: that may recommend something else in the same place.
    """
    if not products:
        return None
    everything = tuple(products)
    for offer in beside:
        if isinstance(offer, PersonalisedPromotion):
            everything += tuple(str(product) for product in offer.content.products if product not in everything)
    absent = InBasket(product_ids=everything, at_least=0, at_most=0)
    when: AnyCondition = absent if trigger is None else AllOf(of=(trigger, absent))
    recommended = any_recommendation(recommendation(products, reason), campaigns)
    return Page(name, when, everything, (*recommended, *beside))


def _offers(shelf: Shelf, category: str) -> tuple[PersonalisedPromotion, ...]:
    offer = shelf.offered(category)
    return () if offer is None else (offer,)


def _campaign_offers(shelf: Shelf) -> tuple[PersonalisedPromotion, ...]:
    campaigns = shelf.plan.campaigns
    offers = map(shelf.of_campaign, campaigns.promotions)
    return next((promotions(offer, campaigns) for offer in offers if offer is not None), ())


def _favourite(shelf: Shelf) -> str:
    texts = shelf.shop.texts
    return texts.favourite if shelf.plan.products else texts.popular


def _reason(shelf: Shelf, text: str, category: str) -> str:
    return text.replace("{category}", shelf.shop.name_of(category))
