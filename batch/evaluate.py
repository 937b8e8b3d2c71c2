"""Evaluation and its gate: the new model beside every baseline on later baskets; one no better goes no further."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from batch.baskets.evaluate import PREDICTOR, Evaluation
from batch.baskets.predictor import Predictor
from batch.jobs import Job, SaidNo
from batch.learning import known_of
from batch.model_store import load
from batch.next_basket import judge, windows
from batch.samples import Items, day_number

JUDGED_BY = ("recall@10", "ndcg@10")
"""The gate looks at these: the model's mean over shoppers is above that of every baseline."""
_STEPS = 4


class Evaluated(Struct, frozen=True, kw_only=True):
    """What an evaluation found.

    Attributes:
        promoted: whether the gate let the model through.
        shoppers: who was judged by.
        measures: by model and measure, means over shoppers, 0..1.
        paired: model minus baseline, by baseline and measure: difference, low, high (95 %).
        why: the gate's reason, a sentence.
    """

    promoted: bool
    shoppers: int
    measures: dict[str, dict[str, float]]
    paired: dict[str, dict[str, dict[str, float]]]
    why: str


class NotPromoted(SaidNo):
    """The new model is not better than the best baseline; what is in force stays."""

    def __init__(self, evaluated: Evaluated) -> None:
        """Takes what was found."""
        super().__init__(evaluated.why, evaluated)


def evaluate(job: Job) -> Evaluated:
    """Judges the run's next-basket model by what the shoppers bought after it was learned.

    Raises:
        NotPromoted: it is no better than the best baseline, or there is nothing to judge it by.
        Refused: the run has no models.
    """
    job.report("evaluate", 0, _STEPS + 1)
    made = load(job)
    items = msgspec.json.decode(made["items"].blob, type=Items)
    sample = known_of(job, items).sample
    steps = iter(range(1, _STEPS + 1))
    within = windows(sample.histories, day_number(job.as_of) + 1)
    found = None
    if within is not None and "next_basket" in made:
        predictor = Predictor.from_bytes(made["next_basket"].blob)
        found = judge(
            sample.histories, within, predictor, lambda: job.report("evaluate", next(steps, _STEPS), _STEPS + 1)
        )
    evaluated = gate(found)
    for model, measures in evaluated.measures.items():
        for measure, value in measures.items():
            job.metrics.model_quality.labels(model, measure).set(value)
    job.report("evaluate", _STEPS + 1, _STEPS + 1)
    if not evaluated.promoted:
        raise NotPromoted(evaluated)
    return evaluated


def gate(found: Evaluation | None) -> Evaluated:
    """Decides: above every baseline in each of `JUDGED_BY`, or not promoted."""
    if found is None:
        why = "not promoted: there are too few later baskets to judge a model by; the trees in force stay"
        return Evaluated(promoted=False, shoppers=0, measures={}, paired={}, why=why)
    measures = {
        model: {name: round(float(value), 6) for name, value in sorted(values.items())}
        for model, values in sorted(found.models.items())
    }
    lost = [name for name in JUDGED_BY if _best(measures, name)[1] >= measures[PREDICTOR][name]]
    if lost:
        model, value = _best(measures, lost[0])
        why = (
            f"not promoted: {lost[0]} is {measures[PREDICTOR][lost[0]]:.4f}, and {model}, the best baseline, reaches"
            f" {value:.4f}; the trees in force stay"
        )
    else:
        gains = []
        for name in JUDGED_BY:
            model, value = _best(measures, name)
            gains.append(f"{name} {measures[PREDICTOR][name]:.4f} against {value:.4f} of {model}")
        why = f"promoted: {', '.join(gains)}"
    paired = {
        name: {
            measure: {part: round(float(value), 6) for part, value in parts.items()} for measure, parts in by.items()
        }
        for name, by in sorted(found.paired.items())
    }
    shoppers = len(found.items[PREDICTOR])
    return Evaluated(promoted=not lost, shoppers=shoppers, measures=measures, paired=paired, why=why)


def _best(measures: Mapping[str, Mapping[str, float]], name: str) -> tuple[str, float]:
    """Gives the best baseline by a measure; of equals the first by name."""
    return max(
        ((model, values[name]) for model, values in measures.items() if model != PREDICTOR),
        key=lambda one: (one[1], one[0]),
    )
