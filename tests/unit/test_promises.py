"""Promises: what a decision for a campaign leaves in the shopper's state, shown or held out, capped, renewed, kept."""

from __future__ import annotations

from typing import Any

import pytest

from domain.arbitration import Market
from domain.campaigns import Budget, Campaign, Cap, Range
from domain.holdout import is_held_out
from domain.purse import Amounts
from domain.records import Reason
from domain.reservations import GRACE_MS, Reservation
from domain.shopper import EXPOSURE_TIMES_KEPT, EXPOSURES_KEPT, decode, encode
from domain.told import read_told
from tests.market import campaign, key, market
from tests.story import NOON_MS, SHOPPER, TreeStory
from tests.unit.test_arbitration import bid, condition, plain, reasons, story, view, winners

DAY_S = 86_400
HELD_OUT = 900_000
"""A share, in parts per million, that the stories' shopper belongs to."""
PASTA = {"kind": "product", "action": "added", "product_ids": ["pasta"]}
TENSION: dict[str, Any] = {
    "kind": "basket_tension",
    "amount_minor": Range(usual=500),
    "budget": Budget(money_minor=10**6),
}


def chain(of_market: Market, nodes: list[list[dict[str, Any]]]) -> TreeStory:
    """A shopper who enters one node after the other, each with its proposals, by viewing the page of its name."""
    names = ["start", *(f"n{number}" for number in range(len(nodes)))]
    tree: dict[str, Any] = {}
    for name, after, bids in zip(names, [*names[1:], None], [[], *nodes], strict=True):
        edges = [{"to": after, "when": {"kind": "page", "category_ids": [after]}}] if after is not None else []
        tree[name] = {"experiences": bids, "edges": edges}
    return TreeStory(tree, market=of_market)


def entering(of_market: Market, *bids: dict[str, Any]) -> TreeStory:
    """A shopper who enters one node after the other, each with the same proposals."""
    return chain(of_market, [list(bids)] * 40)


def enter(told: TreeStory, at_s: float = 0, *, anew: bool = False, **fields: Any) -> TreeStory:
    """Enters the next node; anew, in a session of its own, the first."""
    current = "" if anew else told.state.node_id
    after = f"n{int(current[1:]) + 1}" if current.startswith("n") else "n0"
    told.tell("PageViewed", at_s, page={"kind": "category", "category_id": after}, **fields)
    return told


def nudging(of_market: Market, threshold_minor: int = 5_000, ttl_s: int = 900) -> TreeStory:
    """A shopper who is nudged to a bigger basket once pasta is in it, or offered something else by a view."""
    content = {"threshold_minor": threshold_minor, "reward": {"type": "amount", "value_minor": 500}}
    shown = {"slot": "banner", "kind": "basket_tension", "ttl_s": ttl_s, "content": content, "campaign_id": "spring"}
    edges = [{"to": "nudge", "when": PASTA}, {"to": "more", "when": {"kind": "page"}}]
    nudge, more = {"experiences": [shown]}, {"experiences": [bid("side", "summer")]}
    return TreeStory({"start": {"edges": edges}, "nudge": nudge, "more": more}, market=of_market)


def put(told: TreeStory, product: str, price_minor: int, at_s: float) -> TreeStory:
    """Puts a product into the basket."""
    told.add(product, at_s, price_minor=price_minor, currency="EUR")
    return told


def pay(
    told: TreeStory, at_s: float, *lines: tuple[str, int], order_id: str = "o-1", verified: bool = True
) -> TreeStory:
    """Pays an order of lines (product, price)."""
    made = [{"product_id": product, "quantity": 1, "price_minor": price} for product, price in lines]
    told.tell("OrderPaid", at_s, order_id=order_id, lines=made, total_minor=0, currency="EUR", verified=verified)
    return told


def promises(told: TreeStory) -> tuple[Reservation, ...]:
    """What the shopper has been promised and has not redeemed."""
    return tuple(one for one in told.state.reservations if one.is_open)


def balance(told: TreeStory, campaign_id: str = "spring") -> tuple[Amounts, Amounts]:
    """What is reserved and committed of a campaign."""
    assert told.market is not None
    found = told.market.purse.balances[key(campaign_id)]
    return found.reserved, found.committed


