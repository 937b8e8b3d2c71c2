"""Laws of flips, for any basket and condition of the basket: what is proposed holds, and nothing smaller does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.basket_changes import (
    BasketChange,
    Family,
    changed,
    mean_price_minor,
    more_and_fewer,
    more_and_less,
    new_line,
)
from domain.conditions import AnyCondition, Condition, Facts
from domain.flips import Effort, flip
from domain.records import Known
from tests.property import valid_trees
from tests.property.valid_trees import bounds, kind, optional
from tests.story import Story, record

PRODUCTS, CATEGORIES = ("pasta", "sauce", "tea"), ("dry", "wet")
KNOWN = {"sauce": Known(price_minor=4), "tea": Known(price_minor=9, category_id="wet")}
MONEY_MOST, PIECES_MOST = 14 * 12, 14

few = st.integers(0, 8)
of_basket = st.one_of(
    kind(
        "in_basket",
        optional(
            product_ids=st.lists(st.sampled_from(PRODUCTS), min_size=1, max_size=2),
            category_ids=st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=2),
        ),
        bounds("at_least", "at_most", few),
    ),
    kind("basket_total", bounds("at_least_minor", "at_most_minor", st.integers(0, 60))),
    kind("basket_lines", bounds("at_least", "at_most", st.integers(0, 4))),
    kind(
        "score",
        st.fixed_dictionaries(
            {
                "bias": st.integers(-12, 12).map(lambda value: value / 4),
                "weights": st.dictionaries(
                    st.sampled_from(["basket_lines", "basket_quantity", "basket_total_minor", "visits"]),
                    st.integers(-4, 4).map(lambda value: value / 8),
                    max_size=3,
                ),
                "at_least": st.sampled_from([0.0, 0.25, 0.5, 0.9, 1.0]),
            }
        ),
    ),
    kind("event", st.just({"types": ["AddedToBasket"]})),
    kind("visits", st.just({"at_least": 2})),
)
conditions = st.recursive(
    of_basket,
    lambda parts: st.builds(
        lambda name, of: {"kind": name, "of": of},
        st.sampled_from(["all", "any", "none"]),
        st.lists(parts, min_size=1, max_size=3),
    ),
    max_leaves=4,
)
baskets = st.lists(
    st.tuples(
        st.sampled_from(PRODUCTS),
        st.integers(1, 4),
        st.integers(0, 12),
        st.sampled_from([None, *CATEGORIES]),
        st.sampled_from(["EUR", "EUR", "GBP"]),
    ),
    max_size=3,
    unique_by=lambda line: line[0],
)


def facts_of(lines: list[tuple[str, int, int, str | None, str]]) -> Facts:
    """A shopper who put this into the basket, and then viewed a page."""
    story = Story()
    for product, quantity, price, category, currency in lines:
        facts: dict[str, Any] = {"price_minor": price, "currency": currency, "category_id": category}
        story.add(product, quantity=quantity, **facts)
    story.tell("PageViewed", page={"kind": "home"})
    return Facts(story.state, record("PageViewed", 0, 99, page={"kind": "home"}))


def every_change(facts: Facts, written: str) -> Iterator[tuple[Family, int]]:
    """Every small change of what the basket has or the condition names."""
    basket = facts.state.basket
    mean = mean_price_minor(basket)
    there = {line.product_id for line in basket.lines}
    families = list(more_and_less(basket))
    families += [family for line in basket.lines for family in more_and_fewer(line, mean)]
    for name in PRODUCTS:
        if name not in there and name in written:
            item = KNOWN.get(name)
            price = None if item is None else item.price_minor
            families.append(new_line(name, None, mean if price is None else price))
    families += [new_line(None, name, mean) for name in (*CATEGORIES, None) if name is None or name in written]
    for family in families:
        most = MONEY_MOST if family.change == "basket_total" else PIECES_MOST
        for number in range(1, min(most, family.most) + 1):
            yield family, number


def smallest(condition: Condition, facts: Facts, written: str) -> tuple[Any, BasketChange] | None:
    """The smallest of them that makes the condition true, by trying all."""
    found: list[tuple[Any, BasketChange]] = []
    for family, number in every_change(facts, written):
        after = changed(facts, family.of(number), KNOWN)
        if after is not None and condition.holds(after):
            found.append((family.size(number), family.of(number)))
    return min(found, key=lambda one: one[0], default=None)


@settings(max_examples=200)
@given(conditions, baskets)
def test_the_smallest_change_is_found_and_holds(
    written: Any, lines: list[tuple[str, int, int, str | None, str]]
) -> None:
    """What is proposed makes the condition true; no smaller change does, and where one does, one is proposed."""
    condition = msgspec.convert(written, AnyCondition)
    facts = facts_of(lines)
    assume(not condition.holds(facts))
    found, expected = flip(condition, facts, KNOWN), smallest(condition, facts, str(written))
    if found is None:
        assert expected is None
        return
    after = changed(facts, found, KNOWN)
    assert after is not None
    assert condition.holds(after)
    # What a line in a second currency comes to is no matter of its price: it counts once the first one is gone.
    counted = all(line.counted for line in facts.state.basket.lines)
    if expected is not None and counted and (found.quantity or 0) <= PIECES_MOST:
        assert expected[1] == found


@given(valid_trees.conditions, valid_trees.facts())
def test_any_condition_of_any_tree_is_looked_at(written: Any, facts: Facts) -> None:
    """Whatever a tree may ask, what is proposed makes it true; a true one has no flip."""
    condition = msgspec.convert(written, AnyCondition)
    found = flip(condition, facts, effort=Effort(20_000))
    if found is not None:
        after = changed(facts, found, {})
        assert after is not None
        assert (False, True) == (condition.holds(facts), condition.holds(after))
