"""Grown trees propose campaigns: within their bounds, about their products, and never in place of what needs none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import pytest

from batch.journeys.gardener import default_tree, grow
from batch.journeys.plan import Campaigns, Tension
from batch.proposable import NAMED_MAX, proposable
from domain.campaigns import Campaign, Definition
from domain.contents import AnyShown, BasketTension, GamifiedPromotion, PersonalisedPromotion, Recommendation
from domain.experiences import Kind
from domain.ports.retailers import CatalogueItem, Retailer
from domain.timestamps import unix_ms
from domain.tree import TreeJson
from tests.story import TreeStory
from tests.unit import market_story
from tests.unit.batch.campaigns_to_propose import campaign
from tests.unit.batch.test_journeys_gardener import PLAN, SHOP, add, story_in
from tests.unit.campaign_documents import GAME, PROMOTION, TENSION, TIP, without

NOW_MS = unix_ms(datetime.fromisoformat("2026-11-26T03:00:00Z"))
RETAILER = Retailer(retailer_id="r-1", name="Fresh & Co")
CATALOGUE = (CatalogueItem(product_id="penne", name="Penne", category_id="pasta"),)


def grown(campaigns: Campaigns, **plan: Any) -> TreeJson:
    """The tree of a shopper of whom the plan says this."""
    return grow(msgspec.structs.replace(PLAN, campaigns=campaigns, **plan), SHOP)


def proposed(tree: TreeJson, campaign_id: str | None) -> list[AnyShown]:
    """What a tree proposes in the name of a campaign."""
    return [one for node in tree.nodes.values() for one in node.experiences if one.campaign_id == campaign_id]


def asking(tree: TreeJson, *campaigns: Campaign) -> TreeStory:
    """A shopper in a tree whose proposals these campaigns may take."""
    story = story_in(tree)
    story.market = market_story.market(campaigns)
    return story


def promised(campaigns: Campaigns, **plan: Any) -> list[Any]:
    """What comes off in the campaign's name, each once, wherever it is."""
    promotions = proposed(grown(campaigns, **plan), "spring")
    found: list[Any] = []
    for one in promotions:
        assert isinstance(one, PersonalisedPromotion)
        generosity = msgspec.to_builtins(one.content.generosity)
        found += [] if generosity in found else [generosity]
    return found


def test_a_campaign_promotes_its_own_products_alone() -> None:
    """What is promoted in a campaign's name is of the campaign, also where the category has other favourites."""
    campaigns = Campaigns(promotions=(campaign(PROMOTION, {"penne", "unknown"}),))
    tree = grown(campaigns, generosities={"pasta": 12.0})
    promoted = proposed(tree, "spring")
    assert promoted
    assert {("penne",)} == {getattr(one.content, "products", ()) for one in promoted}
    story = asking(tree, market_story.campaign("spring", products=["penne", "unknown"]))
    story.tell("PageViewed", page={"kind": "home"})
    offer = story.shown()["offer"]
    assert ("spring", ["penne"]) == (offer.campaign_id, offer.content["products"])


def test_a_campaign_of_tomorrow_is_shown_by_the_trees_of_last_night() -> None:
    """Nothing names it; where any campaign of the kind may show itself, its own products are shown."""
    kinds: frozenset[Kind] = frozenset({"personalised_promotion"})
    tree = grown(Campaigns(promotions=(campaign(PROMOTION, {"penne"}),), kinds=kinds))
    story = asking(tree, market_story.campaign("tomorrow", products=["plums"]))
    story.tell("PageViewed", page={"kind": "home"})
    offer = story.shown()["offer"]
    assert ("tomorrow", ["plums"]) == (offer.campaign_id, offer.content["products"])


@pytest.mark.parametrize(
    ("generosities", "percent"), [({}, 10), ({"pasta": 12.0}, 12.0), ({"pasta": 40.0}, 20), ({"pasta": 1.0}, 5)]
)
def test_what_pays_for_the_shopper_counts_within_the_bounds(generosities: dict[str, float], percent: float) -> None:
    """Between 5 and 20 percent the shopper's own generosity; outside the nearer end, without one the usual."""
    campaigns = Campaigns(promotions=(campaign(PROMOTION, {"penne"}),))
    assert [{"type": "percent", "value": percent}] == promised(campaigns, generosities=generosities)


def test_an_amount_is_the_campaigns_own() -> None:
    """What pays in percent says nothing of an amount."""
    amount = {**without(PROMOTION, "percent"), "amount_minor": {"usual": 50}}
    campaigns = Campaigns(promotions=(campaign(amount, {"penne"}),))
    assert [{"type": "amount", "value_minor": 50}] == promised(campaigns, generosities={"pasta": 12.0})


def test_a_campaign_that_leaves_it_to_the_tree_needs_what_pays() -> None:
    """Without bounds and without a generosity that pays, nothing is promised in its name."""
    campaigns = Campaigns(promotions=(campaign(without(PROMOTION, "percent"), {"penne"}),))
    assert [] == proposed(grown(campaigns), "spring")
    assert [{"type": "percent", "value": 12.0}] == promised(campaigns, generosities={"pasta": 12.0})


