"""Strategies for valid Shopping Experience Trees in JSON form, and for facts that their conditions look at."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from domain.conditions import Facts
from domain.events import OUTSIDE_TYPES
from domain.features import READ
from domain.text import words
from tests.story import Story, record

Json = dict[str, Any]

FEW_NAMES = ("pasta", "sauce", "tea", "crème fraîche", "p-77", 'a "b".c')
names = st.one_of(
    st.sampled_from(FEW_NAMES),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(str.isprintable),
)
some_names = st.lists(names, min_size=1, max_size=3)
terms = st.one_of(st.sampled_from(FEW_NAMES), st.text(max_size=20).filter(lambda text: bool(words(text))))
money = st.integers(0, 10**12)
counts = st.integers(0, 20)
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Any of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def bounds(least: str, most: str, values: st.SearchStrategy[int]) -> st.SearchStrategy[Json]:
    """One bound or both, in order."""
    both = st.tuples(values, values).map(lambda pair: {least: min(pair), most: max(pair)})
    return st.one_of(values.map(lambda value: {least: value}), values.map(lambda value: {most: value}), both)


def kind(name: str, *parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """A condition of a kind, from the parts of its fields."""
    return st.tuples(*parts).map(lambda made: {"kind": name} | {k: v for part in made for k, v in part.items()})


def always(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """All of the fields."""
    return st.fixed_dictionaries(fields)


at_least_one = st.integers(1, 20)
leaves = st.one_of(
    kind("event", always(types=st.lists(st.sampled_from(OUTSIDE_TYPES), min_size=1, max_size=3))),
    kind(
        "product",
        always(action=st.sampled_from(["added", "removed", "viewed"])),
        optional(product_ids=some_names, category_ids=some_names, brands=some_names),
    ),
    kind(
        "page",
        optional(
            page_kinds=st.lists(st.sampled_from(["home", "category", "product", "basket"]), min_size=1, max_size=2),
            category_ids=some_names,
        ),
    ),
    kind("search", always(terms=st.lists(terms, min_size=1, max_size=3))),
    kind(
        "in_basket",
        optional(product_ids=some_names, category_ids=some_names),
        st.one_of(st.just({}), optional(at_least=counts), bounds("at_least", "at_most", at_least_one)),
    ),
    kind("basket_total", bounds("at_least_minor", "at_most_minor", money)),
    kind("basket_lines", bounds("at_least", "at_most", counts)),
    kind("visits", bounds("at_least", "at_most", at_least_one).filter(lambda fields: "at_least" in fields)),
    kind(
        "order",
        always(states=st.lists(st.sampled_from(["paid", "shipped", "cancelled"]), min_size=1, max_size=2)),
    ),
    kind(
        "score",
        always(
            bias=finite,
            weights=st.dictionaries(st.sampled_from(sorted(READ)), finite, max_size=3),
            at_least=st.floats(0, 1),
        ),
    ),
)


def composite(parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """`all`, `any` or `none` of some parts."""
    return st.builds(
        lambda name, of: {"kind": name, "of": of},
        st.sampled_from(["all", "any", "none"]),
        st.lists(parts, min_size=1, max_size=3),
    )


two_deep = st.one_of(leaves, composite(st.one_of(leaves, composite(leaves))))
conditions = st.one_of(leaves, two_deep)

products = st.lists(
    st.one_of(
        names,
        st.fixed_dictionaries({"product_id": names}, optional={"reason": st.text(st.characters(codec="utf-8"))}),
    ),
    min_size=1,
    max_size=3,
)
percent = always(type=st.just("percent"), value=st.one_of(st.integers(0, 100), st.floats(0, 100)))
amount = always(type=st.just("amount"), value_minor=money)
rewards = st.one_of(
    percent,
    amount,
    always(type=st.just("product"), product_id=names),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["delivery", "points"])},
        optional={"label": st.text(st.characters(codec="utf-8")), "value": st.integers(0, 500)},
    ),
)
CONTENTS: dict[str, st.SearchStrategy[Json]] = {
    "recommendation": always(products=products),
    "personalised_promotion": st.fixed_dictionaries(
        {"products": products, "generosity": st.one_of(percent, amount)}, optional={"threshold_minor": money}
    ),
    "gamified_promotion": always(game=st.sampled_from(["scratch", "wheel"]), products=products, prize=rewards),
    "basket_tension": always(threshold_minor=money, reward=rewards),
}


@st.composite
def experiences(draw: st.DrawFn) -> Json:
    """An experience of any kind."""
    name = draw(st.sampled_from(sorted(CONTENTS)))
    base = {"slot": draw(st.sampled_from(["main", "banner", "side"])), "kind": name, "content": draw(CONTENTS[name])}
    return base | draw(optional(ttl_s=st.integers(1, 2_592_000), campaign_id=names))


@st.composite
def trees(draw: st.DrawFn, most_nodes: int = 6) -> Json:
    """A valid tree: each node but the root is reached from earlier ones, so no way comes round."""
    ids = draw(st.lists(names, min_size=1, max_size=most_nodes, unique=True))
    nodes: dict[str, Json] = {}
    for number, node_id in enumerate(ids):
        node: Json = draw(optional(experiences=st.lists(experiences(), min_size=1, max_size=2)))
        nodes[node_id] = node
        if number == 0:
            continue
        parents = draw(st.lists(st.sampled_from(ids[:number]), min_size=1, max_size=2, unique=True))
        for parent in parents:
            if "after" not in nodes[parent] and draw(st.booleans()):
                nodes[parent]["after"] = {"idle_s": draw(st.integers(1, 1_799)), "to": node_id}
            else:
                nodes[parent].setdefault("edges", []).append({"to": node_id, "when": draw(conditions)})
    return {"schema_version": 1, "shopper": draw(st.just("default")), "root": ids[0], "nodes": nodes}


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    """A short story of a shopper, and its last event."""
    story = Story()
    for second in range(draw(st.integers(0, 5))):
        product = draw(st.sampled_from(FEW_NAMES))
        if draw(st.booleans()):
            price = draw(st.integers(0, 5_000))
            story.add(product, second, quantity=draw(st.integers(1, 5)), price_minor=price, currency="EUR")
        else:
            story.pay("o-1", second)
    name = draw(st.sampled_from(FEW_NAMES))
    events: list[tuple[str, Json]] = [
        ("PageViewed", {"page": {"kind": "product", "product_id": name}}),
        ("PageViewed", {"page": {"kind": "home"}}),
        ("ProductsSearched", {"query": name}),
        ("AddedToBasket", {"product": {"product_id": name, "category_id": name, "brand": name}}),
        ("RemovedFromBasket", {"product": {"product_id": name}}),
        ("LinkClicked", {"target": "/"}),
    ]
    last, fields = draw(st.sampled_from(events))
    story.tell(last, 10, **fields)
    return Facts(story.state, record(last, 10, 99, **fields))
