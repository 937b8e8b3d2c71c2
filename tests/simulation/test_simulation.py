"""The whole system under a thousand seeds of faults, and under every seed that ever failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.many import kept_seeds, run_many

_FIRST = 20_000
_RUNS = 1_000
_PROCESSES = 2


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.timeout(900)
def test_the_system_keeps_its_rules_whatever_breaks() -> None:
    """A thousand runs with their faults, and every run that ever failed, end without one broken rule."""
    failed = run_many(
        [*kept_seeds(), *range(_FIRST, _FIRST + _RUNS)], lambda _done, _failed: None, processes=_PROCESSES
    )
    told = [f"make simulate SEED={seed}: {faults[0]}" for seed, faults in failed.items()]
    assert [] == told


def test_equal_seeds_make_equal_runs(checkout: Path) -> None:
    """A run that is told twice, by processes that order their sets differently, is the same story to the last line."""
    stories = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "7"],
            cwd=checkout,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert stories[0] == stories[1]
    assert "all is well" in stories[0]
