"""Shares as odds: how a shopper's own habit enters a model of the shop; for training and growing alike."""

from __future__ import annotations

from math import log

from batch.journeys.plan import Model

PRIOR_SESSIONS = 3.0
"""Sessions at the shop's rate that every shopper is given beside their own."""
SHARE_MIN, SHARE_MAX = 0.001, 0.999


def own_rate(with_it: float, sessions: float, base: float) -> float:
    """Gives a shopper's share of sessions with a category, shrunk to the shop's.

    rate = (with it + k x base) / (sessions + k), k = PRIOR_SESSIONS: the mean of a beta posterior.

    Args:
        with_it: sessions with the category, 0..sessions.
        base: share of all sessions with it, 0..1.

    Source: Gelman et al. 2013, Bayesian Data Analysis, 2.4 (binomial with a conjugate prior).
    """
    return (with_it + PRIOR_SESSIONS * base) / (sessions + PRIOR_SESSIONS)


def log_odds(share: float) -> float:
    """Gives ln(p / (1 - p)) of a share, kept off 0 and 1."""
    kept = min(max(share, SHARE_MIN), SHARE_MAX)
    return log(kept / (1 - kept))


def habit(rate: float, base: float) -> float:
    """Gives how far a shopper's log-odds of a category lie above the shop's."""
    return log_odds(rate) - log_odds(base)


def personal_bias(model: Model, rate: float) -> float:
    """Gives the bias of a `score` condition for a shopper of this rate: bias + personal x habit."""
    return model.bias + model.personal * habit(rate, model.base)
