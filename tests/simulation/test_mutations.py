"""Proof that the simulation can fail: every planted bug is found."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from tests.simulation.mutations import PLANTED
from tests.simulation.mutations_of_budgets import Plant
from tests.simulation.planted import SEARCHED, Search

SOUGHT = [plant for plant, seed in PLANTED.items() if seed is not None]


@pytest.fixture(scope="module")
def searches(checkout: Path) -> Mapping[str, Search]:
    """What the search for each bug gave."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--planted"],
        cwd=checkout,
        # A run depends on its seed alone only if sets are iterated in the same order.
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [msgspec.json.decode(line, type=Search) for line in ran.stdout.splitlines()]
    assert len(SOUGHT) == len(found), ran.stdout + ran.stderr
    return {search.bug: search for search in found}


@pytest.mark.extended
@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("plant", SOUGHT, ids=[plant.__name__ for plant in SOUGHT])
def test_a_planted_bug_is_found(plant: Plant, searches: Mapping[str, Search]) -> None:
    """A system with this bug breaks a rule under some seed, and under the same seed none without it."""
    search = searches[plant.__name__]
    assert search.found_by is not None, (
        f"{SEARCHED} seeds don't find it: {plant.__doc__} Go on: python -m tests.simulation --planted --runs 2000"
    )
    assert [] == search.without
