"""Reservations: promises from the decision to the till, and back where an order comes back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from domain.basket import TOTAL_MINOR_MAX
from domain.events import OrderPaid
from domain.experiences import Kind
from domain.quotes import quote
from domain.records import Cause, Record, Settlement
from domain.reservations import (
    GRACE_MS,
    LINES_KEPT,
    OPEN_MAX,
    ORDERS_KEPT,
    REDEEMED_KEPT,
    Reservation,
    Settled,
    redeemable,
    settle,
)
from tests.story import NOON_MS, record

MINUTE_MS = 60_000
TENSION: Kind = "basket_tension"


def promise(
    name: str = "x-1", *products: Any, minor: int = 100, from_s: int = 0, for_s: int = 600, **fields: Any
) -> Any:
    """A promise of an amount off some products, `from_s` seconds after noon."""
    content = {"products": list(products or ("p-1",)), "generosity": {"type": "amount", "value_minor": minor}}
    usual: dict[str, Any] = {
        "experience_id": name,
        "campaign_id": f"c-{name}",
        "kind": "personalised_promotion",
        "slot": "main",
        "content": content,
        "cost_minor": minor,
        "decided_at_ms": NOON_MS + from_s * 1_000,
        "honoured_until_ms": NOON_MS + (from_s + for_s) * 1_000,
    }
    return Reservation(**(usual | fields))


def tension(name: str, reward: dict[str, Any], cost_minor: int, threshold_minor: int = 1, **fields: Any) -> Reservation:
    """A promise for a basket of a size."""
    content = {"threshold_minor": threshold_minor, "reward": reward}
    made: Reservation = promise(name, kind=TENSION, content=content, cost_minor=cost_minor, **fields)
    return made


def paid(at_s: int, *lines: tuple[str, int, int], order_id: str = "o-1", verified: bool = True) -> Record:
    """An order of lines (product, quantity, unit price)."""
    made = [{"product_id": product, "quantity": count, "price_minor": price} for product, count, price in lines]
    fields: dict[str, Any] = {"order_id": order_id, "lines": made, "total_minor": 0, "currency": "EUR"}
    return record("OrderPaid", at_s, at_s, verified=verified, **fields)


def moved(status: str, *lines: tuple[str, int], order_id: str = "o-1", verified: bool = True) -> Record:
    """An order whose status changes, with lines (product, quantity) that come back."""
    made = [{"product_id": product, "quantity": count} for product, count in lines]
    return record("OrderStatusChanged", 700, 700, order_id=order_id, status=status, lines=made, verified=verified)


def expired(name: str, received_s: float) -> Record:
    """The worker's timer for a promise."""
    return record("ReservationExpired", 0, 99, received_s=received_s, experience_id=name)


def settled(record: Record, *promises: Reservation, orders: tuple[str, ...] = ()) -> Settled:
    """What an event makes of promises."""
    return settle(promises, orders, record)


def kept(promise: Reservation, order_id: str, committed_minor: int) -> Settlement:
    """What is said of a promise that an order redeemed."""
    return Settlement(
        experience_id=promise.experience_id,
        campaign_id=promise.campaign_id,
        cause="order",
        order_id=order_id,
        reserved_minor=-promise.cost_minor,
        reserved_count=-1,
        committed_minor=committed_minor,
        committed_count=1,
    )


def back(promise: Reservation, cause: Cause, minor: int, count: int) -> Settlement:
    """What is said of a promise whose order comes back."""
    return Settlement(
        experience_id=promise.experience_id,
        campaign_id=promise.campaign_id,
        cause=cause,
        order_id="o-1",
        committed_minor=-minor,
        committed_count=-count,
    )


def ids(promises: tuple[Reservation, ...]) -> list[str]:
    """Whose they are."""
    return [one.experience_id for one in promises]


ORDER = ("p-1", 2, 500)


def test_a_verified_order_redeems_what_was_promised() -> None:
    """What was reserved is released, what the till deducts is committed, and the order is remembered."""
    one = promise(minor=300, cost_minor=400)
    found = settled(paid(10, ORDER), one)
    assert ((kept(one, "o-1", 300),), ("o-1",)) == (found.settlements, found.orders)
    (redeemed,) = found.reservations
    assert ("o-1", 300, False) == (redeemed.order_id, redeemed.committed_minor, redeemed.is_open)
    assert [] == redeemable(found.reservations, NOON_MS + 10_000)


def test_a_promise_is_redeemed_once() -> None:
    """By the first order that has what it asks for."""
    one = promise(minor=300)
    first = settled(paid(10, ("p-2", 1, 5), order_id="o-0"), one)
    assert ((), ("o-0",), (one,)) == (first.settlements, first.orders, first.reservations)
    second = settle(first.reservations, first.orders, paid(11, ORDER))
    third = settle(second.reservations, second.orders, paid(12, ORDER, order_id="o-2"))
    assert (1, 0) == (len(second.settlements), len(third.settlements))


