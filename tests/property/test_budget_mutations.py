"""The test of budgets finds what it is for: every planted bug breaks one of the default worlds."""

from __future__ import annotations

import inspect

import pytest

from tests.property import budget_mutations
from tests.property.test_budgets import whole_run

SEEDS = 300
PLANTED = [
    function
    for function in vars(budget_mutations).values()
    if inspect.isfunction(function) and function.__module__ == budget_mutations.__name__
]


@pytest.mark.slow
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the seeds that run by default."""
    assert callable(plant)
    plant(monkeypatch)
    assert any(_breaks(seed) for seed in range(SEEDS))


def _breaks(seed: int) -> bool:
    try:
        whole_run(seed)
    except (AssertionError, LookupError):
        return True
    return False
