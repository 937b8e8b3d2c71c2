"""Consent taken back: nothing is decided any more until it is given again, and nothing that was promised is lost."""

from __future__ import annotations

from typing import Any

from domain.shopper import decode, encode
from tests.story import TreeStory
from tests.unit import market_story
from tests.unit.test_decide import PASTA, VIEW, edge, recommendation

TREE: dict[str, Any] = {
    "start": {"edges": [edge("sauce", PASTA), edge("home", VIEW)]},
    "sauce": {"experiences": [recommendation("main", "pesto")], "after": {"idle_s": 60, "to": "nudge"}},
    "nudge": {"experiences": [recommendation("corner", "wine")]},
    "home": {"experiences": [recommendation("banner", "bread")], "edges": [edge("sauce", PASTA)]},
}


def withdrawn_story() -> TreeStory:
    """A shopper with two experiences on the page who takes consent back."""
    story = TreeStory(TREE)
    story.tell("PageViewed", page={"kind": "home"})
    story.add("penne", 1, category_id="pasta")
    story.tell("ConsentWithdrawn", 2)
    return story


def test_what_is_on_the_page_is_withdrawn() -> None:
    """Every open experience leaves, and the timer with them."""
    story = withdrawn_story()
    assert story.decided is not None
    assert {"main", "banner"} == {gone.slot for gone in story.decided.withdrawals}
    assert {"withdrawn"} == {slot.state for slot in story.state.slots}
    assert (None, True) == (story.state.timer, story.state.is_withdrawn)
    assert story.state == decode(encode(story.state))


def test_nothing_is_decided_while_consent_is_withdrawn() -> None:
    """An event that says nothing of consent, as of the retailer's server, changes the basket and shows nothing."""
    story = withdrawn_story()
    story.add("penne", 3, category_id="pasta", presumed=True)
    assert story.decided is None
    assert 2 == story.state.basket.lines[0].quantity
    story.pay(at_s=7_200, presumed=True)
    assert (None, ()) == (story.decided, story.state.basket.lines)


def test_consent_given_again_begins_at_the_root() -> None:
    """The first event that grants it is decided again, as at a first visit."""
    story = withdrawn_story()
    story.add("penne", 3, category_id="pasta", presumed=False)
    assert not story.state.is_withdrawn
    assert {"main"} == set(story.shown())
    assert story.decided is not None
    assert "start" == story.decided.walked_from


def test_a_shopper_who_never_consented_is_not_remembered() -> None:
    """A refusal of a stranger leaves the state of a stranger."""
    story = TreeStory(TREE)
    story.tell("ConsentWithdrawn")
    assert story.applied is not None
    assert story.applied.repeat
    assert (None, b"", False) == (story.state.last_event_id, story.state.seen, story.state.is_withdrawn)


def test_the_second_refusal_changes_nothing() -> None:
    """Tabs may refuse one after the other."""
    story = withdrawn_story()
    before = story.state
    story.tell("ConsentWithdrawn", 4)
    assert before == decode(encode(before))
    assert (None, before.seen, before.slots) == (story.decided, story.state.seen, story.state.slots)


def test_a_timer_that_was_under_way_finds_nobody() -> None:
    """An idle timer that elapsed before the refusal was known shows nothing."""
    story = TreeStory(TREE)
    story.add("penne", category_id="pasta")
    timer = story.state.timer
    assert timer is not None
    story.tell("ConsentWithdrawn", 1)
    story.tell("IdleElapsed", 60, after_event_id=str(timer.after_event_id), node_id=timer.node_id)
    assert story.applied is not None
    assert story.applied.repeat


def test_a_promise_outlives_consent() -> None:
    """What was promised on the page is redeemed by the order, though nothing new is shown."""
    tree = {
        "start": {"edges": [edge("offer", PASTA)]},
        "offer": {"experiences": [market_story.promotion("offer", "spring", "penne")]},
    }
    story = TreeStory(tree, market=market_story.market([market_story.campaign("spring")]))
    story.add("penne", category_id="pasta", price_minor=200, currency="EUR")
    assert {"offer"} == set(story.shown())
    story.tell("ConsentWithdrawn", 1)
    line = {"product_id": "penne", "quantity": 1, "price_minor": 200}
    story.tell(
        "OrderPaid", 2, order_id="o", lines=[line], total_minor=180, currency="EUR", verified=True, presumed=True
    )
    assert story.decided is not None
    assert (["order"], ()) == ([end.cause for end in story.decided.settlements], story.decided.decisions)
