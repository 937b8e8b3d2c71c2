"""Flips: the smallest change of a basket that would have made a condition true.

For lookups: a change is proposed only after the condition itself was evaluated on the basket so changed. A condition
of a basket is a step function of each kind of change, so only the numbers at which a leaf turns have to be tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import ceil, isfinite, log
from sys import float_info
from typing import NamedTuple

from domain.basket import Basket, Line
from domain.basket_changes import (
    BasketChange,
    Family,
    changed,
    mean_price_minor,
    more_and_fewer,
    more_and_less,
    new_line,
)
from domain.conditions import AllOf, AnyOf, Condition, Facts, NoneOf
from domain.features import weighted_sum
from domain.records import Known
from domain.state_conditions import BasketLines, BasketTotal, InBasket, Score

EFFORT_MAX = 200_000
"""Of all flips of one lookup: a leaf that compares a line with four names counts one; 0.1 s at most."""
LEAVES_TRIED = 50
LINES_TRIED = 50
"""Lines of the basket that are tried: those that a leaf names, then the cheapest."""
NAMED_TRIED = 50
"""Products, and categories, that a condition names and that are tried."""
_BASKET_FEATURES = frozenset({"basket_lines", "basket_quantity", "basket_total_minor"})
_NUMBER_MAX = 10**15
_NO_CATALOGUE: Mapping[str, Known] = {}

Measured = InBasket | BasketTotal | BasketLines | Score


class Effort:
    """What may still be spent on looking for flips."""

    def __init__(self, most: int = EFFORT_MAX) -> None:
        self._left = most

    def spend(self, amount: int) -> bool:
        """Takes an amount; False where there is nothing left."""
        self._left -= amount
        return self._left >= 0


class _Search(NamedTuple):
    """What one search looks at.

    Attributes:
        facts: as they were.
        leaves: that a change of the basket can turn.
        known: the retailer's catalogue.
        effort: what may be spent.
        look: what one look costs.
    """

    facts: Facts
    leaves: Sequence[Measured]
    known: Mapping[str, Known]
    effort: Effort
    look: int


def flip(
    condition: Condition,
    facts: Facts,
    known: Mapping[str, Known] = _NO_CATALOGUE,
    effort: Effort | None = None,
) -> BasketChange | None:
    """Gives the smallest change of the basket that makes a false condition true of the same event.

    Args:
        condition: any.
        facts: of which it is false.
        known: the retailer's catalogue, for prices of what is not in the basket.
        effort: shared by the flips of one lookup.

    Returns:
        None where the condition is true, where no change of one product's line or of the total alone would do, or
        where none was found within the effort.
    """
    if condition.holds(facts) or not _outcomes(condition, facts).may_hold:
        return None
    leaves = list(islice(_leaves(condition), LEAVES_TRIED))
    look = (1 + len(facts.state.basket.lines)) * (3 + sum(map(_weight, leaves)))
    search = _Search(facts, leaves, known, effort or Effort(), look)
    found = [(family, number) for family in _families(search) for number in _turns(family, search)]
    found.sort(key=lambda one: one[0].size(one[1]))
    for family, number in found:
        if not search.effort.spend(search.look):
            break
        change = family.of(number)
        after = changed(facts, change, known)
        if after is not None and condition.holds(after):
            return change
    return None


class _Outcomes(NamedTuple):
    """What changes of the basket may make of a condition."""

    may_hold: bool
    may_fail: bool


def _outcomes(condition: Condition, facts: Facts) -> _Outcomes:
    """Gives what a condition may come to, if everything about the basket were open; the rest stays as it is."""
    if isinstance(condition, AllOf | AnyOf | NoneOf):
        parts = [_outcomes(part, facts) for part in condition.of]
        if isinstance(condition, AllOf):
            return _Outcomes(all(part.may_hold for part in parts), any(part.may_fail for part in parts))
        some = _Outcomes(any(part.may_hold for part in parts), all(part.may_fail for part in parts))
        return some if isinstance(condition, AnyOf) else _Outcomes(some.may_fail, some.may_hold)
    if _is_measured(condition):
        return _Outcomes(True, True)
    holds = condition.holds(facts)
    return _Outcomes(holds, not holds)


def _is_measured(condition: Condition) -> bool:
    if isinstance(condition, Score):
        return any(weight and name in _BASKET_FEATURES for name, weight in condition.weights.items())
    return isinstance(condition, InBasket | BasketTotal | BasketLines)


def _leaves(condition: Condition) -> Iterator[Measured]:
    """Gives the leaves that a change of the basket can turn."""
    if isinstance(condition, AllOf | AnyOf | NoneOf):
        for part in condition.of:
            yield from _leaves(part)
    elif isinstance(condition, InBasket | BasketTotal | BasketLines | Score) and _is_measured(condition):
        yield condition


def _weight(leaf: Measured) -> int:
    """Gives what it costs to have a leaf look at one line."""
    names = len(leaf.product_ids or ()) + len(leaf.category_ids or ()) if isinstance(leaf, InBasket) else 0
    return 1 + names // 4


def _families(search: _Search) -> Iterator[Family]:
    """Gives the kinds of change that may turn a leaf."""
    basket = search.facts.state.basket
    yield from more_and_less(basket)
    if all(isinstance(leaf, BasketTotal) for leaf in search.leaves):
        # The same money without a product is never the larger change.
        return
    mean_minor = mean_price_minor(basket)
    named = [leaf for leaf in search.leaves if isinstance(leaf, InBasket)]
    products = dict.fromkeys(one for leaf in named for one in leaf.product_ids or ())
    categories = dict.fromkeys(one for leaf in named for one in leaf.category_ids or ())
    for line in _lines_to_try(basket, products, categories):
        yield from more_and_fewer(line, mean_minor)
    there = {line.product_id for line in basket.lines}
    for product_id in islice((one for one in products if one not in there), NAMED_TRIED):
        item = search.known.get(product_id)
        price_minor = item.price_minor if item is not None else None
        yield new_line(product_id, None, mean_minor if price_minor is None else price_minor)
    for category_id in islice(categories, NAMED_TRIED):
        yield new_line(None, category_id, mean_minor)
    yield new_line(None, None, mean_minor)


def _lines_to_try(basket: Basket, products: Mapping[str, None], categories: Mapping[str, None]) -> Sequence[Line]:
    if len(basket.lines) <= LINES_TRIED:
        return basket.lines
    return sorted(
        basket.lines,
        key=lambda line: (
            line.product_id not in products and line.category_id not in categories,
            line.price_minor * line.quantity,
        ),
    )[:LINES_TRIED]


def _turns(family: Family, search: _Search) -> Iterator[int]:
    """Gives the numbers at which a leaf may turn, each once."""
    numbers = {1, family.most} if family.change == "remove" else {1}
    first, second = _looked_at(family, 1, search), _looked_at(family, 2, search)
    if first is not None and second is not None:
        for leaf in search.leaves:
            numbers.update(_turns_of(leaf, first, second))
    return (number for number in numbers if 1 <= number <= family.most)


def _looked_at(family: Family, number: int, search: _Search) -> Facts | None:
    if number > family.most or not search.effort.spend(search.look):
        return None
    return changed(search.facts, family.of(number), search.known)


def _turns_of(leaf: Measured, first: Facts, second: Facts) -> Iterator[int]:
    """Gives the numbers at which what a leaf sees passes one of its bounds; from 1 to 2 it grows as it does later on.

    Args:
        leaf: any.
        first, second: the facts after the change by 1 and by 2.
    """
    if isinstance(leaf, Score):
        at_first, at_second = (leaf.bias + weighted_sum(leaf.weights, facts.state) for facts in (first, second))
        if leaf.at_least and at_first != at_second:
            number = (_log_odds(leaf.at_least) - at_first) / (at_second - at_first)
            if isfinite(number) and abs(number) < _NUMBER_MAX:
                # Floats are not exact: the neighbours are looked at too.
                yield from range(ceil(number), ceil(number) + 3)
        return
    seen, grows = leaf.observe(first), leaf.observe(second) - leaf.observe(first)
    if grows:
        for bound in _bounds(leaf):
            yield 1 - (seen - bound) // grows


def _log_odds(probability: float) -> float:
    """Gives the log-odds of a probability above 0; of 1, those from which on a float can't tell it from 1."""
    return log(probability / (1 - probability)) if probability < 1 else float_info.mant_dig * log(2)


def _bounds(leaf: InBasket | BasketTotal | BasketLines) -> Iterator[int]:
    """Gives the last value outside and the first inside, at both ends."""
    if isinstance(leaf, BasketTotal):
        least, most = leaf.at_least_minor, leaf.at_most_minor
    else:
        least, most = leaf.at_least, leaf.at_most
    if isinstance(leaf, InBasket) and least is None:
        least = 1
    if least is not None:
        yield from (least - 1, least)
    if most is not None:
        yield from (most, most + 1)
