"""Which runs of the night are over: what they have learned and grown goes, but for what may still be asked for."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from batch.table_forms import LEARNED

BY_RUN: Final = tuple(name for name, form in LEARNED.items() if "run_id" in form.partitioned_by)
"""Tables of which a run is a part. The book of the runs itself names no shopper, and stays."""
PUSHED_KEPT: Final = 2
"""Runs that pushed trees: the one in force and the one before, as long as the tree store itself."""


class Ended(NamedTuple):
    """That a step of a run ended; as in the table `runs`."""

    run_id: str
    step: str
    state: str
    ended_at: datetime


def old_runs(ended: Iterable[Ended], before: datetime) -> set[str]:
    """Gives the runs whose last step ended before a moment.

    Never among them: the newest two that pushed trees, and the newest whose model was promoted.

    Args:
        ended: every step of one retailer, in any order.
        before: with a time zone.
    """
    last: dict[str, datetime] = {}
    pushed: dict[str, datetime] = {}
    promoted: dict[str, datetime] = {}
    for one in ended:
        last[one.run_id] = max(one.ended_at, last.get(one.run_id, one.ended_at))
        if one.state == "done" and one.step == "push":
            pushed[one.run_id] = max(one.ended_at, pushed.get(one.run_id, one.ended_at))
        if one.state == "done" and one.step == "evaluate":
            promoted[one.run_id] = max(one.ended_at, promoted.get(one.run_id, one.ended_at))
    kept = {*_newest(pushed, PUSHED_KEPT), *_newest(promoted, 1)}
    return {run_id for run_id, ended_at in last.items() if ended_at < before} - kept


def _newest(runs: dict[str, datetime], count: int) -> list[str]:
    return sorted(runs, key=lambda run_id: runs[run_id], reverse=True)[:count]
