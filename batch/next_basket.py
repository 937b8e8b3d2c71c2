"""The next-basket model in the course of time: what it may learn as of a day, and how it is judged on what came after.

A night of day T learns from what was known h days before and is judged on the baskets of these h days; what is promoted
are the very trees that were judged, with the lessons of the last h days as what is bought now.

    ├── histories ──┤ T-2h ├── targets to learn from ──┤ T-h ├── targets to be judged by ──┤ T
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from msgspec import Struct

from batch.baskets.evaluate import PREDICTOR, Evaluation, ranked_by, scored, tuned_baselines, written
from batch.baskets.examples import Examples, before, cut, last_baskets
from batch.baskets.histories import Histories
from batch.baskets.item_tables import partial
from batch.baskets.predictor import Done, Predictor, Settings, fit
from batch.baskets.ranker import Trees
from batch.baskets.reference import reference

HORIZON_DAYS_MAX = 21
EARLIER_WEIGHT = 0.5
JUDGED_MAX = 5_000
"""Shoppers whose later baskets are predicted to judge; the baselines compare each with every shopper of the sample."""
DEPTHS = (10, 20)
EXAMPLES_LEAST = 10
SMALL_SHOP = 1_000
CUTS_MAX = 6
TAUGHT_ENOUGH = 3_000
"""Examples from which on earlier baskets add little but time."""
TUNED_MAX = 2_000
"""Shoppers that the baselines' settings are chosen on."""


class Windows(Struct, frozen=True, kw_only=True):
    """Days (since 1970-01-01) between which a model learns and is judged.

    Attributes:
        learned_from: targets to learn from begin here.
        judged_from: they end before this day, where those to be judged by begin.
        ends: the first day that is not known.
    """

    learned_from: float
    judged_from: float
    ends: float

    @property
    def span(self) -> float:
        """Days of the window to learn from."""
        return self.judged_from - self.learned_from

    @property
    def horizon(self) -> float:
        """Days of the window to be judged by."""
        return self.ends - self.judged_from


def settings_for(shoppers: int) -> Settings:
    """Gives bounds and seeds: in a small shop more members of the ensemble, and one thread, since many only wait."""
    small = shoppers < SMALL_SHOP
    return Settings(trees=Trees(seeds=(1, 2, 3, 4, 5), threads=1)) if small else Settings()


def windows(histories: Histories, ends: float) -> Windows | None:
    """Gives the windows of what is known before a day: at most 21 days each, and half of what is known lies before."""
    if histories.days is None or not len(histories.days):
        return None
    known_days = ends - float(np.min(histories.days))
    horizon = min(HORIZON_DAYS_MAX, int(known_days) // 4)
    if horizon < 1:
        return None
    return Windows(learned_from=ends - 2 * horizon, judged_from=ends - horizon, ends=ends)


def learn(histories: Histories, within: Windows, settings: Settings, done: Done = lambda: None) -> Predictor | None:
    """Learns from what was known before `judged_from`; None where that is too little."""
    known, _ = before(histories, within.judged_from)
    newest = cut(histories, within.learned_from, within.span)
    examples = [some for some in (newest, *_earlier(known)) if len(some) >= EXAMPLES_LEAST]
    if not examples:
        return None
    return fit(examples, partial(known).finish(), settings, done)


def _earlier(known: Histories) -> Iterator[Examples]:
    """Gives each shopper's last basket as a target, and in a small shop the ones before it too."""
    taught = 0
    for _ in range(CUTS_MAX):
        earlier = last_baskets(known, EARLIER_WEIGHT)
        yield earlier
        taught += len(earlier)
        if taught >= TAUGHT_ENOUGH:
            break
        known = earlier.histories


def judge(histories: Histories, within: Windows, predictor: Predictor, done: Done = lambda: None) -> Evaluation | None:
    """Measures a model beside every baseline on the first baskets from `judged_from` on; None where there are none.

    The baselines are tuned on the baskets of the window before, which the model learned from.
    """
    later = cut(histories, within.judged_from, within.horizon).at_most(JUDGED_MAX, Settings().seed)
    recent = cut(histories, within.learned_from, within.span).at_most(TUNED_MAX, Settings().seed)
    if not len(later) or not len(recent):
        return None
    chosen = tuned_baselines(recent.histories, recent.targets, np.arange(len(recent), dtype=np.int64), done)
    known, _ = before(histories, within.judged_from)
    by_id = np.argsort(known.ids, kind="stable")
    rows = by_id[np.searchsorted(known.ids[by_id], later.histories.ids)]
    deepest = max(DEPTHS)
    found = ranked_by(chosen, known, rows, deepest)
    done()
    current = at(predictor, histories, within.judged_from, within.span)
    found[PREDICTOR], _ = current.predict(later.histories, deepest)
    return scored(found, written(chosen, predictor), later.targets, later.histories.bought(), list(DEPTHS))


def at(predictor: Predictor, histories: Histories, day: float, span: float) -> Predictor:
    """Gives the same trees with what is known before a day, and its last `span` days as what is bought now."""
    known, _ = before(histories, day)
    newest = cut(known, day - span, span)
    pairs: Examples = newest if len(newest) >= EXAMPLES_LEAST else last_baskets(known)
    pairs = pairs.at_most(Settings().pairs_max, Settings().seed)
    return replace(
        predictor,
        pairs=pairs,
        items=partial(known).finish(),
        known=reference(pairs.histories, pairs.targets),
    )
