"""The next-basket predictor: candidates of a shopper, ranked by trees that saw what others bought next."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import xgboost

from batch.baskets.candidates import Candidates, candidates
from batch.baskets.examples import Examples, last_baskets
from batch.baskets.histories import Floats, Histories, Ints, Matrix, csr
from batch.baskets.item_tables import partial
from batch.baskets.metrics import holds
from batch.baskets.ranker import HeldOut, Ranker, Rows, Trees, chosen, train, weights
from batch.baskets.ranking import best
from batch.baskets.reference import Reference, reference

Done = Callable[[], None]


@dataclass(frozen=True)
class Settings:
    """Bounds and seeds of learning.

    Attributes:
        trees: of the ranker; depth and rounds are starting values where `choose` is set.
        choose: whether to choose depth and rounds on shoppers held out of the examples.
        folds: parts of the examples; what a part's features know of next baskets comes from the other parts.
        pairs_max: shoppers whose next basket is learned from.
        examples_max: shoppers to teach the ranker by, per set of examples.
        negatives: candidates per shopper that were not bought, to teach by.
        small: up to so many examples all parts are held out in turn for choosing, beyond only one.
        held_out_max: shoppers held out at a time.
        seed: of all lots.
    """

    trees: Trees = field(default_factory=Trees)
    choose: bool = True
    folds: int = 5
    pairs_max: int = 20_000
    examples_max: int = 10_000
    negatives: int = 40
    small: int = 2_000
    held_out_max: int = 1_500
    seed: int = 7


@dataclass(frozen=True)
class Predictor:
    """Ranks items for any shopper, known or not.

    A prediction depends on that shopper's history and on what was learned, never on who else is predicted with it: a
    caller may cut shoppers into groups as it likes. Similar shoppers are looked for exactly among the pairs, at most
    Settings.pairs_max, so n shoppers cost n × pairs: linear in n, not quadratic.

    Attributes:
        pairs: shoppers whose next basket is known.
        items: [item_num, ITEM_NAMES] what is known of the items now.
        known: the lessons of the pairs.
        ranker: of the candidates.
        trees: that were chosen.
    """

    pairs: Examples
    items: Floats
    known: Reference
    ranker: Ranker
    trees: Trees

    def predict(self, histories: Histories, k: int) -> tuple[Ints, Floats]:
        """The k items most likely in each shopper's next basket, best first.

        Args:
            histories: of n shoppers, each with a basket at least; ids as in the pairs, so that nobody learns of
                themselves.
            k: at least 1.

        Returns:
            Items [n, k], -1 where there are fewer candidates, and the probability of each to be bought, NaN there.
        """
        if not len(histories):
            return np.empty((0, k), dtype=np.int64), np.empty((0, k), dtype=np.float32)
        found = candidates(histories, self.known, self.items)
        scores = self.ranker.scores(found.features)
        items, values = best(found.shopper, found.item, scores, len(histories), k)
        return items, (1 / (1 + np.exp(-values))).astype(np.float32)

    def to_bytes(self) -> bytes:
        """Everything that predicts, as an npz archive without pickled objects; the same predictor, the same bytes."""
        h, targets = self.pairs.histories, self.pairs.targets
        arrays = {
            "item_num": np.array(h.item_num),
            "basket_ptr": h.basket_ptr,
            "item_ptr": h.item_ptr,
            "items": h.items,
            "ids": h.ids,
            "target_items": targets.indices.astype(np.int64),
            "target_ptr": targets.indptr.astype(np.int64),
            "item_features": self.items,
            "offset": np.array(self.ranker.offset),
            "trees": np.array([self.trees.depth, self.trees.rounds]),
        }
        for number, booster in enumerate(self.ranker.boosters):
            arrays[f"booster_{number}"] = np.frombuffer(bytes(booster.save_raw("ubj")), dtype=np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> Predictor:
        """The predictor that was written; what it learned of the pairs is made again, which takes seconds."""
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            names = sorted((name for name in file.files if name.startswith("booster_")), key=lambda n: int(n[8:]))
            boosters = tuple(xgboost.Booster(model_file=bytearray(file[name].tobytes())) for name in names)
            item_num = int(file["item_num"])
            histories = Histories(item_num, file["basket_ptr"], file["item_ptr"], file["items"], file["ids"])
            columns = file["target_items"]
            targets = csr(np.ones(len(columns)), columns, file["target_ptr"], item_num)
            items, offset = file["item_features"], float(file["offset"])
            depth, rounds = (int(value) for value in file["trees"])
        pairs = Examples(histories, targets, items)
        trees = Trees(depth=depth, rounds=rounds)
        return Predictor(pairs, items, reference(histories, targets), Ranker(boosters, offset), trees)


def learn(histories: Histories, settings: Settings) -> Predictor:
    """Learns from histories alone: each shopper's last basket is what followed the rest.

    Args:
        histories: of a bounded sample of shoppers; those with one basket teach nothing but what is popular.
        settings: bounds and seeds.
    """
    return fit([last_baskets(histories)], partial(histories).finish(), settings)


def fit(examples: Sequence[Examples], items: Floats, settings: Settings, done: Done = lambda: None) -> Predictor:
    """Learns from pairs of history and next basket.

    Args:
        examples: the first are those that predictions are made by, the newest; the others only teach the ranker, each
            among its own kind. None may be of a shopper's basket that is to be predicted.
        items: [item_num, ITEM_NAMES] what is known of the items at the time of prediction.
        settings: bounds and seeds.
        done: called after each of `steps(examples, settings)` steps.

    Raises:
        ValueError: there are fewer than two examples.
    """
    pairs = examples[0].at_most(settings.pairs_max, settings.seed)
    if len(pairs) < 2:
        raise ValueError(f"{len(pairs)} examples are too few to learn from: two at least")
    lessons = [
        _lessons(some.at_most(settings.pairs_max, settings.seed), settings, number == 0, done)
        for number, some in enumerate(examples)
    ]
    names = ("features", "bought", "weight", "fold")
    rows = Rows(*(np.concatenate([getattr(one.rows, name) for one in lessons]) for name in names))
    trees = chosen(rows, lessons[0].held_out, _depths(len(pairs), settings), settings.trees, done)
    ranker = train(rows, trees, float(np.log(lessons[0].share)))
    done()
    return Predictor(pairs, items, reference(pairs.histories, pairs.targets), ranker, trees)


def steps(examples: Sequence[Examples], settings: Settings) -> int:
    """How many times `fit` calls `done`."""
    first = min(len(examples[0]), settings.pairs_max)
    held_out = _held_out_parts(first, settings) * len(_depths(first, settings))
    return sum(_parts(len(some), settings) for some in examples) + held_out + 1


@dataclass(frozen=True)
class _Lessons:
    """Rows to teach by, parts to choose by, and which share of what was not bought stayed in the rows."""

    rows: Rows
    held_out: list[HeldOut]
    share: float


def _lessons(examples: Examples, settings: Settings, newest: bool, done: Done) -> _Lessons:
    """Features of every part, made with what the other parts know, so that no shopper's own target is in them."""
    n = len(examples)
    lots = np.random.default_rng(settings.seed)
    part_of = lots.permutation(n) % _parts(n, settings)
    wanted = np.zeros(n, dtype=bool)
    wanted[lots.permutation(n)[: settings.examples_max]] = True
    made: list[Rows] = []
    held_out: list[HeldOut] = []
    share = 1.0
    for part in range(_parts(n, settings)):
        others, mine = np.flatnonzero(part_of != part), np.flatnonzero((part_of == part) & wanted)
        known = reference(examples.histories.take(others), examples.targets[others])
        found = candidates(examples.histories.take(mine), known, examples.items)
        targets = examples.targets[mine]
        bought = holds(targets, found.shopper, found.item)
        if part == 0:
            share = min(1.0, settings.negatives * len(mine) / max(int((~bought).sum()), 1))
        keep = np.flatnonzero(bought | (lots.random(len(bought)) < share))
        worth = weights(np.diff(targets.indptr))[found.shopper[keep]] * np.float32(examples.weight)
        fold = np.full(len(keep), part if newest else -1, dtype=np.int64)
        made.append(Rows(found.features[keep], bought[keep].astype(np.float32), worth, fold))
        if newest and part < _held_out_parts(n, settings):
            held_out.append(HeldOut(part, *_first(found, targets, settings.held_out_max)))
        done()
    names = ("features", "bought", "weight", "fold")
    return _Lessons(Rows(*(np.concatenate([getattr(one, name) for one in made]) for name in names)), held_out, share)


def _first(found: Candidates, targets: Matrix, number: int) -> tuple[Candidates, Matrix]:
    """The first so many shoppers."""
    end = np.searchsorted(found.shopper, number)
    return Candidates(found.shopper[:end], found.item[:end], found.features[:end]), targets[:number]


def _parts(n: int, settings: Settings) -> int:
    return min(settings.folds, n)


def _depths(n: int, settings: Settings) -> tuple[int, ...]:
    """Deep trees need many examples."""
    return (settings.trees.depth,) if n <= settings.small else (4, 6)


def _held_out_parts(n: int, settings: Settings) -> int:
    if not settings.choose:
        return 0
    return _parts(n, settings) if n <= settings.small else 1