def test_a_promise_is_kept_as_it_was_shown() -> None:
    """With its content, its end, and what the till has to know; a snapshot keeps all of it."""
    told = entering(market(campaign("spring", priority=7, exclusivity_group="g")), bid("main", "spring"))
    shown = enter(told, at_s=5).shown()["main"]
    (promise,) = told.state.reservations
    assert (shown.experience_id, shown.content, 100) == (promise.experience_id, promise.content, promise.cost_minor)
    assert (NOON_MS + 5_000, NOON_MS + 3_605_000) == (promise.decided_at_ms, promise.honoured_until_ms)
    assert ("g", 7, True) == (promise.group, promise.priority, promise.is_open)
    assert NOON_MS + 3_605_000 + GRACE_MS == told.state.due_at_ms
    assert told.state == decode(encode(told.state))


def test_a_promise_is_made_kept_and_can_be_made_again() -> None:
    """Once an order has redeemed it, or its time is over."""
    told = entering(market(campaign("spring")), bid("main", "spring"))
    enter(told)
    assert [("spring", "already_promised")] == reasons(enter(told, at_s=1))
    pay(told, 2, ("p-1", 900))
    assert (Amounts(), Amounts(100, 1)) == balance(told)
    enter(told, at_s=3)
    assert (Amounts(100, 1), Amounts(100, 1)) == balance(told)
    (promise,) = promises(told)
    end_s = (promise.due_at_ms - NOON_MS) / 1_000
    applied = told.tell("ReservationExpired", 3, received_s=end_s, experience_id=promise.experience_id)
    assert not applied.repeat
    assert told.decided is not None
    assert told.decided.stays
    assert (Amounts(), Amounts(100, 1)) == balance(told)
    assert ((), None) == (promises(told), told.state.due_at_ms)


def test_the_end_of_a_promise_is_no_activity() -> None:
    """Place, timer and session stay; told too early it changes nothing, and told again in time it counts."""
    told = entering(market(campaign("spring")), bid("main", "spring"))
    enter(told)
    (promise,) = promises(told)
    before, end_s = told.state, (promise.due_at_ms - NOON_MS) / 1_000
    fields = {"experience_id": promise.experience_id, "number": 77}
    assert told.tell("ReservationExpired", 0, received_s=end_s - 0.001, **fields).repeat
    assert before.reservations == told.state.reservations
    assert not told.tell("ReservationExpired", 0, received_s=end_s, **fields).repeat
    assert (before.node_id, before.session, before.clock_ms) == (
        told.state.node_id,
        told.state.session,
        told.state.clock_ms,
    )
    assert told.tell("ReservationExpired", 0, received_s=end_s, **fields).repeat
    assert (Amounts(), Amounts()) == balance(told)


def test_a_browsers_copy_and_the_servers_settle_once() -> None:
    """The first empties the basket and settles nothing; the second settles, though the order is no news."""
    told = entering(market(campaign("spring")), bid("main", "spring"))
    enter(told)
    pay(told, 2, ("p-1", 900), verified=False)
    assert (Amounts(100, 1), Amounts()) == balance(told)
    pay(told, 2, ("p-1", 900))
    assert (Amounts(), Amounts(100, 1)) == balance(told)
    pay(told, 2, ("p-1", 900))
    assert (Amounts(), Amounts(100, 1)) == balance(told)
    told.tell("OrderStatusChanged", 3, order_id="o-1", status="cancelled", verified=True)
    told.tell("OrderStatusChanged", 3, order_id="o-1", status="cancelled", verified=True)
    assert (Amounts(), Amounts()) == balance(told)


def test_who_is_held_out_sees_nothing_of_it() -> None:
    """What would have been shown is recorded with its reasons; nothing is reserved, and the slot stays as it was."""
    assert is_held_out("spring", SHOPPER, HELD_OUT)
    audience = condition(kind="basket_lines", at_most=3)
    told = entering(
        market(campaign("spring", holdout_ppm=HELD_OUT, audience=audience)), bid("main", "spring"), plain("side")
    )
    enter(told)
    assert {"side": None} == winners(told)
    assert told.decided is not None
    (kept,) = told.decided.held_out
    assert ("spring", "main") == (kept.experience.campaign_id, kept.experience.slot)
    assert {"kind": "basket_lines", "at_most": 3} == kept.why[-1].condition
    assert ((), ()) == (told.decided.reservations, told.state.reservations)
    assert ["side"] == [slot.experience.slot for slot in told.state.slots]
    assert [("spring", (NOON_MS,))] == [(one.campaign_id, one.at_ms) for one in told.state.exposures]
    assert ["spring", None] == sorted(
        (read_told(one).campaign_id for one in told.state.decisions), key=str, reverse=True
    )


