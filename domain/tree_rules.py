"""What a part of a Shopping Experience Tree must keep beyond its types: bounds that can be met, names that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite

from domain.contents import Generosity, Reward
from domain.event_conditions import EventIs, SearchHas
from domain.events import OUTSIDE_TYPES
from domain.every_fault import Rule, inside, shown
from domain.features import READ
from domain.state_conditions import BasketLines, BasketTotal, InBasket, Score, Visits
from domain.text import words_of_term

VALUE_MAX = 10**12
"""Largest `value` of a reward that is no percentage."""


def _event(condition: EventIs, path: str) -> Iterator[str]:
    for index, name in enumerate(condition.types):
        if name not in OUTSIDE_TYPES:
            yield f"{path}.types[{index}]: {shown(name)} is none of {', '.join(OUTSIDE_TYPES)}"


def _search(condition: SearchHas, path: str) -> Iterator[str]:
    for index, term in enumerate(condition.terms):
        if not words_of_term(term):
            yield f"{path}.terms[{index}]: {shown(term)} has no word to search for"


def _in_basket(condition: InBasket, path: str) -> Iterator[str]:
    least = 1 if condition.at_least is None else condition.at_least
    if condition.at_most is not None and least > condition.at_most:
        default = " (its default)" if condition.at_least is None else ""
        yield f"{path}: never true: at_least {least}{default} is above at_most {condition.at_most}"


def _basket_total(condition: BasketTotal, path: str) -> Iterator[str]:
    least, most = condition.at_least_minor, condition.at_most_minor
    if least is None and most is None:
        yield f"{path}: neither at_least_minor nor at_most_minor is given, one is needed"
    elif least is not None and most is not None and least > most:
        yield f"{path}: never true: at_least_minor {least} is above at_most_minor {most}"


def _basket_lines(condition: BasketLines, path: str) -> Iterator[str]:
    if condition.at_least is None and condition.at_most is None:
        yield f"{path}: neither at_least nor at_most is given, one is needed"
    elif condition.at_least is not None and condition.at_most is not None and condition.at_least > condition.at_most:
        yield f"{path}: never true: at_least {condition.at_least} is above at_most {condition.at_most}"


def _visits(condition: Visits, path: str) -> Iterator[str]:
    if condition.at_most is not None and condition.at_least > condition.at_most:
        yield f"{path}: never true: at_least {condition.at_least} is above at_most {condition.at_most}"


def _score(condition: Score, path: str) -> Iterator[str]:
    if not isfinite(condition.bias):
        yield f"{path}.bias: not a finite number: {condition.bias}"
    for name, weight in condition.weights.items():
        if name not in READ:
            yield f"{inside(path + '.weights', name)}: no feature {shown(name)}, there are {', '.join(READ)}"
        if not isfinite(weight):
            yield f"{inside(path + '.weights', name)}: not a finite number: {weight}"


def _generosity(generosity: Generosity, path: str) -> Iterator[str]:
    yield from _worth(generosity, path)
    if generosity.type == "percent" and generosity.value_minor is not None:
        yield f"{path}.value_minor: a percentage has a value, not a value_minor: {generosity.value_minor}"
    if generosity.type == "amount" and generosity.value is not None:
        yield f"{path}.value: an amount has a value_minor, not a value: {shown(generosity.value)}"


def _reward(reward: Reward, path: str) -> Iterator[str]:
    yield from _worth(reward, path)
    if reward.type == "product" and reward.product_id is None:
        yield f"{path}.product_id: missing, a product needs it"


def _worth(reward: Generosity | Reward, path: str) -> Iterator[str]:
    """What percentages and amounts need, given by a promotion or won."""
    most = 100 if reward.type == "percent" else VALUE_MAX
    if reward.value is not None and not 0 <= reward.value <= most:
        yield f"{path}.value: expected 0 to {most:,}, found {shown(reward.value)}"
    if reward.type == "percent" and reward.value is None:
        yield f"{path}.value: missing, a percentage needs it"
    if reward.type == "amount" and reward.value_minor is None:
        yield f"{path}.value_minor: missing, an amount needs it"


RULES: Mapping[type, Rule] = {
    EventIs: _event,
    SearchHas: _search,
    InBasket: _in_basket,
    BasketTotal: _basket_total,
    BasketLines: _basket_lines,
    Visits: _visits,
    Score: _score,
    Generosity: _generosity,
    Reward: _reward,
}
