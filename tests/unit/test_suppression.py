"""A suppressed shopper: the page is cleared, what comes changes nothing, and promises are given back in time."""

from __future__ import annotations

from domain.reservations import Reservation
from domain.shopper import decode, encode
from tests.story import TreeStory
from tests.unit import market_story
from tests.unit.test_consent import TREE
from tests.unit.test_decide import PASTA, edge


def suppressed_story() -> TreeStory:
    """A shopper with two experiences on the page and a timer, of whom nothing is taken any more."""
    story = TreeStory(TREE)
    story.tell("PageViewed", page={"kind": "home"})
    story.add("penne", 1, category_id="pasta")
    story.tell("ShopperSuppressed", 2)
    return story


def test_what_is_on_the_page_is_withdrawn() -> None:
    """Every open experience leaves, and the timer with them; the basket stays, for it is not erased."""
    story = suppressed_story()
    assert story.decided is not None
    assert {"main", "banner"} == {gone.slot for gone in story.decided.withdrawals}
    assert (None, True) == (story.state.timer, story.state.is_suppressed)
    assert ["penne"] == [line.product_id for line in story.state.basket.lines]
    assert story.state == decode(encode(story.state))


def test_what_comes_later_changes_nothing() -> None:
    """An event that a gateway took before it knew is passed over and counted; not even its id is remembered."""
    story = suppressed_story()
    before = story.state
    applied = story.add("penne", 3, category_id="pasta", presumed=False)
    assert (True, ("suppressed",), None) == (applied.repeat, applied.faults, story.decided)
    assert (before.basket, before.seen, before.session) == (story.state.basket, story.state.seen, story.state.session)
    story.pay(at_s=7_200)
    assert before.basket == story.state.basket


def test_events_count_again_once_they_are_taken_again() -> None:
    """The next event after the opposite request finds the basket as it was, and is decided from the root."""
    story = suppressed_story()
    story.tell("ShopperUnsuppressed", 3)
    assert not story.state.is_suppressed
    story.add("penne", 4, category_id="pasta")
    assert 2 == story.state.basket.lines[0].quantity
    assert {"main"} == set(story.shown())


def test_whoever_refused_before_stays_withdrawn() -> None:
    """Consent that the shopper took back is not given by a request."""
    story = suppressed_story()
    story.tell("ConsentWithdrawn", 3)
    story.tell("ShopperUnsuppressed", 4)
    story.add("penne", 5, category_id="pasta", presumed=True)
    assert (None, True) == (story.decided, story.state.is_withdrawn)


def test_a_stranger_is_suppressed_too() -> None:
    """The first event of a shopper who never came may be under way, at a gateway that had not heard of it."""
    story = TreeStory(TREE)
    story.tell("ShopperSuppressed")
    assert story.decided is None
    story.add("penne", 1, category_id="pasta", presumed=False)
    assert (None, (), None) == (story.decided, story.state.basket.lines, story.state.last_event_id)
    assert story.state == decode(encode(story.state))


def test_each_is_done_once() -> None:
    """A second request for the same, and the opposite of what is not so, change nothing."""
    story = suppressed_story()
    before = story.state
    assert story.tell("ShopperSuppressed", 4).repeat
    assert before.seen == story.state.seen
    story.tell("ShopperUnsuppressed", 5)
    assert story.tell("ShopperUnsuppressed", 6).repeat


def test_a_request_told_again_is_absorbed() -> None:
    """The record of a request that comes once more, after the opposite request, suppresses nobody again."""
    story = TreeStory(TREE)
    story.add("penne", category_id="pasta")
    story.tell("ShopperSuppressed", 1, number=71)
    story.tell("ShopperUnsuppressed", 2, number=72)
    assert story.tell("ShopperSuppressed", 3, number=71).repeat
    assert not story.state.is_suppressed


def test_what_was_promised_is_given_back_in_time() -> None:
    """No order can redeem a promise now, and its end still returns what it reserved to the budget."""
    tree = {
        "start": {"edges": [edge("offer", PASTA)]},
        "offer": {"experiences": [market_story.promotion("offer", "spring", "penne")]},
    }
    story = TreeStory(tree, market=market_story.market([market_story.campaign("spring")]))
    story.add("penne", category_id="pasta", price_minor=200, currency="EUR")
    (promised,) = story.state.reservations
    assert isinstance(promised, Reservation)
    story.tell("ShopperSuppressed", 1)
    experience_id = promised.experience_id
    story.tell("ReservationExpired", 100_000, experience_id=experience_id)
    assert story.decided is not None
    assert ["expired"] == [end.cause for end in story.decided.settlements]
    assert ((), True) == (story.decided.decisions, story.state.is_suppressed)
