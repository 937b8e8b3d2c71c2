"""What the next order will come to: a log-normal from a shopper's order history; from the warehouse, to the plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log, log1p
from typing import NamedTuple
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEATURES = ("habit", "last", "recent", "middle", "spread", "newcomer", "orders", "gap_days", "last_gap_days")
PRIOR_ORDERS = 1.0
"""Orders of the shop's mean that stand beside a shopper's own: a newcomer is the shop's shopper."""
RECENT_DECAY = 0.6
"""Weight of each order in the recent mean against the one after it."""
RIDGE = 5.0
FOLDS = 5
EIGHTY_PERCENT = 1.2815515655446004
"""Standard deviations on either side of the median that hold 80 % of a normal distribution."""
HISTORY_MAX = 200
"""Orders looked at, the newest."""
_COUNTS = (0, 1, 2, 4, 8)
"""Sigmas are estimated by the number of earlier orders, from each of these on."""
_DAY_MS = 86_400_000


class Order(NamedTuple):
    """One paid order; `total_minor` in the retailer's currency."""

    paid_at_ms: int
    total_minor: int


class Example(NamedTuple):
    """What was known before an order, and what it came to.

    Attributes:
        shopper: the hash.
        before: earlier orders, oldest first, at most HISTORY_MAX.
        total_minor: of the order.
    """

    shopper: str
    before: tuple[Order, ...]
    total_minor: int


class Prediction(NamedTuple):
    """The next total: its median, and the standard deviation of its logarithm."""

    median_minor: int
    sigma: float

    def interval(self) -> tuple[float, float]:
        """Gives the bounds between which 80 % of totals lie, in minor units."""
        spread = exp(EIGHTY_PERCENT * self.sigma)
        return self.median_minor / spread, self.median_minor * spread


class TotalModel(msgspec.Struct, frozen=True, kw_only=True):
    """A ridge regression on the logarithm of totals.

    Attributes:
        shop_mean: mean log total of all orders.
        shop_gap_days: usual days between two orders of a shopper.
        bias, weights: over FEATURES, raw units.
        sigmas: standard deviation of log totals around the prediction, by the counts of earlier orders.
    """

    shop_mean: float
    shop_gap_days: float
    bias: float
    weights: tuple[float, ...]
    sigmas: tuple[float, ...]

    def predict(self, orders: Sequence[Order]) -> Prediction:
        """Gives the next total of a shopper with these orders, oldest first; a newcomer has none."""
        x = features(orders[-HISTORY_MAX:], self.shop_mean, self.shop_gap_days)
        median = exp(self.bias + sum(weight * value for weight, value in zip(self.weights, x, strict=True)))
        return Prediction(max(1, round(median)), self.sigmas[_bucket(len(orders))])


def examples_of(shopper: str, orders: Sequence[Order]) -> list[Example]:
    """Gives one example for each order of a shopper, the first included; orders in any order."""
    ordered = sorted(orders)
    return [
        Example(shopper, tuple(ordered[max(0, number - HISTORY_MAX) : number]), order.total_minor)
        for number, order in enumerate(ordered)
    ]


