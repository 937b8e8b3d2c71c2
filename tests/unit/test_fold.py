"""The fold: what one event changes in a shopper."""

from domain.basket import LINES_MAX
from domain.shopper import SEEN_IDS, decode, encode
from tests.story import NOON_MS, Story


def lines(story: Story) -> list[tuple[str, int, int]]:
    """Product, quantity and unit price of each line."""
    return [(line.product_id, line.quantity, line.price_minor) for line in story.state.basket.lines]


def test_adding_twice_sums_the_quantity_and_takes_the_last_price() -> None:
    """The last unit price seen wins, and the total counts it for every piece."""
    story = Story()
    story.add("pasta", price_minor=100, currency="EUR", quantity=2)
    story.add("pasta", price_minor=120, currency="EUR")
    assert lines(story) == [("pasta", 3, 120)]
    assert story.state.basket.total_minor == 360


def test_removing_more_than_is_there_empties_the_line() -> None:
    """A removal never leaves a negative quantity, and the basket forgets its currency with its last line."""
    story = Story()
    story.add("pasta", quantity=2, price_minor=100, currency="EUR")
    story.remove("pasta", quantity=9)
    assert lines(story) == []
    assert (story.state.basket.total_minor, story.state.basket.currency) == (0, None)


def test_removing_what_is_absent_is_a_fault_of_meaning() -> None:
    """The event is counted and nothing else changes."""
    story = Story()
    story.add("pasta")
    assert story.remove("sauce").faults == ("removed_absent",)
    assert lines(story) == [("pasta", 1, 0)]


def test_the_catalogue_prices_what_no_event_priced() -> None:
    """Price: the last seen in an event, else the catalogue's newest, else 0."""
    story = Story()
    known = {"pasta": {"price_minor": 90, "currency": "EUR", "category_id": "dry", "brand": "Blé"}}
    story.add("pasta", known=known)
    assert lines(story) == [("pasta", 1, 90)]
    story.add("pasta", price_minor=80, currency="EUR")
    story.add("pasta", known=known)
    assert lines(story) == [("pasta", 3, 80)]
    assert (story.state.basket.lines[0].category_id, story.state.basket.lines[0].brand) == ("dry", "Blé")


def test_a_line_in_a_second_currency_counts_nothing_and_is_flagged() -> None:
    """The basket has the currency of its first line; when that line goes, the next one's counts."""
    story = Story()
    story.add("pasta", price_minor=100, currency="EUR")
    story.add("tea", price_minor=300, currency="GBP")
    assert story.state.basket.total_minor == 100
    assert [line.counted for line in story.state.basket.lines] == [True, False]
    story.remove("pasta")
    assert (story.state.basket.total_minor, story.state.basket.currency) == (300, "GBP")
    assert [line.counted for line in story.state.basket.lines] == [True]


def test_a_basket_has_a_bound() -> None:
    """A product beyond the bound is counted and not kept."""
    story = Story()
    for number in range(LINES_MAX):
        story.add(f"p-{number}")
    assert story.add("one-more").faults == ("basket_full",)
    assert len(story.state.basket.lines) == LINES_MAX


def test_a_repeated_event_changes_only_the_position() -> None:
    """A retry under the same id is absorbed."""
    story = Story()
    story.add("pasta", number=7)
    before = story.state
    assert story.add("pasta", number=7).repeat
    assert story.state.basket == before.basket
    assert story.state.session == before.session
    assert story.state.position > before.position


def test_retries_are_remembered_for_a_bounded_number_of_events() -> None:
    """The oldest of SEEN_IDS + 1 events is forgotten; the one after it is not."""
    story = Story()
    for number in range(SEEN_IDS + 1):
        story.tell("PageViewed", page={"kind": "home"}, number=number)
    assert len(story.state.seen) == 16 * SEEN_IDS
    assert story.tell("PageViewed", page={"kind": "home"}, number=1).repeat
    assert not story.tell("PageViewed", page={"kind": "home"}, number=0).repeat


