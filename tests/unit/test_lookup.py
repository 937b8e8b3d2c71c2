"""The lookup: promises, who lost and why, and what would have been enough."""

from __future__ import annotations

from typing import Any

from domain.campaigns import Campaign
from domain.lookup import Beside, view
from domain.shopper import decode, encode
from tests.unit.market_story import (
    ADDED,
    ALWAYS,
    Json,
    MarketStory,
    campaign,
    edge,
    promotion,
    recommendation,
    tension,
)

FIVE_OFF: Json = {"type": "amount", "value_minor": 500}
RICH: Json = {"kind": "basket_total", "at_least_minor": 5_000}
TREE: Json = {
    "start": {"edges": [edge("rich", RICH), edge("shown", ADDED)]},
    "rich": {},
    "shown": {
        "experiences": [
            promotion("main", "ten", "p-1"),
            promotion("main", "elite", "p-1"),
            tension("bar", "five", 2_000, FIVE_OFF),
        ]
    },
}
TEN = campaign("ten")
ELITE = campaign("elite", priority=9, audience=RICH)
FIVE = campaign("five", kind="basket_tension", percent=None, max_discount_minor=500)


def looked_up(story: MarketStory, *campaigns: Campaign) -> Any:
    """The lookup of a shopper, through a snapshot."""
    beside = Beside({one.campaign_id: one.definition for one in campaigns})
    return view(decode(encode(story.state)), story.tree, beside)


def shopping(*campaigns: Campaign, price_minor: int = 1_000) -> MarketStory:
    """A shopper who adds one product."""
    story = MarketStory(TREE, *campaigns)
    story.add("p-1", price_minor=price_minor, currency="EUR")
    return story


def test_promises_are_open_and_then_redeemed() -> None:
    """Each with its campaign, what it costs at most, until when it is honoured, and what became of it."""
    story = shopping(TEN)
    (promise,) = looked_up(story)["promises"]
    (told,) = looked_up(story)["decisions"]
    assert {
        "experience_id": told["experience_id"],
        "campaign_id": "ten",
        "cost_minor": 500,
        "until": "2026-09-21T14:23:20.000Z",
        "state": "open",
    } == promise
    story.order("o-1", 5, **{"p-1": (1, 1_000)})
    assert ["redeemed"] == [one["state"] for one in looked_up(story)["promises"]]


def test_a_decision_names_its_campaign_and_who_lost_to_it() -> None:
    """Who won the slot, and against whom, for which reason."""
    (told,) = looked_up(shopping(TEN, ELITE))["decisions"]
    assert ("ten", None) == (told["campaign_id"], told.get("held_out"))
    assert [("elite", "audience")] == [(one["campaign_id"], one["reason"]) for one in told["against"]]


def test_what_was_held_out_is_told_and_not_promised() -> None:
    """Its decision stands among the others, said to be held out; the page has nothing, and nobody promised."""
    story = MarketStory(
        {**TREE, "shown": {"experiences": [promotion("main", "ten", "p-1"), recommendation("side", None, "p-2")]}},
        campaign("ten", holdout_ppm=900_000),
    )
    story.add("p-1", price_minor=1_000)
    found = looked_up(story)
    assert [("recommendation", None), ("personalised_promotion", True)] == [
        (one["kind"], one.get("held_out")) for one in found["decisions"]
    ]
    assert ["side"] == [slot.experience.slot for slot in story.state.slots]
    assert [] == found["promises"]


def test_held_out_alone_is_told_too() -> None:
    """Where nothing else was shown, the last decisions have it all the same."""
    story = MarketStory(
        {**TREE, "shown": {"experiences": [promotion("main", "ten", "p-1")]}}, campaign("ten", holdout_ppm=900_000)
    )
    story.add("p-1", price_minor=1_000)
    assert [True] == [one["held_out"] for one in looked_up(story)["decisions"]]


def test_a_refused_edge_says_what_would_have_been_enough() -> None:
    """The edge wants 50.00 and the basket has 10.00."""
    (refused,) = looked_up(shopping(TEN))["considered"]
    assert ("start", {"change": "basket_total", "by_minor": 4_000}) == (refused["node_id"], refused["flip"])


def test_a_campaign_that_lost_by_its_audience_says_so_too() -> None:
    """Also where no campaign won the slot."""
    for campaigns in ((TEN, ELITE), (ELITE,)):
        found = looked_up(shopping(*campaigns), *campaigns)["lost"]
        lost = {one["campaign_id"]: one for one in found}
        assert "audience" == lost["elite"]["reason"]
        assert {"change": "basket_total", "by_minor": 4_000} == lost["elite"]["flip"]


def test_a_passed_threshold_says_how_much_less() -> None:
    """The tension starts at 20.00 and the basket has 30.00."""
    found = looked_up(shopping(FIVE, price_minor=3_000), FIVE)["lost"]
    lost = {one["campaign_id"]: one for one in found}
    assert ("threshold_passed", {"change": "basket_total", "by_minor": -1_001}) == (
        lost["five"]["reason"],
        lost["five"]["flip"],
    )


def test_other_reasons_have_no_flip() -> None:
    """Who was not there did not lose by the basket."""
    found = looked_up(shopping(TEN), TEN)["lost"]
    assert {("elite", "unknown", None), ("five", "unknown", None)} == {
        (one["campaign_id"], one["reason"], one["flip"]) for one in found
    }


def test_once_the_shopper_went_on_nobody_knows_what_would_have_been() -> None:
    """Who lost is still told, with the event at which it was; the basket of that moment is gone."""
    story = shopping(ELITE)
    before = looked_up(story, ELITE)["lost"]
    story.tell("PageViewed", 1, page={"kind": "home"})
    after = looked_up(story, ELITE)["lost"]
    assert [one | {"flip": None} for one in before] == after


def test_a_shopper_back_at_the_same_node_keeps_what_was_held_out() -> None:
    """A new session that leads to the node of the last one is told like the first, though nothing moved or showed."""
    nodes: Json = {"start": {"edges": [edge("kept", ALWAYS)]}, "kept": {"experiences": [promotion("m", "ten", "p-1")]}}
    story = MarketStory(nodes, campaign("ten", holdout_ppm=900_000))
    story.tell("PageViewed", page={"kind": "home"})
    story.tell("PageViewed", 7_200, page={"kind": "home"})
    assert 2 == len(looked_up(story)["decisions"])