def test_an_order_redeems_once() -> None:
    """Told again under another event id it redeems nothing, not even what was promised since."""
    one, later = promise("x-1"), promise("x-2", from_s=5)
    first = settled(paid(4, ORDER), one)
    again = settle((*first.reservations, later), first.orders, paid(20, ORDER))
    assert ((), (*first.reservations, later)) == (again.settlements, again.reservations)
    forgotten = settle((*first.reservations, later), (), paid(20, ORDER))
    assert () == forgotten.settlements


def test_only_the_retailers_server_settles() -> None:
    """Anybody can forge what a browser says; the verified copy of the same order settles, once."""
    one = promise()
    forged = settled(paid(10, ORDER, verified=False), one)
    assert Settled((one,), ()) == forged
    found = settle(forged.reservations, forged.orders, paid(11, ORDER))
    assert 1 == len(found.settlements)
    assert Settled(found.reservations, found.orders) == settle(
        found.reservations, found.orders, moved("cancelled", verified=False)
    )


@pytest.mark.parametrize(("at_s", "expected"), [(59, 0), (60, 1), (61, 1), (660, 1), (661, 0)])
def test_an_order_redeems_what_was_open_when_it_was_paid(at_s: int, expected: int) -> None:
    """From the decision to the promise's end, both included, whenever the order is told."""
    assert expected == len(settled(paid(at_s, ORDER), promise(from_s=60)).settlements)


def test_the_till_deducts_in_one_order() -> None:
    """The highest priority first, then the oldest promise, then by name: as a quote does."""
    a, b = promise("a", minor=400, from_s=2), promise("b", minor=400, from_s=1)
    c, d = promise("c", minor=400, from_s=2), promise("d", minor=400, from_s=5, priority=1)
    found = settled(paid(10, ("p-1", 1, 1_000)), c, a, b, d)
    assert [("d", 400), ("b", 400), ("a", 200), ("c", 0)] == [
        (one.experience_id, one.committed_minor) for one in found.settlements
    ]
    assert ["d", "b", "a", "c"] == ids(tuple(redeemable((c, a, b, d), NOON_MS + 10_000)))


def test_a_quote_is_what_the_order_commits() -> None:
    """Open promises and the order's lines give the very discounts that are committed."""
    promises = (
        promise("a", "p-1", minor=700, priority=2),
        tension("b", {"type": "percent", "value": 10}, 500, threshold_minor=1_500),
        tension("c", {"type": "amount", "value_minor": 900}, 900, threshold_minor=1_501),
        promise("d", {"product_id": "p-2", "reason": "goes with it"}, minor=900),
        tension("e", {"type": "delivery"}, 490, from_s=3),
    )
    order = paid(10, ("p-1", 1, 1_000), ("p-2", 1, 500))
    assert isinstance(order.event, OrderPaid)
    quoted = {
        one.promise.experience_id: one.redemption.cost_minor
        for one in quote(promises, order.event.lines, NOON_MS + 10_000)
    }
    assert {"a": 700, "b": 80, "d": 500, "e": 490} == quoted
    found = settled(order, *promises)
    assert quoted == {one.experience_id: one.committed_minor for one in found.settlements}
    assert {"c"} == {one.experience_id for one in found.reservations if one.is_open}


def test_an_expired_promise_gives_back_what_was_reserved() -> None:
    """Once, and only it; what an order redeemed does not expire."""
    one, other = promise("x-1"), promise("x-2")
    end_s = 600 + GRACE_MS / 1_000
    found = settled(expired("x-1", end_s), one, other)
    released = Settlement(
        experience_id="x-1", campaign_id="c-x-1", cause="expired", reserved_minor=-100, reserved_count=-1
    )
    assert Settled((other,), (), (released,)) == found
    assert Settled((other,), ()) == settle(found.reservations, (), expired("x-1", end_s))
    redeemed = settled(paid(10, ORDER), one)
    assert Settled(redeemed.reservations, ("o-1",)) == settle(
        redeemed.reservations, redeemed.orders, expired("x-1", end_s)
    )


def test_a_promise_ends_after_a_grace_for_orders_on_their_way() -> None:
    """Whoever says so before is not believed; until it is said, an order paid in time redeems it."""
    one = promise()
    assert NOON_MS + 600_000 + GRACE_MS == one.due_at_ms
    assert Settled((one,), ()) == settled(expired("x-1", 600 + GRACE_MS / 1_000 - 0.001), one)
    late = msgspec.structs.replace(paid(600, ORDER), received_at_ms=NOON_MS + 10**9)
    assert 1 == len(settled(late, one).settlements)


