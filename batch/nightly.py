"""The night: cool → train → evaluate → grow → push; each step by itself, or all in one go and resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from batch.cool_step import cool
from batch.evaluate import evaluate
from batch.grow import grow
from batch.jobs import Job, SaidNo, night_ended, run
from batch.push_step import push
from batch.runs import Runs
from batch.train import train

log = structlog.get_logger("hotbasket.batch")
Steps = Mapping[str, Callable[..., Struct]]
"""By name, in order; each takes a `Job`, and may take options of its own by name."""
STEPS: Steps = {
    "cool": cool,
    "train": train,
    "evaluate": evaluate,
    "grow": grow,
    "push": push,
}
"""What the night does."""
LAST = tuple(STEPS)[-1]


class Night(Struct, frozen=True, kw_only=True):
    """What a night did.

    Attributes:
        run_id: its run.
        resumed: steps that were done before and were not done again.
        steps: what each step of this run said.
        refused: the step that said no, behind which nothing was done; empty = none.
    """

    run_id: str
    resumed: tuple[str, ...]
    steps: dict[str, Any]
    refused: str = ""


def nightly(job: Job, options: Mapping[str, Mapping[str, Any]], steps: Steps = STEPS) -> Night:
    """Does the night's steps in order; those that this run did before are not done again.

    A step that says no, as the gate does of a model that is no better than the best baseline, is the night's good end.

    Args:
        job: its `run_id` comes from `Runs.for_day`.
        options: of steps, by step and name.
        steps: what to do, in order.

    Raises:
        HotbasketError: a step failed; the next night of this day goes on with it.
    """
    before = Runs(job.warehouse, job.retailer_id).done(job.run_id)
    said = {name: msgspec.json.decode(step.said) for name, step in before.items()}
    refused = ""
    for name, work in steps.items():
        if name in before:
            continue
        try:
            done = do(name, job, partial(work, **options.get(name, {})))
        except SaidNo as refusal:
            done, refused = refusal.said, name
        said[name] = msgspec.to_builtins(done)
        if refused:
            break
    night_ended(job)
    log.info("night done", retailer=job.retailer.name, run=job.run_id, resumed=len(before), refused=refused)
    return Night(run_id=job.run_id, resumed=tuple(before), steps=said, refused=refused)


def do(step: str, job: Job, work: Callable[[Job], Struct]) -> Struct:
    """Does one step and keeps that it ended.

    Raises:
        SaidNo: it ended as it should, and its run goes no further.
        HotbasketError: it failed; it may be done again.
    """
    runs = Runs(job.warehouse, job.retailer_id)
    try:
        done = run(step, job, work)
    except SaidNo as refusal:
        runs.record(job.run_id, step, "refused", refusal.said)
        raise
    runs.record(job.run_id, step, "done", done)
    return done