def test_any_other_campaign_of_the_kind_stands_behind() -> None:
    """A campaign that is made tomorrow finds a place to show itself, behind the one that is named."""
    named = (campaign(PROMOTION, {"penne"}),)
    kinds: frozenset[Kind] = frozenset({"personalised_promotion"})
    tree = grown(Campaigns(promotions=named, kinds=kinds))
    places = [
        [one.campaign_id for one in node.experiences if one.slot == "offer"]
        for node in tree.nodes.values()
        if any(one.campaign_id == "*" for one in node.experiences)
    ]
    assert [["spring", "*"]] == places
    assert [] == proposed(grown(Campaigns(promotions=named)), "*")


def test_a_tension_is_the_shoppers_own_within_the_bounds() -> None:
    """Threshold and reward that move this shopper are drawn into the campaign's bounds; behind stand the plain ones."""
    open_threshold = {**TENSION, "threshold_minor": {"usual": 5_000, "at_least": 4_000, "at_most": 9_000}}
    own = Tension(threshold_minor=6_500, reward_minor=900)
    tree = grown(Campaigns(tensions=(campaign(open_threshold, None),)), tension=own)
    (node, *_) = [
        node for node in tree.nodes.values() if any(isinstance(one, BasketTension) for one in node.experiences)
    ]
    numbers = [
        (one.campaign_id, one.content.threshold_minor, one.content.reward.value_minor)
        for one in node.experiences
        if isinstance(one, BasketTension)
    ]
    assert [("spring", 6_500, 800), ("*", 6_500, 800), (None, 6_500, 900)] == numbers


def test_a_campaigns_tension_comes_within_its_own_reach() -> None:
    """Where nothing pays without a campaign, its usual threshold says when the tension is shown."""
    tree = grown(Campaigns(tensions=(campaign(TENSION, None),)))
    worth = {"percent": None, "max_discount_minor": None, "amount_minor": {"usual": 500}}
    story = asking(
        tree, market_story.campaign("spring", kind="basket_tension", threshold_minor={"usual": 5_000}, **worth)
    )
    add(story, "gouda", price_minor=2_900)
    assert "basket" not in story.shown()
    add(story, "brie", price_minor=300)
    tension = story.shown()["basket"]
    assert ("spring", 1_800) == (tension.campaign_id, tension.content["missing_minor"])


def test_who_spends_it_anyway_is_not_asked_to() -> None:
    """A campaign gives nothing away to a shopper whose usual basket is above its threshold."""
    campaigns = Campaigns(tensions=(campaign(TENSION, None),))
    assert proposed(grown(campaigns, total_median_minor=4_999), "spring")
    assert [] == proposed(grown(campaigns, total_median_minor=5_000), "spring")


def test_recommendations_and_games_of_any_campaign_are_proposed() -> None:
    """A campaign's recommendation comes before what the page shows anyway, its game beside it."""
    kinds: frozenset[Kind] = frozenset({"recommendation", "gamified_promotion"})
    tree = grown(Campaigns(kinds=kinds))
    first, second = tree.nodes["s0-top"].experiences, tree.nodes["s1-top"].experiences
    assert [("main", "*"), ("main", None)] == [(one.slot, one.campaign_id) for one in first]
    assert [Recommendation, GamifiedPromotion] == [type(one) for one in second]
    assert "*" == second[1].campaign_id
    strangers = default_tree(SHOP, campaigns=Campaigns(kinds=kinds))
    assert proposed(strangers, "*")
    assert [] == proposed(grown(Campaigns()), "*")


def listed(document: dict[str, Any], campaign_id: str, state: Any = "scheduled") -> Campaign:
    """A campaign as the control plane keeps it."""
    definition = msgspec.convert(document, Definition)
    return Campaign(
        retailer_id="r-1", campaign_id=campaign_id, version=2, state=state, definition=definition, changed_at_ms=0
    )


def test_named_is_what_may_be_live_before_the_next_night() -> None:
    """The most important first, categories resolved; drafts, what is paused, over or far away is not named."""
    far = {**PROMOTION, "starts_at": "2026-11-28T04:00:00Z"}
    over = {**PROMOTION, "starts_at": "2026-11-01T00:00:00Z", "ends_at": "2026-11-26T02:00:00Z"}
    of_category = {**without(PROMOTION, "products"), "category_ids": ["pasta"], "priority": 9}
    found = proposable(
        RETAILER,
        CATALOGUE,
        [
            listed(PROMOTION, "first"),
            listed(of_category, "pasta"),
            listed(PROMOTION, "draft", "draft"),
            listed(PROMOTION, "paused", "paused"),
            listed(TENSION, "ended", "ended"),
            listed(far, "far"),
            listed(over, "over"),
            listed(GAME, "wheel", "draft"),
            listed({**TIP, "ends_at": "2026-11-26T02:59:00Z", "starts_at": "2026-11-01T00:00:00Z"}, "tip"),
        ],
        NOW_MS,
    )
    assert ["pasta", "first"] == [one.campaign_id for one in found.promotions]
    assert [frozenset({"penne"}), frozenset({"p-1", "p-2"})] == [one.product_ids for one in found.promotions]
    assert () == found.tensions
    assert {"personalised_promotion", "gamified_promotion"} == found.kinds


def test_only_so_many_are_named() -> None:
    """Two hundred campaigns do not make two hundred looks for each of a million shoppers."""
    many = [listed({**PROMOTION, "priority": number}, f"c-{number:03}") for number in range(200)]
    found = proposable(RETAILER, CATALOGUE, many, NOW_MS).promotions
    assert [f"c-{number:03}" for number in range(199, 199 - NAMED_MAX, -1)] == [one.campaign_id for one in found]
