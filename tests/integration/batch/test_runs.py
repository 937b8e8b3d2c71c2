"""Runs of the night: which name a run gets, and that one that was stopped goes on where it was."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from msgspec import Struct
from pyspark.sql import SparkSession

from adapters.settings import Settings
from batch.evaluate import Evaluated, NotPromoted
from batch.jobs import Job
from batch.nightly import Steps, nightly
from batch.runs import Runs
from batch.warehouse import Warehouse
from domain.errors import PortError, Refused
from domain.ports.retailers import Retailer
from monitoring.metrics import BatchMetrics

DAY = date(2026, 11, 25)


class Said(Struct, frozen=True, kw_only=True):
    """What a step of these tests says."""

    number: int


def job_of(spark: SparkSession, root: Path, run_id: str = DAY.isoformat()) -> Job:
    """A job on a warehouse of its own."""
    return Job(
        spark=spark,
        warehouse=Warehouse(str(root), spark),
        retailer=Retailer(retailer_id="r-1", name="Fresh & Co"),
        catalogue=(),
        run_id=run_id,
        as_of=DAY,
        data=None,
        settings=Settings(batch_textfiles=str(root.parent)),
        report=lambda _step, _done, _of: None,
        metrics=BatchMetrics(),
    )


def test_a_stopped_night_goes_on_where_it_was(spark: SparkSession, tmp_path: Path) -> None:
    """The step that failed is done again, those before it are not; the metrics of the day say which failed."""
    job = job_of(spark, tmp_path / "warehouse")
    did: list[str] = []
    broken = True

    def cool(_: Job) -> Said:
        did.append("cool")
        return Said(number=1)

    def grow(_: Job, *, bonus: int) -> Said:
        did.append("grow")
        if broken:
            raise PortError("the disk is full", retriable=True)
        return Said(number=2 + bonus)

    steps: Steps = {"cool": cool, "grow": grow}
    with pytest.raises(PortError):
        nightly(job, {"grow": {"bonus": 5}}, steps)
    assert (
        'hotbasket_job_failed{retailer="Fresh & Co",step="grow"} 1.0'
        in (tmp_path / "hotbasket_grow_r-1.prom").read_text()
    )
    assert (
        'hotbasket_job_failed{retailer="Fresh & Co",step="cool"} 0.0'
        in (tmp_path / "hotbasket_cool_r-1.prom").read_text()
    )
    assert not (tmp_path / "hotbasket_night_r-1.prom").exists()
    broken = False
    runs = Runs(job.warehouse, job.retailer_id)
    assert job.run_id == runs.for_day(DAY, "grow")
    night = nightly(job, {"grow": {"bonus": 5}}, steps)
    assert ["cool", "grow", "grow"] == did
    assert ("cool",) == night.resumed
    assert {"cool": {"number": 1}, "grow": {"number": 7}} == night.steps
    assert f"{DAY.isoformat()}.2" == runs.for_day(DAY, "grow")
    assert DAY.isoformat() == runs.newest("grow", "cure")


def test_a_run_that_was_not_promoted_goes_no_further(spark: SparkSession, tmp_path: Path) -> None:
    """It is the night's good end: nobody is called. The day's next night is a new run, no step takes up the refused."""
    job = job_of(spark, tmp_path / "warehouse")
    verdict = Evaluated(promoted=False, shoppers=3, measures={}, paired={}, why="not promoted: too few")

    def evaluate(_: Job) -> Said:
        raise NotPromoted(verdict)

    def grow(_: Job) -> Said:
        raise AssertionError("nothing grows from a model that was refused")

    night = nightly(job, {}, {"evaluate": evaluate, "grow": grow})
    assert ("evaluate", ["evaluate"]) == (night.refused, list(night.steps))
    assert not night.steps["evaluate"]["promoted"]
    for step in ("evaluate", "night"):
        left = (tmp_path / f"hotbasket_{step}_r-1.prom").read_text()
        assert f'hotbasket_job_failed{{retailer="Fresh & Co",step="{step}"}} 0.0' in left
        assert f'hotbasket_job_last_success_timestamp_seconds{{retailer="Fresh & Co",step="{step}"}}' in left
    runs = Runs(job.warehouse, job.retailer_id)
    assert ["refused"] == [step.state for step in runs.steps()]
    assert f"{DAY.isoformat()}.2" == runs.for_day(DAY, "grow")
    with pytest.raises(Refused, match="no run"):
        runs.newest("evaluate", "no run is promoted")


def test_a_second_job_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    """Two at once on one warehouse: the second says who holds it."""
    root = tmp_path / "warehouse"
    with Warehouse(str(root), spark).lock(), pytest.raises(Refused), Warehouse(str(root), spark).lock():
        pass
