"""The simulation as a test: seeds that ever failed, a row of fixed ones, and proof that planted bugs are found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.many import kept_seeds
from tests.simulation.run import simulate

RUNS = 150
"""Fixed seeds of each test run; `make simulate` without a seed runs a thousand fresh ones."""


@pytest.mark.slow
def test_no_seed_breaks_a_rule(checkout: Path) -> None:
    """Whatever crashes, stalls, repeats or reorders: nothing acknowledged is lost and nothing is shown twice."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--first", "1", "--runs", str(RUNS)],
        cwd=checkout,
        # A run depends on its seed alone only if sets are iterated in the same order.
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("seed", kept_seeds())
def test_a_seed_that_failed_once_does_not_fail_again(seed: int) -> None:
    """Every seed that ever found something is run for ever."""
    assert simulate(seed).faults == []
