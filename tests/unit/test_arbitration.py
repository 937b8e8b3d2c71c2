"""Arbitration: which campaign takes a slot, and why the others lost it."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest

from domain.arbitration import AGAINST_MAX, Market
from domain.campaigns import Budget, Campaign, Hours, Range
from domain.conditions import AnyCondition
from domain.purse import Amounts
from domain.records import Reason
from domain.reservations import OPEN_MAX, Reservation
from domain.timestamps import from_unix_ms
from tests.market import campaign, decided, key, market
from tests.story import NOON_MS, TreeStory

VIEW = {"kind": "page"}
ALWAYS = {"kind": "basket_lines", "at_least": 0}
PROMOTION = "personalised_promotion"
GENEROSITY = {"type": "amount", "value_minor": 100}
HELD_OUT = 900_000
"""The stories' shopper is among nine of ten."""


def bid(slot: str = "main", campaign_id: str | None = None, *products: str, kind: str = PROMOTION) -> dict[str, Any]:
    """A proposal as a tree has it."""
    content: dict[str, Any] = {"products": list(products or ("p-1",))}
    if kind == PROMOTION:
        content["generosity"] = GENEROSITY
    named = {} if campaign_id is None else {"campaign_id": campaign_id}
    return {"slot": slot, "kind": kind, "ttl_s": 3_600, "content": content, **named}


def plain(slot: str = "main", product: str = "p-9") -> dict[str, Any]:
    """A recommendation that needs no campaign."""
    return bid(slot, None, product, kind="recommendation")


def story(*nodes: list[dict[str, Any]], market: Market) -> TreeStory:
    """A shopper who views a page, which leads through these nodes."""
    tree: dict[str, Any] = {"start": {"edges": [{"to": "n0", "when": VIEW}]}}
    for number, bids in enumerate(nodes):
        edges = [{"to": f"n{number + 1}", "when": ALWAYS}] if number + 1 < len(nodes) else []
        tree[f"n{number}"] = {"experiences": bids, "edges": edges}
    return TreeStory(tree, market=market)


def view(told: TreeStory, at_s: float = 0) -> TreeStory:
    """Views a page."""
    told.tell("PageViewed", at_s, page={"kind": "home"})
    return told


def viewed(*nodes: list[dict[str, Any]], market: Market) -> TreeStory:
    """What one view leads to."""
    return view(story(*nodes, market=market))


def winners(told: TreeStory) -> dict[str, str | None]:
    """The campaigns that the page shows, by slot."""
    return {slot: shown.campaign_id for slot, shown in told.shown().items()}


def reasons(told: TreeStory) -> list[tuple[str, Reason]]:
    """Who lost, and why."""
    assert told.decided is not None
    return [(lost.campaign_id, lost.reason) for lost in told.decided.against]


def condition(**fields: Any) -> Any:
    """An audience."""
    return msgspec.convert(fields, AnyCondition)


def promised(name: str, **fields: Any) -> Reservation:
    """An open promise made before."""
    usual: dict[str, Any] = {
        "experience_id": name,
        "campaign_id": name,
        "kind": PROMOTION,
        "slot": "main",
        "content": {},
        "cost_minor": 1,
        "decided_at_ms": NOON_MS,
        "honoured_until_ms": NOON_MS + 1,
    }
    return Reservation(**(usual | fields))


def test_a_named_campaign_takes_the_slot() -> None:
    """The experience carries its id and its terms, and what it may cost is reserved."""
    told = viewed([bid("main", "spring")], market=market(campaign("spring", amount_minor=Range(usual=250))))
    assert {"main": "spring"} == winners(told)
    assert {"type": "amount", "value_minor": 250} == told.shown()["main"].content["generosity"]
    assert told.decided is not None
    (reserved,) = told.decided.reservations
    assert (told.shown()["main"].experience_id, "spring", 250) == (
        reserved.experience_id,
        reserved.campaign_id,
        reserved.cost_minor,
    )
    assert told.market is not None
    assert Amounts(250, 1) == told.market.purse.balances[key("spring")].reserved


def where_it_loses(reason: Reason) -> Market:
    """A market in which a campaign loses for a reason."""
    spring: dict[Reason, Campaign] = {
        "not_open": campaign("spring", hours=(Hours(from_time="00:00", until_time="00:01"),)),
        "other_kind": campaign("spring", kind="recommendation"),
        "audience": campaign("spring", audience=condition(kind="basket_lines", at_least=1)),
        "no_product": campaign("spring", category_ids=("pasta",)),
        "budget": campaign("spring", amount_minor=Range(usual=101)),
    }
    return market(spring[reason], leased={"spring": Amounts(100, 1)})


