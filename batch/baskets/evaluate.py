"""Measures the predictor beside every baseline on a split's test shoppers, whose targets are read only to score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from batch.baskets import frequency, tifu_knn, up_cf
from batch.baskets.examples import Examples, last_baskets
from batch.baskets.histories import Floats, Histories, Ints, Matrix
from batch.baskets.item_tables import partial
from batch.baskets.metrics import by_shopper, measured, paired
from batch.baskets.predictor import Done, Predictor, Settings, fit, steps
from batch.baskets.ranking import Scorer, ranked
from batch.baskets.read_split import Split
from batch.baskets.tifu_knn import TifuSettings
from batch.baskets.tune import tuned
from batch.baskets.up_cf import UpCfSettings

PREDICTOR = "predictor"
PAIRED_MEASURES = ("recall", "ndcg")
EARLIER_WEIGHT = 0.5
DEEPEST_MIN = 20
Bar = Callable[[int], Done]


@dataclass(frozen=True)
class Evaluation:
    """What one run found.

    Attributes:
        items: by model, [test shoppers, depth] best first, -1 for nothing.
        models: by model and `measure@k`, the mean over test shoppers.
        paired: by baseline and `measure@k`, predictor minus baseline: difference, low, high.
        tuned: by model, the settings that validation chose.
    """

    items: Mapping[str, Ints]
    models: Mapping[str, Mapping[str, float]]
    paired: Mapping[str, Mapping[str, Mapping[str, float]]]
    tuned: Mapping[str, str]


def evaluate(split: Split, depths: list[int], settings: Settings, bar: Bar = lambda total: lambda: None) -> Evaluation:
    """Fits, tunes and measures everything on a split.

    Args:
        split: train and validation shoppers teach and tune; test shoppers are scored.
        depths: the k of recall@k and the others, each at least 1.
        settings: of the predictor.
        bar: told how many steps there are, gives what to call after each.
    """
    examples, items = lessons(split)
    done = bar(steps(examples, settings) + 4)
    rows, histories, deepest = split.test, split.histories, max(*depths, DEEPEST_MIN)
    chosen = tuned_baselines(histories, split.targets, split.val, done)
    found = ranked_by(chosen, histories, rows, deepest)
    done()
    predictor = fit(examples, items, settings, done)
    found[PREDICTOR], _ = predictor.predict(histories.take(rows), deepest)
    done()
    return scored(found, written(chosen, predictor), split.targets[rows], histories.bought()[rows], depths)


def lessons(split: Split) -> tuple[list[Examples], Floats]:
    """What a split lets a model learn from, test shoppers' targets left out; and what is known of the items now.

    The first examples are the train and validation shoppers with their targets; the second all shoppers' histories
    without the last basket, which is then the target.
    """
    items = partial(split.histories).finish()
    known = np.concatenate([split.train, split.val])
    now = Examples(split.histories.take(known), split.targets[known], items)
    earlier = last_baskets(split.histories, EARLIER_WEIGHT)
    return [now, earlier] if len(earlier) > 1 else [now], items


@dataclass(frozen=True)
class Chosen:
    """The settings of the baselines that have some."""

    tifu_knn: TifuSettings
    up_cf: UpCfSettings


def tuned_baselines(histories: Histories, targets: Matrix, rows: Ints, done: Done = lambda: None) -> Chosen:
    """Chooses on the targets of some rows, and reads no others; calls `done` twice."""
    tifu = tuned(tifu_knn.tifu_knn, TifuSettings(), tifu_knn.GRID, histories, targets, rows)
    done()
    upcf = tuned(up_cf.up_cf, UpCfSettings(), up_cf.GRID, histories, targets, rows)
    done()
    return Chosen(tifu, upcf)


def ranked_by(chosen: Chosen, histories: Histories, rows: Ints, deepest: int) -> dict[str, Ints]:
    """The items of every baseline for some rows of the histories, `deepest` each."""
    scorers: dict[str, Scorer] = {
        "global_top": frequency.global_top(histories),
        "personal_top": frequency.personal_top(histories),
        "combined_top": frequency.combined_top(histories),
        "tifu_knn": tifu_knn.tifu_knn(histories, chosen.tifu_knn),
        "up_cf": up_cf.up_cf(histories, chosen.up_cf),
    }
    return {name: ranked(scorer, rows, histories.item_num, deepest) for name, scorer in scorers.items()}


def scored(
    found: Mapping[str, Ints], chosen: Mapping[str, str], targets: Matrix, bought: Matrix, depths: list[int]
) -> Evaluation:
    """Measures ranked items against what was bought, and the predictor against each other model, shopper by shopper."""
    differences: dict[str, dict[str, Mapping[str, float]]] = {name: {} for name in found if name != PREDICTOR}
    for k in depths:
        values = {name: by_shopper(items, targets, bought, k) for name, items in found.items()}
        for name, by_measure in differences.items():
            for measure in PAIRED_MEASURES:
                by_measure[f"{measure}@{k}"] = paired(values[PREDICTOR][measure], values[name][measure])
    models = {name: measured(items, targets, bought, depths) for name, items in found.items()}
    return Evaluation(found, models, differences, chosen)


def written(chosen: Chosen, predictor: Predictor) -> dict[str, str]:
    """The settings that were chosen, by model, for people."""
    baselines = {name: " ".join(f"{key}={value}" for key, value in of.items()) for name, of in asdict(chosen).items()}
    return {**baselines, PREDICTOR: f"depth={predictor.trees.depth} rounds={predictor.trees.rounds}"}
