"""One run of one job of the cold half: what it works on, how it tells how far it is, and the line it leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec
import structlog

from adapters.settings import Settings
from domain.campaigns import Campaign
from domain.errors import HotbasketError, Refused
from domain.ports.retailers import CatalogueItem, Retailer
from monitoring.batch_export import export
from monitoring.metrics import BatchMetrics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from batch.warehouse import Warehouse

log = structlog.get_logger("hotbasket.batch")
Report = Callable[[str, int, int], None]
"""Told of progress: the job, how much of it is done, of how much."""
Done = TypeVar("Done", bound=msgspec.Struct)
"""What a job says it did."""
NIGHT = "night"
"""The whole of it, as metrics call it beside its steps."""
_DETAIL_MAX = 2_000


class SaidNo(Refused):
    """A step ended as it should, and said that its run goes no further; nothing is to be done again or mended.

    Args:
        why: a sentence.
        said: what the step found.
    """

    def __init__(self, why: str, said: msgspec.Struct) -> None:
        super().__init__(why)
        self.said = said


class Job(NamedTuple):
    """What a job works on.

    Attributes:
        spark: the session.
        warehouse: tables.
        retailer: whose shoppers.
        catalogue: the retailer's products, by product id.
        run_id: names what this run makes: models, predictions, trees; see `batch.runs`.
        as_of: everything before the end of this UTC day is known, nothing after it.
        data: the embedded system's directory; None = the servers of the settings.
        settings: of this process.
        report: told of progress.
        metrics: what the job leaves behind.
        campaigns: the retailer's, in whatever state.
    """

    spark: SparkSession
    warehouse: Warehouse
    retailer: Retailer
    catalogue: Sequence[CatalogueItem]
    run_id: str
    as_of: date
    data: Path | None
    settings: Settings
    report: Report
    metrics: BatchMetrics
    campaigns: Sequence[Campaign] = ()

    @property
    def retailer_id(self) -> str:
        """Whose."""
        return self.retailer.retailer_id


def run(step: str, job: Job, work: Callable[[Job], Done]) -> Done:
    """Does one job, and leaves its one canonical log line and its metrics, whether it succeeds or fails.

    Args:
        step: what the job is called.
        job: what it works on.
        work: does it and says what it did; its fields go into the line.

    Raises:
        SaidNo: as `work` did, which is a success all the same.
    """
    metrics = BatchMetrics()
    common = {"step": step, "retailer": job.retailer.name, "run": job.run_id}
    started = time.monotonic()
    metrics.job_failed.labels(step).set(1)
    try:
        done = work(job._replace(metrics=metrics))
    except SaidNo as refusal:
        _succeeded(step, metrics)
        log.info("step refused", **common, seconds=_since(started), detail=str(refusal)[:_DETAIL_MAX])
        raise
    except BaseException as error:
        detail = str(error) if isinstance(error, HotbasketError) else f"{type(error).__name__}: {error}"
        # Whoever catches it prints the traceback of what is no expected failure.
        log.error("step failed", **common, seconds=_since(started), detail=detail[:_DETAIL_MAX])  # noqa: TRY400
        raise
    else:
        _succeeded(step, metrics)
        log.info("step done", **{**msgspec.to_builtins(done), **common, "seconds": _since(started)})
        return done
    finally:
        metrics.job_s.labels(step).set(_since(started))
        _export(step, metrics, job)


def night_ended(job: Job) -> None:
    """Leaves word that a whole night came to its end, whether it brought trees or said no."""
    metrics = BatchMetrics()
    _succeeded(NIGHT, metrics)
    _export(NIGHT, metrics, job)


def _succeeded(step: str, metrics: BatchMetrics) -> None:
    metrics.job_failed.labels(step).set(0)
    metrics.job_succeeded_at_s.labels(step).set_to_current_time()


def _export(step: str, metrics: BatchMetrics, job: Job) -> None:
    """Exports; a job that did its work does not fail for want of a listener."""
    try:
        export(
            step,
            metrics,
            retailer_id=job.retailer_id,
            retailer=job.retailer.name,
            textfiles=job.settings.batch_textfiles,
            push_gateway=job.settings.batch_push_gateway,
        )
    except OSError as error:
        log.warning("metrics not exported", step=step, detail=str(error))


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
