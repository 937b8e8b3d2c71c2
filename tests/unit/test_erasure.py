"""An erased shopper: nothing is known any more, the page is cleared, and what was promised is given back."""

from __future__ import annotations

from domain.shopper import Shopper, decode, encode
from tests.story import NOON_MS, RETAILER, SHOPPER, TreeStory
from tests.unit import market_story
from tests.unit.test_decide import PASTA, edge
from tests.unit.test_suppression import suppressed_story

PROMISING = {
    "start": {"edges": [edge("offer", PASTA)]},
    "offer": {"experiences": [market_story.promotion("offer", "spring", "penne")]},
}


def promised_story() -> TreeStory:
    """A shopper with a promise and an order of before."""
    story = TreeStory(PROMISING, market=market_story.market([market_story.campaign("spring")]))
    story.pay(verified=True)
    story.add("penne", 10, category_id="pasta", price_minor=200, currency="EUR")
    assert 1 == len(story.state.reservations)
    return story


def nothing_but(story: TreeStory, *, is_suppressed: bool, at_s: int) -> Shopper:
    """What is left of an erased shopper: whose state it is, how far, when, and which events were seen, not what."""
    state = story.state
    return Shopper(
        retailer_id=RETAILER,
        shopper=SHOPPER,
        position=state.position,
        seen=state.seen,
        is_suppressed=is_suppressed,
        erased_at_ms=NOON_MS + at_s * 1_000,
    )


def test_everything_is_forgotten() -> None:
    """Basket, session, order, slots, decisions, exposures, consent: the state is a stranger's."""
    story = promised_story()
    story.tell("ConsentWithdrawn", 11)
    story.tell("ShopperErased", 12)
    assert nothing_but(story, is_suppressed=False, at_s=12) == story.state
    assert story.state == decode(encode(story.state))


def test_a_suppressed_shopper_stays_so_if_the_request_says_so() -> None:
    """Late events change nothing then; otherwise the next one is a stranger's first."""
    story = suppressed_story()
    story.tell("ShopperErased", 3, stays_suppressed=True)
    assert nothing_but(story, is_suppressed=True, at_s=3) == story.state
    assert ("suppressed",) == story.add("penne", 4, category_id="pasta").faults
    assert nothing_but(story, is_suppressed=True, at_s=3) == story.state
    story.tell("ShopperUnsuppressed", 5)
    story.add("penne", 6, category_id="pasta")
    assert [1] == [line.quantity for line in story.state.basket.lines]
    assert 1 == story.state.session.visits


def test_who_was_let_go_before_is_not_suppressed_again() -> None:
    """The opposite request, taken down before the erasure's last record, holds."""
    story = suppressed_story()
    story.tell("ShopperUnsuppressed", 3)
    story.tell("ShopperErased", 4, stays_suppressed=True)
    assert nothing_but(story, is_suppressed=False, at_s=4) == story.state


def test_promises_are_given_back_and_the_page_is_cleared() -> None:
    """Budgets get what nobody can redeem any more; what an order redeemed stays spent."""
    story = promised_story()
    story.tell("ShopperErased", 11)
    assert story.decided is not None
    (settled,) = story.decided.settlements
    assert ("erased", -1, 0) == (settled.cause, settled.reserved_count, settled.committed_count)
    assert ["offer"] == [gone.slot for gone in story.decided.withdrawals]
    assert () == story.state.slots


def test_what_comes_once_more_erases_nobody_again() -> None:
    """The record of a privacy worker that died and came back is absorbed, whatever the shopper did since."""
    story = promised_story()
    story.tell("ShopperErased", 11, number=71)
    story.add("penne", 12, category_id="pasta")
    before = story.state.basket
    assert story.tell("ShopperErased", 13, number=71).repeat
    assert before == story.state.basket
    story.tell("ShopperErased", 14, number=72)
    assert () == story.state.basket.lines


def test_a_retry_of_before_is_absorbed() -> None:
    """An event that comes once more is not decided again, or the page would be shown twice what it has seen."""
    story = TreeStory(PROMISING)
    story.add("penne", 10, category_id="pasta", number=71)
    assert story.decided is not None
    story.tell("ShopperErased", 11)
    assert story.add("penne", 10, category_id="pasta", number=71).repeat
    assert () == story.state.basket.lines


def test_what_was_received_before_and_comes_behind_is_passed_over() -> None:
    """A failed event whose replay was under way: no stranger's first event, though nobody has seen its id."""
    story = promised_story()
    story.tell("ShopperErased", 12)
    late = story.add("penne", 11, category_id="pasta", price_minor=200, currency="EUR")
    assert (True, ("erased",), None) == (late.repeat, late.faults, story.decided)
    assert nothing_but(story, is_suppressed=False, at_s=12) == story.state
    story.add("penne", 13, category_id="pasta")
    assert [1] == [line.quantity for line in story.state.basket.lines]


def test_what_happened_before_and_was_received_later_is_a_strangers() -> None:
    """From when on an erasure holds, the gateways say: their times are compared, not the trackers'."""
    story = promised_story()
    story.tell("ShopperErased", 12)
    story.add("penne", 5, category_id="pasta", received_s=13)
    assert [1] == [line.quantity for line in story.state.basket.lines]


def test_a_stranger_is_erased_too() -> None:
    """Nothing is told, and nothing stands in the way of the first event."""
    story = TreeStory(PROMISING)
    story.tell("ShopperErased")
    assert story.decided is None
    assert nothing_but(story, is_suppressed=False, at_s=0) == story.state