def features(before: Sequence[Order], shop_mean: float, shop_gap_days: float) -> tuple[float, ...]:
    """Gives the numbers of FEATURES: logs of minor units as differences from the shop's mean, counts, days.

    What a short history leaves unknown is the shop's: means are shrunk by PRIOR_ORDERS orders of the shop.
    """
    logs = [log(max(order.total_minor, 1)) - shop_mean for order in before]
    count = len(logs)
    if not count:
        return (0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, log1p(shop_gap_days), log1p(shop_gap_days))
    total = weight = 0.0
    for value in logs:
        total, weight = RECENT_DECAY * total + value, RECENT_DECAY * weight + 1
    mean = sum(logs) / count
    spread = (sum((value - mean) ** 2 for value in logs) / count) ** 0.5
    times = [order.paid_at_ms for order in before]
    last_gap = (times[-1] - times[-2]) / _DAY_MS if count > 1 else shop_gap_days
    gap = ((times[-1] - times[0]) / _DAY_MS + shop_gap_days) / count
    shrunk = count / (count + PRIOR_ORDERS)
    middle = sorted(logs)[count // 2]
    return (
        mean * shrunk,
        logs[-1] * shrunk,
        total / (weight + PRIOR_ORDERS),
        middle * shrunk,
        spread,
        0.0,
        log1p(count),
        log1p(max(gap, 0.0)),
        log1p(max(last_gap, 0.0)),
    )


def fit(examples: Sequence[Example]) -> TotalModel:
    """Fits the model; sigmas come from shoppers that the fit behind them has not seen.

    Args:
        examples: of many shoppers, at least one.

    Source: Hoerl and Kennard 1970, Ridge regression.
    """
    assert examples, "a model of totals needs an order"
    y = np.array([log(max(example.total_minor, 1)) for example in examples])
    shop_mean, gap = float(y.mean()), _usual_gap(examples)
    x = np.array([features(example.before, shop_mean, gap) for example in examples], dtype=np.float64)
    fold = np.array([crc32(example.shopper.encode()) % FOLDS for example in examples])
    off = np.zeros(len(y))
    for number in range(FOLDS):
        out = fold == number
        if out.any():
            bias, weights = _ridge(x[~out], y[~out]) if (~out).any() else (shop_mean, np.zeros(x.shape[1]))
            off[out] = y[out] - bias - x[out] @ weights
    counts = np.array([_bucket(len(example.before)) for example in examples])
    everywhere = _sigma(off)
    sigmas = [_sigma(off[counts == bucket]) if (counts == bucket).sum() >= 30 else everywhere for bucket in range(5)]
    bias, weights = _ridge(x, y)
    return TotalModel(
        shop_mean=shop_mean,
        shop_gap_days=gap,
        bias=bias,
        weights=tuple(weights.tolist()),
        sigmas=tuple(sigmas),
    )


def to_bytes(model: TotalModel) -> bytes:
    """Gives the model as JSON."""
    return msgspec.json.encode(model)


def from_bytes(blob: bytes) -> TotalModel:
    """Reads a model.

    Raises:
        msgspec.MsgspecError: the bytes are no model of totals.
    """
    return msgspec.json.decode(blob, type=TotalModel)


class Error(NamedTuple):
    """How far predictions are off.

    Attributes:
        mae_minor: mean absolute error, minor units.
        mape: mean of |error| / total, over orders that cost something.
        coverage: share of orders inside the 80 % interval; NaN where none is given.
    """

    mae_minor: float
    mape: float
    coverage: float


def errors(model: TotalModel, examples: Sequence[Example]) -> Mapping[str, Error]:
    """Gives the errors of the model and of "the shopper's own mean" (the shop's for newcomers) on the same orders."""
    totals = np.array([example.total_minor for example in examples], dtype=np.float64)
    told = [model.predict(example.before) for example in examples]
    inside = [low <= total <= high for total, (low, high) in zip(totals, (one.interval() for one in told), strict=True)]
    own = [_own_mean(example.before, exp(model.shop_mean)) for example in examples]
    return {
        "model": _error(np.array([one.median_minor for one in told], dtype=np.float64), totals, float(np.mean(inside))),
        "own mean": _error(np.array(own), totals, float("nan")),
    }


def _own_mean(before: Sequence[Order], otherwise: float) -> float:
    return sum(order.total_minor for order in before) / len(before) if before else otherwise


def _error(predicted: Floats, totals: Floats, coverage: float) -> Error:
    off = np.abs(predicted - totals)
    costs = totals > 0
    return Error(float(off.mean()), float((off[costs] / totals[costs]).mean()), coverage)


def _usual_gap(examples: Sequence[Example]) -> float:
    gaps = [
        (example.before[-1].paid_at_ms - example.before[-2].paid_at_ms) / _DAY_MS
        for example in examples
        if len(example.before) > 1
    ]
    return float(np.median(gaps)) if gaps else 7.0


def _ridge(x: Floats, y: Floats) -> tuple[float, Floats]:
    """Gives bias and raw weights that minimise squared error + RIDGE x |standardised weights|²."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread[spread < 1e-9] = np.inf
    scaled = (x - mean) / spread
    weights = np.linalg.solve(scaled.T @ scaled + RIDGE * np.eye(x.shape[1]), scaled.T @ (y - y.mean())) / spread
    return float(y.mean() - mean @ weights), weights


def _sigma(off: Floats) -> float:
    """Gives the sigma whose 80 % interval has the width of the middle 80 % of the errors."""
    low, high = np.quantile(off, (0.1, 0.9))
    return max(float(high - low) / (2 * EIGHTY_PERCENT), 0.01)


def _bucket(count: int) -> int:
    return sum(count >= least for least in _COUNTS) - 1
