"""The price of the whole basket: which orders draw for it, what a win costs, and what takes it back."""

from __future__ import annotations

from typing import Any

import pytest

from domain.drawing import BASKET_SHOWN_MS
from domain.experiences import Withdrawal
from domain.purse import Amounts
from domain.records import Played, Settlement
from tests.gaming import GameStory, basket, game, proposes, voucher
from tests.market import campaign
from tests.story import NOON_MS

TTL_S = 1_800
NEVER = 1
"""Parts per million; no ticket of these stories is as low."""


def shown(**fields: Any) -> tuple[GameStory, str]:
    """A story in which the shopper has the right to a draw, and its id."""
    story = GameStory(basket("spring", **fields))
    return story, story.view()


def ordered(**fields: Any) -> tuple[GameStory, str, str]:
    """A story in which an order has won, with the right's id and the id of what says so."""
    story, right = shown(**fields)
    story.order()
    return story, right, story.shown()["main"].experience_id


def gone(story: GameStory) -> list[str]:
    """What the last event took off the page."""
    return [one.experience_id for one in story.decided.withdrawals] if story.decided is not None else []


def drawn(story: GameStory) -> bool:
    """Whether the last event drew."""
    return story.decided is not None and bool(story.decided.plays)


def test_an_order_wins_its_own_price() -> None:
    """The page is told in the right's slot, the budget bears it, and the right is that order's from then on."""
    story, right, won = ordered()
    experience = story.shown()["main"]
    assert {"prize_id": "basket", "value_minor": 5_000, "currency": "EUR"} == experience.content["outcome"]
    assert NOON_MS + 2_000 + BASKET_SHOWN_MS == experience.expires_at_ms
    assert story.decided is not None
    assert (
        Played(experience_id=right, campaign_id="spring", epoch=2, wanted="basket", prize_id="basket"),
    ) == story.decided.plays
    assert (
        Settlement(
            experience_id=right,
            campaign_id="spring",
            cause="order",
            order_id="o-1",
            reserved_minor=-20_000,
            reserved_count=-1,
            committed_minor=5_000,
            committed_count=1,
        ),
    ) == story.decided.settlements
    assert (won, "o-1", 5_000) == (story.right().experience_id, story.right().order_id, story.right().committed_minor)
    assert (Amounts(), Amounts(5_000, 1)) == (story.balance("spring").reserved, story.balance("spring").committed)


def test_a_win_has_a_highest_price() -> None:
    """An order above it wins that much."""
    story, _, _ = ordered(at_most_minor=1_200)
    assert 1_200 == story.content()["outcome"]["value_minor"]
    assert Amounts(1_200, 1) == story.balance("spring").committed


def test_an_order_that_does_not_win_ends_the_right() -> None:
    """All goes back, the card leaves the page, and the draw stands in the record."""
    story, right = shown(chance_ppm=NEVER)
    story.order()
    assert story.decided is not None
    assert (Played(experience_id=right, campaign_id="spring", epoch=2),) == story.decided.plays
    assert (Withdrawal(experience_id=right, slot="main"),) == story.decided.withdrawals
    assert ((), {}) == (story.state.reservations, story.shown())
    assert (Amounts(), Amounts()) == (story.balance("spring").reserved, story.balance("spring").committed)


@pytest.mark.parametrize(
    "order",
    [
        {"verified": False},
        {"lines": {"p-2": 5_000}},
        {"at_s": TTL_S + 0.001},
        {"at_s": -1},
        {"total_minor": 0},
    ],
    ids=["a browser's", "of other products", "too late", "before it was promised", "of nothing"],
)
def test_other_orders_draw_for_nothing(order: dict[str, Any]) -> None:
    """The right stays open for the next order."""
    story, right = shown()
    story.order("o-1", **order)
    assert not drawn(story)
    assert right == story.right().experience_id
    story.order("o-2", at_s=TTL_S)
    assert drawn(story)


def test_an_order_draws_once() -> None:
    """Told again under another event id, or after another order, it has no second chance; nor once it came back."""
    story, _, _ = ordered()
    story.order("o-1", at_s=3)
    story.order("o-2", at_s=4)
    assert not drawn(story)
    again, right = shown()
    again.moved("cancelled", "o-1", at_s=1)
    again.order("o-1", at_s=2)
    assert not drawn(again)
    assert right == again.right().experience_id


def test_an_order_after_the_last_seed_draws_nothing() -> None:
    """Its seed is about to be public when it arrives."""
    story, right = shown()
    story.order(at_s=5, received_s=400 * 86_400)
    assert not drawn(story)
    assert right == story.right().experience_id


def test_a_click_does_not_draw_for_a_basket() -> None:
    """Only an order does."""
    story, right = shown()
    story.click(right)
    assert not drawn(story)


