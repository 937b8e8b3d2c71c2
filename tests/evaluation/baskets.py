"""The next-basket tables of docs/evaluation.md: the predictor beside its baselines on real baskets."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from batch.baskets.evaluate import PREDICTOR, Evaluation, evaluate
from batch.baskets.histories import Histories, from_lists
from batch.baskets.predictor import Settings
from batch.baskets.read_split import read_split
from batch.next_basket import Windows, judge, learn, settings_for

DEPTHS = [10, 20]
MEASURES = ("recall", "ndcg", "phr", "recall_repeat", "recall_explore", "coverage")
CUTOFF, HORIZON, SPAN = 59.0, 21.0, 14.0


def section(data: Path) -> str:
    """Measures both splits anew and gives them as Markdown.

    Args:
        data: folder of the Complete Journey files.
    """
    split = read_split(*(data / f"nbr_split_{part}.json.gz" for part in ("history", "future", "keyset")))
    last = evaluate(split, DEPTHS, Settings())
    in_time = judged_in_time(dated(data / "baskets_day1_79.parquet"))
    train, val, test = len(split.train), len(split.val), len(split.test)
    return "\n\n".join(
        [
            "## Next basket",
            (
                "Recall, NDCG (ideal capped at k) and hit rate, means over the shoppers that were scored; the repeat"
                " part of recall are hits that the shopper had bought before, the explore part the others; coverage is"
                " the share of all items that anybody was shown. Intervals are 95 %, by paired bootstrap over shoppers."
            ),
            f"### Last basket of a shopper ({train} train, {val} validation, {test} test shoppers)",
            (
                "The baselines are tuned on the validation shoppers, the predictor learns from train and validation"
                " shoppers. Days are unknown here; the test shoppers' last baskets are read only to score."
            ),
            *_tables(last),
            (
                f"### In the order of time (features up to day {CUTOFF - 1:.0f}, targets in the {HORIZON:.0f} days"
                f" after, {len(in_time.items[PREDICTOR])} shoppers)"
            ),
            (
                f"As the night does it: taught and tuned by the {SPAN:.0f} days before, a shopper's first basket in"
                " them by what was known before them, and taught by earlier baskets too. What comes later is read only"
                " to score."
            ),
            *_tables(in_time),
        ]
    )


def judged_in_time(histories: Histories) -> Evaluation:
    """What the night does: learns from one window of days, and is judged by the next."""
    within = Windows(learned_from=CUTOFF - SPAN, judged_from=CUTOFF, ends=CUTOFF + HORIZON)
    predictor = learn(histories, within, settings_for(len(histories)))
    assert predictor is not None, "nothing to learn from"
    judged = judge(histories, within, predictor)
    assert judged is not None, "nobody to be judged by"
    return judged


def dated(path: Path) -> Histories:
    """Complete baskets with their days, by household."""
    rows = pd.read_parquet(path).sort_values(["household_id", "day", "basket_id", "product_id"])
    products = sorted(rows["product_id"].unique().tolist())
    numbers = {product: number for number, product in enumerate(products)}
    baskets: dict[int, list[list[int]]] = {}
    days: dict[int, list[float]] = {}
    for (household, day, _), lines in rows.groupby(["household_id", "day", "basket_id"], sort=True):
        baskets.setdefault(household, []).append([numbers[product] for product in lines["product_id"]])
        days.setdefault(household, []).append(float(day))
    households = sorted(baskets)
    return from_lists(
        [baskets[one] for one in households],
        len(products),
        days=[days[one] for one in households],
        as_of=[float(rows["day"].max() + 1)] * len(households),
        ids=households,
    )


def _tables(found: Evaluation) -> list[str]:
    """Measures by model, differences by baseline, what validation chose, and what of it is noise."""
    heads = [f"{measure}@{depth}" for depth in DEPTHS for measure in MEASURES]
    models = sorted(found.models, key=lambda name: found.models[name]["recall@10"])
    rows = [[name, *(f"{found.models[name][head]:.4f}" for head in heads)] for name in models]
    measures = [f"{measure}@{depth}" for depth in DEPTHS for measure in ("recall", "ndcg")]
    differences = [[name, *(_interval(found.paired[name][one]) for one in measures)] for name in found.paired]
    settings = "; ".join(f"{name}: {text}" for name, text in sorted(found.tuned.items()))
    return [
        _table(["model", *heads], rows),
        "Predictor minus baseline:",
        _table(["baseline", *measures], differences),
        f"Chosen without the scored shoppers: {settings}.",
        _noise(found),
    ]


def _noise(found: Evaluation) -> str:
    """Which differences at 10 an interval can't tell from none."""
    unclear = [
        f"{measure} against {name}"
        for name, values in found.paired.items()
        for measure in ("recall@10", "ndcg@10")
        if values[measure]["low"] <= 0 <= values[measure]["high"]
    ]
    shoppers = len(found.items[PREDICTOR])
    if not unclear:
        return f"With {shoppers} shoppers no difference at 10 has an interval that reaches 0."
    return f"With {shoppers} shoppers these differences may be noise, their intervals hold 0: {', '.join(unclear)}."


def _interval(values: Mapping[str, float]) -> str:
    return f"{values['difference']:+.4f} ({values['low']:+.4f} to {values['high']:+.4f})"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