def test_who_is_held_out_is_not_consoled() -> None:
    """The campaign keeps the slot from others, and its group and itself from the event's other slots."""
    held_out = campaign("spring", holdout_ppm=HELD_OUT, priority=9, exclusivity_group="g")
    of_both = market(held_out, campaign("summer", exclusivity_group="g"), campaign("autumn"))
    bids = [bid("a", "spring"), bid("a", "autumn"), plain("a"), bid("b", "summer"), bid("c", "spring")]
    told = view(story(bids, market=of_both))
    assert {} == winners(told)
    assert [("spring", "already_promised"), ("summer", "exclusive"), ("autumn", "outranked")] == sorted(
        reasons(told), key=lambda lost: ("already_promised", "exclusive", "outranked").index(lost[1])
    )


@pytest.mark.parametrize(
    ("fields", "leased", "reason"),
    [
        ({}, Amounts(99, 1), "budget"),
        ({"audience": condition(kind="basket_lines", at_least=1)}, Amounts(100, 1), "audience"),
        ({"category_ids": ("pasta",)}, Amounts(100, 1), "no_product"),
    ],
)
def test_who_is_held_out_is_asked_like_everybody(fields: dict[str, Any], leased: Amounts, reason: Reason) -> None:
    """Whoever would not have been shown it anyway is no part of the comparison."""
    of_spring = market(campaign("spring", holdout_ppm=HELD_OUT, **fields), leased={"spring": leased})
    told = view(story([bid("main", "spring")], market=of_spring))
    assert [("spring", reason)] == reasons(told)
    assert told.decided is not None
    assert () == told.decided.held_out


def test_what_is_held_out_is_recorded_also_where_the_shopper_comes_back_to_a_node() -> None:
    """A new session leads from the root to where the shopper stood: that is no move, but it is a decision."""
    tree = {
        "start": {"edges": [{"to": "offer", "when": {"kind": "page"}}]},
        "offer": {"experiences": [bid("main", "spring"), bid("side", "unknown")]},
    }
    told = TreeStory(tree, market=market(campaign("spring", holdout_ppm=HELD_OUT)))
    for at_s in (0, 10_000):
        view(told, at_s)
        assert told.decided is not None
        assert 1 == len(told.decided.held_out)
        assert [("unknown", "unknown")] == reasons(told)
    assert [(NOON_MS, NOON_MS + 10_000_000)] == [one.at_ms for one in told.state.exposures]


@pytest.mark.parametrize("holdout_ppm", [0, HELD_OUT])
def test_a_cap_slides_over_days(holdout_ppm: int) -> None:
    """At most so many decisions in any so many days, held out or not, by the clock that receives."""
    capped = campaign("spring", kind="recommendation", cap=Cap(times=2, days=3), holdout_ppm=holdout_ppm)
    told = entering(market(capped), bid("main", "spring", kind="recommendation"))
    found = {}
    for day in (0, 1, 2, 2.9, 3, 3.5, 4, 4.1, 6.9, 7, 10):
        enter(told, at_s=day * DAY_S, anew=True)
        assert told.decided is not None
        found[day] = len(told.decided.decisions) + len(told.decided.held_out)
        assert ([] if found[day] else [("spring", "cap")]) == reasons(told)
    assert {0, 1, 3, 4, 6.9, 7, 10} == {day for day, decisions in found.items() if decisions}
    assert {0, 1} == set(found.values())


def test_a_cap_counts_what_was_received() -> None:
    """A phone that was offline for twenty hours spoke of yesterday; its decisions are today's all the same."""
    capped = campaign("spring", kind="recommendation", cap=Cap(times=1, days=1))
    told = entering(market(capped), {**bid("main", "spring", kind="recommendation"), "ttl_s": DAY_S})
    assert {"main": "spring"} == winners(enter(told, 0, received_s=DAY_S - 4 * 3_600))
    assert [("spring", "cap")] == reasons(enter(told, DAY_S, anew=True, received_s=2 * DAY_S - 5 * 3_600))
    assert {"main": "spring"} == winners(enter(told, 2 * DAY_S, anew=True, received_s=3 * DAY_S - 4 * 3_600))


def test_exposures_are_bounded() -> None:
    """The last times of the campaigns seen last."""
    many = [campaign(f"c-{number:03}", kind="recommendation") for number in range(EXPOSURES_KEPT + 2)]
    names = [one.campaign_id for one in many]
    told = chain(market(*many), [[bid("main", name, kind="recommendation")] for name in names])
    for at_s in range(len(many)):
        enter(told, at_s)
    assert names[2:] == [one.campaign_id for one in told.state.exposures]
    often = entering(market(many[0]), bid("main", names[0], kind="recommendation"))
    for at_s in range(EXPOSURE_TIMES_KEPT + 3):
        enter(often, at_s)
    (exposure,) = often.state.exposures
    assert tuple(NOON_MS + 1_000 * at_s for at_s in range(3, EXPOSURE_TIMES_KEPT + 3)) == exposure.at_ms


