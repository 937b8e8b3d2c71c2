"""A shop whose elasticities are known, to see whether they are found again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

MONDAY = np.datetime64("2026-01-05")


class Truth(NamedTuple):
    """How the simulated demand answers.

    Attributes:
        elasticity, lift: of every product of the category.
        products, weeks: how many.
        rate: purchases of a product a week at its regular price.
        shocks: standard deviation of what moves a product's week and nobody sees, in log points.
        season: height of a yearly wave that all products share, in log points.
        category: id.
    """

    elasticity: float = -2.0
    lift: float = 0.2
    products: int = 20
    weeks: int = 40
    rate: float = 2.0
    shocks: float = 0.0
    season: float = 0.3
    category: str = "sauce"


def simulated(truth: Truth, seed: int, orders_a_week: int = 60) -> pd.DataFrame:
    """Gives sold products; every tenth is promoted without a discount in the price, others by 10 to 40 %."""
    random = np.random.default_rng(seed)
    shape = (truth.products, truth.weeks)
    promoted = random.random(shape) < 0.4
    depth = np.where(promoted, random.choice([0.02, 0.1, 0.2, 0.3, 0.4], size=shape), 0.0)
    wave = truth.season * np.sin(2 * np.pi * np.arange(truth.weeks) / 52)
    level = random.normal(np.log(truth.rate), 0.5, size=(truth.products, 1))
    shocks = random.normal(0.0, truth.shocks, size=shape) if truth.shocks else 0.0
    rates = np.exp(level + wave + shocks + truth.elasticity * np.log(1 - depth) + truth.lift * promoted)
    counts = random.poisson(rates)
    product, week = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(shape))
    regular = 1_000 + 100 * product
    order = random.integers(0, orders_a_week, size=len(product))
    return pd.DataFrame(
        {
            "order_id": [f"o-{one}-{other}" for one, other in zip(week, order, strict=True)],
            "day": MONDAY + (7 * week + order % 7).astype("timedelta64[D]"),
            "product_id": [f"{truth.category}-{one}" for one in product],
            "category_id": truth.category,
            "quantity": 1,
            "amount_minor": np.rint(regular * (1 - depth[product, week])).astype(np.int64),
            "regular_price_minor": regular,
        }
    )
