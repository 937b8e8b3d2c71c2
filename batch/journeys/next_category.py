"""Which category comes next: from a shopper's records to examples, from examples to the weights that trees carry.

Examples are point in time: the features are those of the state that the actor has after the event, the shopper's own
habit is that of the sessions before; only the label lies ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch.journeys.odds import habit, own_rate
from batch.journeys.plan import Model
from domain.events import (
    AddedToBasket,
    LinkClicked,
    PageViewed,
    ProductsSearched,
    RemovedFromBasket,
)
from domain.features import TABLE, features
from domain.fold import apply
from domain.ids import Position
from domain.records import Record
from domain.shopper import Shopper

FEATURES = tuple(feature.name for feature in TABLE)
WEIGHTS_MAX = 4
"""Features of one model: each costs a tree about 25 bytes wherever it is asked."""
RIDGE = 5.0
"""Strength of the L2 penalty on standardised weights, in rows."""
POSITIVES_MIN = 20
"""A category with fewer examples has no model."""
ROUNDS_MAX = 30
_MOVES = (PageViewed, LinkClicked, ProductsSearched, AddedToBasket, RemovedFromBasket)
Floats = NDArray[np.float64]


class Row(NamedTuple):
    """What was known after one event, and what came later.

    Attributes:
        visit: the shopper's session, from 1.
        at_ms: event time.
        x: the hot features, in the order of FEATURES.
        present: categories in the basket.
        sessions: sessions with an addition before this one.
        own: category → how many of these had it.
        later: categories added later in this session, before an order ends it.
    """

    visit: int
    at_ms: int
    x: tuple[float, ...]
    present: frozenset[str]
    sessions: int
    own: Mapping[str, int]
    later: frozenset[str]


class _Seen(NamedTuple):
    """A row whose label is still to come."""

    number: int
    visit: int
    at_ms: int
    x: tuple[float, ...]
    present: frozenset[str]


def rows_of(records: Iterable[Record]) -> list[Row]:
    """Gives the examples of one shopper.

    Args:
        records: all of one shopper, in the order of the log. Repeats count once, as in the fold.

    Returns:
        One row for each event by which a shopper moves about, in order.
    """
    state: Shopper | None = None
    rows: list[Row] = []
    open_rows: list[_Seen] = []
    added: list[tuple[int, str]] = []
    own: Counter[str] = Counter()
    sessions = 0
    visit = 0
    for number, record in enumerate(records):
        state = state or Shopper(retailer_id=record.retailer_id, shopper=record.event.shopper_id)
        applied = apply(state, record, Position(1, number))
        state = applied.state
        if applied.repeat:
            continue
        if state.session.visits != visit or applied.paid:
            rows += _labelled(open_rows, added, sessions, own)
            sessions, own = _closed(added, sessions, own)
            open_rows, added, visit = [], [], state.session.visits
        event = record.event
        if isinstance(event, AddedToBasket):
            category = _category_of(state, event.product.product_id)
            if category is not None:
                added.append((number, category))
        if isinstance(event, _MOVES):
            present = frozenset(line.category_id for line in state.basket.lines if line.category_id is not None)
            open_rows.append(_Seen(number, visit, state.clock_ms, tuple(features(state).values()), present))
    return rows + _labelled(open_rows, added, sessions, own)


def base_rates(rows: Sequence[Row]) -> dict[str, float]:
    """Gives category → share of the sessions with an addition that had it, by the first row of each.

    What an older session left in the basket counts only where the session begins with an addition.
    """
    events, additions = FEATURES.index("session_events"), FEATURES.index("session_added")
    had: Counter[str] = Counter()
    sessions = 0
    for row in rows:
        if row.x[events] == 1:
            categories = row.later | row.present if row.x[additions] else row.later
            sessions += bool(categories)
            had.update(categories)
    return {category: count / sessions for category, count in sorted(had.items())} if sessions else {}


def fit(rows: Sequence[Row], base: Mapping[str, float], categories: Sequence[str]) -> dict[str, Model]:
    """Gives a model for each category that has examples enough: logistic regressions by Newton's method.

    A row counts for a category while the category is not in the basket: that is when trees ask.

    Args:
        rows: of many shoppers.
        base: as `base_rates` gives it.
        categories: to model.

    Source: Hastie, Tibshirani and Friedman 2009, The Elements of Statistical Learning, 4.4.1 (iteratively reweighted
    least squares), with an L2 penalty on all but the intercept.
    """
    hot = np.array([row.x for row in rows], dtype=np.float64).reshape(-1, len(FEATURES))
    models: dict[str, Model] = {}
    for category in categories:
        keep, follows = labels(rows, category)
        if follows.sum() < POSITIVES_MIN or follows.all():
            continue
        x = np.column_stack((habits(rows, category, base[category])[keep], hot[keep]))
        models[category] = _model(x, follows, base[category])
    return models


def labels(rows: Sequence[Row], category: str) -> tuple[NDArray[np.bool_], Floats]:
    """Gives which rows count for a category, and of those whether it followed (0 or 1)."""
    keep = np.array([category not in row.present for row in rows], dtype=bool)
    follows = np.array([category in row.later for row in rows], dtype=np.float64)
    return keep, follows[keep]


def habits(rows: Sequence[Row], category: str, base: float) -> Floats:
    """Gives each row's habit of a category, by the sessions before it."""
    return np.array([habit(own_rate(row.own.get(category, 0), row.sessions, base), base) for row in rows])