def test_an_order_does_not_play_a_game() -> None:
    """And the other way round: a wheel beside it waits for its click."""
    story = GameStory(basket("spring"), game("wheel", voucher()))
    story.view()
    story.order()
    assert story.decided is not None
    assert ["spring"] == [play.campaign_id for play in story.decided.plays]
    assert {"spring": False, "wheel": True} == {one.campaign_id: one.is_open for one in story.state.reservations}


def test_each_slot_has_one_draw_an_order() -> None:
    """Rights in other slots are drawn too; of two in one slot the second waits for the next order."""
    added = {"kind": "event", "types": ["AddedToBasket"]}
    story = GameStory(
        *(basket(name) for name in ("one", "two", "three")),
        experiences=[proposes("one"), proposes("two", slot="side")],
        edges=[{"to": "next", "when": added}],
        more={"next": {"experiences": [proposes("three")]}},
    )
    story.view()
    story.add("p-1", at_s=1)
    story.order("o-1", at_s=2)
    assert story.decided is not None
    assert ["one", "two"] == sorted(play.campaign_id for play in story.decided.plays)
    assert {"main", "side"} == set(story.shown())
    story.order("o-2", at_s=3)
    assert story.decided is not None
    assert ["three"] == [play.campaign_id for play in story.decided.plays]


def test_the_winner_is_told_whatever_the_order_leads_to() -> None:
    """A node that the same order enters does not take the slot."""
    paid = {"kind": "event", "types": ["OrderPaid"]}
    thanks = {"slot": "main", "kind": "recommendation", "content": {"products": ["p-9"]}}
    story, _ = shown()
    tree = {
        "start": {"edges": [{"to": "thanks", "when": paid}]},
        "thanks": {"experiences": [thanks]},
    }
    story.plant(tree, 2)
    story.order()
    assert "outcome" in story.content()
    assert "thanks" == story.state.node_id


@pytest.mark.parametrize("status", ["cancelled", "returned"])
def test_a_whole_order_takes_its_reward_with_it(status: str) -> None:
    """The budget has it again, and the page loses what could be claimed."""
    story, _, won = ordered()
    story.moved(status)
    assert story.decided is not None
    assert [(won, status, -5_000, -1)] == [
        (end.experience_id, end.cause, end.committed_minor, end.committed_count) for end in story.decided.settlements
    ]
    assert (Withdrawal(experience_id=won, slot="main"),) == story.decided.withdrawals
    assert (Amounts(), ()) == (story.balance("spring").committed, story.state.reservations)


def test_what_goes_back_makes_the_reward_smaller() -> None:
    """It is worth what is left of the order, until the promoted product went back too; the page keeps it till then."""
    story, _, won = ordered()
    story.moved("partially_returned", p_2=1)
    assert (2_000, won) == (story.right().committed_minor, story.right().experience_id)
    assert Amounts(2_000, 1) == story.balance("spring").committed
    assert [] == gone(story)
    story.moved("partially_returned", at_s=4, p_1=1)
    assert [won] == gone(story)
    assert (Amounts(), ()) == (story.balance("spring").committed, story.state.reservations)


def test_what_goes_back_of_a_dear_order_leaves_the_highest_price() -> None:
    """As long as what is left comes to it."""
    story, _, _ = ordered(at_most_minor=1_500)
    story.moved("partially_returned", p_2=1)
    assert 1_500 == story.right().committed_minor
    assert story.decided is None or () == story.decided.settlements


def test_a_reward_goes_with_a_discount_of_the_same_order() -> None:
    """The till takes off what was promised, the order draws as well, and both come back with it, lines and all."""
    off = campaign("off")
    promotion = {
        "slot": "side",
        "kind": "personalised_promotion",
        "campaign_id": "off",
        "content": {"products": ["p-2"], "generosity": {"type": "amount", "value_minor": 100}},
    }
    story = GameStory(basket("spring"), off, experiences=[proposes("spring"), promotion])
    story.view()
    story.order(lines={**{f"q-{number}": 10 for number in range(200)}, "p-1": 2_000, "p-2": 3_000}, total_minor=7_000)
    assert {"off": 100, "spring": 7_000} == {one.campaign_id: one.committed_minor for one in story.state.reservations}
    assert 1 == len({(one.lines, one.others_minor) for one in story.state.reservations})
    story.moved("partially_returned", p_2=1)
    assert {"spring": 4_000} == {one.campaign_id: one.committed_minor for one in story.state.reservations}
    story.moved("cancelled", at_s=4)
    assert () == story.state.reservations
    assert (Amounts(), Amounts()) == (story.balance("spring").committed, story.balance("off").committed)


def test_a_reward_that_left_the_page_is_not_withdrawn_from_it() -> None:
    """Dismissed, or replaced by something else: what stands there stays."""
    story, _, won = ordered()
    story.tell("ExperienceDismissed", at_s=3, experience_id=won)
    story.moved("cancelled", at_s=4)
    assert [] == gone(story)
