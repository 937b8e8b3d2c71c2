"""Conditions on the state after the event: basket, visits, last order, and the score of a model."""

from __future__ import annotations

from math import exp, isnan
from typing import Annotated, Literal

from msgspec import Meta

from domain.events import Money, OrderStatus
from domain.features import weighted_sum
from domain.leaves import Facts, Identifiers, Leaf

Count = Annotated[int, Meta(ge=0, le=10**9)]
OrderState = Literal["paid"] | OrderStatus


class InBasket(Leaf[int], frozen=True, kw_only=True, tag="in_basket"):
    """The basket holds between `at_least` (1 unless given) and `at_most` pieces of what is named.

    A line counts if its product or its category is named; with neither list given every line does.
    """

    product_ids: Identifiers | None = None
    category_ids: Identifiers | None = None
    at_least: Count | None = None
    at_most: Count | None = None

    def observe(self, facts: Facts) -> int:
        """Gives the pieces in the basket of what is named."""
        products, categories = self.product_ids, self.category_ids
        whole = products is None and categories is None
        quantity = 0
        for line in facts.state.basket.lines:
            if (
                whole
                or (products is not None and line.product_id in products)
                or (categories is not None and line.category_id in categories)
            ):
                quantity += line.quantity
        return quantity

    def judge(self, seen: int) -> bool:
        """Tells whether the pieces lie within the bounds."""
        least = 1 if self.at_least is None else self.at_least
        return least <= seen and (self.at_most is None or seen <= self.at_most)


class BasketTotal(Leaf[int], frozen=True, kw_only=True, tag="basket_total"):
    """The basket's total lies within the bounds, both included."""

    at_least_minor: Money | None = None
    at_most_minor: Money | None = None

    def observe(self, facts: Facts) -> int:
        """Gives the basket's total in minor units."""
        return facts.state.basket.total_minor

    def judge(self, seen: int) -> bool:
        """Tells whether the total lies within the bounds."""
        return (self.at_least_minor is None or seen >= self.at_least_minor) and (
            self.at_most_minor is None or seen <= self.at_most_minor
        )


class BasketLines(Leaf[int], frozen=True, kw_only=True, tag="basket_lines"):
    """The number of different products in the basket lies within the bounds, both included."""

    at_least: Count | None = None
    at_most: Count | None = None

    def observe(self, facts: Facts) -> int:
        """Gives the number of lines in the basket."""
        return len(facts.state.basket.lines)

    def judge(self, seen: int) -> bool:
        """Tells whether the number lies within the bounds."""
        return (self.at_least is None or seen >= self.at_least) and (self.at_most is None or seen <= self.at_most)


class Visits(Leaf[int], frozen=True, kw_only=True, tag="visits"):
    """The sessions so far, this one included, lie within the bounds, both included."""

    at_least: Count
    at_most: Annotated[int, Meta(ge=1, le=10**9)] | None = None

    def observe(self, facts: Facts) -> int:
        """Gives the sessions so far."""
        return facts.state.session.visits

    def judge(self, seen: int) -> bool:
        """Tells whether the sessions lie within the bounds."""
        return seen >= self.at_least and (self.at_most is None or seen <= self.at_most)


class OrderIs(Leaf[str | None], frozen=True, kw_only=True, tag="order"):
    """The shopper's last order is in one of the states."""

    states: Annotated[tuple[OrderState, ...], Meta(min_length=1)]

    def observe(self, facts: Facts) -> str | None:
        """Gives the last order's status, None before the first order."""
        order = facts.state.order
        return order.status if order is not None else None

    def judge(self, seen: str | None) -> bool:
        """Tells whether the status is one of those asked for."""
        return seen in self.states


class Score(Leaf[float], frozen=True, kw_only=True, tag="score"):
    """A logistic model over hot features reaches `at_least`; its weights came with the tree."""

    bias: float
    weights: dict[str, float]
    at_least: Annotated[float, Meta(ge=0, le=1)]

    def observe(self, facts: Facts) -> float:
        """Gives the model's probability, 0..1."""
        return logistic(self.bias + weighted_sum(self.weights, facts.state))

    def judge(self, seen: float) -> bool:
        """Tells whether the probability reaches the threshold."""
        return seen >= self.at_least


def logistic(log_odds: float) -> float:
    """Gives 1 / (1 + e^-x) without overflow at either end; what is no number (inf - inf) gives 0."""
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    if isnan(log_odds):
        return 0.0
    odds = exp(log_odds)
    return odds / (1 + odds)
