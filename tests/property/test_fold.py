"""Laws of the fold, for any story."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.fold import apply
from domain.ids import Position
from domain.records import Record
from domain.shopper import SEEN_IDS, Shopper, decode, encode
from tests.story import RETAILER, SHOPPER, record

PRODUCTS = st.sampled_from(["pasta", "sauce", "tea"])
CURRENCIES = st.sampled_from(["EUR", "GBP"])


@st.composite
def events(draw: st.DrawFn) -> tuple[str, float, dict[str, Any]]:
    """Gives an event as kind, time and fields."""
    kind = draw(
        st.sampled_from(["PageViewed", "AddedToBasket", "RemovedFromBasket", "OrderPaid", "OrderStatusChanged"])
    )
    at_s = draw(st.integers(0, 10_000))
    match kind:
        case "PageViewed":
            return kind, at_s, {"page": {"kind": "home"}}
        case "OrderPaid":
            order_id = draw(st.sampled_from(["o-1", "o-2", "o-3"]))
            return kind, at_s, {"order_id": order_id, "lines": [], "total_minor": 0, "currency": "EUR"}
        case "OrderStatusChanged":
            return kind, at_s, {"order_id": draw(st.sampled_from(["o-1", "o-2"])), "status": "shipped"}
        case _:
            product = {
                "product_id": draw(PRODUCTS),
                "price_minor": draw(st.integers(0, 10**12)),
                "currency": draw(CURRENCIES),
            }
            return kind, at_s, {"product": product, "quantity": draw(st.integers(1, 9_999))}


def records(stories: list[tuple[str, float, dict[str, Any]]]) -> list[Record]:
    """Gives the records of a story, in order."""
    return [record(kind, at_s, number, **fields) for number, (kind, at_s, fields) in enumerate(stories)]


def folded(state: Shopper, told: list[Record], first: int = 0) -> Shopper:
    """Folds records into a state."""
    for offset, one in enumerate(told, start=first):
        state = apply(state, one, Position(1, offset)).state
    return state


NOBODY = Shopper(retailer_id=RETAILER, shopper=SHOPPER)


@given(st.lists(events(), max_size=40), st.integers(0, 40))
def test_a_snapshot_anywhere_changes_nothing(stories: list[tuple[str, float, dict[str, Any]]], cut: int) -> None:
    """State = snapshot + log: folding on from a decoded snapshot gives what folding through gives."""
    told = records(stories)
    at = min(cut, len(told))
    resumed = folded(decode(encode(folded(NOBODY, told[:at]))), told[at:], first=at)
    assert resumed == folded(NOBODY, told)


@given(st.lists(events(), max_size=SEEN_IDS // 2))
def test_replaying_the_log_changes_nothing(stories: list[tuple[str, float, dict[str, Any]]]) -> None:
    """Records at or below the position are skipped; the same events at new positions are absorbed."""
    told = records(stories)
    once = folded(NOBODY, told)
    assert folded(once, told) == once
    again = folded(once, told, first=len(told))
    assert (again.basket, again.session, again.order, again.seen) == (once.basket, once.session, once.order, once.seen)


@given(st.lists(events(), max_size=40))
def test_the_basket_adds_up(stories: list[tuple[str, float, dict[str, Any]]]) -> None:
    """The total is the sum over the lines in the basket's currency, and no line is empty."""
    basket = folded(NOBODY, records(stories)).basket
    counted = [line for line in basket.lines if line.currency in (None, basket.currency)]
    assert basket.total_minor == sum(line.quantity * line.price_minor for line in counted)
    assert all(line.quantity > 0 for line in basket.lines)
    assert len({line.product_id for line in basket.lines}) == len(basket.lines)


@given(st.lists(events(), max_size=40))
def test_the_shoppers_time_only_grows(stories: list[tuple[str, float, dict[str, Any]]]) -> None:
    """Whatever the events say, the clock and the visits never fall."""
    state = NOBODY
    for offset, one in enumerate(records(stories)):
        after = apply(state, one, Position(1, offset)).state
        assert after.clock_ms >= state.clock_ms
        assert after.session.visits >= state.session.visits
        state = after
