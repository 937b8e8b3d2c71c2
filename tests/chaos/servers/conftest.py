"""The place of the experiments, made once, and the report of what they cost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.servers import report
from tests.chaos.servers.experiment import Outcome
from tests.chaos.servers.place import Place

SEED = int(os.environ.get("CHAOS_SEED", "3"))
RUNS = int(os.environ.get("CHAOS_RUNS", "5"))
Outcomes = dict[str, list[Outcome]]
# Fifty thousand takers need their minutes: they come with the long run.
collect_ignore = [] if RUNS > 1 else ["test_budget.py"]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Servers, proxies and a system that runs."""
    with Place(tmp_path_factory.mktemp("chaos")) as made:
        yield made


@pytest.fixture(scope="session")
def outcomes() -> Iterator[Outcomes]:
    """What every experiment came to, by fault; at the end it is printed, and written where CHAOS_REPORT says."""
    found: Outcomes = {}
    yield found
    print(f"\n\n{report.table(found)}")
    if path := os.environ.get("CHAOS_REPORT"):
        Path(path).write_text(report.page(found, SEED), encoding="utf-8")
