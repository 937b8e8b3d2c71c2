"""Many runs on every core, with a line that says how far they are."""

from __future__ import annotations

import logging
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tests.simulation.run import simulate

KEPT = Path(__file__).with_name("kept_seeds.txt")
_T = TypeVar("_T")
_U = TypeVar("_U")


def kept_seeds() -> list[int]:
    """Gives the seeds that ever failed."""
    lines = (line.partition("#")[0].strip() for line in KEPT.read_text().splitlines())
    return [int(line) for line in lines if line]


def run_many(
    seeds: Iterable[int], said: Callable[[int, int], None], *, processes: int | None = None
) -> dict[int, list[str]]:
    """Runs seeds and gives the faults of those that failed.

    Args:
        seeds: which.
        said: called after each run with the numbers of runs and of failures so far.
        processes: how many at once; by default one a core.
    """
    failed: dict[int, list[str]] = {}
    for done, (seed, faults) in enumerate(on_every_core(faults_of, seeds, processes=processes, at_once=5), start=1):
        if faults:
            failed[seed] = faults
        said(done, len(failed))
    return failed


def on_every_core(
    work: Callable[[_T], _U], given: Iterable[_T], *, processes: int | None = None, at_once: int = 1
) -> Iterator[_U]:
    """Gives what a function makes of each thing given, as it comes.

    Args:
        work: a function of a module.
        given: what it is called with, one after the other.
        processes: how many at once; by default one a core.
        at_once: how many things a process takes at once.
    """
    with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count(), _be_quiet) as pool:
        yield from pool.imap_unordered(work, given, chunksize=at_once)


def faults_of(seed: int) -> tuple[int, list[str]]:
    """Gives a seed and what was wrong in its run; a run that breaks off is wrong, too."""
    try:
        return seed, simulate(seed).faults
    except Exception:  # noqa: BLE001  (the other seeds must go on)
        return seed, [traceback.format_exc()]


def _be_quiet() -> None:
    """Keeps the system's own log out of the progress line: most of what goes wrong in a run is meant to."""
    logging.disable(logging.CRITICAL)