def predict(model: Model, category: str, rows: Sequence[Row]) -> Floats:
    """Gives P(category follows) for each row, as a `score` condition of the row's shopper would."""
    weights = np.array([model.weights.get(name, 0.0) for name in FEATURES])
    hot = np.array([row.x for row in rows], dtype=np.float64).reshape(-1, len(FEATURES))
    odds = model.bias + model.personal * habits(rows, category, model.base) + hot @ weights
    return _logistic(odds)


def _model(x: Floats, follows: Floats, base: float) -> Model:
    """Fits habit and all features, then habit and the few that weigh most."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-9] = np.inf
    scaled = (x - mean) / spread
    weights = _newton(scaled, follows)
    # A stable sort: where two weigh the same, the first feature stays, on every machine.
    strongest = 1 + np.argsort(-np.abs(weights[2:]), kind="stable")[:WEIGHTS_MAX]
    columns = np.concatenate(([0], np.sort(strongest)))
    columns = columns[np.isfinite(spread[columns])]
    few = _newton(scaled[:, columns], follows)
    raw = few[1:] / spread[columns]
    bias = float(few[0] - raw @ mean[columns])
    named = {int(column): float(weight) for column, weight in zip(columns, raw, strict=True)}
    personal = named.pop(0, 0.0)
    return Model(
        bias=bias,
        weights={FEATURES[column - 1]: weight for column, weight in named.items()},
        personal=personal,
        base=base,
    )


def _newton(scaled: Floats, follows: Floats) -> Floats:
    """Gives intercept and weights that minimise log-loss + RIDGE/2 x |weights|²; halves steps that overshoot."""
    x = np.column_stack((np.ones(len(scaled)), scaled))
    penalty = np.full(x.shape[1], RIDGE)
    penalty[0] = 1e-6
    weights: Floats = np.zeros(x.shape[1])
    rate = follows.mean()
    weights[0] = np.log(rate / (1 - rate))
    loss = _loss(x, follows, weights, penalty)
    for _ in range(ROUNDS_MAX):
        probable = _logistic(x @ weights)
        gradient = x.T @ (probable - follows) + penalty * weights
        curvature = (x * (probable * (1 - probable))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while size > 1e-4 and _loss(x, follows, weights - size * step, penalty) > loss:
            size /= 2
        weights = weights - size * step
        fresh = _loss(x, follows, weights, penalty)
        if loss - fresh < 1e-9 * max(1.0, abs(loss)):
            break
        loss = fresh
    return weights


def _loss(x: Floats, follows: Floats, weights: Floats, penalty: Floats) -> float:
    odds = x @ weights
    return float(np.sum(np.logaddexp(0.0, odds) - follows * odds) + 0.5 * np.sum(penalty * weights**2))


def _logistic(odds: Floats) -> Floats:
    # exp never overflows: of a positive log-odds it takes the negative.
    small = np.exp(-np.abs(odds))
    return np.where(odds >= 0, 1 / (1 + small), small / (1 + small))


def _labelled(
    seen: Sequence[_Seen], added: Sequence[tuple[int, str]], sessions: int, own: Mapping[str, int]
) -> list[Row]:
    """Gives the rows of a session that is over; they share one picture of the sessions before it."""
    before = dict(own)
    rows: list[Row] = []
    waiting = list(added)
    later: frozenset[str] = frozenset()
    for one in reversed(seen):
        while waiting and waiting[-1][0] > one.number:
            later |= {waiting.pop()[1]}
        rows.append(Row(one.visit, one.at_ms, one.x, one.present, sessions, before, later))
    rows.reverse()
    return rows


def _closed(added: Sequence[tuple[int, str]], sessions: int, own: Counter[str]) -> tuple[int, Counter[str]]:
    """Gives the shopper's own history with the session in it; one without an addition tells nothing of habits."""
    if not added:
        return sessions, own
    return sessions + 1, own + Counter({category for _, category in added})


def _category_of(state: Shopper, product_id: str) -> str | None:
    """Gives the category under which the basket holds a product that was just added; None where none is known."""
    return next((line.category_id for line in state.basket.lines if line.product_id == product_id), None)
