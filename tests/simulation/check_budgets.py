"""What must hold of campaigns' budgets when a run is over."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.purses import Sums
from tests.simulation.recount import Recount
from tests.simulation.system import System


def check_budgets(system: System, recount: Recount, *, told: bool) -> list[str]:
    """Gives every fault that was found.

    Args:
        system: whose workers have stopped.
        recount: of it.
        told: whether the ledger must have heard everything by now: nothing that it heard came late.
    """
    faults = [*recount.faults, *system.books.complaints]
    for number, of_partition in enumerate(recount.sums):
        for key, sums in of_partition.items():
            part = Sums(*[(amounts.minor, amounts.promises) for amounts in system.books.part(number, key)])
            if told and not _is_told(part, sums):
                faults.append(f"the ledger has {part} of {key} in partition {number}, and should have {sums}")
    return faults


def _is_told(part: Sums, sums: Sums) -> bool:
    """Tells whether the ledger has what a partition's records say; it may have leased what nobody asked for again."""
    return part == replace(sums, leased=part.leased) and part.leased >= sums.leased
