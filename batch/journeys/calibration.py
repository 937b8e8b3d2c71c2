"""How good probabilities are: do they part what follows from what does not, and do they mean what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from batch.journeys.next_category import Floats, Row, habits, labels, predict
from batch.journeys.plan import Model

BINS = 10


class Quality(NamedTuple):
    """How well a category's model does on rows that it has not seen, beside a base-rate model.

    Attributes:
        rows: that count for the category.
        share: of rows after which it followed, 0..1.
        auc: of the model; a base rate has 0.5.
        habit_auc: of the shopper's own rate alone.
        log_loss, base_log_loss: mean nats; the base rate is that of the training rows.
        calibration_error: mean distance of predicted and observed shares over BINS bins of equal size.
    """

    category: str
    rows: int
    share: float
    auc: float
    habit_auc: float
    log_loss: float
    base_log_loss: float
    calibration_error: float


def quality(models: Mapping[str, Model], trained: Sequence[Row], held_out: Sequence[Row]) -> list[Quality]:
    """Gives the quality of each model, in the order of the models; a category that never follows has none."""
    made: list[Quality] = []
    for category, model in models.items():
        _, seen = labels(trained, category)
        keep, follows = labels(held_out, category)
        if not 0 < follows.sum() < len(follows):
            continue
        probable = predict(model, category, held_out)[keep]
        base = np.full(len(follows), seen.mean())
        made.append(
            Quality(
                category=category,
                rows=len(follows),
                share=float(follows.mean()),
                auc=auc(probable, follows),
                habit_auc=auc(habits(held_out, category, model.base)[keep], follows),
                log_loss=log_loss(probable, follows),
                base_log_loss=log_loss(base, follows),
                calibration_error=calibration_error(probable, follows),
            )
        )
    return made


def auc(scores: Floats, follows: Floats) -> float:
    """Gives the probability that a row that was followed scores above one that was not; ties count half.

    Source: Fawcett 2006, An introduction to ROC analysis (the Wilcoxon-Mann-Whitney statistic).
    """
    values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    assert len(values)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    positives = float(follows.sum())
    negatives = len(follows) - positives
    return float((ranks[follows > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_loss(probable: Floats, follows: Floats) -> float:
    """Gives the mean of -ln of the probability given to what happened."""
    kept = np.clip(probable, 1e-12, 1 - 1e-12)
    return float(-np.mean(follows * np.log(kept) + (1 - follows) * np.log(1 - kept)))


def calibration_error(probable: Floats, follows: Floats) -> float:
    """Gives the mean distance of predicted and observed share over bins of equal size, by rising probability.

    Source: Naeini, Cooper and Hauskrecht 2015, Obtaining well calibrated probabilities using Bayesian binning.
    """
    order = np.argsort(probable, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return float(sum(len(part) * abs(probable[part].mean() - follows[part].mean()) for part in bins) / len(order))