@pytest.mark.parametrize(("status", "cause"), [("cancelled", "cancelled"), ("returned", "returned")])
def test_what_an_order_cost_comes_back_with_it(status: str, cause: Cause) -> None:
    """Once, for all that it redeemed; the promise was used, and the order redeems nothing ever again."""
    one, other = promise("x-1", minor=300), promise("x-2", minor=200)
    open_still = promise("x-3", "p-9")
    before = settled(paid(10, ORDER), one, other, open_still)
    found = settle(before.reservations, before.orders, moved(status))
    assert (back(one, cause, 300, 1), back(other, cause, 200, 1)) == found.settlements
    assert (open_still,) == found.reservations
    for repeated in (moved("cancelled"), moved("returned"), moved("partially_returned", ("p-1", 1)), paid(11, ORDER)):
        assert Settled((open_still,), ("o-1",)) == settle(found.reservations, found.orders, repeated)


@pytest.mark.parametrize("status", ["prepared", "shipped", "delivered"])
def test_an_order_on_its_way_changes_nothing(status: str) -> None:
    """What it cost stays committed."""
    before = settled(paid(10, ORDER), promise())
    assert Settled(*before[:2]) == settle(before.reservations, before.orders, moved(status))


def test_an_order_that_came_back_before_it_was_told_redeems_nothing() -> None:
    """The cancellation overtakes the order: the promise stays open for another one."""
    one = promise()
    first = settled(moved("cancelled"), one)
    assert Settled((one,), ("o-1",)) == first
    assert first == settle(first.reservations, first.orders, paid(10, ORDER))
    assert 1 == len(settle(first.reservations, first.orders, paid(11, ORDER, order_id="o-2")).settlements)


def test_part_of_an_order_comes_back() -> None:
    """The till deducts anew from what stays; the difference comes back, and what is left with the rest."""
    one = promise(minor=700)
    before = settled(paid(10, ("p-1", 2, 500), ("p-2", 1, 900)), one)
    first = settle(before.reservations, before.orders, moved("partially_returned", ("p-1", 1)))
    assert (back(one, "returned", 200, 0),) == first.settlements
    other_line = settle(first.reservations, first.orders, moved("partially_returned", ("p-2", 1)))
    assert () == other_line.settlements
    last = settle(other_line.reservations, first.orders, moved("partially_returned", ("p-1", 5)))
    assert ((back(one, "returned", 500, 1),), ()) == (last.settlements, last.reservations)
    rest = settle(other_line.reservations, first.orders, moved("cancelled"))
    assert (back(one, "cancelled", 500, 1),) == rest.settlements


def test_promises_on_one_line_come_back_together() -> None:
    """What stays committed is never more than the lines that stay come to."""
    one, other = promise("x-1", minor=80), promise("x-2", minor=80)
    before = settled(paid(10, ("p-1", 2, 50)), one, other)
    assert [80, 20] == [end.committed_minor for end in before.settlements]
    found = settle(before.reservations, before.orders, moved("partially_returned", ("p-1", 1)))
    assert (back(one, "returned", 30, 0), back(other, "returned", 20, 0)) == found.settlements
    assert [50, 0] == [one.committed_minor for one in found.reservations]


def test_what_has_nothing_to_do_with_a_discount_comes_back_without_it() -> None:
    """The lines stay in their order: what took from the first of them still does."""
    basket = tension("x-1", {"type": "amount", "value_minor": 300}, 300, priority=1)
    one = promise("x-2", "p-1", minor=500)
    before = settled(paid(10, ("p-2", 1, 300), ("p-1", 1, 500), ("p-3", 1, 100)), basket, one)
    assert [300, 500] == [end.committed_minor for end in before.settlements]
    found = settle(before.reservations, before.orders, moved("partially_returned", ("p-3", 1)))
    assert () == found.settlements


def test_what_no_longer_reaches_its_threshold_comes_back() -> None:
    """And another promise on the same lines gets no more than it had."""
    one = promise("x-1", minor=600, priority=1)
    one = replace(one, content=one.content | {"threshold_minor": 1_000})
    other = promise("x-2", minor=900)
    before = settled(paid(10, ("p-1", 2, 500)), one, other)
    assert [600, 400] == [end.committed_minor for end in before.settlements]
    found = settle(before.reservations, before.orders, moved("partially_returned", ("p-1", 1)))
    assert (back(one, "returned", 600, 1),) == found.settlements
    assert [400] == [left.committed_minor for left in found.reservations]


