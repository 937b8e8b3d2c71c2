"""The place of the experiments, made once, and the report of what they cost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.servers import report
from tests.chaos.servers.experiment import Outcome
from tests.chaos.servers.load import EVENTS_PER_S
from tests.chaos.servers.place import Place

SEED = int(os.environ.get("CHAOS_SEED", "3"))
RUNS = int(os.environ.get("CHAOS_RUNS", "5"))
SOAK_S = float(os.environ.get("SOAK_S", "120"))
_SOAKED_BYTES_PER_EVENT = 4_096
"""Room under Kafka for what a long soak brings: the event, its decisions, indexes, all doubled."""
Outcomes = dict[str, list[Outcome]]
TAKERS = int(os.environ.get("CHAOS_TAKERS", "50000" if RUNS > 1 else "4000"))
"""Shoppers who take a reward each, fifty times as many as there are; all of them need their minutes."""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Servers, proxies and a system that runs."""
    soaked = int(SOAK_S * EVENTS_PER_S * _SOAKED_BYTES_PER_EVENT)
    with Place(tmp_path_factory.mktemp("chaos"), soaked) as made:
        yield made


@pytest.fixture(scope="session")
def rewarded() -> dict[str, int]:
    """How many took part in the experiment on budgets, and how many were rewarded."""
    return {}


@pytest.fixture(scope="session")
def outcomes(rewarded: dict[str, int]) -> Iterator[Outcomes]:
    """What every experiment came to, by fault; at the end it is printed, and written where CHAOS_REPORT says."""
    found: Outcomes = {}
    yield found
    print(f"\n\n{report.table(found)}")
    if path := os.environ.get("CHAOS_REPORT"):
        Path(path).write_text(report.page(found, rewarded, SEED), encoding="utf-8")
