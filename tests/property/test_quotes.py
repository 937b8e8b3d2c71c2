"""Laws of quotes, for any story: they say what the order commits, and what came after a snapshot is not forgotten."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.events import OrderLine
from domain.quotes import concerns_promises, open_promises, quote
from domain.shopper import decode, encode
from tests.story import NOON_MS
from tests.unit.market_story import ALWAYS, Json, MarketStory, campaign, edge, promotion, tension

PRODUCTS = ("pasta", "sauce", "tea")
CAMPAIGNS = (
    campaign("pasta", priority=2),
    campaign("sauce", percent=None, amount_minor={"usual": 120}),
    campaign("tea", percent={"usual": 33}, max_discount_minor=90, threshold_minor={"usual": 500}),
    campaign("free", kind="basket_tension", percent=None, max_discount_minor=390, priority=1),
)


def _node(name: str) -> Json:
    return {"experiences": [promotion(name, name, name, "bread", ttl_s=300)], "edges": []}


TREE: Json = {
    "start": {
        "edges": [edge(name, {"kind": "product", "action": "added", "product_ids": [name]}) for name in PRODUCTS]
    },
    "pasta": {
        **_node("pasta"),
        "edges": [edge("sauce", {"kind": "product", "action": "added", "product_ids": ["sauce"]})],
    },
    "sauce": {**_node("sauce"), "edges": [edge("free", ALWAYS)]},
    "free": {"experiences": [tension("bar", "free", 900, {"type": "amount", "value_minor": 200}, ttl_s=200)]},
    "tea": _node("tea"),
}
lines = st.lists(st.tuples(st.sampled_from((*PRODUCTS, "bread")), st.integers(1, 9), st.integers(0, 400)), max_size=5)
steps = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "order", "cancel", "wait"]), st.sampled_from(PRODUCTS), lines),
    max_size=14,
)


def _sold(of: list[tuple[str, int, int]]) -> list[OrderLine]:
    return [OrderLine(product_id=name, quantity=quantity, price_minor=price) for name, quantity, price in of]


@settings(max_examples=150)
@given(steps, st.data())
def test_a_quote_says_what_the_order_commits(told: list[tuple[str, str, Any]], data: st.DataObject) -> None:
    """At every order the quote of its lines, from any snapshot and the decisions since, is what is settled."""
    story = MarketStory(TREE, *CAMPAIGNS)
    snapshots = [None, encode(story.state)]
    at_s = 0
    for number, (kind, product, of) in enumerate(told):
        at_s += 100 if kind == "wait" else 1
        since = data.draw(st.sampled_from(snapshots))
        later = [one for one in story.told if concerns_promises(one)]
        promises = open_promises(None if since is None else decode(since), later)
        assert story.open() == promises
        if kind == "order":
            quoted = quote(promises, _sold(of), NOON_MS + at_s * 1_000)
            sold = [{"product_id": name, "quantity": many, "price_minor": price} for name, many, price in of]
            story.tell(
                "OrderPaid", at_s, order_id=f"o-{number}", lines=sold, total_minor=0, currency="EUR", verified=True
            )
            settled = () if story.decided is None else story.decided.settlements
            assert [(one.promise.experience_id, one.redemption.cost_minor) for one in quoted] == [
                (one.experience_id, one.committed_minor) for one in settled
            ]
        elif kind == "cancel":
            story.tell("OrderStatusChanged", at_s, order_id=f"o-{number - 1}", status="cancelled", verified=True)
        elif kind == "remove":
            story.remove(product, at_s)
        elif kind == "add":
            story.add(product, at_s, price_minor=250)
        snapshots.append(encode(story.state))