def test_what_is_drawn_in_is_said() -> None:
    """The node proposes more than the campaign allows: the decision says so, and reserves what is shown."""
    of_spring = market(campaign("spring", amount_minor=Range(usual=40, at_most=60)))
    told = view(story([bid("main", "spring")], market=of_spring))
    assert told.decided is not None
    (decision,) = told.decided.decisions
    assert (True, 60) == (decision.is_clamped, decision.experience.content["generosity"]["value_minor"])
    assert (Amounts(60, 1), Amounts()) == balance(told)


def tension(**fields: Any) -> Campaign:
    """A campaign for bigger baskets."""
    return campaign("spring", **(TENSION | fields))


def test_a_tension_is_promised_once_however_often_it_is_told() -> None:
    """Each change of the basket tells it anew: the promise goes by the latest experience, nothing more is reserved."""
    told = put(nudging(market(tension())), "pasta", 1_000, at_s=1)
    first = promises(told)
    shown = [told.shown()["banner"]]
    for at_s in (2, 3):
        put(told, "rice", 500, at_s)
        shown.append(told.shown()["banner"])
        assert told.decided is not None
        assert () == told.decided.reservations
    (promise,) = promises(told)
    assert shown[-1].experience_id == promise.experience_id
    assert shown[0].experience_id == first[0].experience_id
    assert (first[0].decided_at_ms, first[0].honoured_until_ms) == (promise.decided_at_ms, promise.honoured_until_ms)
    assert {"spring"} == {one.campaign_id for one in shown}
    assert (Amounts(500, 1), Amounts()) == balance(told)
    assert [1] == [len(one.at_ms) for one in told.state.exposures]


def test_a_withdrawn_tension_is_still_promised() -> None:
    """Past the threshold it leaves the page, and the order gets what it said."""
    told = put(put(nudging(market(tension())), "pasta", 1_000, at_s=1), "rice", 4_000, at_s=2)
    assert told.decided is not None
    assert ["banner"] == [gone.slot for gone in told.decided.withdrawals]
    assert 1 == len(promises(told))
    pay(told, 3, ("pasta", 1_000), ("rice", 4_000))
    assert (Amounts(), Amounts(500, 1)) == balance(told)


def test_the_threshold_of_a_tension_is_the_campaigns() -> None:
    """Drawn into its bounds, it decides whether there is anything to reach."""
    bounds = Range(usual=2_000, at_most=3_000)
    told = put(nudging(market(tension(threshold_minor=bounds))), "pasta", 1_000, at_s=1)
    assert (3_000, 2_000) == tuple(
        told.shown()["banner"].content[name] for name in ("threshold_minor", "missing_minor")
    )
    passed = put(nudging(market(tension(threshold_minor=bounds))), "pasta", 3_000, at_s=1)
    assert [("spring", "threshold_passed")] == reasons(passed)
    assert {} == passed.shown()


def test_what_an_order_redeemed_is_not_promised_on_the_page() -> None:
    """The server tells of an order that the browser told before; a tension shown in between goes with its promise."""
    told = pay(nudging(market(tension())), 1, ("pasta", 900), verified=False)
    put(told, "pasta", 1_000, at_s=2)
    put(told, "rice", 100, at_s=3)
    pay(told, 4, ("pasta", 9_000))
    assert (Amounts(), Amounts(500, 1)) == balance(told)
    assert told.decided is not None
    assert (["banner"], ()) == ([gone.slot for gone in told.decided.withdrawals], told.decided.decisions)
    put(told, "rice", 100, at_s=5)
    assert {} == told.shown()


def test_another_settlement_leaves_a_tension_alone() -> None:
    """What changes no total tells nothing anew, and what redeems another promise withdraws nothing."""
    told = view(nudging(market(tension(), campaign("summer"))), at_s=1)
    assert {"side": "summer"} == winners(told)
    pay(told, 2, ("p-1", 900), verified=False)
    put(told, "pasta", 900, at_s=3)
    assert {"banner": "spring"} == winners(told)
    pay(told, 2, ("p-1", 900))
    assert (Amounts(), Amounts(100, 1)) == balance(told, "summer")
    assert told.decided is not None
    assert ((), ()) == (told.decided.decisions, told.decided.withdrawals)
    assert ["spring"] == [one.campaign_id for one in promises(told)]