@pytest.mark.parametrize("reason", ["not_open", "other_kind", "audience", "no_product", "budget"])
@pytest.mark.parametrize("falls_back", [True, False])
def test_a_campaign_that_may_not_loses_to_the_plain_one(reason: Reason, falls_back: bool) -> None:
    """It says why, and what needs no campaign stands in for it; without that, the slot stays as it is."""
    bids = [bid("main", "spring"), *([plain()] if falls_back else [])]
    told = viewed(bids, market=where_it_loses(reason))
    assert [("spring", reason)] == reasons(told)
    assert ({"main": None} if falls_back else {}) == winners(told)
    assert told.decided is not None
    assert () == told.decided.reservations


@pytest.mark.parametrize(
    ("campaigns", "reason"),
    [
        ([], "unknown"),
        ([campaign("summer")], "unknown"),
        ([campaign("spring", state="paused")], "not_open"),
        ([campaign("spring", starts_at=from_unix_ms(NOON_MS + 1))], "not_open"),
        ([campaign("spring", ends_at=from_unix_ms(NOON_MS))], "not_open"),
    ],
)
def test_a_campaign_that_nobody_knows_is_told_from_a_closed_one(campaigns: list[Campaign], reason: Reason) -> None:
    """A mistyped name in a tree is another matter than a pause."""
    assert [("spring", reason)] == reasons(viewed([bid("main", "spring")], market=market(*campaigns)))
    nowhere = Market({}, market().purse)
    assert [("spring", "unknown")] == reasons(viewed([bid("main", "spring")], market=nowhere))


def test_a_campaign_is_open_to_the_millisecond() -> None:
    """From its start to its end, the end not included, by the clock that receives."""
    dates = {"starts_at": from_unix_ms(NOON_MS + 1), "ends_at": from_unix_ms(NOON_MS + 2)}
    of_spring = market(campaign("spring", **dates))  # type: ignore[arg-type]  # dates are fields
    found = [winners(view(story([bid("main", "spring")], market=of_spring), at_s=at_ms / 1_000)) for at_ms in range(4)]
    assert [{}, {"main": "spring"}, {}, {}] == found


@pytest.mark.parametrize(("late_s", "is_asked"), [(3_599, True), (3_600, False)])
def test_what_nobody_could_see_is_promised_to_nobody(late_s: float, is_asked: bool) -> None:
    """An event that comes when its experience would be over asks no campaign; what needs none is recorded."""
    told = story([bid(campaign_id="c"), plain()], market=market(campaign("c")))
    told.tell("PageViewed", 0, page={"kind": "home"}, received_s=late_s)
    assert is_asked == ("c" == told.shown()["main"].campaign_id)
    assert ([] if is_asked else [("c", "late")]) == reasons(told)
    assert is_asked == bool(told.state.reservations)


def test_too_many_promises_and_no_budget() -> None:
    """A shopper has a bounded number of promises; what promises nothing is shown all the same."""
    told = story(
        [bid("a", "spring"), bid("b", "free", kind="recommendation")],
        market=market(campaign("spring"), campaign("free", kind="recommendation")),
    )
    many = tuple(promised(f"x-{number}") for number in range(OPEN_MAX))
    told.state = msgspec.structs.replace(told.state, reservations=many)
    assert [("spring", "too_many_promised")] == reasons(view(told))
    assert {"b": "free"} == winners(told)
    told = story([bid("a", "spring")], market=market(campaign("spring")))
    told.state = msgspec.structs.replace(told.state, reservations=many[1:])
    assert {"a": "spring"} == winners(view(told))


def test_the_last_free_promise_is_given_once() -> None:
    """Of two slots of one event, the better campaign has it."""
    told = story([bid("a", "dull"), bid("b", "best")], market=market(campaign("dull"), campaign("best", priority=5)))
    many = tuple(promised(f"x-{number}") for number in range(OPEN_MAX - 1))
    told.state = msgspec.structs.replace(told.state, reservations=many)
    assert {"b": "best"} == winners(view(told))
    assert [("dull", "too_many_promised")] == reasons(told)


@pytest.mark.parametrize(("fields", "expected"), [({}, "already_promised"), ({"order_id": "o-1"}, None)])
def test_a_campaign_has_one_open_promise_for_a_shopper(fields: dict[str, Any], expected: Reason | None) -> None:
    """Until it is redeemed or over."""
    told = story([bid("main", "spring")], market=market(campaign("spring")))
    told.state = msgspec.structs.replace(told.state, reservations=(promised("spring", **fields),))
    assert ([("spring", expected)] if expected else []) == reasons(view(told))


