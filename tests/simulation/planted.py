"""Looks for planted bugs: from a bug's name to the seed whose run finds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Final

import pytest
from msgspec import Struct

from tests.simulation.many import faults_of, on_every_core
from tests.simulation.mutations import PLANTED
from tests.simulation.mutations_of_budgets import Plant

SEARCHED: Final = 150
"""Seeds tried where the one on record does not find its bug any more; most bugs show within fifty of them."""


class Search(Struct, frozen=True, kw_only=True):
    """What the search for one bug gave.

    Attributes:
        bug: its name.
        found_by: the seed, None where none tried finds it.
        fault: the first thing that is wrong in that run.
        without: what is wrong under that seed without the bug; it must be nothing.
    """

    bug: str
    found_by: int | None = None
    fault: str = ""
    without: list[str] = []


def look_for_all(said: Callable[[Search], None], searched: int = SEARCHED) -> None:
    """Looks for the planted bugs on every core; for the rarest only when more seeds are searched than usual.

    Args:
        said: called with each bug's result as it comes.
        searched: how many seeds are tried where the one on record finds nothing.
    """
    wanted = [plant.__name__ for plant, seed in PLANTED.items() if seed is not None or searched > SEARCHED]
    for search in on_every_core(partial(_look_for, searched), wanted):
        said(search)


def _look_for(searched: int, bug: str) -> Search:
    plant = _named(bug)
    seed = PLANTED[plant]
    recorded = [] if seed is None else [seed]
    for tried in chain(recorded, (other for other in range(searched) if other != seed)):
        faults = _faults_with(plant, tried)
        if faults:
            return Search(bug=bug, found_by=tried, fault=faults[0], without=faults_of(tried)[1])
    return Search(bug=bug)


def _faults_with(plant: Plant, seed: int) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        return faults_of(seed)[1]


def _named(bug: str) -> Plant:
    return next(plant for plant in PLANTED if plant.__name__ == bug)
