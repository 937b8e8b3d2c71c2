"""Chooses a baseline's settings on validation shoppers, one setting at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from batch.baskets.histories import Histories, Ints, Matrix
from batch.baskets.metrics import by_shopper
from batch.baskets.ranking import Scorer, ranked
from batch.baskets.tifu_knn import TifuSettings
from batch.baskets.up_cf import UpCfSettings

Settings = TypeVar("Settings", TifuSettings, UpCfSettings)
ROUNDS = 2
SHOPPERS_MAX = 600


def tuned(
    model: Callable[[Histories, Settings], Scorer],
    start: Settings,
    grid: Mapping[str, tuple[float, ...]],
    histories: Histories,
    targets: Matrix,
    rows: Ints,
) -> Settings:
    """The settings that do best on these shoppers: each in turn takes its best value, twice round.

    Args:
        model: makes a scorer of histories and settings.
        start: where to begin; the result where there are no shoppers to tune on.
        grid: by setting, the values to try.
        histories: of all shoppers.
        targets: [n, item_num]; only `rows` of it are read.
        rows: the validation shoppers; of more than 600 every so-manyth is taken.
    """
    if not len(rows):
        return start
    chosen = rows[:: max(1, -(-len(rows) // SHOPPERS_MAX))]
    tried: dict[Settings, float] = {}

    def value(settings: Settings) -> float:
        if settings not in tried:
            items = ranked(model(histories, settings), chosen, histories.item_num, 10)
            measures = by_shopper(items, targets[chosen], targets[chosen], 10)
            tried[settings] = float(np.mean(measures["recall"]) + np.mean(measures["ndcg"]))
        return tried[settings]

    best: Settings = start
    for _ in range(ROUNDS):
        before = best
        for name, values in grid.items():
            options: list[Settings] = [best]
            options += [replace(best, **{name: one}) for one in values]  # type: ignore[arg-type]  # names of the grid
            best = max(options, key=value)
        if best == before:
            break
    return best
