"""What if: another tree, other campaigns, beside what was decided."""

from __future__ import annotations

from typing import Any

from adapters.zones import zone_of
from domain.arbitration import Market
from domain.campaigns_in_force import InForce
from domain.games import Game
from domain.ids import ShopperKey, experience_id, idle_event_id, reservation_expired_id
from domain.tree import Tree
from domain.what_if import Bottomless, Row, World, compare
from tests.story import NOON_MS, RETAILER, SHOPPER, TreeStory
from tests.unit.market_story import (
    ADDED,
    Json,
    MarketStory,
    campaign,
    edge,
    market,
    promotion,
    recommendation,
    tension,
)

KEY = ShopperKey(RETAILER, SHOPPER)
MINUTE_MS = 60_000
DELIVERY: Json = {"type": "delivery"}
GAME: Json = {"game": "scratch", "products": ["pasta"], "prize": DELIVERY}
TEN = campaign("ten")
FREE = campaign("free", kind="basket_tension", percent=None, max_discount_minor=390)


def planted(nodes: Json) -> Tree:
    """A tree."""
    tree = TreeStory(nodes).tree
    assert tree is not None
    return tree


def leads_to(*experiences: Json, idle_s: int | None = None) -> Json:
    """A tree in which what is added leads to these experiences, or to a nudge after some idling."""
    nodes: Json = {"start": {"edges": [edge("shown", ADDED)]}, "shown": {"experiences": list(experiences)}}
    if idle_s is not None:
        nodes["shown"]["after"] = {"idle_s": idle_s, "to": "nudge"}
        nodes["nudge"] = {"experiences": [recommendation("nudge", None, "tea")]}
    return nodes


def compared(story: MarketStory, nodes: Json, *campaigns: Any, minutes: int = 0) -> list[Row]:
    """A shopper's events through another tree and other campaigns, up to some minutes after noon."""
    decided = {one.trigger_event_id: one for one in story.told}
    world = World(planted(nodes), market(campaigns))
    return compare(KEY, story.records, decided, world, NOON_MS + minutes * MINUTE_MS)


def sides(row: Row) -> tuple[list[str], list[str]]:
    """What was and what would be: slot, became, campaign or node."""

    def told(outcomes: Any) -> list[str]:
        return [f"{one.slot} {one.became} {one.campaign_id or one.node_id}" for one in outcomes]

    return told(row.actual), told(row.would_be)


def test_another_tree_decides_otherwise_from_the_first_event_on() -> None:
    """Each event stands once, with what was decided and what would have been."""
    story = MarketStory(leads_to(recommendation("main", None, "tea")))
    story.tell("PageViewed", page={"kind": "home"})
    story.add("pasta", 1)
    rows = compared(story, leads_to(recommendation("side", None, "milk")))
    assert [("PageViewed", True), ("AddedToBasket", False)] == [(row.type, row.is_same) for row in rows]
    assert (["main shown shown"], ["side shown shown"]) == sides(rows[1])
    assert [{"products": ["tea"]}, {"products": ["milk"]}] == [
        side[0].content for side in (rows[1].actual, rows[1].would_be)
    ]


def test_other_campaigns_decide_otherwise() -> None:
    """The same tree asks others: one that holds everybody out, and one that was not there."""
    nodes = leads_to(promotion("main", "ten", "pasta"), tension("bar", "free", 900, DELIVERY))
    story = MarketStory(nodes, TEN)
    story.add("pasta", price_minor=100)
    (row,) = compared(story, nodes, campaign("ten", holdout_ppm=900_000), FREE)
    assert (["main shown ten"], ["bar shown free", "main held_out ten"]) == sides(row)


def test_the_same_tree_and_campaigns_decide_the_same() -> None:
    """A story with timers, promises, orders and ends of promises: told again, every row is the same."""
    nodes = leads_to(promotion("main", "ten", "pasta", ttl_s=60), tension("bar", "free", 900, DELIVERY), idle_s=45)
    story = MarketStory(nodes, TEN, FREE)
    story.add("pasta", price_minor=100)
    story.add("pasta", 10, price_minor=100)
    _idled(story, 55.001)
    story.add("wine", 100, price_minor=900)
    story.order("o-1", 110, wine=(1, 900))
    _ended(story)
    story.add("pasta", 4_000, price_minor=100)
    _idled(story, 4_045.5)
    _ended(story)
    rows = compared(story, nodes, TEN, FREE, minutes=120)
    assert [] == [sides(row) for row in rows if not row.is_same]
    assert {"AddedToBasket", "IdleElapsed", "OrderPaid", "ReservationExpired"} == {row.type for row in rows}
    assert {record.event.event_id for record in story.records} == {row.event_id for row in rows}


def test_timers_elapse_as_the_other_tree_has_them() -> None:
    """Where the real tree waited 45 seconds and the other one waits 30, each has its row; none is told twice."""
    story = MarketStory(leads_to(idle_s=45))
    story.add("pasta")
    _idled(story, 45.001)
    rows = compared(story, leads_to(idle_s=30), minutes=5)
    assert ["AddedToBasket", "IdleElapsed"] == [row.type for row in rows]
    assert NOON_MS + 30_000 == rows[1].at_ms
    assert (["nudge shown nudge"], ["nudge shown nudge"]) == sides(rows[1])
    rows = compared(story, leads_to(), minutes=5)
    assert (["nudge shown nudge"], []) == sides(rows[1])