@pytest.mark.parametrize(("group", "expected"), [("breakfast", "exclusive"), ("dinner", None), (None, None)])
def test_of_one_group_a_shopper_has_one_promise(group: str | None, expected: Reason | None) -> None:
    """Whichever campaign of it was first."""
    told = story([bid("main", "spring")], market=market(campaign("spring", exclusivity_group="breakfast")))
    told.state = msgspec.structs.replace(told.state, reservations=(promised("other", group=group),))
    assert ([("spring", expected)] if expected else []) == reasons(view(told))


@pytest.mark.parametrize(("best", "dull"), [("a", "z"), ("z", "a")])
def test_of_two_that_exclude_each_other_the_better_wins(best: str, dull: str) -> None:
    """Whatever the order of their slots, and of the proposals in the node."""
    of_both = (campaign("best", priority=2, exclusivity_group="g"), campaign("dull", priority=1, exclusivity_group="g"))
    for bids in permutations((bid(best, "best"), bid(dull, "dull"))):
        told = viewed(list(bids), market=market(*of_both))
        assert {best: "best"} == winners(told)
        assert [("dull", "exclusive")] == reasons(told)


@pytest.mark.parametrize(("first", "second"), [("a", "z"), ("z", "a")])
def test_a_better_one_that_loses_does_not_help_those_behind_it(first: str, second: str) -> None:
    """A slot whose best candidate may not be shown waits for its turn: the next best of all slots comes first."""
    group = {"exclusivity_group": "g"}
    capped = campaign("capped", priority=9, audience=condition(kind="basket_lines", at_least=1))
    of_all = market(capped, campaign("good", priority=5, **group), campaign("dull", priority=1, **group))  # type: ignore[arg-type]  # a field
    told = viewed([bid(first, "capped"), bid(first, "dull"), bid(second, "good")], market=of_all)
    assert {second: "good"} == winners(told)
    assert [("capped", "audience"), ("dull", "exclusive")] == reasons(told)


def test_the_highest_priority_wins_then_the_highest_value() -> None:
    """What one promise is worth less what it costs; then the name."""
    of_all = [
        campaign("a", priority=1, value_minor=900),
        campaign("b", priority=2, value_minor=150),
        campaign("c", priority=2, value_minor=240, amount_minor=Range(usual=200)),
        campaign("d", priority=2, value_minor=150),
    ]
    for chosen in permutations(of_all):
        told = viewed([bid("main", "*")], market=market(*chosen))
        assert {"main": "b"} == winners(told)
        assert [("d", "outranked"), ("c", "outranked"), ("a", "outranked")] == reasons(told)


def test_any_campaign_is_one_of_the_kind() -> None:
    """Of another kind none is asked, and nobody loses."""
    of_both = market(campaign("spring", kind="recommendation"), campaign("summer"))
    told = viewed([bid("main", "*", kind="recommendation")], market=of_both)
    assert {"main": "spring"} == winners(told)
    assert [] == reasons(told)


def test_named_any_and_plain_in_one_slot() -> None:
    """By rank, whether named or not; what needs no campaign comes last, wherever it stands."""
    best, dull = campaign("best", priority=2), campaign("dull", priority=1)
    for bids in permutations((bid("main", "dull", "p-1"), bid("main", "*", "p-2"), plain())):
        told = viewed(list(bids), market=market(best, dull))
        assert {"main": "best"} == winners(told)
        assert ["p-2"] == told.shown()["main"].content["products"]
        assert [("dull", "outranked")] == reasons(told)
        told = viewed(list(bids), market=market(best, dull, leased={"best": Amounts(99, 1)}))
        assert {"main": "dull"} == winners(told)
        assert [("best", "budget")] == reasons(told)
        nothing = {"best": Amounts(), "dull": Amounts()}
        told = viewed(list(bids), market=market(best, dull, leased=nothing))
        assert {"main": None} == winners(told)
        assert [("best", "budget"), ("dull", "budget")] == reasons(told)


def test_a_campaign_that_won_has_not_lost() -> None:
    """It is named twice in the slot, and so is one that loses: each says one reason."""
    bids = [bid("main", "best"), bid("main", "*"), bid("main", "best", "p-2"), bid("main", "lame"), bid("main", "lame")]
    of_both = market(campaign("best"), campaign("lame", priority=9), leased={"lame": Amounts()})
    told = viewed(bids, market=of_both)
    assert {"main": "best"} == winners(told)
    assert [("lame", "budget")] == reasons(told)