def test_ids_are_compared_whole() -> None:
    """An id that straddles two remembered ids is not taken for a repeat."""
    story = Story()
    first, second = (1 << 127) - 2, (1 << 126) + 4
    story.tell("PageViewed", page={"kind": "home"}, number=first)
    story.tell("PageViewed", page={"kind": "home"}, number=second)
    straddling = int.from_bytes(story.state.seen[8:24], "big")
    assert not story.tell("PageViewed", page={"kind": "home"}, number=straddling - 1).repeat


def test_thirty_minutes_without_an_event_start_a_new_session() -> None:
    """The basket outlives the session, and visits count sessions."""
    story = Story()
    assert story.add("pasta", at_s=0).to_root
    assert not story.tell("PageViewed", at_s=1_799, page={"kind": "home"}).to_root
    assert story.tell("PageViewed", at_s=1_799 + 1_800, page={"kind": "home"}).to_root
    session = story.state.session
    assert (session.visits, session.events, session.started_at_ms) == (2, 1, NOON_MS + 3_599_000)
    assert lines(story) == [("pasta", 1, 0)]


def test_time_never_runs_backwards() -> None:
    """An event from before the session belongs to the current one: time is the running maximum."""
    story = Story()
    story.add("pasta", at_s=10_000)
    applied = story.add("sauce", at_s=0)
    assert not applied.to_root
    assert story.state.clock_ms == NOON_MS + 10_000_000
    assert (story.state.session.visits, story.state.session.events) == (1, 2)
    assert len(lines(story)) == 2


def test_a_paid_order_empties_the_basket_and_returns_to_the_root() -> None:
    """The order is remembered as paid."""
    story = Story()
    story.add("pasta", at_s=0)
    applied = story.pay(at_s=5)
    assert (applied.to_root, applied.paid, applied.faults) == (True, True, ())
    assert lines(story) == []
    assert story.state.order is not None
    assert (story.state.order.order_id, story.state.order.status) == ("o-1", "paid")


def test_what_is_older_than_the_last_paid_order_never_touches_the_basket() -> None:
    """A late addition is counted as a fault; one of the same millisecond as the order counts."""
    story = Story()
    story.pay(at_s=5)
    assert story.add("late", at_s=4).faults == ("basket_before_order",)
    story.add("next", at_s=5)
    assert lines(story) == [("next", 1, 0)]


def test_an_order_counts_once_and_in_order() -> None:
    """The same order told twice, and an order older than the last one, leave the new basket alone."""
    story = Story()
    story.pay("o-2", at_s=10)
    story.add("pasta", at_s=11)
    assert story.pay("o-2", at_s=12).faults == ("repeated_order",)
    assert story.pay("o-1", at_s=9).faults == ("order_before_order",)
    assert len(lines(story)) == 1


def test_an_order_for_an_empty_basket_is_a_fault_of_meaning() -> None:
    """It is counted, and the order is remembered all the same."""
    story = Story()
    assert story.pay().faults == ("order_for_empty_basket",)
    assert story.state.order is not None


def test_only_the_last_order_has_a_status() -> None:
    """The status of another order is counted and not remembered."""
    story = Story()
    story.pay("o-1", at_s=1)
    story.tell("OrderStatusChanged", order_id="o-1", status="shipped")
    assert story.tell("OrderStatusChanged", order_id="o-9", status="returned").faults == ("not_the_last_order",)
    assert story.state.order is not None
    assert story.state.order.status == "shipped"


def test_an_unknown_experience_is_a_fault_of_meaning() -> None:
    """Somebody else's experience id changes nothing."""
    story = Story()
    for kind in ("ExperienceShown", "ExperienceClicked", "ExperienceDismissed"):
        assert story.tell(kind, experience_id="not-mine").faults == ("unknown_experience",)


def test_a_timer_without_a_pending_one_changes_nothing() -> None:
    """An `IdleElapsed` counts only while its timer stands."""
    story = Story()
    story.add("pasta", number=1)
    applied = story.tell("IdleElapsed", after_event_id="00000000-0000-0000-0000-000000000002", node_id="start")
    assert applied.repeat
    assert story.state.session.events == 1


def test_a_snapshot_gives_the_same_state_again() -> None:
    """Encoding loses nothing."""
    story = Story()
    story.add("pasta", price_minor=100, currency="EUR")
    story.pay(at_s=3)
    story.add("tea", price_minor=100, currency="GBP", at_s=4)
    assert decode(encode(story.state)) == story.state