def test_a_timer_that_only_the_other_tree_has_is_told_in_its_turn() -> None:
    """It elapses between two events, or after the last one up to the end of what is known; activity puts it off."""
    story = MarketStory(leads_to())
    story.add("pasta")
    story.tell("PageViewed", 20, page={"kind": "home"})
    story.tell("PageViewed", 60, page={"kind": "home"})
    rows = compared(story, leads_to(idle_s=30))
    assert ["AddedToBasket", "PageViewed", "IdleElapsed", "PageViewed"] == [row.type for row in rows]
    assert ([], ["nudge shown nudge"]) == sides(rows[2])
    assert 4 == len(compared(story, leads_to(idle_s=30), minutes=9))


def test_a_promise_ends_where_it_would_have() -> None:
    """A promise that only the other campaigns made ends 15 minutes after its time, and is no promise any more."""
    nodes = leads_to(promotion("main", "ten", "pasta", ttl_s=60))
    story = MarketStory(nodes)
    story.add("pasta")
    assert ["AddedToBasket"] == [row.type for row in compared(story, nodes, TEN, minutes=15)]
    rows = compared(story, nodes, TEN, minutes=16)
    assert [("AddedToBasket", 0), ("ReservationExpired", 16)] == [
        (row.type, (row.at_ms - NOON_MS) // MINUTE_MS) for row in rows
    ]


def test_budgets_never_end() -> None:
    """A campaign whose budget has room for one promise makes as many as it likes: others' promises are not known."""
    nodes = leads_to(promotion("main", "ten", "pasta", ttl_s=1))
    story = MarketStory(nodes)
    for hour in range(3):
        story.add("pasta", hour * 3_600)
    rows = compared(story, nodes, campaign("ten", budget={"money_minor": 500, "count": 1}))
    assert 3 == sum(sides(row)[1] == ["main shown ten"] for row in rows)


def test_a_campaign_is_open_by_its_dates() -> None:
    """What was received after its end, or before its start, does not see it."""
    nodes = leads_to(promotion("main", "ten", "pasta"))
    story = MarketStory(nodes)
    story.add("pasta")
    over = campaign("ten", ends_at="2026-09-21T00:00:00Z")
    to_come = campaign("ten", starts_at="2026-09-22T00:00:00Z")
    assert [["main shown ten"], [], []] == [sides(compared(story, nodes, one)[0])[1] for one in (TEN, over, to_come)]


def test_a_repeated_event_stands_once() -> None:
    """A retry that was archived twice changes neither side."""
    nodes = leads_to(recommendation("main", None, "tea"))
    story = MarketStory(nodes)
    story.add("pasta", number=7)
    story.add("pasta", 1, number=7)
    (row,) = compared(story, nodes)
    assert row.is_same
    assert (["main shown shown"], ["main shown shown"]) == sides(row)


def test_a_game_is_drawn_by_its_own_seeds() -> None:
    """A click on a game that only the other world showed draws it there, however little stock it has."""
    prize = {"prize_id": "cup", "reward": {"type": "product", "product_id": "cup"}, "chance_ppm": 1_000_000, "stock": 1}
    card = campaign("card", kind="gamified_promotion", percent=None, max_discount_minor=None, prizes=[prize])
    nodes = leads_to({**promotion("main", "card", "pasta"), "kind": "gamified_promotion", "content": GAME})
    story = MarketStory(nodes)
    story.add("pasta")
    shown = experience_id(RETAILER, SHOPPER, story.records[0].event.event_id, "main")
    story.tell("ExperienceClicked", 2, experience_id=shown)
    decided = {one.trigger_event_id: one for one in story.told}
    games = {"card": Game(card, b"e" * 32, epochs=100)}
    drawing = Market({RETAILER: InForce([card], {}, zone_of, "UTC", games)}, Bottomless())
    (_, clicked) = compare(KEY, story.records, decided, World(planted(nodes), drawing), NOON_MS)
    assert (["main shown card"], "cup") == (
        sides(clicked)[1],
        (clicked.would_be[0].content or {})["outcome"]["prize_id"],
    )
    (_, clicked) = compare(KEY, story.records, decided, World(planted(nodes), market([card])), NOON_MS)
    assert () == clicked.would_be


def test_nobodys_tree_decides_nothing() -> None:
    """Without a tree nothing would have been shown."""
    story = MarketStory(leads_to(recommendation("main", None, "tea")))
    story.add("pasta")
    decided = {one.trigger_event_id: one for one in story.told}
    (row,) = compare(KEY, story.records, decided, World(None, market(())), NOON_MS)
    assert (["main shown shown"], []) == sides(row)


def _idled(story: MarketStory, at_s: float) -> None:
    """The pending timer elapses, as the worker says it."""
    timer = story.state.timer
    assert timer is not None
    event_id = str(idle_event_id(timer.after_event_id, timer.node_id))
    after = str(timer.after_event_id)
    story.tell("IdleElapsed", at_s, event_id=event_id, after_event_id=after, node_id=timer.node_id)


def _ended(story: MarketStory) -> None:
    """Every open promise ends, a moment after its time."""
    for one in sorted(story.open(), key=lambda promise: promise.due_at_ms):
        at_s = (one.due_at_ms + 5 - NOON_MS) / 1_000
        event_id = str(reservation_expired_id(one.experience_id))
        story.tell("ReservationExpired", at_s, event_id=event_id, experience_id=one.experience_id)
