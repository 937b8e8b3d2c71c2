"""`python -m tests.simulation [SEED]`: one run as a story, or many runs and the seeds that fail.

With `--planted`, many runs with bugs planted, and the seeds that find them.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import time

import msgspec

from tests.simulation.loop import current_process
from tests.simulation.many import run_many
from tests.simulation.planted import SEARCHED, Search, look_for_all
from tests.simulation.run import simulate

_RUNS = 1_000
_TOLD_MAX = 600


def main() -> int:
    """Runs what the command line asks for, and gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="tell this run; without it, run many")
    parser.add_argument("--runs", type=int, help=f"how many runs (default {_RUNS:,}, for a planted bug {SEARCHED})")
    parser.add_argument("--first", type=int, help="first seed (default: drawn anew each time)")
    parser.add_argument("--planted", action="store_true", help="look for every planted bug; one JSON object a line")
    given = parser.parse_args()
    if given.planted:
        return _look(given.runs or SEARCHED)
    if given.seed is not None:
        return _tell(given.seed)
    first = secrets.randbelow(10**9) if given.first is None else given.first
    return _run(first, given.runs or _RUNS)


def _tell(seed: int) -> int:
    """Prints one run as it goes."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Indented())
    log = logging.getLogger("hotbasket")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    outcome = simulate(seed, print)
    print(f"\nseed {seed}")
    for name, value in outcome.story.items():
        print(f"  {name}: {value}")
    for fault in outcome.faults:
        print(f"FAULT {fault}")
    print(f"{len(outcome.faults)} faults" if outcome.faults else "all is well")
    return 1 if outcome.faults else 0


def _run(first: int, runs: int) -> int:
    """Runs many seeds and names those that fail."""
    started_s = time.monotonic()
    print(f"seeds {first} to {first + runs - 1}")

    def said(done: int, failures: int) -> None:
        if sys.stdout.isatty() or done % 100 == 0 or done == runs:
            end = "" if sys.stdout.isatty() and done < runs else "\n"
            took_s = time.monotonic() - started_s
            print(f"\r{done:>6,} of {runs:,} runs, {failures} failed, {took_s:.0f} s", end=end, flush=True)

    failed = run_many(range(first, first + runs), said)
    for seed, faults in sorted(failed.items()):
        print(f"seed {seed}: {len(faults)} faults, first: {faults[0][:_TOLD_MAX]}")
        print(f"    see it: make simulate SEED={seed}; keep it: add {seed} to tests/simulation/kept_seeds.txt")
    return 1 if failed else 0


def _look(runs: int) -> int:
    """Looks for the planted bugs, and tells of each one by which seed it is found."""
    missed = 0

    def said(search: Search) -> None:
        nonlocal missed
        missed += search.found_by is None
        print(msgspec.json.encode(search).decode(), flush=True)

    look_for_all(said, runs)
    return 1 if missed else 0


class _Indented(logging.Formatter):
    """Puts the system's own log lines below the step that wrote them."""

    def format(self, record: logging.LogRecord) -> str:
        told = {name: vars(record)[name] for name in ("partition", "token", "detail") if name in vars(record)}
        process = current_process()
        return f"{'':<12} {process.name if process else '':<11} {record.getMessage()} {told or ''}"


if __name__ == "__main__":
    sys.exit(main())
