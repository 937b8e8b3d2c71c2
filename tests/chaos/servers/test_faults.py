"""Every fault under load, as often as CHAOS_RUNS says: nothing lost, nothing shown twice, and all of it recovers."""

from __future__ import annotations

import random

import pytest

from tests.chaos.servers.conftest import RUNS, SEED, Outcomes
from tests.chaos.servers.experiment import experiment
from tests.chaos.servers.faults import OUTAGE_S, Case, cases
from tests.chaos.servers.place import Place

ANSWERED_WITHIN_S = 3.0
"""The contract says one; a machine on which all of this shares two cores may take its time, and more if it is slow."""
PROCESSES = 2
"""Between whoever asks and the answer: the load's own and the gateway. Each may be as late as the load's was."""


@pytest.mark.parametrize("case", cases(is_whole=RUNS > 1), ids=str)
@pytest.mark.parametrize("run", range(RUNS))
async def test_nothing_is_lost_or_shown_twice(place: Place, outcomes: Outcomes, case: Case, run: int) -> None:
    """Acknowledged is logged, archived and processed; pages show the latest; no request hangs; all recovers."""
    draw = random.Random(f"{SEED} {run} {case.name}")
    outcome, faults = await experiment(place, case.fault, draw)
    outcomes.setdefault(case.name, []).append(outcome)
    print(f"\n{case.name}: {outcome}")
    assert [] == faults[:20], f"seed {SEED}, {len(faults)} faults"
    assert (0, 0) == (outcome.lost, outcome.twice)
    assert outcome.slowest_s <= ANSWERED_WITHIN_S + outcome.slowest_before_s + PROCESSES * outcome.late_s
    # In what follows: otherwise nothing was at stake.
    if case.moves:
        assert outcome.owners > place.system.partitions
    if case.spares_log:
        assert outcome.without_ack_s < OUTAGE_S
    if case.stops_log:
        assert outcome.refusals > 0
        assert outcome.unready > 0