def test_the_last_node_entered_wins_unless_all_its_campaigns_lose() -> None:
    """Then those of the node before are asked; what needs no campaign at the last one comes before these."""
    best, dull = campaign("best", priority=2), campaign("dull", priority=1)
    bids = [bid("main", "best")], [bid("main", "dull")]
    told = viewed(*bids, market=market(best, dull))
    assert {"main": "dull"} == winners(told)
    assert [("best", "outranked")] == reasons(told)
    told = viewed(*bids, market=market(best, dull, leased={"dull": Amounts()}))
    assert {"main": "best"} == winners(told)
    assert told.decided is not None
    assert ("start", "n0") == told.decided.decisions[0].path
    with_plain = [bid("main", "best")], [bid("main", "dull"), plain()]
    told = viewed(*with_plain, market=market(best, dull, leased={"dull": Amounts()}))
    assert {"main": None} == winners(told)


def test_of_several_that_need_no_campaign_the_last_that_can_be_shown_wins() -> None:
    """With a campaign in the slot as without: a tension whose threshold is passed gives way."""
    reward = {"type": "amount", "value_minor": 5}
    passed = {"slot": "main", "kind": "basket_tension", "content": {"threshold_minor": 0, "reward": reward}}
    for more in ([], [bid("main", "unknown")]):
        told = viewed([plain("main", "p-1"), plain("main", "p-2"), passed, *more], market=market())
        assert ["p-2"] == told.shown()["main"].content["products"]


def test_losers_are_told_up_to_a_bound() -> None:
    """Those that were asked before those that were not, whatever slot they are of."""
    many = [campaign(f"c-{number:03}", priority=500 - number) for number in range(200)]
    poor = campaign("poor", kind="recommendation", budget=Budget(count=1))
    of_all = market(*many, poor, leased={"poor": Amounts()})
    told = viewed([bid("a", "*"), bid("b", "poor", kind="recommendation")], market=of_all)
    assert {"a": "c-000"} == winners(told)
    assert AGAINST_MAX == len(reasons(told))
    assert ("poor", "budget") == reasons(told)[0]
    assert [(f"c-{number:03}", "outranked") for number in range(1, AGAINST_MAX)] == reasons(told)[1:]


def test_the_last_of_two_hundred_may_win() -> None:
    """When all before it have no budget left."""
    many = [campaign(f"c-{number:03}") for number in range(200)]
    told = viewed([bid("a", "*")], market=market(*many, leased={one.campaign_id: Amounts() for one in many[:-1]}))
    assert {"a": "c-199"} == winners(told)
    assert [(f"c-{number:03}", "budget") for number in range(AGAINST_MAX)] == reasons(told)


def test_a_campaign_fills_one_slot_of_an_event() -> None:
    """The first by name where nothing else tells them apart."""
    told = viewed([bid("b", "*"), bid("a", "*")], market=market(campaign("spring")))
    assert {"a": "spring"} == winners(told)
    assert [("spring", "already_promised")] == reasons(told)


def test_a_count_budget_counts_what_costs_nothing() -> None:
    """A recommendation is reserved too, until none is left."""
    counted = campaign("spring", kind="recommendation", budget=Budget(count=1))
    of_spring = market(counted, leased={"spring": Amounts(0, 1)})
    told = viewed([bid("main", "spring", kind="recommendation")], market=of_spring)
    assert {"main": "spring"} == winners(told)
    assert told.decided is not None
    assert [0] == [reserved.cost_minor for reserved in told.decided.reservations]
    other = viewed([bid("main", "spring", kind="recommendation")], market=of_spring)
    assert [("spring", "budget")] == reasons(other)
    of_spring.purse.take(decided(9))
    uncounted = viewed(
        [bid("main", "free", kind="recommendation")],
        market=market(campaign("free", kind="recommendation"), leased={"free": Amounts()}),
    )
    assert {"main": "free"} == winners(uncounted)
    assert uncounted.decided is not None
    assert () == uncounted.decided.reservations


def test_money_and_promises_must_both_be_left() -> None:
    """Either may run out first."""
    counted = campaign("spring", budget=Budget(money_minor=10**6, count=10))
    for left, expected in ((Amounts(100, 1), 1), (Amounts(99, 1), 0), (Amounts(100, 0), 0)):
        told = viewed([bid("main", "spring")], market=market(counted, leased={"spring": left}))
        assert expected == len(winners(told))


def test_without_a_market_every_proposal_stands() -> None:
    """The last one of the slot, as its node has it."""
    told = view(
        TreeStory(
            {"start": {"edges": [{"to": "n0", "when": VIEW}]}, "n0": {"experiences": [plain(), bid("main", "spring")]}}
        )
    )
    assert {"main": "spring"} == winners(told)
    assert GENEROSITY == told.shown()["main"].content["generosity"]
