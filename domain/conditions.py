"""The condition algebra on the edges of a Shopping Experience Tree: from one event and the state after it to yes or no.

Each condition has two forms of the same class: named fields as people write them, and `Packed…`, the array with a
small number for its kind that trees hold at rest. A number once given to a kind is never given to another.
"""

from __future__ import annotations

from typing import Annotated, Any, get_args

from msgspec import Meta

from domain.event_conditions import EventIs, PageIs, ProductIs, SearchHas
from domain.leaves import Condition, Facts
from domain.packing import forms_of, named
from domain.records import Why
from domain.state_conditions import BasketLines, BasketTotal, InBasket, OrderIs, Score, Visits

__all__ = ["PACKED", "AnyCondition", "Condition", "Facts", "PackedCondition", "as_json", "explain", "holds"]


def holds(condition: Condition, facts: Facts) -> bool:
    """Tells whether the condition is true of the facts."""
    return condition.holds(facts)


def explain(condition: Condition, facts: Facts) -> tuple[Why, ...]:
    """Gives each leaf that was evaluated, in order, with what it saw and whether it held.

    Composites are not listed. What each came to follows from the leaves and the condition: the same leaves are
    evaluated whoever replays it, since `all` ends at its first part that fails, `any` and `none` at their first that
    holds.
    """
    why: list[Why] = []
    condition.explain(facts, why)
    return tuple(why)


def as_json(condition: Condition) -> dict[str, Any]:
    """Gives the condition as people write it."""
    made: dict[str, Any] = named(condition)
    return made


class AllOf(Condition, frozen=True, kw_only=True, tag="all"):
    """Every part holds; parts after the first that does not are left unevaluated."""

    of: Annotated[tuple[AnyCondition, ...], Meta(min_length=1)]

    def holds(self, facts: Facts) -> bool:
        """Tells whether every part holds."""
        for part in self.of:  # noqa: SIM110  (a generator costs as much as a leaf)
            if not part.holds(facts):
                return False
        return True

    def explain(self, facts: Facts, why: list[Why]) -> bool:
        """Tells whether every part holds; adds leaves up to the first part that does not."""
        return all(part.explain(facts, why) for part in self.of)


class AnyOf(Condition, frozen=True, kw_only=True, tag="any"):
    """Some part holds; parts after the first that does are left unevaluated."""

    of: Annotated[tuple[AnyCondition, ...], Meta(min_length=1)]

    def holds(self, facts: Facts) -> bool:
        """Tells whether some part holds."""
        for part in self.of:  # noqa: SIM110  (a generator costs as much as a leaf)
            if part.holds(facts):
                return True
        return False

    def explain(self, facts: Facts, why: list[Why]) -> bool:
        """Tells whether some part holds; adds leaves up to the first part that does."""
        return any(part.explain(facts, why) for part in self.of)


class NoneOf(Condition, frozen=True, kw_only=True, tag="none"):
    """No part holds; parts after the first that does are left unevaluated."""

    of: Annotated[tuple[AnyCondition, ...], Meta(min_length=1)]

    def holds(self, facts: Facts) -> bool:
        """Tells whether no part holds."""
        for part in self.of:  # noqa: SIM110  (a generator costs as much as a leaf)
            if part.holds(facts):
                return False
        return True

    def explain(self, facts: Facts, why: list[Why]) -> bool:
        """Tells whether no part holds; adds leaves up to the first part that does."""
        return not any(part.explain(facts, why) for part in self.of)


AnyCondition = (
    AllOf
    | AnyOf
    | NoneOf
    | EventIs
    | ProductIs
    | PageIs
    | SearchHas
    | InBasket
    | BasketTotal
    | BasketLines
    | Visits
    | OrderIs
    | Score
)


class PackedAllOf(AllOf, frozen=True, kw_only=True, array_like=True, tag=1):
    """`AllOf` at rest."""

    of: Annotated[tuple[PackedCondition, ...], Meta(min_length=1)]


class PackedAnyOf(AnyOf, frozen=True, kw_only=True, array_like=True, tag=2):
    """`AnyOf` at rest."""

    of: Annotated[tuple[PackedCondition, ...], Meta(min_length=1)]


class PackedNoneOf(NoneOf, frozen=True, kw_only=True, array_like=True, tag=3):
    """`NoneOf` at rest."""

    of: Annotated[tuple[PackedCondition, ...], Meta(min_length=1)]


class PackedEventIs(EventIs, frozen=True, kw_only=True, array_like=True, tag=4):
    """`EventIs` at rest."""


class PackedProductIs(ProductIs, frozen=True, kw_only=True, array_like=True, tag=5):
    """`ProductIs` at rest."""


class PackedPageIs(PageIs, frozen=True, kw_only=True, array_like=True, tag=6):
    """`PageIs` at rest."""


class PackedSearchHas(SearchHas, frozen=True, kw_only=True, array_like=True, tag=7):
    """`SearchHas` at rest."""


class PackedInBasket(InBasket, frozen=True, kw_only=True, array_like=True, tag=8):
    """`InBasket` at rest."""


class PackedBasketTotal(BasketTotal, frozen=True, kw_only=True, array_like=True, tag=9):
    """`BasketTotal` at rest."""


class PackedBasketLines(BasketLines, frozen=True, kw_only=True, array_like=True, tag=10):
    """`BasketLines` at rest."""


class PackedVisits(Visits, frozen=True, kw_only=True, array_like=True, tag=11):
    """`Visits` at rest."""


class PackedOrderIs(OrderIs, frozen=True, kw_only=True, array_like=True, tag=12):
    """`OrderIs` at rest."""


class PackedScore(Score, frozen=True, kw_only=True, array_like=True, tag=13):
    """`Score` at rest."""


PackedCondition = (
    PackedAllOf
    | PackedAnyOf
    | PackedNoneOf
    | PackedEventIs
    | PackedProductIs
    | PackedPageIs
    | PackedSearchHas
    | PackedInBasket
    | PackedBasketTotal
    | PackedBasketLines
    | PackedVisits
    | PackedOrderIs
    | PackedScore
)

PACKED = forms_of(*get_args(PackedCondition))
"""The packed class of each named one."""
