"""Hot features: the numbers that a score condition weighs. The one place where actors and training compute them.

A feature is a pure function of the shopper's state after an event. Its name is a part of the tree format: a feature
may be added, but a name never changes its meaning, since models that were trained with it live on in trees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from domain.basket import LINE_QUANTITY_MAX, LINES_MAX, TOTAL_MINOR_MAX
from domain.shopper import Shopper


class Feature(NamedTuple):
    """One number that the hot state knows.

    Attributes:
        name: as score weights name it.
        unit: of the value.
        most: largest possible value; None = unbounded. The smallest is 0 for every feature.
        read: gives the value.
    """

    name: str
    unit: str
    most: int | None
    read: Callable[[Shopper], float]


def _basket_quantity(state: Shopper) -> float:
    return sum([line.quantity for line in state.basket.lines])


def _session_minutes(state: Shopper) -> float:
    """From the session's start to the shopper's clock, so that idle time counts; 0 before the first session."""
    session = state.session
    return (state.clock_ms - session.started_at_ms) / 60_000 if session.visits else 0.0


TABLE = (
    Feature("basket_lines", "lines", LINES_MAX, lambda state: len(state.basket.lines)),
    Feature("basket_quantity", "pieces", LINES_MAX * LINE_QUANTITY_MAX, _basket_quantity),
    Feature("basket_total_minor", "minor units", TOTAL_MINOR_MAX, lambda state: state.basket.total_minor),
    Feature("session_minutes", "minutes", None, _session_minutes),
    Feature("session_events", "events", None, lambda state: state.session.events),
    Feature("visits", "sessions, this one included", None, lambda state: state.session.visits),
    Feature("session_page_views", "events", None, lambda state: state.session.page_views),
    Feature("session_searches", "events", None, lambda state: state.session.searches),
    Feature("session_added", "events", None, lambda state: state.session.added),
    Feature("session_removed", "events", None, lambda state: state.session.removed),
)
"""Every feature, in the order in which training writes its columns."""

READ: Mapping[str, Callable[[Shopper], float]] = {feature.name: feature.read for feature in TABLE}
"""How to read a feature, by name."""


def features(state: Shopper) -> dict[str, float]:
    """Gives every feature of a state, in the order of `TABLE`: one row for training."""
    return {feature.name: float(feature.read(state)) for feature in TABLE}


def weighted_sum(weights: Mapping[str, float], state: Shopper) -> float:
    """Gives the sum of weight x feature; only the features that the weights name are evaluated.

    Raises:
        KeyError: a weight names no feature; trees that came through validation name only these.
    """
    total = 0.0
    for name, weight in weights.items():
        total += weight * READ[name](state)
    return total
