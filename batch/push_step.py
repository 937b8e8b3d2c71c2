"""Pushing a run's trees: stored by as many tasks as there are, shown by one row at the end; see `batch.push`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pandas as pd
from msgspec import Struct
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from adapters.clock import SystemClock
from adapters.settings import Settings
from adapters.wiring import open_releases
from batch.jobs import Job
from batch.push import Pushed as Released
from batch.push import Put, canary_share, finish, put_trees
from batch.warehouse import expected_errors
from domain.errors import Refused
from domain.ports.tree_releases import TreeReleases
from domain.releases import Overtaken
from monitoring.metrics import Metrics

Result = TypeVar("Result")
CHUNK_TREES = 500
TRIES_MAX = 3
_PUT = "trees bigint, bytes bigint, skipped bigint"


class Pushed(Struct, frozen=True, kw_only=True):
    """What was pushed; see `batch.push.Pushed`."""

    generation: int
    trees: int
    bytes: int
    skipped: int


def push(job: Job, *, canary: str | None = None) -> Pushed:
    """Pushes the run's trees under a new generation; a push that dies leaves nothing visible.

    A generation that somebody's `tree push` overtakes on the way is begun anew.

    Args:
        job: its run has grown.
        canary: share of the shoppers, such as `5%`; None = everybody, and the default tree.

    Raises:
        Refused: a tree is faulty, or there is none; nothing became visible.
        PortError: the store is away; nothing became visible, unless it went away in the last step.
    """
    share = None if canary is None else canary_share(canary)
    job.report("push", 0, 2)
    trees = job.warehouse.table("grown_trees").where(
        (sf.col("retailer_id") == job.retailer_id) & (sf.col("run_id") == job.run_id)
    )
    if trees.isEmpty():
        raise Refused(f"run {job.run_id} has grown no trees: hotbasket batch grow makes them")
    done = _pushed_in_turn(job, trees, share)
    job.metrics.trees.labels("pushed").set(done.trees)
    job.metrics.tree_generation.labels(job.retailer.name).set(done.generation)
    job.report("push", 2, 2)
    return Pushed(generation=done.generation, trees=done.trees, bytes=done.bytes, skipped=done.skipped)


def _pushed_in_turn(job: Job, trees: DataFrame, share: float | None) -> Released:
    for _ in range(TRIES_MAX - 1):
        with suppress(Overtaken):
            return _pushed(job, trees, share)
    return _pushed(job, trees, share)


def _pushed(job: Job, trees: DataFrame, share: float | None) -> Released:
    """Begins a generation, lets the tasks fill it, and shows it."""
    generation = _releasing(job, lambda releases: releases.begin(job.retailer_id))
    # Shoppers of one storage partition next to each other: their trees are written together.
    slotted = trees.select("shopper_id", "tree", sf.substring("shopper_id", 2, 2).alias("slot"))
    parts = slotted.repartition(job.spark.sparkContext.defaultParallelism, "slot")
    sorted_trees = parts.sortWithinPartitions("slot", "shopper_id").select("shopper_id", "tree")
    puts = sorted_trees.mapInPandas(_putting(job.data, job.settings, job.retailer_id, generation, share), schema=_PUT)
    try:
        with expected_errors("pushing trees"):
            total = puts.agg(*(sf.coalesce(sf.sum(name), sf.lit(0)).alias(name) for name in Put._fields)).first()
    except PySparkException as error:
        if Overtaken.__name__ in str(error):
            raise Overtaken(f"generation {generation} was overtaken while it was filled") from error
        raise
    assert total is not None
    job.report("push", 1, 2)
    put = Put(total["trees"], total["bytes"], total["skipped"])
    return _releasing(job, lambda releases: finish(releases, job.retailer_id, generation, put))


def _putting(
    data: Path | None, settings: Settings, retailer_id: str, generation: int, share: float | None
) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.DataFrame]]:
    def putting(frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        put = put_trees(data, settings, retailer_id, generation, _chunks(frames), canary=share)
        yield pd.DataFrame([put], columns=list(Put._fields))

    return putting


def _chunks(frames: Iterator[pd.DataFrame]) -> Iterator[list[tuple[str, bytes]]]:
    for frame in frames:
        for start in range(0, len(frame), CHUNK_TREES):
            part = frame.iloc[start : start + CHUNK_TREES]
            yield [(shopper, bytes(tree)) for shopper, tree in zip(part["shopper_id"], part["tree"], strict=True)]


def _releasing(job: Job, work: Callable[[TreeReleases], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        ports = await open_releases(job.data, job.settings, Metrics(), SystemClock())
        try:
            return await work(ports.releases)
        finally:
            await ports.close()

    return asyncio.run(opened())