def test_a_piece_comes_back_once() -> None:
    """Also where its product stands on two lines, at two prices: from the first of them."""
    one = promise(minor=700)
    before = settled(paid(10, ("p-1", 1, 300), ("p-1", 2, 200)), one)
    assert [700] == [end.committed_minor for end in before.settlements]
    first = settle(before.reservations, before.orders, moved("partially_returned", ("p-1", 1)))
    assert (back(one, "returned", 300, 0),) == first.settlements
    second = settle(first.reservations, first.orders, moved("partially_returned", ("p-1", 1)))
    assert (back(one, "returned", 200, 0),) == second.settlements


def test_a_reward_in_kind_comes_back_with_the_whole_order() -> None:
    """Or once the rest would not have earned it."""
    one = tension("x-1", {"type": "delivery"}, 490, threshold_minor=800)
    before = settled(paid(10, ("p-1", 2, 500), ("p-2", 1, 100)), one)
    assert [490] == [end.committed_minor for end in before.settlements]
    first = settle(before.reservations, before.orders, moved("partially_returned", ("p-2", 1)))
    assert () == first.settlements
    second = settle(first.reservations, first.orders, moved("partially_returned", ("p-1", 1)))
    assert (back(one, "returned", 490, 1),) == second.settlements


def test_a_followed_recommendation_counts_until_its_product_comes_back() -> None:
    """It costs nothing."""
    one = promise(kind="recommendation", content={"products": ["p-1", "p-2"]}, cost_minor=0)
    before = settled(paid(10, ORDER, ("p-3", 1, 1)), one)
    assert (kept(one, "o-1", 0),) == before.settlements
    other = settle(before.reservations, before.orders, moved("partially_returned", ("p-3", 1)))
    assert () == other.settlements
    found = settle(other.reservations, other.orders, moved("partially_returned", ("p-1", 2)))
    assert (back(one, "returned", 0, 1),) == found.settlements


def test_long_orders_are_remembered_by_what_was_promised() -> None:
    """Of an order beyond the bound all promises know the same lines, the promoted first; the others are a sum."""
    many = [(f"q-{number}", 1, 10) for number in range(LINES_KEPT)]
    one, other = promise("x-1", "p-1", minor=300), promise("x-2", "p-2", minor=300)
    before = settled(paid(10, *many, ("p-1", 1, 400), ("p-2", 1, 500)), one, other)
    assert [LINES_KEPT] * 2 == [len(each.lines) for each in before.reservations]
    assert [20] * 2 == [each.others_minor for each in before.reservations]
    found = settle(before.reservations, before.orders, moved("partially_returned", ("p-2", 1)))
    assert (back(other, "returned", 300, 1),) == found.settlements


def test_the_dearest_order_in_the_world_can_be_kept() -> None:
    """What other lines came to is bounded, so that the shopper can still be saved."""
    many = [(f"q-{number}", 9_999, 10**12) for number in range(5_000)]
    (one,) = settled(paid(10, *many), tension("x-1", {"type": "percent", "value": 1}, 500)).reservations
    assert TOTAL_MINOR_MAX == one.others_minor
    assert one == msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Reservation)


def test_the_oldest_redeemed_are_forgotten_first() -> None:
    """By when they were redeemed, not by when they were promised; open ones are never forgotten."""
    oldest = promise("x-old", "p-old", for_s=10**6)
    state = Settled((oldest,), ())
    for number in range(REDEEMED_KEPT):
        fresh = promise(f"x-{number}", f"p-{number}")
        state = settle(
            (*state.reservations, fresh), state.orders, paid(10, (f"p-{number}", 1, 500), order_id=f"o-{number}")
        )
    assert REDEEMED_KEPT + 1 == len(state.reservations)
    state = settle(state.reservations, state.orders, paid(10, ("p-old", 1, 500), order_id="o-old"))
    assert [f"x-{number}" for number in range(1, REDEEMED_KEPT)] + ["x-old"] == ids(state.reservations)
    found = settle(state.reservations, state.orders, moved("cancelled", order_id="o-old"))
    assert ["x-old"] == [end.experience_id for end in found.settlements]


def test_all_that_one_order_redeems_can_come_back() -> None:
    """However many promises a shopper may have."""
    promises = [promise(f"x-{number}", minor=1) for number in range(OPEN_MAX)]
    before = settled(paid(10, ORDER), *promises)
    found = settle(before.reservations, before.orders, moved("cancelled"))
    assert (OPEN_MAX, -OPEN_MAX) == (len(found.settlements), sum(end.committed_minor for end in found.settlements))


def test_a_bounded_number_of_orders_is_remembered() -> None:
    """The last ones."""
    state = Settled((), ())
    for number in range(ORDERS_KEPT + 2):
        state = settle((), state.orders, paid(10, ORDER, order_id=f"o-{number}"))
    assert tuple(f"o-{number}" for number in range(2, ORDERS_KEPT + 2)) == state.orders
