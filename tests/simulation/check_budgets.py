"""What must hold of campaigns' budgets when a run is over: at every moment of it, and in what is saved."""

from __future__ import annotations

from dataclasses import replace

from domain.purse import Balance, Purse, decode, purse_key
from tests.simulation.recount import Recount, Sums
from tests.simulation.system import System


def check_budgets(system: System, recount: Recount, *, told: bool) -> list[str]:
    """Gives every fault that was found.

    Args:
        system: whose workers have stopped.
        recount: of it.
        told: whether the ledger must have heard everything by now: nothing that it heard came late.
    """
    faults = [*recount.faults, *system.books.complaints]
    for number in range(system.broker.partitions):
        faults += _saved(system, recount, number)
    for (number, key), sums in recount.sums.items():
        part = system.books.part(number, key)
        if told and not _is_told(_of(part), sums):
            faults.append(f"the ledger has {part} of {key} in partition {number}, and should have {sums}")
    return faults


def _is_told(part: Sums, sums: Sums) -> bool:
    """Tells whether the ledger has what a partition's records say; it may have leased what nobody asked for again."""
    return part == replace(sums, leased=part.leased) and min(*part.leased) >= 0 and part.leased >= sums.leased


def _saved(system: System, recount: Recount, number: int) -> list[str]:
    """The next owner would find the purse that the log says: the saved one, and leases behind the last commit."""
    snapshot = system.shelf.snapshots.get(purse_key(number))
    commit = system.broker.commits.get(number)
    purse = decode(snapshot.payload) if snapshot is not None else Purse()
    behind = commit.tail if commit is not None else -1
    purse.lease(lease for partition, offset, lease in recount.leases if partition == number and offset > behind)
    wanted = {key: sums for (partition, key), sums in recount.sums.items() if partition == number and sums != Sums()}
    return [
        f"partition {number} would find {purse.balances.get(key)} of {key}, and should find {sums}"
        for key, sums in wanted.items()
        if _of(purse.balances.get(key, Balance())) != sums
    ] + [f"partition {number} would find {key}, of which it has nothing" for key in purse.balances if key not in wanted]


def _of(balance: Balance) -> Sums:
    return Sums(*[(amounts.minor, amounts.promises) for amounts in balance])
